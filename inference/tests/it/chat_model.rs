//! Replies of the bundled model. What it says does not matter here; the form has to hold whatever it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatReply, ChatRequest, Message, ReplyContent, ReplyError, ReplyFinish,
    SamplingOptions, SamplingParams, ToolChoice, ToolDefinition,
};
use serde_json::{Value, json};
use types::TaskClass;

use crate::support::chat_model;

fn tool(name: &str) -> ToolDefinition {
    ToolDefinition {
        name: name.to_owned(),
        description: "Does something.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "kind": {"type": "string", "enum": ["long", "short \"quoted\""]},
                "count": {"type": "integer", "minimum": 1, "maximum": 99},
            },
            "required": ["kind", "count"],
            "additionalProperties": false,
        }),
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "zone": {"type": "string", "maxLength": 5},
            "area": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 3},
            "open": {"type": "boolean"},
        },
        "required": ["zone", "area", "open"],
        "additionalProperties": false,
    })
}

fn hot(seed: u64, max_new_tokens: usize) -> SamplingParams {
    // Hot enough that nothing but the grammar holds the form.
    let options = SamplingOptions { temperature: 5.0, seed, max_new_tokens, ..SamplingOptions::default() };
    SamplingParams::try_from(options).unwrap()
}

fn request(seed: u64) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::System("Help.".to_owned()), Message::User("Do it.".to_owned())],
        tools: vec![],
        callable: vec![],
        tool_choice: ToolChoice::Auto,
        max_calls: 1,
        answer: AnswerForm::Text,
        material: Arc::default(),
        params: hot(seed, 200),
        stop: vec![],
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    }
}

/// Twenty replies, all in one batch.
async fn replies(asked: impl Fn(u64) -> ChatRequest) -> Vec<ChatReply> {
    let model = chat_model();
    let replies = futures::future::join_all((0..20).map(|seed| model.reply(asked(seed)))).await;
    replies.into_iter().map(Result::unwrap).collect()
}

fn with_tools(tools: Vec<ToolDefinition>, tool_choice: ToolChoice, request: ChatRequest) -> ChatRequest {
    ChatRequest { callable: tools.clone(), tools, tool_choice, ..request }
}

