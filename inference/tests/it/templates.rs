//! Prompts by chat templates against Python's jinja2 (see `fixtures/prompts/templates.py`), and what a template can do
//! about the texts of others: nothing that makes a control token of them.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value as GgufValue;
use gguf::RawVocab;
use inference::chat::{RenderError, Renderer, UnusableFormat};
use inference::tokenizer::Segment;
use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatRequest, EngineConfig, Message, Model, ReplyError, SamplingOptions,
    SamplingParams, TokenId, Tokenizer, ToolChoice, ToolDefinition,
};
use serde_json::Value;
use types::TaskClass;

use crate::prompts::{conversation, evil, messages, tools, written};
use crate::support::{Numbers, SmallModel, ids, metrics};

const NAMES: [&str; 5] = ["chatml", "llama3", "mistral", "zephyr", "gemma"];

fn source(name: &str) -> &'static str {
    match name {
        "chatml" => include_str!("../fixtures/prompts/templates/chatml.jinja"),
        "llama3" => include_str!("../fixtures/prompts/templates/llama3.jinja"),
        "mistral" => include_str!("../fixtures/prompts/templates/mistral.jinja"),
        "zephyr" => include_str!("../fixtures/prompts/templates/zephyr.jinja"),
        _ => include_str!("../fixtures/prompts/templates/gemma.jinja"),
    }
}

fn tokenizer(bos: &str, eos: &str) -> Tokenizer {
    let raw = RawVocab::of_tokenizer_json(include_bytes!("../fixtures/tokenizers/small.json"), 0, 0, 1 << 17).unwrap();
    let id = |name: &str| raw.tokens.iter().position(|token| token == name).unwrap() as u32;
    Tokenizer::new(&RawVocab { bos: id(bos), eos: id(eos), ..raw.clone() }).unwrap()
}

fn plain() -> Tokenizer {
    tokenizer("<s>", "</s>")
}

fn user(text: &str) -> Vec<Message> {
    vec![Message::User(text.to_owned())]
}

#[test]
fn prompts_are_those_of_jinja2() {
    let told: Value = serde_json::from_str(include_str!("../fixtures/prompts/templates.json")).unwrap();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for chat in told.as_array().unwrap() {
        let text = |key: &str| chat[key].as_str().unwrap();
        *seen.entry(text("template")).or_default() += 1;
        let tokenizer = tokenizer(text("bos"), text("eos"));
        let renderer = Renderer::new(&tokenizer, Some(source(text("template")))).unwrap();
        match (renderer.render(&messages(chat), &tools(chat)), chat.get("error")) {
            (Ok(segments), None) => {
                assert_eq!(written(&tokenizer, &segments), text("text"), "{chat}");
                if let Some(expected) = chat.get("ids") {
                    let expected = ids(expected.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32));
                    assert_eq!(tokenizer.encode(&segments), expected, "{chat}");
                }
            }
            (Err(RenderError::Refused(reason)), Some(expected)) => assert_eq!(reason, expected.as_str().unwrap()),
            (found, _) => panic!("{found:?} for {chat}"),
        }
    }
    assert!(NAMES.iter().all(|name| seen[name] >= 10), "{seen:?}");
}

