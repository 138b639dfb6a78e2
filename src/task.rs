//! `talon task`: submit and follow tasks on a running server.

use std::io::Read;

use core_api::{SubmitTask, TaskView};
use types::{TaskId, TaskState};

use crate::cli::{ListArgs, SubmitArgs, TaskArgs, TaskCommand};
use crate::client::Client;
use crate::failure::Failure;
use crate::show;

pub(crate) async fn run(command: TaskCommand, json: bool) -> Result<(), Failure> {
    match command {
        TaskCommand::Submit(arguments) => submit(arguments, json).await,
        TaskCommand::Get(arguments) => get(&arguments, json).await,
        TaskCommand::List(arguments) => list(&arguments, json).await,
        TaskCommand::Watch(arguments) => watch(&arguments, json).await,
        TaskCommand::Cancel(arguments) => cancel(&arguments, json).await,
    }
}

async fn submit(arguments: SubmitArgs, json: bool) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.url)?;
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
    let request = SubmitTask {
        agent: arguments.agent,
        input,
        documents,
        class: arguments.class,
        due_at: None,
        deadline_seconds: None,
        max_retries: None,
    };
    let task = client.submit(&request, arguments.idempotency_key.as_deref()).await?;
    if !arguments.wait {
        if json {
            return show::json(&task);
        }
        println!("{}", task.id);
        eprintln!("accepted; follow it with `talon task watch {}`", task.id);
        return Ok(());
    }
    let task = client.wait(task.id).await?;
    print(&task, json)?;
    ended_well(&task)
}

async fn get(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let task = Client::new(&arguments.server.url)?.task(arguments.id).await?;
    print(&task, json)
}

async fn list(arguments: &ListArgs, json: bool) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.url)?;
    let page = client.tasks(arguments.state, arguments.agent.as_ref(), arguments.limit).await?;
    if json {
        return show::json(&page);
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
    println!("{table}");
    if page.next.is_some() {
        eprintln!("there are more; raise --limit");
    }
    Ok(())
}

/// Prints steps as they are taken, then the task.
async fn watch(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let client = Client::new(&arguments.server.url)?;
    let mut seen = 0;
    loop {
        client
            .events(arguments.id, seen, |event| {
                seen = event.seq;
                if json {
                    println!("{}", serde_json::to_string(&event).unwrap_or_default());
                } else {
                    println!("{}  {:<16} {}", event.at, event.kind, show::one_line(&event.data));
                }
            })
            .await?;
        // The stream also ends when the server restarts; the task itself says whether that was all.
        let task = client.task(arguments.id).await?;
        if task.state.is_terminal() {
            if !json {
                println!();
                show_steps(&client, arguments.id).await?;
                show::task(&task);
            }
            return ended_well(&task);
        }
    }
}

async fn show_steps(client: &Client, id: TaskId) -> Result<(), Failure> {
    for step in client.steps(id).await? {
        println!("{}", show::step(&step));
    }
    println!();
    Ok(())
}

async fn cancel(arguments: &TaskArgs, json: bool) -> Result<(), Failure> {
    let cancellation = Client::new(&arguments.server.url)?.cancel(arguments.id).await?;
    if json {
        return show::json(&cancellation);
    }
    let words = if cancellation.requested { "its worker was told to stop" } else { "cancelled" };
    println!("{}: {words}", cancellation.id);
    Ok(())
}

fn print(task: &TaskView, json: bool) -> Result<(), Failure> {
    if json {
        show::json(task)
    } else {
        show::task(task);
        Ok(())
    }
}

fn ended_well(task: &TaskView) -> Result<(), Failure> {
    match task.state {
        TaskState::Succeeded => Ok(()),
        state => Err(Failure::negative(format!("task {} ended as {state}", task.id))),
    }
}
