//! `talon queue`: what waits, what is paused, who works.

use core_api::{PauseQueue, PauseView, QueueView, ResumeQueue, Resumed};

use crate::cli::{PauseArgs, QueueCommand, QueueStatusArgs, ResumeArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::show;

pub(crate) async fn run(command: QueueCommand, json: bool) -> Result<(), Failure> {
    match command {
        QueueCommand::Status(arguments) => status(&arguments, json).await,
        QueueCommand::Pause(arguments) => pause(arguments, json).await,
        QueueCommand::Resume(arguments) => resume(arguments, json).await,
    }
}

async fn status(arguments: &QueueStatusArgs, json: bool) -> Result<(), Failure> {
    let query = [("conservation", arguments.conservation.to_string())];
    let queue: QueueView = Client::of(&arguments.server)?.get("/v1/queue", &query).await?;
    if json {
        print_json(&queue)?
    } else {
        print_status(&queue)?
    }
    match &queue.conservation {
        Some(count) if !count.holds => Err(Failure::negative("the sums do not agree: see the store's log")),
        _ => Ok(()),
    }
}

fn print_status(queue: &QueueView) -> Result<(), Failure> {
    let mut table = show::table(["class", "queued", "oldest", "scheduled", "running"]);
    for class in &queue.classes {
        let oldest = class.oldest_queued_seconds.map_or(String::new(), |seconds| format!("{seconds:.1} s"));
        let [queued, scheduled, running] =
            [class.queued, class.scheduled, class.running].map(|count| count.to_string());
        table.add_row([class.class.to_string(), queued, oldest, scheduled, running]);
    }
    print(table)?;
    if !queue.pauses.is_empty() {
        let mut table = show::table(["paused", "since", "by", "reason"]);
        for pause in &queue.pauses {
            table.add_row([pause.scope.clone(), pause.since.to_string(), pause.by.clone(), pause.reason.clone()]);
        }
        print(table)?;
    }
    let mut table = show::table(["process", "role", "workers", "busy", "heard of"]);
    for process in &queue.processes {
        let (slots, busy) = (process.slots.to_string(), process.busy.to_string());
        let (name, role) = (process.process.to_string(), process.role.to_string());
        table.add_row([name, role, slots, busy, process.seen_at.to_string()]);
    }
    print(table)?;
    if let Some(count) = &queue.conservation {
        let holds = if count.holds { "holds" } else { "DOES NOT HOLD" };
        print(format_args!(
            "conservation {holds}: {} accepted = {} ended + {} held + {} forgotten",
            count.accepted, count.terminal, count.held, count.pruned
        ))?;
    }
    if !queue.queue_reachable {
        say("the queue's server cannot be reached; tasks wait in the store until it can");
    }
    Ok(())
}

async fn pause(arguments: PauseArgs, json: bool) -> Result<(), Failure> {
    let PauseArgs { scope, reason, server } = arguments;
    let pause: PauseView = Client::of(&server)?.post("/v1/queue/pause", &PauseQueue { scope, reason }).await?;
    if json { print_json(&pause) } else { print(format_args!("{}: paused since {}", pause.scope, pause.since)) }
}

async fn resume(arguments: ResumeArgs, json: bool) -> Result<(), Failure> {
    let ResumeArgs { scope, server } = arguments;
    let resumed: Resumed = Client::of(&server)?.post("/v1/queue/resume", &ResumeQueue { scope }).await?;
    if json {
        return print_json(&resumed);
    }
    let words = if resumed.was_paused { "goes on" } else { "was not paused" };
    print(format_args!("{}: {words}", resumed.scope))
}