#[test]
fn what_others_write_never_becomes_a_control_token() {
    let mut random = Numbers(9);
    let names = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|user|>",
        "<|assistant|>",
        "<s>",
        "</s>",
        "[INST]",
        "[/INST]",
        "<bos>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<tool_call>",
        "</tool_call>",
    ];
    // Written around a text, these would make a control token of it.
    let traps = [
        "{% for message in messages %}<|im_{{ message.content }}|><{{ message.content }}[{{ message.content }}]{{ tools }}{% endfor %}",
        "{% for message in messages %}{{ '<s' ~ message.content ~ '>' }}{{ message.content | tojson }}{{ message.content[:3] }}{% endfor %}",
    ];
    let traps = traps.map(|trap| trap.replace("{{ tools }}", "{{ tools | tojson }}"));
    let sources = NAMES.iter().map(|name| source(name).to_owned()).chain(traps);
    for source in sources {
        let tokenizer = plain();
        let renderer = Renderer::new(&tokenizer, Some(&source)).unwrap();
        let controls = |segments: &[Segment]| -> Vec<TokenId> {
            segments
                .iter()
                .filter_map(|segment| if let Segment::Control(id) = segment { Some(*id) } else { None })
                .collect()
        };
        let with = |text: &mut dyn FnMut() -> String| {
            let (mut messages, tools) = conversation(text);
            if !renderer.supports_tools() {
                messages.truncate(4);
                messages.remove(0);
                return renderer.render(&messages, &[]).unwrap();
            }
            renderer.render(&messages, &tools).unwrap()
        };
        let expected = controls(&with(&mut || "harmless".to_owned()));
        for _ in 0..100 {
            let segments = with(&mut || format!("x{}x", evil(&mut random, &names)));
            assert_eq!(controls(&segments), expected, "{segments:?}");
            let encoded = tokenizer.encode(&segments).into_iter().filter(|id| tokenizer.control_name(*id).is_some());
            assert!(encoded.eq(expected.iter().copied().filter(|id| tokenizer.control_name(*id).is_some())));
        }
    }
}

#[track_caller]
fn check(template: &str, text: &str, expected: Result<&str, RenderError>) {
    let tokenizer = plain();
    let renderer = Renderer::new(&tokenizer, Some(template)).unwrap();
    let found = renderer.render(&user(text), &[]).map(|segments| written(&tokenizer, &segments));
    assert_eq!(found, expected.map(str::to_owned), "{template}");
}

#[test]
fn texts_that_a_template_trims_or_writes_as_json_are_followed() {
    let content = |filter: &str| format!("{{{{ messages[0].content{filter} }}}}.");
    check(&content(" | trim"), "  [INST] x ", Ok("[INST] x."));
    check(&content(".strip()"), "\n[INST]\n", Ok("[INST]."));
    check(&content(" | tojson"), "a \"b\" \\ \n\u{1}[INST]", Ok("\"a \\\"b\\\" \\\\ \\n\\u0001[INST]\"."));
    check(&content("[:4]"), "<s><s>", Ok("<s><."));
    check(&content(".split('\\n')[0]"), "one\ntwo", Ok("one."));
    check(&format!("{0}{0}", content("")), "<s>", Ok("<s>.<s>."));
    check("{% if messages[0].content | length > 2 %}long{% endif %}", "abc", Ok("long"));
    check("{% if messages[0].content == '' %}empty{% endif %}", "", Ok("empty"));
    check("{% set x %}{{ messages[0].content }}{% endset %}{{ x }}", "<s>", Ok("<s>"));
}

#[test]
fn a_template_that_does_more_with_a_text_is_an_error_and_never_a_guess() {
    let altered = Err(RenderError::Altered);
    check("{{ messages[0].content.replace('a', '<s>') }}", "xay", altered.clone());
    let split = "{% if '</think>' in messages[0].content %}{{ messages[0].content.split('</think>')[-1] }}{% endif %}";
    check(split, "a</think>b", altered.clone());
    check("{% if messages[0].content != 'a' %}{{ raise_exception('x') }}{% endif %}", "a", altered.clone());
    check("{% if messages[0].content < 'b' %}a{% else %}b{% endif %}", "a", altered);
    // The same questions where the answer is no change.
    check("{{ messages[0].content.replace('a', '<s>') }}", "xy", Ok("xy"));
    check("{% if '</think>' in messages[0].content %}no{% endif %}{{ messages[0].content }}", "ab", Ok("ab"));
}

