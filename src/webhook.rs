//! `talon webhook`: messages about ended tasks.

use core_api::WebhookView;

use crate::cli::{WebhookCommand, WebhookListArgs, WebhookRetryArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::show;

pub(crate) async fn run(command: WebhookCommand, json: bool) -> Result<(), Failure> {
    match command {
        WebhookCommand::List(arguments) => list(arguments, json).await,
        WebhookCommand::Retry(arguments) => retry(&arguments, json).await,
    }
}

async fn list(arguments: WebhookListArgs, json: bool) -> Result<(), Failure> {
    let mut query = vec![("limit", arguments.limit.to_string())];
    query.extend(arguments.state.map(|state| ("state", state)));
    let messages: Vec<WebhookView> = Client::of(&arguments.server)?.get("/v1/webhooks", &query).await?;
    if json {
        return print_json(&messages);
    }
    let mut table = show::table(["message", "task", "to", "state", "tries", "next", "error"]);
    for message in messages {
        table.add_row([
            message.id.to_string(),
            message.task.to_string(),
            message.url,
            message.state,
            message.attempts.to_string(),
            message.next_at.map_or(String::new(), |at| at.to_string()),
            message.error.unwrap_or_default(),
        ]);
    }
    print(table)
}

async fn retry(arguments: &WebhookRetryArgs, json: bool) -> Result<(), Failure> {
    let id = &arguments.id;
    Client::of(&arguments.server)?.ask(&format!("/v1/webhooks/{id}/retry")).await?;
    if json { print_json(&serde_json::json!({"id": id, "due": true})) } else { print(format_args!("{id}: due now")) }
}
