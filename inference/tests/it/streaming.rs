//! Replies of the bundled model piece by piece.

use std::sync::Arc;

use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatRequest, CompleteRequest, Message, RawPrompt, ReplyError, ReplyEvent,
    ReplyFinish, ReplyStream, SamplingOptions, SamplingParams, TokenId, TokenLogprobs, ToolChoice, ToolDefinition,
    Usage,
};
use serde_json::{Value, json};
use types::TaskClass;

use crate::support::chat_model;

fn params(seed: u64, max_new_tokens: usize, logprobs: Option<usize>) -> SamplingParams {
    let options = SamplingOptions { seed, max_new_tokens, logprobs, ..SamplingOptions::default() };
    SamplingParams::try_from(options).unwrap()
}

fn request(seed: u64, max_new_tokens: usize) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::User("Tell me of the weather in Berlin and in Bonn.".to_owned())],
        tools: vec![],
        callable: vec![],
        tool_choice: ToolChoice::Auto,
        max_calls: 1,
        answer: AnswerForm::Text,
        material: Arc::default(),
        params: params(seed, max_new_tokens, None),
        stop: vec![],
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    }
}

fn calling(max_calls: usize, request: ChatRequest) -> ChatRequest {
    let tool = |name: &str| ToolDefinition {
        name: name.to_owned(),
        description: "Tells the weather.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 9}, "days": {"type": "integer", "minimum": 0, "maximum": 9}},
            "required": ["city", "days"],
            "additionalProperties": false,
        }),
    };
    let tools = vec![tool("weather"), tool("snow \"depth\"")];
    ChatRequest { callable: tools.clone(), tools, tool_choice: ToolChoice::Required, max_calls, ..request }
}

fn continuation(prompt: RawPrompt) -> CompleteRequest {
    CompleteRequest {
        prompt,
        answer: AnswerForm::Text,
        params: params(3, 20, None),
        stop: vec![],
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    }
}

/// A stream read to its end.
#[derive(Debug, Default)]
struct Read {
    text: String,
    tokens: Vec<TokenLogprobs>,
    /// Ids, names and arguments.
    calls: Vec<(String, String, String)>,
    num_pieces: usize,
    end: Option<(ReplyFinish, Usage)>,
}

async fn read(mut stream: ReplyStream) -> Result<Read, ReplyError> {
    let mut read = Read::default();
    while let Some(event) = stream.next().await {
        assert_eq!(read.end, None, "an event after the end");
        read.num_pieces += 1;
        match event? {
            ReplyEvent::Text { text, tokens } => {
                read.text += &text;
                read.tokens.extend(tokens);
            }
            ReplyEvent::CallBegins { index, id, name } => {
                assert_eq!(index, read.calls.len());
                read.calls.push((id, name, String::new()));
            }
            ReplyEvent::Arguments { index, text } => read.calls[index].2 += &text,
            ReplyEvent::Finished { finish, usage } => read.end = Some((finish, usage)),
        }
    }
    assert!(read.end.is_some(), "no end");
    Ok(read)
}

