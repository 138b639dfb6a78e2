//! `POST /v1/chat/completions`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures::future::try_join_all;

use crate::Served;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::request::{Chat, ChatCompletionRequest, Delivery};
use crate::response::{ChatChunk, ChatChunks, ChatCompletion, Envelope, Streaming, collect, stream};

const PROMPT: &str = "messages";

/// Go on with a conversation.
#[utoipa::path(post, path = "/v1/chat/completions", operation_id = "create_chat_completion", tag = "models",
    request_body = ChatCompletionRequest,
    params(
        ("x-talon-priority" = Option<types::TaskClass>, Header, description = "How urgent it is"),
        ("x-talon-deadline-ms" = Option<u64>, Header, description = "Milliseconds after which the answer is given up"),
        ("x-talon-cache-salt" = Option<String>, Header, description = "With whom computed beginnings are shared")
    ),
    responses(
        (status = 200, description = "The answers; with `stream`, server-sent events, the last of them `[DONE]`",
            content((ChatCompletion = "application/json"), (ChatChunk = "text/event-stream"))),
        (status = 400, description = "The request is at fault, at `param`"),
        (status = 404, description = "No such model"),
        (status = 408, description = "The body did not come in time"),
        (status = 413, description = "The body is too large"),
        (status = 429, description = "The engine is overloaded; `Retry-After` says when to come back"),
        (status = 504, description = "The deadline passed")
    ))]
pub(crate) async fn create(State(served): State<Served>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let request = ChatCompletionRequest::try_from(body)?;
    let name = request.model().to_owned();
    let model = served.model(&name)?;
    let Chat { requests, delivery } = request.check(model, &headers, &served.options)?;
    let refused = |error| Refusal::of_reply(error, PROMPT);
    // A caller who goes away drops these, and with them the sequences.
    let replies = try_join_all(requests.into_iter().map(|request| model.chat(request))).await.map_err(refused)?;
    let envelope = Envelope::new("chatcmpl", name, model.info());
    match delivery {
        Delivery::Whole => {
            let answers = try_join_all(replies.into_iter().map(collect)).await.map_err(refused)?;
            Ok(Json(ChatCompletion::new(envelope, answers)).into_response())
        }
        Delivery::Stream { include_usage } => {
            let answers_per_prompt = replies.len();
            let streaming =
                Streaming { envelope, chunks: ChatChunks, replies, answers_per_prompt, include_usage, prompt: PROMPT };
            Ok(stream(streaming, served.options.keep_alive))
        }
    }
}
