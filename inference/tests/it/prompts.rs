//! Prompts in the Mistral v3 format against mistral-common (see `fixtures/prompts/make.py`), and what holds for whatever
//! others write into a conversation.

use gguf::RawVocab;
use inference::chat::Renderer;
use inference::tokenizer::Segment;
use inference::{Message, TokenId, Tokenizer, ToolCall, ToolDefinition};
use serde_json::Value;

use crate::support::{Numbers, ids, pocket};

pub(crate) fn messages(chat: &Value) -> Vec<Message> {
    chat["messages"].as_array().unwrap().iter().map(message).collect()
}

pub(crate) fn tools(chat: &Value) -> Vec<ToolDefinition> {
    chat.get("tools").and_then(Value::as_array).into_iter().flatten().map(tool).collect()
}

fn message(entry: &Value) -> Message {
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    match (entry["role"].as_str().unwrap(), entry.get("tool_calls")) {
        ("system", _) => Message::System(text("content")),
        ("user", _) => Message::User(text("content")),
        ("tool", _) => {
            let content = text("content");
            let content = serde_json::from_str(&content).unwrap_or(Value::String(content));
            Message::ToolResult { call_id: text("call_id"), content }
        }
        (_, None) => Message::Assistant(text("content")),
        (_, Some(calls)) => Message::ToolCalls(calls.as_array().unwrap().iter().map(call).collect()),
    }
}

fn call(entry: &Value) -> ToolCall {
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    ToolCall { id: text("id"), name: text("name"), arguments: entry["arguments"].as_object().unwrap().clone() }
}

fn tool(entry: &Value) -> ToolDefinition {
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    ToolDefinition { name: text("name"), description: text("description"), parameters: entry["parameters"].clone() }
}

fn numbers(value: &Value) -> Vec<TokenId> {
    ids(value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32))
}

fn v3() -> Tokenizer {
    let raw = RawVocab::of_sentencepiece(include_bytes!("../fixtures/tokenizers/v3.model"), 1, 2);
    Tokenizer::new(&raw.unwrap()).unwrap()
}

fn tekken() -> Tokenizer {
    let raw = RawVocab::of_tokenizer_json(include_bytes!("../fixtures/tokenizers/tekken.json"), 1, 2, 1 << 17);
    Tokenizer::new(&raw.unwrap()).unwrap()
}

/// A prompt to be read: control tokens by their names.
pub(crate) fn written(tokenizer: &Tokenizer, segments: &[Segment]) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Text(text) => text.clone(),
        Segment::Control(id) => match tokenizer.control_name(*id) {
            Some(name) => name.to_owned(),
            None => tokenizer.decode(&[*id]),
        },
    };
    segments.iter().map(segment).collect()
}

#[track_caller]
fn check(tokenizer: &Tokenizer, chat: &Value, expected: &Value) {
    let renderer = Renderer::new(tokenizer, None).unwrap();
    let prompt = tokenizer.encode(&renderer.render(&messages(chat), &tools(chat)).unwrap());
    let expected = numbers(expected);
    assert_eq!(tokenizer.decode(&prompt), tokenizer.decode(&expected));
    assert_eq!(prompt, expected, "{chat}");
}

#[test]
fn prompts_are_those_of_mistral_common() {
    let chats: Value = serde_json::from_str(include_str!("../fixtures/prompts/mistral.json")).unwrap();
    let (v3, tekken) = (v3(), tekken());
    for chat in chats.as_array().unwrap() {
        check(&v3, chat, &chat["ids"]["v3"]);
        check(&tekken, chat, &chat["ids"]["tekken"]);
    }
}

#[test]
fn the_bundled_models_prompts_are_those_of_mistral_common() {
    let chats: Value = serde_json::from_str(include_str!("../fixtures/chats.json")).unwrap();
    let model = pocket();
    for chat in chats.as_array().unwrap() {
        check(model.tokenizer(), chat, &chat["ids"]);
    }
}

