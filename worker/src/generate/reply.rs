//! What a server answered, as a reply, checked: it was asked for forms, but nothing says that it kept to them. Pure.

use inference::{AnswerForm, ChatReply, ChatRequest, ReplyContent, ReplyError, ReplyFinish, ToolCall, Usage};
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde_json::{Map, Value};

/// What a reply took if the server does not say.
pub(super) fn usage(answer: &Value) -> Usage {
    let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64).unwrap_or(0) as usize;
    Usage {
        prompt_tokens: number("/usage/prompt_tokens"),
        cached_tokens: number("/usage/prompt_tokens_details/cached_tokens"),
        completion_tokens: number("/usage/completion_tokens"),
    }
}

/// The reply of a chat completion. Calls beyond `max_calls` are left out: the model sees what came of those that were
/// made, and goes on from there.
pub(super) fn reply(answer: &Value, request: &ChatRequest) -> Result<ChatReply, ReplyError> {
    let usage = usage(answer);
    let message = answer.pointer("/choices/0/message").ok_or_else(|| failed("its answer holds no message"))?;
    let finish = answer.pointer("/choices/0/finish_reason").and_then(Value::as_str).unwrap_or_default();
    match finish {
        "length" => return Err(ReplyError::LengthLimit { usage }),
        "content_filter" => return Err(failed("its filter held the answer back")),
        _ => {}
    }
    let calls = message.get("tool_calls").and_then(Value::as_array).filter(|calls| !calls.is_empty());
    if let Some(calls) = calls {
        let calls = calls.iter().take(request.max_calls.max(1)).map(|written| call(written, request));
        let content = ReplyContent::ToolCalls(calls.collect::<Result<_, _>>()?);
        return Ok(ChatReply { content, usage, finish: ReplyFinish::ToolCalls });
    }
    let Some(text) = message.get("content").and_then(Value::as_str) else {
        return Err(failed("its message has neither content nor tool calls"));
    };
    Ok(ChatReply { content: ReplyContent::Answer(text.to_owned()), usage, finish: ReplyFinish::Stop })
}

/// Whether an answer keeps to its schema, where it has one. Extracts and verbatim strings are the agent loop's to check.
pub(super) fn check_answer(text: &str, form: &AnswerForm) -> Result<(), ReplyError> {
    let AnswerForm::Json(schema) = form else { return Ok(()) };
    let answer: Value =
        serde_json::from_str(text).map_err(|error| failed(&format!("its answer is not JSON ({error})")))?;
    check(&answer, schema, "its answer")
}

fn call(written: &Value, request: &ChatRequest) -> Result<ToolCall, ReplyError> {
    let text = |pointer: &str| written.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, name) = (text("/id"), text("/function/name"));
    let arguments = written.pointer("/function/arguments").cloned().unwrap_or_default();
    // JSON in a text, by the book; some send the JSON itself.
    let arguments = match arguments {
        Value::String(text) => serde_json::from_str(&text),
        value => Ok(value),
    };
    let Ok(Value::Object(arguments)) = arguments else {
        return Err(failed(&format!("the arguments of its call of {name:?} are no JSON object")));
    };
    // A tool that it made up is the agent loop's to tell it of.
    if let Some(tool) = request.callable.iter().find(|tool| tool.name == name) {
        check_arguments(&arguments, &tool.parameters, &name)?;
    }
    let id = if id.is_empty() { fresh_id() } else { id };
    Ok(ToolCall { id, name, arguments })
}

fn check_arguments(arguments: &Map<String, Value>, schema: &Value, name: &str) -> Result<(), ReplyError> {
    check(&Value::Object(arguments.clone()), schema, &format!("the arguments of its call of {name:?}"))
}

fn check(value: &Value, schema: &Value, what: &str) -> Result<(), ReplyError> {
    let schema = jsonschema::validator_for(schema)
        .map_err(|error| ReplyError::BadSchema(format!("the schema of {what} is unusable: {error}")))?;
    schema.validate(value).map_err(|error| {
        let place = error.instance_path().to_string();
        failed(&format!("{what} breaks its schema at {:?}: {error}", if place.is_empty() { "/" } else { &place }))
    })
}

/// Where the server gives none.
fn fresh_id() -> String {
    rand::rng().sample_iter(Alphanumeric).take(9).map(char::from).collect()
}

