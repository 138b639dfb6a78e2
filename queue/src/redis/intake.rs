//! The stream that producers add tasks to which know nothing of Talon but Redis: `XADD openclaw:tasks * payload …`.
//!
//! What they add is in Redis alone until it is accepted into the store: it is as safe as that server.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use serde_json::Value;
use types::ProcessId;

use super::calls::GONE;
use super::entry::{Entry, field};
use super::errand::{Errand, WAIT};
use super::fault::Fault;
use super::keys::{GROUP, INTAKE};
use super::metrics::Tally;
use super::script::{ACCEPT_INTAKE, Call, FORGET_CONSUMERS, REFUSE_INTAKE};
use super::server::{Link, Server};
use crate::queue::QueueError;

/// After this long another process' entries are taken over. Who reads accepts within seconds, or reads them again itself.
const ABANDONED: Duration = Duration::from_secs(60);

/// Refused entries and mirrored dead letters that are kept, about.
pub(crate) const DEAD_LETTERS_KEPT: usize = 10_000;

/// Reads the intake stream. For one process at a time; two would only read an entry twice.
#[derive(Debug)]
pub struct Intake {
    errand: Errand,
    process: ProcessId,
    /// Whether the readers of earlier runs were removed.
    is_tidy: bool,
}

/// A task as a plain producer wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeEntry {
    /// The entry's id: the same task has the same however often it is read.
    pub id: String,
    /// What is to be done; names the agent.
    pub payload: String,
    /// `normal` and the like, as written.
    pub priority: Option<String>,
    /// How often the producer's own worker has tried it, as written; 0 when it does not say.
    pub retries: u32,
}

impl Intake {
    pub(crate) fn new(server: Arc<Server>, tally: Tally, process: ProcessId) -> Self {
        Intake { errand: Errand::new(server, tally), process, is_tidy: false }
    }

    /// Up to `max` entries: those that this process has read and neither accepted nor refused, then those that another
    /// left behind, then new ones. Waits up to five seconds for the latter; then the answer is empty.
    pub async fn read(&mut self, max: usize) -> Result<Vec<IntakeEntry>, QueueError> {
        let mut link = self.errand.link().await?;
        let entries = match self.look(&mut link, max).await {
            Err(error) if Fault::of(&error) == Fault::NoGroup => {
                self.errand.tally.failed(&error);
                self.make_group_and_look(&mut link, max).await
            }
            entries => entries,
        };
        let entries = entries.map_err(|error| self.errand.failed(error))?;
        if !self.is_tidy {
            let call = Call::new(&FORGET_CONSUMERS, &[INTAKE]).arg(GROUP).arg(GONE.as_secs() * 1000);
            self.run(call).await?;
            self.is_tidy = true;
        }
        let mut read = Vec::new();
        for (id, fields) in entries {
            match parse(&id, &fields) {
                Ok(entry) => read.push(entry),
                Err(problem) => {
                    self.refused(&id, &as_json(&fields), problem).await?;
                }
            }
        }
        Ok(read)
    }

    /// The store has them.
    pub async fn accepted(&mut self, ids: &[String]) -> Result<(), QueueError> {
        if ids.is_empty() {
            return Ok(());
        }
        let call = Call::new(&ACCEPT_INTAKE, &self.keys()).arg(GROUP).arg(ids);
        self.run(call).await
    }

    /// It can never be accepted: it becomes a dead letter.
    pub async fn refused(&mut self, id: &str, payload: &str, error: &str) -> Result<(), QueueError> {
        let call = Call::new(&REFUSE_INTAKE, &self.keys()).arg(GROUP).arg(id).arg(payload).arg(error);
        self.run(call.arg(DEAD_LETTERS_KEPT)).await
    }

    async fn run(&mut self, call: Call) -> Result<(), QueueError> {
        let mut link = self.errand.link().await?;
        let tally = self.errand.tally.clone();
        call.run(&mut link, &tally).await.map_err(|error| self.errand.failed(error))
    }

    fn keys(&self) -> [&'static str; 2] {
        [INTAKE, self.errand.server.address.dead_letters()]
    }

    async fn make_group_and_look(&self, link: &mut Link, max: usize) -> RedisResult<Vec<Entry>> {
        let mut make = redis::cmd("XGROUP");
        // From the start of the stream: what stands in it was never accepted.
        make.arg("CREATE").arg(INTAKE).arg(GROUP).arg("0").arg("MKSTREAM");
        make.query_async::<()>(link).await?;
        self.look(link, max).await
    }

    async fn look(&self, link: &mut Link, max: usize) -> RedisResult<Vec<Entry>> {
        let own = self.read_group(max, None, "0").query_async::<Read>(link).await?;
        let own = entries(own);
        // Entries that were deleted by hand have no fields any more.
        let (own, deleted): (Vec<_>, Vec<_>) = own.into_iter().partition(|(_, fields)| !fields.is_empty());
        if !deleted.is_empty() {
            let ids: Vec<String> = deleted.into_iter().map(|(id, _)| id).collect();
            redis::cmd("XACK").arg(INTAKE).arg(GROUP).arg(ids).query_async::<()>(link).await?;
        }
        if !own.is_empty() {
            return Ok(own);
        }
        let mut claim = redis::cmd("XAUTOCLAIM");
        claim.arg(INTAKE).arg(GROUP).arg(self.process.as_str());
        claim.arg(ABANDONED.as_secs() * 1000).arg("0-0").arg("COUNT").arg(max);
        let (_, abandoned, _): (String, Vec<Entry>, redis::Value) = claim.query_async(link).await?;
        if !abandoned.is_empty() {
            return Ok(abandoned);
        }
        Ok(entries(self.read_group(max, Some(WAIT), ">").query_async(link).await?))
    }

    fn read_group(&self, max: usize, block: Option<Duration>, from: &str) -> redis::Cmd {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(self.process.as_str()).arg("COUNT").arg(max);
        if let Some(block) = block {
            read.arg("BLOCK").arg(block.as_secs() * 1000);
        }
        read.arg("STREAMS").arg(INTAKE).arg(from);
        read
    }
}

/// The answer of XREADGROUP: streams and their entries; nil when there are none.
type Read = Option<Vec<(String, Vec<Entry>)>>;

fn entries(read: Read) -> Vec<Entry> {
    read.into_iter().flatten().flat_map(|(_, entries)| entries).collect()
}

/// All fields of an entry, for people: what is no text in UTF-8 is shown as far as it is.
fn as_json(fields: &[Vec<u8>]) -> String {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let (pairs, _) = fields.as_chunks();
    let fields = pairs.iter().map(|[name, value]| (text(name), Value::from(text(value))));
    Value::Object(fields.collect()).to_string()
}

fn parse(id: &str, fields: &[Vec<u8>]) -> Result<IntakeEntry, &'static str> {
    let payload = field(fields, "payload").ok_or("the entry has no field `payload` with text in UTF-8")?;
    let retries = field(fields, "retries").unwrap_or("0").parse().map_err(|_| "`retries` is not a number")?;
    let priority = field(fields, "priority").map(str::to_owned);
    Ok(IntakeEntry { id: id.to_owned(), payload: payload.to_owned(), priority, retries })
}