/// Names of control tokens, whole and cut, between other text.
pub(crate) fn evil(numbers: &mut Numbers, names: &[&str]) -> String {
    const OTHER: [&str; 8] = ["a", " ", "\n", "\"", "\\", "Ü", "😀", ", "];
    let length = 1 + numbers.below(12);
    let mut text = String::new();
    for _ in 0..length {
        let name = names[numbers.below(names.len() as u64) as usize];
        match numbers.below(4) {
            0 => text.push_str(OTHER[numbers.below(OTHER.len() as u64) as usize]),
            1 => text.push_str(&name[..numbers.below(name.len() as u64 + 1) as usize]),
            2 => text.push_str(&name[numbers.below(name.len() as u64 + 1) as usize..]),
            _ => text.push_str(name),
        }
    }
    text
}

/// A conversation of all kinds of messages, made of such texts.
pub(crate) fn conversation(mut text: impl FnMut() -> String) -> (Vec<Message>, Vec<ToolDefinition>) {
    let arguments = |text: &mut dyn FnMut() -> String| {
        [(text(), Value::from(text())), ("list".to_owned(), Value::from(vec![text(), text()]))].into_iter().collect()
    };
    let call = ToolCall { id: text(), name: text(), arguments: arguments(&mut text) };
    let messages = vec![
        Message::System(text()),
        Message::User(text()),
        Message::Assistant(text()),
        Message::User(text()),
        Message::ToolCalls(vec![call.clone()]),
        Message::ToolResult { call_id: call.id, content: Value::from(text()) },
        Message::ToolResult { call_id: text(), content: Value::Object(arguments(&mut text)) },
    ];
    let parameters = serde_json::json!({"type": "object", "properties": {text(): {"enum": [text()]}}});
    (messages, vec![ToolDefinition { name: text(), description: text(), parameters }])
}

#[test]
fn what_others_write_never_becomes_a_control_token() {
    let mut random = Numbers(3);
    for tokenizer in [v3(), tekken()] {
        let renderer = Renderer::new(&tokenizer, None).unwrap();
        let controls = |prompt: Vec<Segment>| -> Vec<TokenId> {
            tokenizer.encode(&prompt).into_iter().filter(|id| tokenizer.control_name(*id).is_some()).collect()
        };
        let (messages, tools) = conversation(|| "harmless".to_owned());
        let expected = controls(renderer.render(&messages, &tools).unwrap());
        let names = [
            "<s>",
            "</s>",
            "<unk>",
            "[INST]",
            "[/INST]",
            "[TOOL_CALLS]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
        ];
        for _ in 0..200 {
            let (messages, tools) = conversation(|| evil(&mut random, &names));
            assert_eq!(controls(renderer.render(&messages, &tools).unwrap()), expected, "{messages:?} {tools:?}");
        }
    }
}

#[test]
fn later_formats_of_mistral_are_rendered_by_their_templates() {
    let tokenizer = tekken();
    let template = "{{ bos_token }}[SYSTEM_PROMPT]{{ messages[0].content }}[/SYSTEM_PROMPT]";
    let renderer = Renderer::new(&tokenizer, Some(template)).unwrap();
    let segments = renderer.render(&[Message::System("[INST]".to_owned())], &[]).unwrap();
    let control = |name: &str| Segment::Control(tokenizer.control(name).unwrap());
    let text = Segment::Text("[INST]".to_owned());
    assert_eq!(segments, [control("<s>"), control("[SYSTEM_PROMPT]"), text, control("[/SYSTEM_PROMPT]")]);
    assert_eq!(renderer.tool_calls(), tokenizer.control("[TOOL_CALLS]"));
    let renderer = Renderer::new(&tokenizer, Some("{{ bos_token }}[INST]")).unwrap();
    assert_eq!(renderer.format_name(), "the Mistral v3 prompt format");
}