fn failed(why: &str) -> ReplyError {
    ReplyError::Failed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use inference::{CacheSalt, SamplingParams, ToolChoice, ToolDefinition};
    use serde_json::json;
    use types::TaskClass;

    use super::*;

    fn request(max_calls: usize) -> ChatRequest {
        let parameters = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        let tool = ToolDefinition { name: "lookup".into(), description: String::new(), parameters };
        ChatRequest {
            messages: Vec::new(),
            tools: vec![tool.clone()],
            callable: vec![tool],
            tool_choice: ToolChoice::Auto,
            max_calls,
            answer: AnswerForm::Text,
            material: Default::default(),
            params: SamplingParams::greedy(10),
            stop: Vec::new(),
            class: TaskClass::Normal,
            cache_salt: CacheSalt::default(),
            deadline: None,
        }
    }

    fn completion(message: Value, finish: &str) -> Value {
        json!({"choices": [{"message": message, "finish_reason": finish}],
               "usage": {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}})
    }

    fn called(name: &str, arguments: Value) -> Value {
        json!({"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}})
    }

    fn of_calls(calls: &[Value], max_calls: usize) -> Result<Vec<ToolCall>, ReplyError> {
        let message = json!({"content": null, "tool_calls": calls});
        match reply(&completion(message, "tool_calls"), &request(max_calls))?.content {
            ReplyContent::ToolCalls(calls) => Ok(calls),
            ReplyContent::Answer(text) => panic!("an answer: {text}"),
        }
    }

    #[track_caller]
    fn check_failed<T: std::fmt::Debug>(result: Result<T, ReplyError>, words: &str) {
        let Err(ReplyError::Failed(why)) = result else { panic!("not failed: {result:?}") };
        assert!(why.contains(words), "{why}");
    }

    #[test]
    fn an_answer_comes_with_what_it_took() {
        let reply = reply(&completion(json!({"content": "42", "tool_calls": []}), "stop"), &request(1)).unwrap();
        let usage = Usage { prompt_tokens: 7, cached_tokens: 4, completion_tokens: 3 };
        let content = ReplyContent::Answer("42".into());
        assert_eq!(reply, ChatReply { content, usage, finish: ReplyFinish::Stop });
    }

    #[test]
    fn a_call_comes_with_its_id_or_a_fresh_one() {
        let calls = of_calls(&[called("lookup", json!(r#"{"n": 1}"#))], 1).unwrap();
        assert_eq!((calls[0].id.as_str(), &calls[0].arguments["n"]), ("call_1", &json!(1)));
        let mut nameless = called("lookup", json!({"n": 1}));
        nameless["id"] = json!("");
        assert_eq!(of_calls(&[nameless], 1).unwrap()[0].id.len(), 9);
    }

    #[test]
    fn calls_beyond_the_limit_are_left_out() {
        let calls = vec![called("lookup", json!({"n": 1})); 3];
        assert_eq!(of_calls(&calls, 1).unwrap().len(), 1);
        assert_eq!(of_calls(&calls, 2).unwrap().len(), 2);
    }

    #[test]
    fn arguments_that_break_their_schema_fail_and_unknown_tools_are_told_elsewhere() {
        check_failed(of_calls(&[called("lookup", json!({"n": "one"}))], 1), "at \"/n\"");
        check_failed(of_calls(&[called("lookup", json!("[1]"))], 1), "no JSON object");
        check_failed(of_calls(&[called("lookup", json!("{"))], 1), "no JSON object");
        assert_eq!(of_calls(&[called("made_up", json!({"n": "one"}))], 1).unwrap()[0].name, "made_up");
    }

    #[test]
    fn an_answer_is_held_to_its_schema() {
        let form = AnswerForm::Json(json!({"type": "object", "required": ["a"]}));
        assert!(check_answer(r#"{"a": 1}"#, &form).is_ok());
        check_failed(check_answer("{}", &form), "breaks its schema");
        check_failed(check_answer("Certainly!", &form), "is not JSON");
        assert!(check_answer("Certainly!", &AnswerForm::Text).is_ok());
    }

    #[test]
    fn what_is_cut_or_empty_is_an_error() {
        let cut = reply(&completion(json!({"content": "4"}), "length"), &request(1));
        assert!(matches!(cut, Err(ReplyError::LengthLimit { usage }) if usage.completion_tokens == 3));
        check_failed(reply(&completion(json!({"content": "4"}), "content_filter"), &request(1)), "filter");
        check_failed(reply(&completion(json!({"content": null}), "stop"), &request(1)), "neither");
        check_failed(reply(&json!({"choices": []}), &request(1)), "no message");
        check_failed(reply(&json!([]), &request(1)), "no message");
    }
}
