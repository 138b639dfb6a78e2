//! Models behind HTTP: what is asked, what a refusal means, and that answers are held to their forms on this side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use config::{RemoteKind, RemoteModel};
use inference::{
    AnswerForm, CacheSalt, ChatReply, ChatRequest, Message, ReplyContent, ReplyError, SamplingParams, ToolChoice,
    ToolDefinition, Usage,
};
use serde_json::{Value, json};
use types::{StopReason, TaskClass, TaskState};
use worker::{Generate, RemoteChat};

use crate::openai::{OpenAi, calls, says};
use crate::tool::Tool;
use crate::world::{PATIENCE, Setup, agent, assert_ended, task};

fn request() -> ChatRequest {
    ChatRequest {
        messages: vec![Message::User("Hello".to_owned())],
        tools: Vec::new(),
        callable: Vec::new(),
        tool_choice: ToolChoice::Auto,
        max_calls: 1,
        answer: AnswerForm::Text,
        material: Arc::default(),
        params: SamplingParams::greedy(50),
        stop: Vec::new(),
        class: TaskClass::Batch,
        cache_salt: CacheSalt::of("team"),
        deadline: Some(Instant::now() + PATIENCE),
    }
}

fn with_tool(answer: AnswerForm) -> ChatRequest {
    let parameters = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    let tool = ToolDefinition { name: "lookup".to_owned(), description: String::new(), parameters };
    ChatRequest { tools: vec![tool.clone()], callable: vec![tool], answer, ..request() }
}

fn number_form() -> AnswerForm {
    AnswerForm::Json(json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}))
}

fn answer_of(reply: &ChatReply) -> &str {
    match &reply.content {
        ReplyContent::Answer(text) => text,
        ReplyContent::ToolCalls(calls) => panic!("{calls:?}"),
    }
}

/// What a server that always answers so comes to.
async fn refused(answer: impl Fn(usize) -> Response + Send + Sync + 'static) -> ReplyError {
    OpenAi::start(answer).await.connect(RemoteKind::OpenAi).await.reply(request()).await.unwrap_err()
}

fn status(status: u16, body: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.to_owned()).into_response()
}

#[tokio::test]
async fn another_talon_is_told_who_asks_and_how_urgently_and_any_other_server_is_not() {
    let server = OpenAi::start(|_| says("Good day.")).await;
    for kind in [RemoteKind::Talon, RemoteKind::OpenAi] {
        let model = RemoteChat::connect(&server.spec(kind), Some("a-key")).await.unwrap();
        assert_eq!(answer_of(&model.reply(request()).await.unwrap()), "Good day.");
    }
    let [talon, other] = &server.asked()[..] else { panic!("two requests") };
    assert_eq!((&talon.body["model"], &talon.body), (&json!("large"), &other.body));
    for asked in [talon, other] {
        assert_eq!(asked.headers["authorization"], "Bearer a-key");
    }
    assert_eq!(talon.headers["x-talon-priority"], "batch");
    let left: u128 = talon.headers["x-talon-deadline-ms"].to_str().unwrap().parse().unwrap();
    assert!(0 < left && left <= PATIENCE.as_millis(), "{left}");
    assert_eq!(talon.headers["x-talon-cache-salt"], format!("{:016x}", CacheSalt::of("team").0).as_str());
    assert!(!other.headers.keys().any(|name| name.as_str().starts_with("x-talon")), "{:?}", other.headers);
}

