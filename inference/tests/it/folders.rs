//! Models in Hugging Face's layout against candle-transformers' Mistral, which reads the same tensors.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::mistral;
use gguf::Format;
use inference::backend::{Backend, BlockId, Logits, ModelInput};
use inference::{BackendChoice, LoadOptions, Model, TokenId};
use serde_json::json;

use crate::support::{Numbers, SmallModel};

const HIDDEN: usize = 256;
const FEED_FORWARD: usize = 512;
const LAYERS: usize = 2;
const HEADS: usize = 8;
const KV_HEADS: usize = 4;
const ROPE_BASE: f64 = 5e4;

fn tensors() -> HashMap<String, Tensor> {
    let mut numbers = Numbers(17);
    let mut matrix = |rows: usize, columns: usize| {
        let scale = 1.7 / (columns as f32).sqrt();
        let values: Vec<f32> =
            (0..rows * columns).map(|_| (numbers.below(2001) as f32 / 1000.0 - 1.0) * scale).collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    };
    let norm = || Tensor::ones(HIDDEN, DType::F32, &Device::Cpu).unwrap();
    let keys = HIDDEN / HEADS * KV_HEADS;
    let mut tensors = HashMap::from([
        ("model.embed_tokens.weight".to_owned(), matrix(SmallModel::VOCAB_SIZE, HIDDEN)),
        ("lm_head.weight".to_owned(), matrix(SmallModel::VOCAB_SIZE, HIDDEN)),
        ("model.norm.weight".to_owned(), norm()),
    ]);
    for layer in 0..LAYERS {
        let parts = [
            ("input_layernorm", norm()),
            ("post_attention_layernorm", norm()),
            ("self_attn.q_proj", matrix(HIDDEN, HIDDEN)),
            ("self_attn.k_proj", matrix(keys, HIDDEN)),
            ("self_attn.v_proj", matrix(keys, HIDDEN)),
            ("self_attn.o_proj", matrix(HIDDEN, HIDDEN)),
            ("mlp.gate_proj", matrix(FEED_FORWARD, HIDDEN)),
            ("mlp.up_proj", matrix(FEED_FORWARD, HIDDEN)),
            ("mlp.down_proj", matrix(HIDDEN, FEED_FORWARD)),
        ];
        tensors.extend(parts.map(|(part, tensor)| (format!("model.layers.{layer}.{part}.weight"), tensor)));
    }
    tensors
}

fn write(folder: &Path, tensors: &HashMap<String, Tensor>) {
    let config = json!({
        "model_type": "mistral",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 512,
        "rope_theta": ROPE_BASE,
        "rms_norm_eps": 1e-5,
        "vocab_size": SmallModel::VOCAB_SIZE,
        "bos_token_id": 1,
        "eos_token_id": 2,
    });
    let tokens = SmallModel::tokens();
    let controls = tokens.iter().zip(0..10).map(|(token, id)| json!({"id": id, "content": token, "special": true}));
    let tokenizer = json!({
        "added_tokens": controls.collect::<Vec<_>>(),
        "normalizer": {"type": "Prepend", "prepend": "\u{2581}"},
        "model": {
            "type": "BPE",
            "byte_fallback": true,
            "unk_token": "<unk>",
            "vocab": tokens.iter().zip(0..).collect::<HashMap<&String, u32>>(),
            "merges": [],
        },
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    candle_core::safetensors::save(tensors, folder.join("model.safetensors")).unwrap();
}

fn reference(tensors: HashMap<String, Tensor>) -> mistral::Model {
    let config = mistral::Config {
        vocab_size: SmallModel::VOCAB_SIZE,
        hidden_size: HIDDEN,
        intermediate_size: FEED_FORWARD,
        num_hidden_layers: LAYERS,
        num_attention_heads: HEADS,
        head_dim: None,
        num_key_value_heads: KV_HEADS,
        hidden_act: candle_nn::Activation::Silu,
        max_position_embeddings: 512,
        rms_norm_eps: 1e-5,
        rope_theta: ROPE_BASE,
        sliding_window: None,
        use_flash_attn: false,
    };
    mistral::Model::new(&config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)).unwrap()
}

fn logits(model: Model, prompt: &[TokenId]) -> Vec<f32> {
    let mut backend = model.into_backend();
    backend.allocate(8).unwrap();
    let table: Vec<BlockId> = (0..8).map(BlockId).collect();
    let (mut input, mut logits) = (ModelInput::default(), Logits::default());
    input.push(0, prompt, &table, 1);
    backend.forward(&input, &mut logits).unwrap();
    logits.values
}

#[test]
fn a_folder_computes_what_the_reference_does() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = tensors();
    write(folder.path(), &tensors);
    let prompt = Numbers(4).prompt(60, SmallModel::VOCAB_SIZE as u64);
    let ids: Vec<u32> = prompt.iter().map(|id| id.0).collect();
    let ids = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let expected: Vec<f32> = reference(tensors).forward(&ids, 0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let scale = expected.iter().fold(0.0_f32, |scale, logit| scale.max(logit.abs()));
    // Shares of the largest logit: the same numbers in another order, 16 bits, and 8.
    for (backend, format, tolerance) in [
        (BackendChoice::Candle, Format::F32, 5e-5),
        (BackendChoice::Candle, Format::BF16, 0.03),
        (BackendChoice::Candle, Format::Q8_0, 0.1),
        (BackendChoice::Packed, Format::Q8_0, 0.1),
    ] {
        let options = LoadOptions { backend, format: Some(format), ..LoadOptions::default() };
        let found = logits(Model::load_with(folder.path(), options).unwrap(), &prompt);
        let difference = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale;
        assert!(difference <= tolerance, "{backend:?}, {format:?}: {difference}");
    }
}
