//! The tokenizer against SentencePiece itself.

use inference::tokenizer::{Detokenizer, Segment};
use serde_json::Value;

use crate::support::{ids, pocket};

fn cases() -> Vec<(String, Vec<u32>)> {
    let cases: Value = serde_json::from_str(include_str!("../fixtures/tokens.json")).unwrap();
    let case = |case: &Value| {
        let ids = case["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32);
        (case["text"].as_str().unwrap().to_owned(), ids.collect())
    };
    cases.as_array().unwrap().iter().map(case).collect()
}

#[test]
fn ids_are_those_of_sentencepiece() {
    let model = pocket();
    for (text, expected) in cases() {
        assert_eq!(model.tokenizer().encode_text(&text), ids(expected), "{text:?}");
    }
}

#[test]
fn decoding_gives_the_text_back_with_the_space_in_front() {
    let model = pocket();
    for (text, encoded) in cases() {
        // The tokenizer's own sign for a space is the one character that cannot be told from a space.
        let expected = format!(" {text}").replace('\u{2581}', " ");
        assert_eq!(model.tokenizer().decode(&ids(encoded)), expected);
    }
}

#[test]
fn a_stream_of_tokens_reads_like_the_whole() {
    let model = pocket();
    for (text, encoded) in cases() {
        let mut detokenizer = Detokenizer::default();
        let parts: Vec<String> = ids(encoded).into_iter().map(|id| detokenizer.push(model.tokenizer(), id)).collect();
        assert!(parts.iter().all(|part| !part.contains('\u{fffd}')), "{text:?}");
        assert_eq!(parts.concat() + &detokenizer.finish(), format!(" {text}").replace('\u{2581}', " "));
    }
}

#[test]
fn each_text_segment_gets_its_own_space_and_control_tokens_none() {
    let model = pocket();
    let tokenizer = model.tokenizer();
    let inst = tokenizer.control("[INST]").unwrap();
    let text = |text: &str| Segment::Text(text.to_owned());
    let encoded = tokenizer.encode(&[Segment::Control(inst), text("a"), Segment::Control(inst), text("a"), text("")]);
    let a = tokenizer.encode_text("a");
    assert_eq!(encoded, [vec![inst], a.clone(), vec![inst], a].concat());
}
