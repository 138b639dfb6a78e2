//! Bad files: each error names the file and the part, and nothing panics or allocates on a file's word.

use std::path::PathBuf;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use gguf::Problem;
use gguf::synth::{Mix, Preset, RandomModel};
use inference::backend::{Backend, BlockId, Logits, ModelInput};
use inference::tokenizer::Segment;
use inference::{BackendChoice, LoadError, LoadOptions, Message, Model, TokenId};
use tempfile::TempDir;

use crate::support::{Numbers, SmallModel, pocket_path};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("bytes.gguf");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn model(&self, model: &SmallModel) -> PathBuf {
        let path = self.0.path().join("model.gguf");
        model.write(&path);
        path
    }

    /// The error, without the folder's random name.
    fn error(&self, path: PathBuf) -> String {
        let error = Model::load(path).err().expect("the file should be refused");
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{source}").replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn small() -> SmallModel {
    SmallModel::new(GgmlDType::Q8_0, true)
}

#[track_caller]
fn check(model: SmallModel, expected: &str) {
    let folder = Folder::new();
    assert_eq!(folder.error(folder.model(&model)), expected);
}

#[test]
fn the_bundled_model_is_what_its_card_says() {
    let options = LoadOptions { backend: BackendChoice::Candle, ..LoadOptions::default() };
    let model = Model::load_with(pocket_path(), options).unwrap();
    let info = model.info();
    assert_eq!((info.context_len, info.vocab_size), (2048, 3072));
    assert_eq!(info.kv_bytes_per_token, 6 * 2 * 4 * 32 * 4);
    assert!((5_000_000..6_000_000).contains(&info.weight_bytes));
}

#[test]
fn a_small_model_loads() {
    let folder = Folder::new();
    let model = Model::load(folder.model(&small())).unwrap();
    assert_eq!(model.info().name, "small");
}

#[test]
fn random_models_are_neither_sure_of_a_token_nor_indifferent() {
    let folder = Folder::new();
    let path = folder.0.path().join("random.gguf");
    for preset in [Preset::Small, Preset::Pocket] {
        let model = RandomModel::new(preset, Mix::Q4KM, 1);
        model.write(&mut std::fs::File::create(&path).unwrap(), |_, _| {}).unwrap();
        let mut backend = Model::load(&path).unwrap().into_backend();
        backend.allocate(4).unwrap();
        let prompt = Numbers(1).prompt(40, model.shape.vocab_size as u64);
        let (mut input, mut logits) = (ModelInput::default(), Logits::default());
        input.push(0, &prompt, &[0, 1, 2, 3].map(BlockId), 1);
        backend.forward(&input, &mut logits).unwrap();
        let squares: f32 = logits.values.iter().map(|logit| logit * logit).sum();
        let deviation = (squares / logits.values.len() as f32).sqrt();
        assert!((1.0..9.0).contains(&deviation), "{preset:?}: {deviation}");
    }
}

#[test]
fn what_is_no_gguf_file_is_refused_by_its_first_bytes() {
    let folder = Folder::new();
    let no_gguf = "bytes.gguf is not a GGUF file: it does not begin with \"GGUF\"; give a .gguf file";
    assert_eq!(folder.error(folder.file(b"")), no_gguf);
    assert_eq!(folder.error(folder.file(b"PK\x03\x04 zip archive")), no_gguf);
    assert_eq!(
        folder.error(folder.file(b"GGUF\x01\0\0\0 and more")),
        "bytes.gguf is GGUF version 1 but versions 2 and 3 are supported; convert the model anew"
    );
    let missing = Model::load(folder.0.path().join("none.gguf")).err();
    let Some(LoadError::File(error)) = missing else { panic!("{missing:?}") };
    assert!(matches!(error.problem, Problem::Unreadable(_)), "{error}");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let folder = Folder::new();
    let whole = std::fs::read(folder.model(&small())).unwrap();
    for length in (0..whole.len()).step_by(4999).chain(whole.len() - 40..whole.len()) {
        folder.error(folder.file(&whole[..length]));
    }
    let message = folder.error(folder.file(&whole[..whole.len() - 1]));
    assert!(message.contains("too few for tensor") && message.ends_with("fetch it again"), "{message}");
}