#[tokio::test]
async fn a_required_call_is_of_a_known_tool_and_keeps_to_its_schema() {
    let tools = vec![tool("first_tool"), tool("second \"tool\"")];
    let asked = |seed| with_tools(tools.clone(), ToolChoice::Required, request(seed));
    for reply in replies(asked).await {
        assert_eq!(reply.finish, ReplyFinish::ToolCalls);
        let ReplyContent::ToolCalls(calls) = reply.content else { panic!("an answer in place of a call") };
        let [call] = calls.as_slice() else { panic!("one call at a time") };
        assert!(["first_tool", "second \"tool\""].contains(&call.name.as_str()));
        assert!(call.id.len() == 9 && call.id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(["long", "short \"quoted\""].contains(&call.arguments["kind"].as_str().unwrap()));
        assert!((1..=99).contains(&call.arguments["count"].as_u64().unwrap()));
        assert_eq!(call.arguments.keys().collect::<Vec<_>>(), ["kind", "count"]);
    }
}

#[tokio::test]
async fn a_tool_that_the_model_knows_but_may_not_call_now_is_not_called() {
    let parameters = json!({
        "type": "object",
        "properties": {"kind": {"const": "one"}},
        "required": ["kind"],
        "additionalProperties": false,
    });
    let narrow = ToolDefinition { parameters, ..tool("known") };
    let asked = |seed| ChatRequest {
        callable: vec![narrow.clone()],
        ..with_tools(vec![tool("known"), tool("unused")], ToolChoice::Required, request(seed))
    };
    for reply in replies(asked).await {
        let ReplyContent::ToolCalls(calls) = reply.content else { panic!("an answer in place of a call") };
        assert_eq!((calls[0].name.as_str(), &calls[0].arguments["kind"]), ("known", &json!("one")));
    }
}

#[tokio::test]
async fn an_answer_keeps_to_its_schema_in_the_spacing_of_the_training() {
    let asked = |seed| {
        let asked = ChatRequest { answer: AnswerForm::Json(schema()), ..request(seed) };
        with_tools(vec![tool("never")], ToolChoice::None, asked)
    };
    for reply in replies(asked).await {
        let ReplyContent::Answer(answer) = reply.content else { panic!("a call in place of an answer") };
        assert!(answer.starts_with("{\"zone\": \"") && answer.contains("\", \"area\": ["), "{answer}");
        let value: Value = serde_json::from_str(&answer).unwrap();
        assert!(value["open"].is_boolean() && value["area"].as_array().unwrap().len() <= 3, "{answer}");
    }
}

#[tokio::test]
async fn free_text_holds_no_control_tokens() {
    let model = chat_model();
    let asked = |seed| ChatRequest { params: hot(seed, 100), ..request(seed) };
    for reply in futures::future::join_all((0..8).map(|seed| model.reply(asked(seed)))).await {
        match reply {
            Ok(reply) => assert!(matches!(reply.content, ReplyContent::Answer(_))),
            Err(error) => assert!(matches!(error, ReplyError::LengthLimit { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_reply_cut_short_is_a_length_limit_wherever_it_is_cut() {
    let model = chat_model();
    for max_new_tokens in 1..12 {
        let asked = ChatRequest { params: hot(1, max_new_tokens), ..request(1) };
        let asked = with_tools(vec![tool("first_tool")], ToolChoice::Required, asked);
        let error = model.reply(asked).await.unwrap_err();
        assert!(matches!(error, ReplyError::LengthLimit { usage } if usage.completion_tokens == max_new_tokens));
    }
}

#[tokio::test]
async fn refusals_say_what_and_where() {
    let model = chat_model();
    let long = ChatRequest { messages: vec![Message::User("word ".repeat(3000))], ..request(0) };
    let error = model.reply(long).await.unwrap_err();
    assert!(matches!(error, ReplyError::TooLong { tokens: 3000.., max: 2047 }), "{error}");

    let late = ChatRequest { deadline: Some(Instant::now() - Duration::from_secs(1)), ..request(0) };
    assert!(matches!(model.reply(late).await.unwrap_err(), ReplyError::Deadline { .. }));

    let none = ChatRequest { tool_choice: ToolChoice::Required, ..request(0) };
    assert_eq!(
        model.reply(none).await.unwrap_err().to_string(),
        "tool_choice is required but no tool is callable; give tools or choose auto"
    );

    let mut bad = tool("good");
    bad.name = "bad".to_owned();
    bad.parameters["properties"]["kind"] = json!({"type": "string", "format": "no-such-format"});
    let asked = ChatRequest { answer: AnswerForm::Json(schema()), ..request(0) };
    let asked = with_tools(vec![tool("good"), bad], ToolChoice::Auto, asked);
    let error = model.reply(asked).await.unwrap_err();
    let expected = "parameters of tool \"bad\" cannot be enforced at /properties/kind: ";
    assert!(error.to_string().starts_with(expected), "{error}");

    model.handle().drain().await;
    assert_eq!(model.reply(request(0)).await.unwrap_err(), ReplyError::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_replies_at_once_are_each_the_same_as_alone() {
    let model: ChatModel = chat_model();
    let asked = |seed| ChatRequest { answer: AnswerForm::Json(schema()), ..request(seed) };
    let together = futures::future::join_all((0..6).map(|seed| model.reply(asked(seed)))).await;
    for (seed, reply) in (0..).zip(together) {
        let (reply, alone) = (reply.unwrap(), model.reply(asked(seed)).await.unwrap());
        assert_eq!(reply.content, alone.content);
        assert_eq!(reply.usage.completion_tokens, alone.usage.completion_tokens);
    }
}