#[tokio::test]
async fn a_full_server_is_asked_again_when_it_says() {
    let answer = |number| match number {
        0 => ([("retry-after", "0")], status(429, r#"{"error": {"message": "full"}}"#)).into_response(),
        1 => ([("retry-after", "0")], status(503, "")).into_response(),
        _ => says("at last").into_response(),
    };
    let server = OpenAi::start(answer).await;
    let reply = server.connect(RemoteKind::OpenAi).await.reply(request()).await.unwrap();
    assert_eq!((answer_of(&reply), server.asked().len()), ("at last", 3));
}

#[tokio::test]
async fn a_server_that_stays_full_or_away_is_no_fault_of_the_task() {
    let full = || ([("retry-after", "3600")], status(429, r#"{"error": {"message": "full"}}"#)).into_response();
    let error = refused(move |_| full()).await;
    assert!(
        matches!(&error, ReplyError::Unavailable(why) if why.contains("full") && why.contains("http://")),
        "{error}"
    );

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/v1");
    let (model, kind) = ("large".to_owned(), RemoteKind::OpenAi);
    let spec = RemoteModel { url: url.clone(), model, kind, api_key_env: None, context_tokens: Some(4096) };
    let model = RemoteChat::connect(&spec, None).await.unwrap();
    let error = model.reply(ChatRequest { deadline: None, ..request() }).await.unwrap_err();
    assert!(matches!(&error, ReplyError::Unavailable(why) if why.contains(&url)), "{error}");
}

#[tokio::test]
async fn refusals_and_nonsense_are_told_apart() {
    let too_long = r#"{"error": {"message": "shorten it", "code": "context_length_exceeded"}}"#;
    assert!(matches!(refused(move |_| status(400, too_long)).await, ReplyError::TooLong { max: 4096, .. }));
    assert!(
        matches!(refused(|_| status(401, "who are you?")).await, ReplyError::BadRequest(why) if why.contains("who"))
    );
    for (code, words) in [(500, "500"), (200, "not JSON")] {
        assert!(
            matches!(refused(move |_| status(code, "<html>")).await, ReplyError::Failed(why) if why.contains(words))
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (model, kind) = ("large".to_owned(), RemoteKind::OpenAi);
    let spec = RemoteModel { url, model, kind, api_key_env: None, context_tokens: Some(4096) };
    let model = RemoteChat::connect(&spec, None).await.unwrap();
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let error = model.reply(ChatRequest { deadline, ..request() }).await.unwrap_err();
    assert!(matches!(error, ReplyError::Deadline { .. }), "{error}");
}

#[tokio::test]
async fn a_choice_between_a_call_and_a_form_is_asked_in_two_steps() {
    let server = OpenAi::start(|number| says(["Certainly, it is 4.", r#"{"n": 4}"#][number])).await;
    let reply = server.connect(RemoteKind::OpenAi).await.reply(with_tool(number_form())).await.unwrap();
    assert_eq!(answer_of(&reply), r#"{"n": 4}"#);
    assert_eq!(reply.usage, Usage { prompt_tokens: 60, cached_tokens: 0, completion_tokens: 10 });
    let [first, second] = &server.asked()[..] else { panic!("two requests") };
    assert_eq!((&first.body["tool_choice"], first.body.get("response_format")), (&json!("auto"), None));
    assert_eq!((&second.body["tool_choice"], second.body["response_format"].is_object()), (&json!("none"), true));

    // Another Talon holds calls and answers to their forms at once.
    let server = OpenAi::start(|_| says(r#"{"n": 4}"#)).await;
    server.connect(RemoteKind::Talon).await.reply(with_tool(number_form())).await.unwrap();
    let [only] = &server.asked()[..] else { panic!("one request") };
    assert_eq!((&only.body["tool_choice"], only.body["response_format"].is_object()), (&json!("auto"), true));
}

#[tokio::test]
async fn an_answer_that_breaks_its_form_is_refused_on_this_side() {
    for kind in [RemoteKind::Talon, RemoteKind::OpenAi] {
        let server = OpenAi::start(|_| says(r#"{"n": "four"}"#)).await;
        let error = server.connect(kind).await.reply(with_tool(number_form())).await.unwrap_err();
        assert!(matches!(&error, ReplyError::Failed(why) if why.contains("at \"/n\"")), "{error}");
    }
}

#[tokio::test]
async fn the_context_is_the_servers_unless_it_is_configured() {
    let server = OpenAi::start(|_| says("")).await;
    assert_eq!(server.connect(RemoteKind::OpenAi).await.context_tokens(), 4096);
    let configured = RemoteModel { context_tokens: Some(512), ..server.spec(RemoteKind::OpenAi) };
    assert_eq!(RemoteChat::connect(&configured, None).await.unwrap().context_tokens(), 512);
    for (model, words) in [("absent", "large, silent"), ("silent", "no max_model_len")] {
        let spec = RemoteModel { model: model.to_owned(), ..server.spec(RemoteKind::OpenAi) };
        let Err(error) = RemoteChat::connect(&spec, None).await else { panic!("{model} has no context") };
        assert!(error.to_string().contains(words) && error.to_string().contains("context_tokens"), "{error}");
    }
}

#[tokio::test]
async fn tokens_are_counted_by_another_talon_and_estimated_for_any_other_server() {
    let server = OpenAi::start(|_| says("")).await;
    let count = async |kind, text: &str| {
        let messages = vec![Message::User(text.to_owned())];
        server.connect(kind).await.count_tokens(messages, Arc::default()).await
    };
    assert_eq!(count(RemoteKind::Talon, "Hello").await, 77);
    let (short, long) = (count(RemoteKind::OpenAi, "Hello").await, count(RemoteKind::OpenAi, &"a".repeat(3000)).await);
    assert!(0 < short && short < 50 && 1000 < long && long < 1050, "{short} {long}");
}

#[tokio::test]
async fn an_agent_works_with_a_model_behind_http() {
    let tool = Tool::willing().await;
    let server = OpenAi::start(|number| match number {
        0 => calls("lookup", json!({"query": "invoice 17"})),
        _ => says("It is paid."),
    })
    .await;
    let model = Arc::new(server.connect(RemoteKind::OpenAi).await);
    let world = Setup::with(vec![agent(&tool.endpoint())], model).start().await;
    let done = world.run(task("Is invoice 17 paid?")).await;
    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    assert_eq!((&done.output, tool.calls()), (&Some(json!("It is paid.")), vec![json!({"query": "invoice 17"})]));
    let sent: Vec<Value> = server.asked().into_iter().map(|asked| asked.body["messages"].clone()).collect();
    assert_eq!(sent[1].as_array().unwrap().last().unwrap()["role"], "tool");
    assert_eq!((done.prompt_tokens, done.completion_tokens), (60, 10));
}
