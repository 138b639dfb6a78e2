//! Vocabularies and chat templates as GGUF files and folders have them.

use gguf::{Array, Format, ModelFile, Value};
use serde_json::{Value as Json, json};

use crate::support::{Files, bytes_with, folder, model};

type Metadata = Vec<(String, Value)>;

fn set(metadata: &mut Metadata, key: &str, value: Value) {
    metadata.retain(|(name, _)| name != key);
    metadata.push((key.to_owned(), value));
}

fn without(metadata: &mut Metadata, key: &str) {
    metadata.retain(|(name, _)| name != key);
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A file with a byte-level vocabulary.
fn byte_level(change: impl FnOnce(&mut Metadata)) -> Result<ModelFile, gguf::Error> {
    let bytes = bytes_with(&model(), |metadata| {
        set(metadata, "tokenizer.ggml.model", text("gpt2"));
        set(metadata, "tokenizer.ggml.pre", text("tekken"));
        set(metadata, "tokenizer.ggml.merges", Value::Array(Array::from_iter([text("a b"), text("ab c")])));
        without(metadata, "tokenizer.ggml.scores");
        without(metadata, "tokenizer.ggml.add_space_prefix");
        change(metadata);
    });
    ModelFile::from_bytes("model.gguf", bytes)
}

#[test]
fn a_byte_level_vocabulary_has_merges_and_a_pre_tokenizer_and_no_scores() {
    let file = byte_level(|_| {}).unwrap();
    let vocab = file.vocab();
    assert_eq!(vocab.merges, ["a b", "ab c"]);
    assert!(vocab.pre_tokenizer.as_ref().unwrap().whole_words && !vocab.add_space_prefix);
    assert_eq!(vocab.scores.len(), vocab.tokens.len());
    let file = byte_level(|metadata| without(metadata, "tokenizer.ggml.pre")).unwrap();
    assert_eq!(file.vocab().pre_tokenizer.as_ref().unwrap().patterns.len(), 4);
}

#[test]
fn a_byte_level_vocabulary_that_cannot_be_read_is_refused() {
    let refused = |change: fn(&mut Metadata)| byte_level(change).err().unwrap().to_string();
    assert_eq!(
        refused(|metadata| set(metadata, "tokenizer.ggml.pre", text("falcon"))),
        "model.gguf: tokenizer.ggml.pre is \"falcon\", expected \"default\", \"gpt-2\", \"llama-bpe\", \"qwen2\", \
         \"smollm\" or \"tekken\"; use a plain Mistral or Llama model"
    );
    assert_eq!(
        refused(|metadata| without(metadata, "tokenizer.ggml.merges")),
        "model.gguf lacks the key tokenizer.ggml.merges; convert the model anew with a current converter"
    );
}

#[test]
fn a_files_chat_template_is_read() {
    let bytes = bytes_with(&model(), |metadata| set(metadata, "tokenizer.chat_template", text("{{ messages }}")));
    let file = ModelFile::from_bytes("model.gguf", bytes).unwrap();
    assert_eq!(file.vocab().chat_template.as_deref(), Some("{{ messages }}"));
    let bytes = bytes_with(&model(), |metadata| set(metadata, "tokenizer.chat_template", Value::U32(1)));
    let error = ModelFile::from_bytes("model.gguf", bytes).err().unwrap().to_string();
    assert!(error.contains("tokenizer.chat_template is an integer, expected a string"), "{error}");
}

fn open(files: &Files) -> Result<ModelFile, gguf::Error> {
    ModelFile::from_folder_bytes("folder", files, Format::Q8_0)
}

fn with(name: &'static str, contents: impl Into<Vec<u8>>) -> Files {
    let mut files = folder(&model());
    files.insert(name, contents.into());
    files
}

#[test]
fn a_folders_chat_template_is_read_from_either_file() {
    let template = |files: &Files| open(files).unwrap().vocab().chat_template.clone();
    assert_eq!(template(&folder(&model())), None);
    let config = |chat_template: Json| json!({ "chat_template": chat_template, "model_max_length": 1e30 }).to_string();
    let named = json!([{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]);
    for (chat_template, expected) in [(json!("yes"), Some("yes")), (named, Some("yes")), (Json::Null, None)] {
        assert_eq!(template(&with("tokenizer_config.json", config(chat_template))).as_deref(), expected);
    }
    let mut files = with("tokenizer_config.json", config(json!("no")));
    files.insert("chat_template.jinja", b"yes".to_vec());
    assert_eq!(template(&files).as_deref(), Some("yes"));
    files.insert("chat_template.jinja", vec![0xff]);
    let error = open(&files).err().unwrap().to_string();
    assert_eq!(error, "folder/chat_template.jinja is damaged: it is not UTF-8; fetch or convert it again");
}

#[test]
fn a_folders_end_of_answers_is_that_of_its_conversations() {
    let eos = |config: Json| open(&with("tokenizer_config.json", config.to_string())).unwrap().vocab().eos;
    assert_eq!(eos(json!({})), 2);
    assert_eq!(eos(json!({"eos_token": "[/INST]"})), 4);
    assert_eq!(eos(json!({"eos_token": {"content": "[INST]", "lstrip": false}})), 3);
    assert_eq!(eos(json!({"eos_token": "nowhere"})), 2);
}

/// The folder with a byte-level tokenizer.json.
fn byte_level_json(pre_tokenizer: Json) -> Files {
    let tokenizer = json!({
        "added_tokens": [{"id": 3, "content": "<x>", "special": true}, {"id": 4, "content": "<y>", "special": false}],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": pre_tokenizer,
        "model": {
            "type": "BPE",
            "ignore_merges": true,
            "vocab": {"a": 0, "b": 1, "ab": 2},
            "merges": [["a", "b"]],
        },
    });
    with("tokenizer.json", tokenizer.to_string())
}

#[test]
fn a_byte_level_tokenizer_json_is_read() {
    let split = json!({"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated", "invert": false});
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false});
    let file = open(&byte_level_json(json!({"type": "Sequence", "pretokenizers": [split, level]}))).unwrap();
    let vocab = file.vocab();
    assert_eq!(
        (vocab.model.as_str(), &vocab.tokens[..5]),
        ("gpt2", &["a", "b", "ab", "<x>", "<y>"].map(str::to_owned)[..])
    );
    assert_eq!((&vocab.token_types[..6], &vocab.merges[..]), (&[1, 1, 1, 3, 4, 5][..], &["a b".to_owned()][..]));
    let pre_tokenizer = vocab.pre_tokenizer.as_ref().unwrap();
    assert_eq!(pre_tokenizer.patterns, ["x+"]);
    assert!(pre_tokenizer.nfc && pre_tokenizer.whole_words);
    let error =
        open(&byte_level_json(json!({"type": "ByteLevel", "add_prefix_space": true}))).err().unwrap().to_string();
    assert!(
        error.starts_with("folder/tokenizer.json: pre_tokenizer.add_prefix_space is true, expected false"),
        "{error}"
    );
}
