//! Tokenizers against the implementations that models were trained with: SentencePiece, Tekken (by mistral-common), and
//! Hugging Face's for the other byte-level ones. See `fixtures/tokenizers/make.py`.

use std::collections::HashMap;

use gguf::synth::{Mix, Preset, RandomModel};
use gguf::{Format, ModelFile, PreTokenizer, RawVocab, Shape, Value as GgufValue};
use inference::tokenizer::{Detokenizer, Segment, TokenizerError};
use inference::{TokenId, Tokenizer};
use serde_json::{Value, json};

use crate::support::{Numbers, ids, pocket, pocket_path};

const TEXTS: &str = include_str!("../fixtures/tokenizers/texts.json");

fn v3() -> RawVocab {
    RawVocab::of_sentencepiece(include_bytes!("../fixtures/tokenizers/v3.model"), 1, 2).unwrap()
}

fn json_vocab(file: &Value) -> RawVocab {
    RawVocab::of_tokenizer_json(file.to_string().as_bytes(), 1, 2, 1 << 17).unwrap()
}

fn tekken() -> RawVocab {
    json_vocab(&serde_json::from_str(include_str!("../fixtures/tokenizers/tekken.json")).unwrap())
}

fn small() -> RawVocab {
    json_vocab(&serde_json::from_str(include_str!("../fixtures/tokenizers/small.json")).unwrap())
}

