//! What it costs to hold an answer to a schema, and what forced tokens save.

use serde_json::{Value, json};

use crate::ask::Prompt;
use crate::row::Row;
use crate::serve::{Peer, Server};
use crate::{Error, Options};

/// Enough for either schema.
const MAX_TOKENS: usize = 1024;

pub(crate) async fn run(options: &Options) -> Result<Vec<Row>, Error> {
    let server = Server::start(Peer::Talon, options).await?;
    let mut rows = Vec::new();
    for (work, schema) in [("schema, free text", free_text()), ("schema, mostly forced", mostly_forced())] {
        let (mut seconds, mut forced) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for round in 0..options.rounds as u64 {
            let mut new_tokens = 0;
            for column in [0, 1] {
                let before = counts(&server).await?;
                let chat = Prompt { system: (0, 20), user: (round, 20) }.chat(MAX_TOKENS);
                let answer = if column == 0 {
                    server.ask(&held_to(chat, &schema)).await?
                } else {
                    server.ask_for(chat, new_tokens).await?
                };
                new_tokens = usize::try_from(answer.new_tokens)?;
                let after = counts(&server).await?;
                seconds[column].push(answer.whole.as_secs_f64());
                forced[column].push((after.0 - before.0) / (after.1 - before.1));
            }
        }
        let names = ["schema", "free"];
        rows.push(Row::of_medians(work, "request, s", names, seconds));
        rows.push(Row::of_medians(work, "forced tokens", names, forced));
    }
    Ok(rows)
}

/// Forced tokens and all new tokens so far.
async fn counts(server: &Server) -> Result<(f64, f64), Error> {
    let forced = server.metric("openclaw_engine_forced_tokens_total").await?;
    Ok((forced, server.metric("openclaw_engine_generation_tokens_total").await?))
}

fn held_to(mut chat: Value, schema: &Value) -> Value {
    chat["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}});
    chat
}

/// All but a few tokens are the model's choice.
fn free_text() -> Value {
    let text = json!({"type": "string", "minLength": 240, "maxLength": 240});
    object([("text".to_owned(), text)])
}

/// The names of the fields are most of the answer.
fn mostly_forced() -> Value {
    let yes_or_no = |part| (format!("the_{part}_part_of_the_order_is_complete"), json!({"type": "boolean"}));
    object(["first", "second", "third", "fourth", "fifth", "sixth"].map(yes_or_no))
}

fn object<const N: usize>(properties: [(String, Value); N]) -> Value {
    let required: Vec<String> = properties.iter().map(|(name, _)| name.clone()).collect();
    let properties: serde_json::Map<String, Value> = properties.into_iter().collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