#[test]
fn counts_and_lengths_beyond_the_file_are_refused() {
    let folder = Folder::new();
    let whole = std::fs::read(folder.model(&small())).unwrap();
    // The header's two counts, the first key's length, and whatever else lies in the first part of the file.
    for at in (8..32).step_by(8).chain((32..1500).step_by(37)) {
        let mut bytes = whole.clone();
        bytes[at..at + 8].fill(0xff);
        let path = folder.file(&bytes);
        if let Err(error) = Model::load(path) {
            assert!(error.to_string().contains("bytes.gguf"), "{error}");
        }
    }
}

#[test]
fn an_alignment_that_no_file_has_is_refused() {
    for alignment in [0, 4, 48] {
        check(
            small().set("general.alignment", Value::U32(alignment)),
            "model.gguf is damaged: general.alignment is not a power of two from 8 to 65536; fetch or convert it again",
        );
    }
}

#[test]
fn missing_keys_and_tensors_are_named() {
    check(
        small().without("llama.block_count"),
        "model.gguf lacks the key llama.block_count; convert the model anew with a current converter",
    );
    check(
        small().without("tokenizer.ggml.scores"),
        "model.gguf lacks the key tokenizer.ggml.scores; convert the model anew with a current converter",
    );
    check(
        small().without("blk.1.ffn_up.weight"),
        "model.gguf lacks the tensor blk.1.ffn_up.weight; convert the model anew with a current converter",
    );
}

#[test]
fn values_that_cannot_be_used_are_named() {
    let plain = "; use a plain Mistral or Llama model";
    check(
        small().set("general.architecture", Value::String("qwen2".into())),
        &format!("model.gguf: general.architecture is \"qwen2\", expected \"llama\"{plain}"),
    );
    check(
        small().set("llama.block_count", Value::U32(4_000_000_000)),
        &format!(
            "model.gguf: llama.block_count is 4000000000, expected a positive number of a size that models have{plain}"
        ),
    );
    check(
        small().set("llama.attention.head_count_kv", Value::U32(3)),
        &format!("model.gguf: llama.attention.head_count_kv is 3, expected a divisor of the head count{plain}"),
    );
    check(
        small().set("llama.rope.scaling.type", Value::String("yarn".into())),
        &format!(
            "model.gguf: llama.rope.scaling.type is yarn, expected none: scaled positions are not supported{plain}"
        ),
    );
    check(
        small().set("llama.expert_count", Value::U32(8)),
        &format!("model.gguf: llama.expert_count is 8, expected 0: mixtures of experts are not supported{plain}"),
    );
}

#[test]
fn shapes_have_to_fit_the_metadata() {
    check(
        small().set("llama.feed_forward_length", Value::U32(256)),
        "model.gguf: tensor blk.0.ffn_gate.weight has shape [512, 256] but the metadata says [256, 256]; convert the model anew",
    );
}

#[test]
fn a_vocabulary_of_another_size_than_the_embedding_is_refused() {
    let tokens = Value::Array(vec![Value::String("a".to_owned()); 319]);
    check(
        small().set("tokenizer.ggml.tokens", tokens),
        "model.gguf: the vocabulary has 319 tokens but token_embd.weight has 320 rows; convert the model anew",
    );
}

#[test]
fn tensors_that_would_change_what_is_computed_are_refused() {
    let mut biased = small();
    biased.tensors.push(("blk.0.attn_q.bias".to_owned(), vec![256]));
    check(
        biased,
        "model.gguf has a tensor blk.0.attn_q.bias, which plain Mistral and Llama models do not have; use such a model",
    );
}

#[test]
fn the_context_ends_where_the_window_does_on_candle() {
    let folder = Folder::new();
    let path = folder.model(&small().set("llama.attention.sliding_window", Value::U32(100)));
    assert_eq!(gguf::ModelFile::open(&path).unwrap().shape().sliding_window, Some(100));
    for (backend, context_len) in [(BackendChoice::Candle, 100), (BackendChoice::Packed, 512)] {
        let model = Model::load_with(&path, LoadOptions { backend, ..LoadOptions::default() }).unwrap();
        assert_eq!(model.info().context_len, context_len);
        assert_eq!(model.into_backend().context_len(), context_len);
    }
}