/// A vocabulary after its way through a GGUF file.
fn by_gguf(raw: &RawVocab, pre: &str) -> RawVocab {
    let shape =
        Shape { layers: 1, hidden: 64, feed_forward: 64, heads: 4, kv_heads: 2, head_dim: 16, ..Preset::Small.shape() };
    let shape = Shape { vocab_size: raw.tokens.len(), ..shape };
    let model = RandomModel { shape, tied: true, mix: Mix::All(Format::Q8_0), seed: 1 };
    let mut metadata = model.metadata();
    metadata.retain(|(key, _)| !key.starts_with("tokenizer."));
    metadata.extend(raw.metadata().into_iter().filter(|(key, _)| !key.ends_with("scores")));
    let merges = raw.merges.iter().map(|merge| GgufValue::String(merge.clone())).collect();
    metadata.push(("tokenizer.ggml.merges".to_owned(), GgufValue::Array(merges)));
    metadata.push(("tokenizer.ggml.pre".to_owned(), GgufValue::String(pre.to_owned())));
    let mut bytes = Vec::new();
    gguf::write(&mut bytes, &metadata, &model.tensors(), |tensor, out| {
        out.resize(out.len() + tensor.byte_len()?, 0);
        Ok(())
    })
    .unwrap();
    ModelFile::from_bytes("model.gguf", bytes).unwrap().vocab().clone()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[track_caller]
fn check(raw: &RawVocab, name: &str) {
    let told: Value = serde_json::from_str(TEXTS).unwrap();
    let texts: Vec<&str> = told["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let expected = &told["expected"][name];
    let tokenizer = Tokenizer::new(raw).unwrap();
    for (text, expected) in texts.iter().zip(expected["ids"].as_array().unwrap()) {
        assert_eq!(tokenizer.encode_text(text), ids(numbers(expected)), "{name}: {text:?}");
    }
    let long = texts.concat().repeat(told["repeats"].as_u64().unwrap() as usize);
    let long = tokenizer.encode_text(&long);
    let checksum = (1..).zip(&long).fold(0_u32, |sum, (place, id)| sum.wrapping_add(id.0.wrapping_mul(place)));
    assert_eq!(json!({"tokens": long.len(), "checksum": checksum}), expected["long"], "{name}");
}

#[test]
fn ids_are_those_of_sentencepiece() {
    check(&v3(), "v3");
}

#[test]
fn ids_are_those_of_tekken() {
    check(&tekken(), "tekken");
    check(&by_gguf(&tekken(), "tekken"), "tekken");
}

#[test]
fn ids_are_those_of_hugging_face_for_every_name_of_a_pre_tokenizer() {
    let small = small();
    check(&small, "qwen2");
    for name in ["default", "gpt-2", "llama-bpe", "qwen2", "smollm"] {
        check(&by_gguf(&small, name), name);
    }
}

/// As Mistral's exports of a SentencePiece model are, old and new.
#[test]
fn ids_are_those_of_sentencepiece_by_a_tokenizer_json() {
    let model = ModelFile::open(pocket_path()).unwrap();
    let raw = model.vocab();
    let known: HashMap<&str, usize> = raw.tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
    let mut merges: Vec<(usize, String)> = Vec::new();
    for (id, token) in raw.tokens.iter().enumerate().filter(|(id, _)| raw.token_types[*id] == 1) {
        let splits = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        let known = splits.filter(|(left, right)| known.contains_key(left) && known.contains_key(right));
        merges.extend(known.map(|(left, right)| (id, format!("{left} {right}"))));
    }
    merges.sort_by(|a, b| raw.scores[b.0].total_cmp(&raw.scores[a.0]));
    let merges: Vec<String> = merges.into_iter().map(|(_, merge)| merge).collect();
    let controls = (0..).zip(&raw.tokens).filter(|(id, _)| raw.token_types[*id] == 3);
    let controls: Vec<Value> =
        controls.map(|(id, token)| json!({"id": id, "content": token, "special": true})).collect();
    let prepend = json!({"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "\u{2581}"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
    ]});
    let metaspace = json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": false});
    for (normalizer, pre_tokenizer) in [(prepend, Value::Null), (Value::Null, metaspace)] {
        let file = json!({
            "added_tokens": controls,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "model": {
                "type": "BPE",
                "byte_fallback": true,
                "unk_token": "<unk>",
                "vocab": known,
                "merges": merges,
            },
        });
        let tokenizer = Tokenizer::new(&json_vocab(&file)).unwrap();
        for (text, expected) in pocket_cases() {
            assert_eq!(tokenizer.encode_text(&text), ids(expected), "{text:?}");
        }
    }
}

/// Texts with their ids by SentencePiece, in the bundled model's vocabulary.
fn pocket_cases() -> Vec<(String, Vec<u32>)> {
    let cases: Value = serde_json::from_str(include_str!("../fixtures/tokens.json")).unwrap();
    let case = |case: &Value| (case["text"].as_str().unwrap().to_owned(), numbers(&case["ids"]));
    cases.as_array().unwrap().iter().map(case).collect()
}

#[test]
fn the_bundled_models_ids_are_those_of_sentencepiece() {
    let model = pocket();
    for (text, expected) in pocket_cases() {
        assert_eq!(model.tokenizer().encode_text(&text), ids(expected), "{text:?}");
    }
}

#[test]
fn decoding_gives_the_text_back_with_the_space_in_front() {
    let model = pocket();
    for (text, encoded) in pocket_cases() {
        // The tokenizer's own sign for a space is the one character that cannot be told from a space.
        let expected = format!(" {text}").replace('\u{2581}', " ");
        assert_eq!(model.tokenizer().decode(&ids(encoded)), expected);
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

/// Random texts of what is hard: parts of characters' neighbours, control tokens' names, spaces.
fn random_text(numbers: &mut Numbers) -> String {
    const PARTS: [&str; 24] = [
        "a",
        "B",
        "the ",
        " ",
        "  ",
        "\n",
        "\t",
        "é",
        "e\u{301}",
        "漢字",
        "😀",
        "👩‍👩‍👧",
        "12",
        "3456",
        "'ll",
        "</s>",
        "[INST]",
        "<|im_end|>",
        "<0x41>",
        "\u{0}",
        "\u{feff}",
        "...",
        "\"",
        "\\",
    ];
    let length = numbers.below(30);
    (0..length).map(|_| PARTS[numbers.below(PARTS.len() as u64) as usize]).collect()
}

#[test]
fn text_in_the_middle_of_an_output_decodes_to_itself() {
    let mut numbers = Numbers(11);
    for raw in [v3(), tekken(), small()] {
        let tokenizer = Tokenizer::new(&raw).unwrap();
        for _ in 0..300 {
            let text = random_text(&mut numbers);
            let mut encoded = Vec::new();
            tokenizer.encode_continuation(&text, &mut encoded);
            assert_eq!(tokenizer.decode(&encoded), text);
            let names: Vec<_> = encoded.iter().filter_map(|id| tokenizer.control_name(*id)).collect();
            assert!(names.is_empty(), "{text:?} became {names:?}");
            let names = tokenizer.encode_text(&text).into_iter().filter(|id| tokenizer.control_name(*id).is_some());
            assert_eq!(names.count(), 0, "{text:?}");
        }
    }
}

#[test]
fn a_stream_of_tokens_reads_like_the_whole() {
    let mut numbers = Numbers(5);
    for raw in [v3(), tekken(), small()] {
        let tokenizer = Tokenizer::new(&raw).unwrap();
        let spelled: Vec<Vec<u8>> = (0..raw.tokens.len() as u32).map(|id| tokenizer.bytes(TokenId(id))).collect();
        for _ in 0..500 {
            let length = 1 + numbers.below(40) as usize;
            // Single bytes are rare among all tokens: half of the stream is drawn from the first ones, where they are.
            let among = if numbers.below(2) == 0 { 300 } else { raw.tokens.len() as u64 };
            let stream = numbers.prompt(length, among);
            let whole: Vec<u8> = stream.iter().flat_map(|id| spelled[id.0 as usize].clone()).collect();
            let whole = String::from_utf8_lossy(&whole).into_owned();
            let mut detokenizer = Detokenizer::default();
            let parts: String = stream.iter().map(|id| detokenizer.push(&tokenizer, *id)).collect();
            assert_eq!(parts + &detokenizer.finish(), whole, "{stream:?}");
            assert_eq!(tokenizer.decode(&stream), whole);
        }
    }
}

#[test]
fn a_stream_in_the_middle_of_characters_gives_them_when_they_are_whole() {
    let tokenizer = Tokenizer::new(&tekken()).unwrap();
    let mut encoded = Vec::new();
    tokenizer.encode_continuation("😀漢👩‍👩‍👧é", &mut encoded);
    let mut detokenizer = Detokenizer::default();
    let parts: Vec<String> = encoded.iter().map(|id| detokenizer.push(&tokenizer, *id)).collect();
    assert!(parts.iter().all(|part| !part.contains('\u{fffd}')), "{parts:?}");
    assert_eq!(parts.concat(), "😀漢👩‍👩‍👧é");
}

#[test]
fn vocabularies_that_cannot_be_used_are_refused() {
    let refused = |raw: &RawVocab| Tokenizer::new(raw).err().unwrap();
    let small = small();
    let without = |name: &str| {
        let mut raw = small.clone();
        let place = raw.tokens.iter().position(|token| token == name).unwrap();
        name.repeat(40).clone_into(&mut raw.tokens[place]);
        raw
    };
    assert_eq!(refused(&without("A")), TokenizerError::NoByte(b'A'));
    let mut raw = small.clone();
    raw.merges.push("never seen".to_owned());
    assert!(refused(&raw).to_string().contains("\"never seen\" does not merge tokens into one"));
    let mut raw = small.clone();
    raw.pre_tokenizer = Some(PreTokenizer { patterns: vec!["(".to_owned()], ..PreTokenizer::default() });
    assert!(matches!(refused(&raw), TokenizerError::Pattern { .. }));
    let raw = RawVocab { model: "bert".to_owned(), ..small };
    assert_eq!(refused(&raw), TokenizerError::Kind("bert".to_owned()));
}
