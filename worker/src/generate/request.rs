//! A turn as OpenAI's chat completions spell it. Pure.

use inference::{AnswerForm, ChatRequest, Message, ReplyError, SamplingParams, ToolCall, ToolChoice, ToolDefinition};
use serde_json::{Map, Value, json};

/// What a turn may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcomes {
    /// Calls as far as the request allows them, or an answer.
    Any,
    /// Calls, or an answer in no form: for servers that would hold the calls to the answer's form, too.
    CallsOrText,
    /// An answer in its form.
    Answer,
}

/// The request's body. `model` is the name there. Extracts are asked for as text: no other server knows the form.
pub(super) fn body(model: &str, request: &ChatRequest, outcomes: Outcomes) -> Result<Value, ReplyError> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), messages(&request.messages));
    insert_sampling(&mut body, &request.params);
    if !request.stop.is_empty() {
        body.insert("stop".to_owned(), json!(request.stop));
    }
    if !request.callable.is_empty() {
        body.insert("tools".to_owned(), tools(&request.callable));
        body.insert("tool_choice".to_owned(), json!(tool_choice(request, outcomes)));
        if request.max_calls == 1 {
            body.insert("parallel_tool_calls".to_owned(), json!(false));
        }
    }
    match &request.answer {
        AnswerForm::Json(schema) if outcomes != Outcomes::CallsOrText => {
            let schema = json!({"name": "answer", "schema": schema});
            body.insert("response_format".to_owned(), json!({"type": "json_schema", "json_schema": schema}));
        }
        AnswerForm::Json(_) | AnswerForm::Text | AnswerForm::Extract => {}
        AnswerForm::Regex(_) => {
            let message = "an answer by regular expression cannot be asked of a model behind HTTP; use a JSON schema";
            return Err(ReplyError::BadSchema(message.to_owned()));
        }
    }
    Ok(Value::Object(body))
}

/// Whether the model may call a tool in this turn.
pub(super) fn may_call(request: &ChatRequest) -> bool {
    !request.callable.is_empty() && request.max_calls > 0 && request.tool_choice != ToolChoice::None
}

/// A conversation as the servers take it.
pub(super) fn messages(messages: &[Message]) -> Value {
    messages.iter().map(message).collect()
}

/// Tools as the servers take them.
pub(super) fn tools(tools: &[ToolDefinition]) -> Value {
    let function = |tool: &ToolDefinition| {
        let ToolDefinition { name, description, parameters } = tool;
        json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}})
    };
    tools.iter().map(function).collect()
}

/// Of the settings, those that every server knows.
fn insert_sampling(body: &mut Map<String, Value>, params: &SamplingParams) {
    body.insert("max_tokens".to_owned(), json!(params.max_new_tokens));
    body.insert("temperature".to_owned(), json!(params.temperature));
    body.insert("top_p".to_owned(), json!(params.top_p));
    body.insert("seed".to_owned(), json!(params.seed.cast_signed()));
}

fn tool_choice(request: &ChatRequest, outcomes: Outcomes) -> &'static str {
    match request.tool_choice {
        _ if !may_call(request) || outcomes == Outcomes::Answer => "none",
        ToolChoice::Required => "required",
        ToolChoice::Auto | ToolChoice::None => "auto",
    }
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::Assistant(text) => json!({"role": "assistant", "content": text}),
        Message::ToolCalls(calls) => {
            json!({"role": "assistant", "content": null, "tool_calls": calls.iter().map(call).collect::<Value>()})
        }
        Message::ToolResult { call_id, content } => {
            let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            json!({"role": "tool", "tool_call_id": call_id, "content": text})
        }
    }
}

fn call(call: &ToolCall) -> Value {
    let arguments = Value::Object(call.arguments.clone()).to_string();
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

#[cfg(test)]
mod tests {
    use inference::CacheSalt;
    use types::TaskClass;

    use super::*;

    fn request() -> ChatRequest {
        let tool = ToolDefinition {
            name: "lookup".into(),
            description: "Look it up.".into(),
            parameters: json!({"type": "object"}),
        };
        ChatRequest {
            messages: vec![Message::User("Hi".into())],
            tools: vec![tool.clone()],
            callable: vec![tool],
            tool_choice: ToolChoice::Auto,
            max_calls: 1,
            answer: AnswerForm::Json(json!({"type": "boolean"})),
            material: Default::default(),
            params: SamplingParams::greedy(77),
            stop: Vec::new(),
            class: TaskClass::Normal,
            cache_salt: CacheSalt::default(),
            deadline: None,
        }
    }

    #[track_caller]
    fn check(request: &ChatRequest, outcomes: Outcomes, choice: Value, has_form: bool) {
        let body = body("m", request, outcomes).unwrap();
        assert_eq!(body["tool_choice"], choice);
        assert_eq!(body.get("response_format").is_some(), has_form);
    }

    #[test]
    fn a_turn_is_spelled_as_openai_does() {
        let body = body("m", &request(), Outcomes::Any).unwrap();
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 77, "temperature": 0.0, "top_p": 1.0, "seed": 0,
            "tools": [{"type": "function", "function":
                {"name": "lookup", "description": "Look it up.", "parameters": {"type": "object"}}}],
            "tool_choice": "auto", "parallel_tool_calls": false,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "boolean"}}},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn calls_and_forms_are_asked_for_as_far_as_the_turn_goes() {
        let (auto, none) = (request(), ChatRequest { tool_choice: ToolChoice::None, ..request() });
        check(&auto, Outcomes::Any, json!("auto"), true);
        check(&auto, Outcomes::CallsOrText, json!("auto"), false);
        check(&auto, Outcomes::Answer, json!("none"), true);
        check(&none, Outcomes::Any, json!("none"), true);
        check(&ChatRequest { max_calls: 0, ..request() }, Outcomes::Any, json!("none"), true);
        check(&ChatRequest { tool_choice: ToolChoice::Required, ..request() }, Outcomes::Any, json!("required"), true);
        check(&ChatRequest { callable: vec![], ..request() }, Outcomes::Any, Value::Null, true);
        check(&ChatRequest { answer: AnswerForm::Extract, ..request() }, Outcomes::Any, json!("auto"), false);
    }

    #[test]
    fn calls_and_their_results_go_back_as_they_came() {
        let arguments = json!({"y": 1, "x": "ä"}).as_object().unwrap().clone();
        let call = ToolCall { id: "call_1".into(), name: "lookup".into(), arguments };
        let result = |content| Message::ToolResult { call_id: "call_1".into(), content };
        let sent = messages(&[Message::ToolCalls(vec![call]), result(json!("found")), result(json!({"n": 1}))]);
        assert_eq!(sent[0]["tool_calls"][0]["function"]["arguments"], r#"{"y":1,"x":"ä"}"#);
        assert_eq!(sent[0]["content"], Value::Null);
        assert_eq!(sent[1], json!({"role": "tool", "tool_call_id": "call_1", "content": "found"}));
        assert_eq!(sent[2]["content"], r#"{"n":1}"#);
    }

    #[test]
    fn a_form_that_no_server_knows_is_refused() {
        let request = ChatRequest { answer: AnswerForm::Regex("a+".into()), ..request() };
        assert!(matches!(body("m", &request, Outcomes::Any), Err(ReplyError::BadSchema(_))));
    }
}
