//! What the queue asks of the server, one function each. No state, no policy.

use std::time::Duration;

use redis::RedisResult;
use types::{ProcessId, TaskClass, TaskId};

use super::entry::{Ended, Entry, delivery};
use super::keys::{GROUP, QUEUE};
use super::metrics::Tally;
use super::script::{ACKNOWLEDGE, CLAIM, Call, DEPTH, FETCH, FORGET_CONSUMERS, HOLDS, PUSH, PUT_BACK, RECOVER};
use super::server::Link;
use super::takers::Demand;
use crate::queue::{Delivery, Depth};

/// Ids in one call: Lua unpacks fewer than 8,000 values, and no call should hold up the others for long.
const BATCH: usize = 1000;

/// How long a consumer is silent before it is taken for gone. Those that live ask several times a minute.
pub(crate) const GONE: Duration = Duration::from_secs(600);

pub(crate) async fn push(mut link: Link, tally: Tally, ids: Vec<(TaskId, TaskClass)>) -> RedisResult<()> {
    for batch in ids.chunks(BATCH) {
        let mut call = Call::new(&PUSH, &QUEUE);
        for (task, class) in batch {
            call = call.arg(line(*class)).arg(task.to_string());
        }
        call.run::<()>(&mut link, &tally).await?;
    }
    Ok(())
}

/// Entries that the server gives to this process.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) deliveries: Vec<Delivery>,
    /// Those that name no task.
    pub(crate) malformed: Vec<Ended>,
}

/// What a look at the lines brought.
pub(crate) struct Fetched {
    pub(crate) delivered: Delivered,
    /// Delivered, by class.
    pub(crate) served: [usize; 3],
    /// What still waits, by class.
    pub(crate) waiting: [usize; 3],
    /// Whether the lines had been wiped.
    pub(crate) was_wiped: bool,
}

/// Takes as many as are wanted; `plan` says of which classes those who take any should get.
pub(crate) async fn fetch(
    mut link: Link,
    tally: Tally,
    process: ProcessId,
    demand: Demand,
    plan: [usize; 3],
) -> RedisResult<Fetched> {
    let call = Call::new(&FETCH, &QUEUE).arg(GROUP).arg(process.as_str());
    let call = call.arg(demand.interactive).arg(demand.all).arg(&plan);
    let (lines, waiting, made): (Lines, [usize; 3], usize) = call.run(&mut link, &tally).await?;
    let served = [lines.0.len(), lines.1.len(), lines.2.len()];
    Ok(Fetched { delivered: read(lines), served, waiting, was_wiped: 0 < made })
}

pub(crate) async fn acknowledge(mut link: Link, tally: Tally, ended: &[Ended]) -> RedisResult<()> {
    for batch in ended.chunks(BATCH) {
        let mut call = Call::new(&ACKNOWLEDGE, &QUEUE).arg(GROUP);
        for class in TaskClass::ALL {
            let of_class: Vec<&Ended> = batch.iter().filter(|ended| ended.class == class).collect();
            call = call.arg(of_class.len());
            call = of_class.iter().fold(call, |call, ended| call.arg(&ended.entry));
            call = of_class.iter().fold(call, |call, ended| call.arg(&ended.id));
        }
        call.run::<()>(&mut link, &tally).await?;
    }
    Ok(())
}

pub(crate) async fn put_back(mut link: Link, tally: Tally, deliveries: Vec<Delivery>) -> RedisResult<()> {
    let ended: Vec<Ended> = deliveries.into_iter().map(Ended::from).collect();
    for batch in ended.chunks(BATCH) {
        let mut call = Call::new(&PUT_BACK, &QUEUE).arg(GROUP);
        for ended in batch {
            call = call.arg(line(ended.class)).arg(&ended.entry).arg(&ended.id);
        }
        call.run::<()>(&mut link, &tally).await?;
    }
    Ok(())
}

/// What was left alone for too long.
pub(crate) struct Claimed {
    /// The server's incarnation. When it is not the one that was expected, nothing was taken.
    pub(crate) run: String,
    pub(crate) delivered: Delivered,
}

/// Takes over what was left alone for `idle`, and removes consumers that are gone.
pub(crate) async fn claim(
    mut link: Link,
    tally: Tally,
    process: ProcessId,
    idle: Duration,
    run: String,
) -> RedisResult<Claimed> {
    let call = Call::new(&CLAIM, &QUEUE).arg(GROUP).arg(process.as_str()).arg(milliseconds(idle)).arg(run);
    let (run, lines): (String, Lines) = call.run(&mut link, &tally).await?;
    let call = Call::new(&FORGET_CONSUMERS, &QUEUE[..TaskClass::ALL.len()]).arg(GROUP).arg(milliseconds(GONE));
    call.run::<()>(&mut link, &tally).await?;
    Ok(Claimed { run, delivered: read(lines) })
}

/// Everything that was delivered to this process and not acknowledged.
pub(crate) async fn recover(mut link: Link, tally: Tally, process: ProcessId) -> RedisResult<Delivered> {
    let call = Call::new(&RECOVER, &QUEUE).arg(GROUP).arg(process.as_str());
    Ok(read(call.run::<Lines>(&mut link, &tally).await?))
}

pub(crate) async fn holds(mut link: Link, tally: Tally, ids: Vec<TaskId>) -> RedisResult<Vec<bool>> {
    let mut held = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let call = batch.iter().fold(Call::new(&HOLDS, &QUEUE), |call, task| call.arg(task.to_string()));
        held.extend(call.run::<Vec<bool>>(&mut link, &tally).await?);
    }
    Ok(held)
}

pub(crate) async fn depth(mut link: Link, tally: Tally) -> RedisResult<Depth> {
    let counts = Call::new(&DEPTH, &QUEUE).arg(GROUP).run::<[usize; 4]>(&mut link, &tally).await?;
    let [interactive, normal, batch, delivered] = counts;
    Ok(Depth { waiting: [interactive, normal, batch], delivered })
}

/// Entries of the three lines.
type Lines = (Vec<Entry>, Vec<Entry>, Vec<Entry>);

fn read(lines: Lines) -> Delivered {
    let mut read = Delivered::default();
    for (class, entries) in TaskClass::ALL.into_iter().zip([lines.0, lines.1, lines.2]) {
        for entry in entries {
            match delivery(class, entry) {
                Ok(delivery) => read.deliveries.push(delivery),
                Err(entry) => read.malformed.push(entry),
            }
        }
    }
    read
}

/// A class as scripts count it.
fn line(class: TaskClass) -> usize {
    class as usize + 1
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