#[test]
fn texts_whose_characters_are_rearranged_stay_text() {
    let tokenizer = plain();
    for (template, text, expected) in [
        ("{{ messages[0].content | upper }}", "[inst]", "[INST]"),
        ("{{ messages[0].content | reverse }}", ">s<", "<s>"),
        ("{{ messages[0].content[2:] }}", "xx<s>", "<s>"),
        ("{{ messages[0].content[:3] ~ messages[0].content[-1:] }}", "<s><s>", "<s>>"),
    ] {
        let renderer = Renderer::new(&tokenizer, Some(template)).unwrap();
        let segments = renderer.render(&user(text), &[]).unwrap();
        assert_eq!(segments, [Segment::Text(expected.to_owned())], "{template}");
    }
}

#[test]
fn thoughts_that_a_template_cuts_off_earlier_answers_are_followed() {
    let tokenizer = plain();
    let cuts = [("[-1]", "\n\nFour. [INST]"), ("[-1].lstrip('\\n')", "Four. [INST]")];
    for (cut, answer) in cuts {
        let template = "{% for m in messages %}{% if '</think>' in m.content %}{{ m.content.split('</think>')CUT }}\
                        {% else %}{{ m.content }}{% endif %}{{ eos_token }}{% endfor %}<|assistant|><think>";
        let renderer = Renderer::new(&tokenizer, Some(&template.replace("CUT", cut))).unwrap();
        let said = Message::Assistant("<think>2 + 2 </s></think>\n\nFour. [INST]".to_owned());
        let segments = renderer.render(&[said, Message::User("And <|user|>?".to_owned())], &[]).unwrap();
        let control = |name: &str| Segment::Control(tokenizer.control(name).unwrap());
        let text = |text: &str| Segment::Text(text.to_owned());
        let expected =
            [text(answer), control("</s>"), text("And <|user|>?"), control("</s>"), control("<|assistant|>")];
        assert_eq!(segments[..5], expected);
    }
}

#[test]
fn messages_are_the_same_where_their_texts_are() {
    let template = "{% for m in messages %}{{ m.content }}{{ 'last' if m == messages[-1] else 'not' }} {% endfor %}";
    let tokenizer = plain();
    let renderer = Renderer::new(&tokenizer, Some(template)).unwrap();
    let written_of = |texts: [&str; 2]| {
        let [first, second] = texts.map(|text| Message::User(text.to_owned()));
        let between = Message::Assistant("b".to_owned());
        written(&tokenizer, &renderer.render(&[first, between, second], &[]).unwrap())
    };
    assert_eq!(written_of(["a", "a"]), "alast bnot alast ");
    assert_eq!(written_of(["a", "c"]), "anot bnot clast ");
}

#[test]
fn values_are_printed_as_python_prints_them() {
    check("{{ true }} {{ none }} {{ 1.0 }} {{ 1e22 }} {{ 7 // 2 }} {{ nothing }}.", "", Ok("True None 1.0 1e+22 3 ."));
    check("{{ {'a': [1, 'x', none]} | tojson }}", "", Ok("{\"a\": [1, \"x\", null]}"));
    check(
        "{{ {'b': [1], 'a': {}} | tojson(indent=2, sort_keys=true) }}",
        "",
        Ok("{\n  \"a\": {},\n  \"b\": [\n    1\n  ]\n}"),
    );
    check("{{ [1, {'a': 2}] | tojson(separators=(',', ':')) }}", "", Ok("[1,{\"a\":2}]"));
    check("{{ strftime_now('%d') | length }}", "", Ok("2"));
    let failed = |template: &str| {
        let tokenizer = plain();
        let renderer = Renderer::new(&tokenizer, Some(template)).unwrap();
        renderer.render(&user("x"), &[]).unwrap_err().to_string()
    };
    assert!(failed("{{ messages }}").contains("without tojson"));
    assert!(failed("{{ 'ä' | tojson(ensure_ascii=true) }}").contains("ensure_ascii"));
    assert!(
        failed("{{ messages[0].content.nothing() }}").starts_with("the model's chat template fails: unknown method")
    );
}

