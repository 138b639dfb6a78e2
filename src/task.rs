//! `talon task`: submit and follow tasks on a running server.

use std::io::Read;
use std::time::Duration;

use core_api::{Explanation, TaskList, TaskView};
use types::TaskState;

use crate::cli::{ListArgs, SubmitArgs, TaskArgs, TaskCommand};
use crate::client::{Client, RESTART, new_task};
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::patience::Patience;
use crate::show;

/// Before a stream of events that a stopping server has ended is asked for again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn run(command: TaskCommand, json: bool) -> Result<(), Failure> {
    match command {
        TaskCommand::Submit(arguments) => submit(arguments, json).await,
        TaskCommand::Get(arguments) => get(&arguments, json).await,
        TaskCommand::List(arguments) => list(&arguments, json).await,
        TaskCommand::Watch(arguments) => watch(&arguments, json).await,
        TaskCommand::Cancel(arguments) => cancel(&arguments, json).await,
        TaskCommand::Retry(arguments) => retry(&arguments, json).await,
        TaskCommand::Explain(arguments) => explain(&arguments, json).await,
    }
}

async fn submit(arguments: SubmitArgs, json: bool) -> Result<(), Failure> {
    let client = Client::of(&arguments.server)?;
    let input = match arguments.input.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
            Some(text)
        }
        other => other.map(str::to_owned),
    };
    let mut documents = Vec::new();
    for path in &arguments.documents {
        documents.push(client.upload(path).await?.id);
    }
    let request = new_task(arguments.agent, input, documents, arguments.class);
    let task = client.submit(&request, arguments.idempotency_key.as_deref()).await?;
    if !arguments.wait {
        if json {
            return print_json(&task);
        }
        print(task.id)?;
        say(format_args!("accepted; follow it with `talon task watch {}`", task.id));
        return Ok(());
    }
    say(format_args!("accepted as {}; Ctrl-C ends the waiting, not the task", task.id));
    let task = client.wait(task.id).await?;
    print_task(&task, json)?;
    ended_well(&task)
}

async fn get(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let task = Client::of(&arguments.server)?.task(arguments.id).await?;
    print_task(&task, json)
}

async fn list(arguments: &ListArgs, json: bool) -> Result<(), Failure> {
    let client = Client::of(&arguments.server)?;
    let mut query = vec![("limit", arguments.limit.to_string())];
    query.extend(arguments.state.map(|state| ("state", state.to_string())));
    query.extend(arguments.agent.as_ref().map(|agent| ("agent", agent.to_string())));
    query.extend(arguments.class.map(|class| ("class", class.to_string())));
    query.extend(arguments.cursor.map(|cursor| ("before", cursor.to_string())));
    let page: TaskList = client.get("/v1/tasks", &query).await?;
    if json {
        return print_json(&page);
    }
    let mut table = show::table(["task", "agent", "state", "reason", "attempt", "accepted"]);
    for task in &page.tasks {
        table.add_row([
            task.id.to_string(),
            task.agent.to_string(),
            task.state.to_string(),
            task.stop_reason.map_or(String::new(), |reason| reason.to_string()),
            task.attempt.to_string(),
            task.accepted_at.to_string(),
        ]);
    }
    print(table)?;
    if let Some(next) = page.next {
        say(format_args!("there are more: --cursor {next}"));
    }
    Ok(())
}

/// Prints events, steps among them, as they happen; then the task.
async fn watch(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let (client, patience) = (Client::of(&arguments.server)?, Patience::new(RESTART));
    // A server or a task that is not there from the start is not waited for.
    client.task(arguments.id).await?;
    let mut seen = 0;
    loop {
        let streamed = client
            .events(arguments.id, seen, |event| {
                seen = event.seq;
                if json { print(serde_json::json!(event)) } else { print(show::event(&event)) }
            })
            .await;
        if let Err(failure) = &streamed
            && !failure.is_unavailable()
        {
            return streamed;
        }
        // The stream also ends when the server stops; the task itself says whether that was all.
        let task = patience.ask(async || client.task(arguments.id).await).await?;
        if streamed.is_ok() && task.state.is_terminal() {
            if !json {
                print(format_args!("\n{}", show::task(&task)))?;
            }
            return ended_well(&task);
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn cancel(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let cancellation = Client::of(&arguments.server)?.cancel(arguments.id).await?;
    if json {
        return print_json(&cancellation);
    }
    let words = if cancellation.requested { "its worker was told to stop" } else { "cancelled" };
    print(format_args!("{}: {words}", cancellation.id))
}

async fn retry(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let task = Client::of(&arguments.server)?.retry(arguments.id).await?;
    if json { print_json(&task) } else { print(format_args!("{}: {} again", task.id, task.state)) }
}

/// Why it waits.
async fn explain(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/tasks/{}/explain", arguments.id);
    let explanation: Explanation = Client::of(&arguments.server)?.get(&path, &[]).await?;
    if json { print_json(&explanation) } else { print(show::explanation(&explanation)) }
}

fn print_task(task: &TaskView, json: bool) -> Result<(), Failure> {
    if json { print_json(task) } else { print(show::task(task)) }
}

fn ended_well(task: &TaskView) -> Result<(), Failure> {
    match task.state {
        TaskState::Succeeded => Ok(()),
        state => Err(Failure::negative(format!("task {} ended as {state}", task.id))),
    }
}