/// The file has holes where its tensors are, and takes no room.
#[cfg(target_os = "linux")]
#[test]
fn a_model_larger_than_the_memory_is_refused_before_it_is_read() {
    use std::io::Seek;

    use gguf::Format;

    let folder = Folder::new();
    let mut model = RandomModel::new(Preset::SevenB, Mix::All(Format::F32), 1);
    (model.shape.layers, model.shape.hidden, model.shape.feed_forward) = (80, 16_384, 200_704);
    model.shape.head_dim = 512;
    let path = folder.0.path().join("huge.gguf");
    let mut file = std::fs::File::create(&path).unwrap();
    gguf::write(&mut file, &model.metadata(), &model.tensors(), |tensor, file| {
        file.seek_relative(tensor.byte_len()? as i64)
    })
    .unwrap();
    let length = file.stream_position().unwrap();
    file.set_len(length).unwrap();
    let weights: usize = model.tensors().iter().map(|tensor| tensor.byte_len().unwrap()).sum();
    let context = model.shape.context_len * model.shape.layers * model.shape.kv_heads * 2 * model.shape.head_dim * 4;
    for (reserve_bytes, reserved) in [(0, 0), (1 << 20, 1 << 20), (u64::MAX, context)] {
        let options = LoadOptions { backend: BackendChoice::Candle, reserve_bytes, ..LoadOptions::default() };
        let message = Model::load_with(&path, options).err().unwrap().to_string();
        let needed = format!("huge.gguf needs {} bytes of memory but ", weights + reserved);
        assert!(message.contains(&needed), "{message}");
        assert!(message.ends_with(" too few; take a smaller model or format, or free memory"), "{message}");
    }
}

#[test]
fn formats_that_are_not_computed_with_are_refused() {
    check(
        SmallModel::new(GgmlDType::Q2K, true),
        "model.gguf: tensor token_embd.weight is in format Q2_K; use F32, F16, BF16, Q4_0, Q4_K, Q5_K, Q6_K or Q8_0",
    );
}

#[test]
fn a_tokenizer_that_cannot_be_used_is_refused() {
    check(
        small().set("tokenizer.ggml.model", Value::String("bert".into())),
        "model.gguf: the tokenizer cannot be used: tokenizer.ggml.model is \"bert\" but only \"llama\" (SentencePiece BPE) and \"gpt2\" (byte-level BPE) are supported; use a model of the Mistral, Llama or Qwen family",
    );
    check(
        small().set("tokenizer.ggml.model", Value::String("gpt2".into())),
        "model.gguf lacks the key tokenizer.ggml.merges; convert the model anew with a current converter",
    );
    let merges = Value::Array(vec![Value::String("a b".to_owned())]);
    check(
        small().set("tokenizer.ggml.model", Value::String("gpt2".into())).set("tokenizer.ggml.merges", merges),
        "model.gguf: the tokenizer cannot be used: the vocabulary has no token for the byte 0x00; convert the model anew",
    );
    check(
        small().set("tokenizer.ggml.eos_token_id", Value::U32(5000)),
        "model.gguf: the tokenizer cannot be used: tokenizer.ggml.eos_token_id is 5000 but the vocabulary has 320 tokens; the file is damaged or was converted wrongly",
    );
    let scores = Value::Array(vec![Value::F32(0.0); 3]);
    check(
        small().set("tokenizer.ggml.scores", scores),
        "model.gguf: the tokenizer cannot be used: tokenizer.ggml.scores has 3 entries but tokenizer.ggml.tokens has 320; the file is damaged or was converted wrongly",
    );
    let types = Value::Array(vec![Value::I32(1); SmallModel::VOCAB_SIZE]);
    check(
        small().set("tokenizer.ggml.token_type", types),
        "model.gguf: no prompts can be made for it: the vocabulary has no control token [INST] and the model no chat template; use an instruct model",
    );
}

#[test]
fn a_model_without_mistrals_control_tokens_is_rendered_by_its_chat_template() {
    let folder = Folder::new();
    let types = Value::Array((0..SmallModel::VOCAB_SIZE).map(|id| Value::I32(if id == 2 { 3 } else { 1 })).collect());
    let with = |template: &str| {
        let template = Value::String(template.to_owned());
        folder.model(&small().set("tokenizer.ggml.token_type", types.clone()).set("tokenizer.chat_template", template))
    };
    let model = Model::load(with("{% for m in messages %}{{ m.content ~ eos_token }}{% endfor %}")).unwrap();
    let segments = model.renderer().render(&[Message::User("Hi</s>".to_owned())], &[]).unwrap();
    assert_eq!(segments, [Segment::Text("Hi</s>".to_owned()), Segment::Control(TokenId(2))]);
    assert_eq!((model.renderer().supports_tools(), model.renderer().tool_calls()), (false, None));
    let message = folder.error(with("{% for %}"));
    let begin = "model.gguf: no prompts can be made for it: the model's chat template cannot be used: syntax error";
    assert!(message.starts_with(begin), "{message}");
}
