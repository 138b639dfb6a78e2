//! Small models to damage.

use std::collections::BTreeMap;

use gguf::synth::{Mix, Preset, RandomModel};
use gguf::{Format, ModelFile, RawVocab, Shape, Value};
use safetensors::tensor::TensorView;
use serde_json::{Value as Json, json};

pub(crate) fn model() -> RandomModel {
    let shape = Shape { layers: 1, hidden: 64, feed_forward: 64, heads: 4, kv_heads: 2, head_dim: 16, ..small() };
    RandomModel { shape: Shape { vocab_size: 300, ..shape }, tied: false, mix: Mix::All(Format::Q8_0), seed: 1 }
}

fn small() -> Shape {
    Preset::Small.shape()
}

pub(crate) fn bytes(model: &RandomModel) -> Vec<u8> {
    bytes_with(model, |_| {})
}

/// The model's file with other keys than it would have.
pub(crate) fn bytes_with(model: &RandomModel, change: impl FnOnce(&mut Vec<(String, Value)>)) -> Vec<u8> {
    let mut metadata = model.metadata();
    change(&mut metadata);
    let mut bytes = Vec::new();
    gguf::write(&mut bytes, &metadata, &model.tensors(), |tensor, out| {
        out.resize(out.len() + tensor.byte_len()?, 0);
        Ok(())
    })
    .unwrap();
    bytes
}

/// Every tensor that the shape asks for can be read, and is as long as the shape says.
pub(crate) fn check_whole(file: &ModelFile) {
    check_read(file).unwrap();
}

/// As `check_whole`; an error is of weights that cannot be read.
pub(crate) fn check_read(file: &ModelFile) -> Result<(), gguf::Error> {
    let shape = file.shape();
    assert_eq!(file.vocab().tokens.len(), shape.vocab_size);
    assert!(shape.heads.is_multiple_of(shape.kv_heads) && shape.head_dim > 0);
    for (name, dims) in shape.tensors().filter(|(name, _)| !(file.is_tied() && name == "output.weight")) {
        match dims.as_slice() {
            [length] => assert_eq!(file.vector(&name)?.len(), *length),
            _ => {
                let matrix = file.matrix(&name)?;
                assert_eq!([matrix.rows, matrix.columns], dims[..]);
                let row_bytes = matrix.format.row_bytes(matrix.columns).unwrap();
                assert_eq!(matrix.bytes.len(), matrix.rows * row_bytes);
            }
        }
    }
    Ok(())
}

/// A folder's files by their names.
pub(crate) type Files = BTreeMap<&'static str, Vec<u8>>;

/// The model in Hugging Face's layout, in F32.
pub(crate) fn folder(model: &RandomModel) -> Files {
    let model = RandomModel { mix: Mix::All(Format::F32), ..model.clone() };
    let mut bytes = Vec::new();
    model.write(&mut bytes, |_, _| {}).unwrap();
    let file = ModelFile::from_bytes("model", bytes).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = model
        .tensors()
        .into_iter()
        .map(|tensor| {
            let bytes = match tensor.dims.len() {
                1 => file.vector(&tensor.name).unwrap().iter().flat_map(|value| value.to_le_bytes()).collect(),
                _ => file.matrix(&tensor.name).unwrap().bytes.into_owned(),
            };
            let turned = tensor.name.contains("attn_q") || tensor.name.contains("attn_k");
            let bytes = if turned { split_halves(&bytes, &tensor.dims, model.shape.head_dim) } else { bytes };
            (hugging_face_name(&tensor.name), tensor.dims, bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, dims, bytes)| (name, TensorView::new(safetensors::Dtype::F32, dims.clone(), bytes).unwrap()));
    BTreeMap::from([
        ("config.json", config(&model.shape).to_string().into_bytes()),
        ("model.safetensors", safetensors::serialize(views, None).unwrap()),
        ("tokenizer.json", tokenizer(file.vocab()).to_string().into_bytes()),
    ])
}

/// From pairs `(2i, 2i + 1)` of rows to pairs `(i, i + half)`.
fn split_halves(bytes: &[u8], dims: &[usize], head_dim: usize) -> Vec<u8> {
    let heads = bytes.chunks_exact(head_dim * dims[1] * 4);
    heads
        .flat_map(|head| {
            let rows: Vec<&[u8]> = head.chunks_exact(dims[1] * 4).collect();
            let (even, odd): (Vec<_>, Vec<_>) = rows.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
            [even, odd].concat().concat()
        })
        .collect()
}

fn hugging_face_name(name: &str) -> String {
    let Some((layer, part)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
        return match name {
            "token_embd.weight" => "model.embed_tokens.weight",
            "output_norm.weight" => "model.norm.weight",
            _ => "lm_head.weight",
        }
        .to_owned();
    };
    let part = match part.trim_end_matches(".weight") {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "ffn_norm" => "post_attention_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        _ => "mlp.down_proj",
    };
    format!("model.layers.{layer}.{part}.weight")
}

fn config(shape: &Shape) -> Json {
    json!({
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "intermediate_size": shape.feed_forward,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.context_len,
        "sliding_window": null,
        "rope_theta": shape.rope_base,
        "rms_norm_eps": 1e-5,
        "vocab_size": shape.vocab_size,
        "bos_token_id": 1,
        "eos_token_id": 2,
    })
}

fn tokenizer(vocab: &RawVocab) -> Json {
    let ids: BTreeMap<&str, usize> = vocab.tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
    let mut merges = Vec::new();
    for token in vocab.tokens.iter().filter(|token| !token.starts_with(['<', '['])) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if ids.contains_key(left) && ids.contains_key(right) {
                merges.push([left, right]);
            }
        }
    }
    let controls = vocab.tokens.iter().zip(0..10);
    let added: Vec<Json> = controls.map(|(token, id)| json!({"id": id, "content": token, "special": true})).collect();
    json!({
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u{2581}"}]},
        "pre_tokenizer": null,
        "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>", "vocab": ids, "merges": merges},
    })
}