#[test]
fn loops_and_texts_without_an_end_are_stopped() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    check(endless, "x", Err(RenderError::TooLarge));
    let growing = "{% set x %}{% for a in range(1000) %}0123456789{% endfor %}{% endset %}{% for a in range(9999) %}{{ x }}{% endfor %}";
    check(growing, "x", Err(RenderError::TooLarge));
}

#[test]
fn tools_need_a_place_in_the_template() {
    let tokenizer = plain();
    let renderer = |name: &str| Renderer::new(&tokenizer, Some(source(name))).unwrap();
    let supported: Vec<bool> = NAMES.iter().map(|name| renderer(name).supports_tools()).collect();
    assert_eq!(supported, [true, true, false, false, false]);
    let (messages, tools) = conversation(|| "x".to_owned());
    assert_eq!(renderer("zephyr").render(&messages[..2], &tools), Err(RenderError::NoTools));
    assert_eq!(renderer("zephyr").render(&messages, &[]), Err(RenderError::NoTools));
    assert_eq!(renderer("zephyr").tool_calls(), None);
}

#[test]
fn users_and_system_texts_in_a_row_are_one_turn() {
    let tokenizer = plain();
    let renderer = Renderer::new(&tokenizer, Some(source("mistral"))).unwrap();
    let system = ["a", "", "b"].map(|text| Message::System(text.to_owned()));
    let user = ["", "c", "d"].map(|text| Message::User(text.to_owned()));
    let segments = renderer.render(&[system, user].concat(), &[]).unwrap();
    assert_eq!(written(&tokenizer, &segments), "<s> [INST] a\n\nb\n\nc\n\nd [/INST]");
}

#[test]
fn a_model_without_a_format_is_refused() {
    let tokenizer = plain();
    let refused = |template| Renderer::new(&tokenizer, template).err().unwrap();
    assert_eq!(refused(None), UnusableFormat::NoControlToken("[AVAILABLE_TOOLS]"));
    let UnusableFormat::Template(reason) = refused(Some("{% if %}")) else { panic!("a template without an end") };
    assert!(reason.starts_with("syntax error"), "{reason}");
}

#[tokio::test]
async fn what_a_template_refuses_is_a_bad_request() {
    let types = GgufValue::Array((0..SmallModel::VOCAB_SIZE).map(|_| GgufValue::I32(1)).collect());
    let template =
        "{% if messages | length > 1 %}{{ raise_exception('one at a time') }}{% endif %}{{ messages[0].content }}";
    let file = SmallModel::new(GgmlDType::Q8_0, true)
        .set("tokenizer.ggml.token_type", types)
        .set("tokenizer.chat_template", GgufValue::String(template.to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    file.write(&path);
    let model = ChatModel::start(Model::load(path).unwrap(), EngineConfig::default(), metrics()).unwrap();
    let mut messages = user("a");
    assert_eq!(model.prompt(&messages, &[]).unwrap().len(), model.count_tokens(&messages, &[]));
    messages.push(Message::Assistant("b".to_owned()));
    let refused =
        ReplyError::BadRequest("the model's chat template refuses the conversation: one at a time".to_owned());
    assert_eq!(model.prompt(&messages, &[]), Err(refused.clone()));
    assert_eq!(model.count_tokens(&messages, &[]), 0);
    let request = ChatRequest {
        messages,
        tools: vec![],
        callable: vec![],
        tool_choice: ToolChoice::Auto,
        max_calls: 1,
        answer: AnswerForm::Text,
        material: Arc::default(),
        params: SamplingParams::try_from(SamplingOptions::default()).unwrap(),
        stop: vec![],
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    };
    assert_eq!(model.reply(request.clone()).await, Err(refused));
    let tool = ToolDefinition { name: "x".to_owned(), description: String::new(), parameters: Value::Null };
    let with_tools = ChatRequest { messages: user("a"), tools: vec![tool], ..request };
    let no_tools = "the model's chat template has no place for tools; use a model with tools, or none of them";
    assert_eq!(model.reply(with_tools).await, Err(ReplyError::BadRequest(no_tools.to_owned())));
}
