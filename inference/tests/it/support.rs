//! Models and engines for the tests.

use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use inference::{ChatModel, EngineConfig, EngineMetrics, Model, TokenId};
use prometheus::Registry;

pub(crate) fn pocket_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/pocket/pocket.gguf")
}

pub(crate) fn pocket() -> Model {
    Model::load(pocket_path()).unwrap()
}

pub(crate) fn metrics() -> EngineMetrics {
    EngineMetrics::register(&Registry::new()).unwrap()
}

pub(crate) fn chat_model() -> ChatModel {
    ChatModel::start(pocket(), EngineConfig::default(), metrics()).unwrap()
}

pub(crate) fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<TokenId> {
    numbers.into_iter().map(TokenId).collect()
}

/// A generator of numbers for tests: the same seed, the same run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub(crate) fn prompt(&mut self, length: usize, vocab_size: u64) -> Vec<TokenId> {
        ids((0..length).map(|_| self.below(vocab_size) as u32))
    }
}

/// A small random model of llama architecture, with all that a real file has; tests damage copies of it.
#[derive(Clone)]
pub(crate) struct SmallModel {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
    pub(crate) format: GgmlDType,
}

impl SmallModel {
    pub(crate) const VOCAB_SIZE: usize = 10 + 256 + 54;

    /// Two layers, hidden 256, 8 heads on 4, an output matrix of its own unless `tied`.
    pub(crate) fn new(format: GgmlDType, tied: bool) -> Self {
        let (hidden, keys, feed_forward) = (256, 128, 512);
        let mut tensors = vec![
            ("token_embd.weight".to_owned(), vec![Self::VOCAB_SIZE, hidden]),
            ("output_norm.weight".to_owned(), vec![hidden]),
        ];
        if !tied {
            tensors.push(("output.weight".to_owned(), vec![Self::VOCAB_SIZE, hidden]));
        }
        for layer in 0..2 {
            for (name, dims) in [
                ("attn_q", vec![hidden, hidden]),
                ("attn_k", vec![keys, hidden]),
                ("attn_v", vec![keys, hidden]),
                ("attn_output", vec![hidden, hidden]),
                ("ffn_gate", vec![feed_forward, hidden]),
                ("ffn_up", vec![feed_forward, hidden]),
                ("ffn_down", vec![hidden, feed_forward]),
                ("attn_norm", vec![hidden]),
                ("ffn_norm", vec![hidden]),
            ] {
                tensors.push((format!("blk.{layer}.{name}.weight"), dims));
            }
        }
        SmallModel { metadata: metadata(), tensors, format }
    }

    /// Its vocabulary, by id.
    pub(crate) fn tokens() -> Vec<String> {
        tokens().into_iter().map(|(token, _)| token).collect()
    }

    pub(crate) fn set(mut self, key: &str, value: Value) -> Self {
        self.metadata.retain(|(name, _)| name != key);
        self.metadata.push((key.to_owned(), value));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.metadata.retain(|(key, _)| key != name);
        self.tensors.retain(|(tensor, _)| tensor != name);
        self
    }

    pub(crate) fn write(&self, path: &Path) {
        let mut numbers = Numbers(7);
        let tensors: Vec<(&str, QTensor)> = self
            .tensors
            .iter()
            .map(|(name, dims)| {
                let norm = dims.len() == 1;
                let scale = if norm { 1.0 } else { (dims[1] as f32).sqrt().recip() };
                let length = dims.iter().product();
                let uniform = |_| (numbers.below(2001) as f32 / 1000.0 - 1.0) * scale * 1.7;
                let values: Vec<f32> = match norm {
                    true => vec![1.0; length],
                    false => (0..length).map(uniform).collect(),
                };
                let tensor = Tensor::from_vec(values, dims.as_slice(), &Device::Cpu).unwrap();
                let format = if norm { GgmlDType::F32 } else { self.format };
                (name.as_str(), QTensor::quantize(&tensor, format).unwrap())
            })
            .collect();
        let metadata: Vec<(&str, &Value)> = self.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
        gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
    }
}

/// Tokens with their types.
fn tokens() -> Vec<(String, i32)> {
    let controls = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"];
    let controls = controls.into_iter().chain(["[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"]);
    let mut tokens: Vec<(String, i32)> = controls.map(|name| (name.to_owned(), 3)).collect();
    tokens[0].1 = 2;
    tokens.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), 6)));
    tokens.extend(('a'..='z').chain('A'..='Z').chain(['\u{2581}', '.']).map(|letter| (letter.to_string(), 1)));
    assert_eq!(tokens.len(), SmallModel::VOCAB_SIZE);
    tokens
}

fn metadata() -> Vec<(String, Value)> {
    let tokens = tokens();
    let names = tokens.iter().map(|(name, _)| Value::String(name.clone())).collect();
    let types = tokens.iter().map(|(_, token_type)| Value::I32(*token_type)).collect();
    let scores = (0..tokens.len()).map(|index| Value::F32(-(index as f32))).collect();
    let text = |text: &str| Value::String(text.to_owned());
    [
        ("general.architecture", text("llama")),
        ("general.name", text("small")),
        ("llama.context_length", Value::U32(512)),
        ("llama.embedding_length", Value::U32(256)),
        ("llama.block_count", Value::U32(2)),
        ("llama.feed_forward_length", Value::U32(512)),
        ("llama.attention.head_count", Value::U32(8)),
        ("llama.attention.head_count_kv", Value::U32(4)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.rope.dimension_count", Value::U32(32)),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.tokens", Value::Array(names)),
        ("tokenizer.ggml.scores", Value::Array(scores)),
        ("tokenizer.ggml.token_type", Value::Array(types)),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