async fn chat(model: &ChatModel, request: ChatRequest) -> Read {
    read(model.chat(request).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_answer_comes_in_pieces_and_ends_once() {
    let model = chat_model();
    let cut = chat(&model, request(1, 12)).await;
    let (finish, usage) = cut.end.unwrap();
    assert_eq!((finish, usage.completion_tokens), (ReplyFinish::Length, 12));
    assert!(usage.prompt_tokens > 5 && cut.num_pieces > 3, "{cut:?}");
    let longer = chat(&model, request(1, 24)).await;
    assert!(longer.text.starts_with(cut.text.trim_end_matches('\u{fffd}')), "{cut:?} {longer:?}");
}

#[tokio::test]
async fn calls_come_in_pieces_with_names_first() {
    let model = chat_model();
    let mut numbers_seen = [false; 4];
    for seed in 0..12 {
        // Hot enough that it does not always end after the first.
        let options = SamplingOptions { temperature: 5.0, seed, max_new_tokens: 600, ..SamplingOptions::default() };
        let params = SamplingParams::try_from(options).unwrap();
        let reply = chat(&model, calling(3, ChatRequest { params, ..request(seed, 600) })).await;
        assert_eq!(reply.end.map(|(finish, _)| finish), Some(ReplyFinish::ToolCalls));
        assert!((1..=3).contains(&reply.calls.len()) && reply.text.is_empty() && reply.num_pieces > 6, "{reply:?}");
        numbers_seen[reply.calls.len()] = true;
        for (id, name, arguments) in &reply.calls {
            assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
            assert!(["weather", "snow \"depth\""].contains(&name.as_str()));
            let arguments: Value = serde_json::from_str(arguments).unwrap();
            assert!(arguments["city"].is_string() && arguments["days"].is_i64(), "{arguments}");
        }
    }
    assert!(numbers_seen[2] || numbers_seen[3], "always one call");
}

#[tokio::test]
async fn a_reply_cut_in_the_middle_of_a_call_ends_by_length() {
    let model = chat_model();
    let whole = chat(&model, calling(1, request(2, 600))).await;
    let num_tokens = whole.end.unwrap().1.completion_tokens;
    for max_new_tokens in 1..num_tokens {
        let cut = chat(&model, calling(1, request(2, max_new_tokens))).await;
        assert_eq!(cut.end.map(|(finish, _)| finish), Some(ReplyFinish::Length));
        for ((_, name, arguments), (_, whole_name, whole)) in cut.calls.iter().zip(&whole.calls) {
            assert!(name == whole_name && whole.starts_with(arguments.as_str()), "{arguments} {whole}");
        }
    }
}

#[tokio::test]
async fn a_stop_text_ends_an_answer_and_its_tokens_are_not_generated() {
    let model = chat_model();
    let whole = chat(&model, request(5, 200)).await;
    let middle = whole.text.char_indices().nth(whole.text.chars().count() / 3).unwrap().0;
    let stop: String = whole.text[middle..].chars().take(4).collect();
    let before = &whole.text[..whole.text.find(&stop).unwrap()];
    let stopped =
        chat(&model, ChatRequest { stop: vec!["never seen".to_owned(), stop.clone()], ..request(5, 200) }).await;
    assert_eq!(stopped.text, before, "before {stop:?}");
    let (finish, usage) = stopped.end.unwrap();
    assert_eq!(finish, ReplyFinish::Stop);
    assert!(usage.completion_tokens < whole.end.unwrap().1.completion_tokens);
    assert_eq!(usage.prompt_tokens, whole.end.unwrap().1.prompt_tokens);
    // The first answer's prompt was the same; the engine has said so by then, though not its end.
    assert_eq!(usage.cached_tokens, 16);
    // Nothing is left running.
    model.handle().drain().await;
    assert_eq!(model.handle().stats().running, 0);
}

#[tokio::test]
async fn log_probabilities_come_with_the_text_of_their_tokens() {
    let model = chat_model();
    let asked = ChatRequest { params: params(4, 40, Some(3)), ..request(4, 40) };
    let reply = chat(&model, asked).await;
    let bytes: Vec<u8> = reply.tokens.iter().flat_map(|token| token.token.bytes.clone()).collect();
    assert_eq!(String::from_utf8_lossy(&bytes).trim_start(), reply.text.trim_start());
    let without_end = reply.end.unwrap().1.completion_tokens - usize::from(reply.end.unwrap().0 == ReplyFinish::Stop);
    assert_eq!(reply.tokens.len(), without_end);
    for token in &reply.tokens {
        assert!(token.logprob <= 0.0 && token.top.len() == 3, "{token:?}");
        assert_eq!(token.token.text, String::from_utf8_lossy(&token.token.bytes));
        assert!(token.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }
}

#[tokio::test]
async fn an_answer_keeps_to_a_regular_expression() {
    let model = chat_model();
    for seed in 0..10 {
        let answer = AnswerForm::Regex("(Berlin|Bonn): -?[0-9]{1,2} °C".to_owned());
        let reply = chat(&model, ChatRequest { answer, ..request(seed, 60) }).await;
        assert_eq!(reply.end.map(|(finish, _)| finish), Some(ReplyFinish::Stop));
        let degrees = reply.text.strip_prefix("Berlin: ").or_else(|| reply.text.strip_prefix("Bonn: "));
        let degrees = degrees.and_then(|rest| rest.strip_suffix(" °C")).unwrap_or_else(|| panic!("{}", reply.text));
        assert!(degrees.parse::<i32>().unwrap().abs() < 100);
    }
}

#[tokio::test]
async fn a_raw_prompt_is_continued_as_it_is() {
    let model = chat_model();
    let text = "The weather in Berlin";
    let by_text = read(model.complete(continuation(RawPrompt::Text(text.to_owned()))).await.unwrap()).await.unwrap();
    let tokens = [vec![model.tokenizer().bos()], model.tokenizer().encode_text(text)].concat();
    let num_tokens = tokens.len();
    let by_tokens = read(model.complete(continuation(RawPrompt::Tokens(tokens))).await.unwrap()).await.unwrap();
    assert_eq!((by_text.text.as_str(), by_text.end.unwrap().0), (by_tokens.text.as_str(), by_tokens.end.unwrap().0));
    assert_eq!(by_text.end.unwrap().1.prompt_tokens, num_tokens);

    let answer = AnswerForm::Json(json!({"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"],
        "additionalProperties": false}));
    let asked = CompleteRequest { answer, ..continuation(RawPrompt::Text(text.to_owned())) };
    assert_eq!(read(model.complete(asked).await.unwrap()).await.unwrap().text, "{\"a\": 1}");
}

#[tokio::test]
async fn a_raw_prompt_that_cannot_be_is_refused() {
    let model = chat_model();
    let refused = async |prompt| model.complete(continuation(prompt)).await.map(drop).unwrap_err();
    let vocab_size = model.info().vocab_size;
    let unknown = refused(RawPrompt::Tokens(vec![TokenId(1), TokenId(vocab_size as u32)])).await;
    let expected = format!(
        "token {vocab_size} of the prompt is not in the model's vocabulary of {vocab_size}; tokenize with this model"
    );
    assert_eq!(unknown, ReplyError::BadRequest(expected));
    let empty = refused(RawPrompt::Tokens(vec![])).await;
    assert_eq!(empty, ReplyError::BadRequest("the prompt has no tokens; send at least one".to_owned()));
    let long = refused(RawPrompt::Text("word ".repeat(3000))).await;
    assert!(matches!(long, ReplyError::TooLong { tokens: 3000.., max: 2047 }), "{long}");
}

#[tokio::test]
async fn a_hostile_schema_is_refused_and_others_are_answered() {
    let model = chat_model();
    let objects: Vec<Value> = (0..500).map(|index| json!({"required": [index.to_string()]})).collect();
    let all = vec![json!({"anyOf": objects}); 3];
    let hostile = ChatRequest { answer: AnswerForm::Json(json!({"allOf": all})), ..request(0, 20) };
    let (refused, answered) = tokio::join!(model.chat(hostile), chat(&model, request(0, 20)));
    let refused = refused.map(drop).unwrap_err();
    assert!(matches!(&refused, ReplyError::BadSchema(reason) if reason.contains("combine to more than")), "{refused}");
    assert!(answered.end.is_some());
}
