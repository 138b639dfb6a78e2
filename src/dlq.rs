//! `talon dlq`: dead letters: looked at, queued again, forgotten. What touches many asks first.

use std::io::{BufRead, IsTerminal};

use core_api::{DeadLetterFilter, DeadLetterView, EditTask, ManyDone, PurgeMany, RequeueMany, TaskList, TaskView};
use types::{TaskId, Timestamp};

use crate::cli::{DlqCommand, DlqFilter, DlqListArgs, DlqShowArgs, DlqWhich, RequeueArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::show;

pub(crate) async fn run(command: DlqCommand, json: bool) -> Result<(), Failure> {
    match command {
        DlqCommand::List(arguments) => list(arguments, json).await,
        DlqCommand::Show(arguments) => show(&arguments, json).await,
        DlqCommand::Requeue(arguments) => requeue(arguments, json).await,
        DlqCommand::Purge(arguments) => purge(arguments.which, json).await,
    }
}

async fn list(arguments: DlqListArgs, json: bool) -> Result<(), Failure> {
    let filter = arguments.filter.into_filter();
    let mut query = vec![("limit", arguments.limit.to_string())];
    query.extend(filter.agent.map(|agent| ("agent", agent.to_string())));
    query.extend(filter.reason.map(|reason| ("reason", reason.to_string())));
    query.extend(filter.before.map(|before| ("before", before.to_string())));
    query.extend(arguments.cursor.map(|cursor| ("cursor", cursor.to_string())));
    let page: TaskList = Client::of(&arguments.server)?.get("/v1/dlq", &query).await?;
    if json {
        return print_json(&page);
    }
    let mut table = show::table(["task", "agent", "reason", "attempts", "died", "error"]);
    for task in &page.tasks {
        table.add_row([
            task.id.to_string(),
            task.agent.to_string(),
            task.stop_reason.map_or(String::new(), |reason| reason.to_string()),
            format!("{} ({} failed, {} lost)", task.attempt, task.failures, task.losses),
            task.finished_at.map_or(String::new(), |at| at.to_string()),
            task.error.clone().unwrap_or_default(),
        ]);
    }
    print(table)?;
    if let Some(next) = page.next {
        say(format_args!("there are more: --cursor {next}"));
    }
    Ok(())
}

async fn show(arguments: &DlqShowArgs, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/dlq/{}", arguments.id);
    let letter: DeadLetterView = Client::of(&arguments.server)?.get(&path, &[]).await?;
    if json {
        return print_json(&letter);
    }
    print(show::task(&letter.task))?;
    for attempt in letter.attempts {
        match attempt.attempt.0 {
            0 => print("\nbefore the first attempt")?,
            number => print(format_args!("\nattempt {number}"))?,
        }
        for event in &attempt.events {
            print(show::event(event))?;
        }
    }
    Ok(())
}

async fn requeue(arguments: RequeueArgs, json: bool) -> Result<(), Failure> {
    let RequeueArgs { which, input, agent, class, max_retries } = arguments;
    check(&which)?;
    let edit = EditTask { input, agent, class, max_retries };
    let client = Client::of(&which.server)?;
    if let Some(id) = which.id {
        let task: TaskView = client.post(&format!("/v1/dlq/{id}/requeue"), &edit).await?;
        return if json { print_json(&task) } else { print(format_args!("{id}: {} again", task.state)) };
    }
    let (dry_run, yes) = (which.dry_run, which.yes);
    let filter = which.filter.into_filter();
    let many = async |dry_run| {
        let request = RequeueMany { filter: filter.clone(), edit: edit.clone(), dry_run };
        client.post::<ManyDone>("/v1/dlq:requeue", &request).await
    };
    print_many(after_a_question(many, "queue", dry_run, yes).await?, "queued again", json)
}

async fn purge(which: DlqWhich, json: bool) -> Result<(), Failure> {
    check(&which)?;
    let client = Client::of(&which.server)?;
    if let Some(id) = which.id {
        return purge_one(&client, id, which.yes, json).await;
    }
    let (dry_run, yes) = (which.dry_run, which.yes);
    let filter = which.filter.into_filter();
    let many = async |dry_run| {
        let request = PurgeMany { filter: filter.clone(), dry_run };
        client.post::<ManyDone>("/v1/dlq:purge", &request).await
    };
    print_many(after_a_question(many, "forget", dry_run, yes).await?, "forgotten", json)
}

async fn purge_one(client: &Client, id: TaskId, yes: bool, json: bool) -> Result<(), Failure> {
    if !yes {
        ask(&format!("forget {id} with its steps and results, for good?"))?;
    }
    client.delete(&format!("/v1/dlq/{id}")).await?;
    if json {
        print_json(&serde_json::json!({"id": id, "purged": true}))
    } else {
        print(format_args!("{id}: forgotten"))
    }
}

/// What is left out does not mean all.
fn check(which: &DlqWhich) -> Result<(), Failure> {
    let DlqFilter { of_agent, reason, older_than } = &which.filter;
    let has_filter = of_agent.is_some() || reason.is_some() || older_than.is_some();
    match (which.id.is_some(), has_filter || which.all) {
        (false, false) => Err(Failure::usage(
            "which dead letters? Give an id, --of-agent, --reason or --older-than, or --all for every one",
        )),
        (true, true) => Err(Failure::usage("give an id or a filter, not both")),
        (true, false) | (false, true) => Ok(()),
    }
}

/// Counts first, asks, and then does it.
async fn after_a_question(
    many: impl AsyncFn(bool) -> Result<ManyDone, Failure>,
    verb: &str,
    dry_run: bool,
    yes: bool,
) -> Result<ManyDone, Failure> {
    if !yes || dry_run {
        let found = many(true).await?;
        if dry_run || found.matched == 0 {
            return Ok(found);
        }
        ask(&format!("{verb} {} dead letters?", found.matched))?;
    }
    many(false).await
}

/// Goes on when a person says yes.
fn ask(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} Nobody is there to ask: say --yes, or --dry-run to count")));
    }
    say(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        true => Ok(()),
        false => Err(Failure::negative("nothing was changed")),
    }
}

fn print_many(done: ManyDone, word: &str, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&done);
    }
    match done.dry_run {
        true => print(format_args!("{} dead letters fit", done.matched))?,
        false => print(format_args!("{} of {} dead letters were {word}", done.done, done.matched))?,
    }
    if done.more {
        say("there are more: give the command again");
    }
    Ok(())
}

impl DlqFilter {
    fn into_filter(self) -> DeadLetterFilter {
        let before = self.older_than.map(|age| Timestamp::now().before(age));
        DeadLetterFilter { agent: self.of_agent, reason: self.reason, before }
    }
}
