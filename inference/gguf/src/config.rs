//! `config.json` of a model in Hugging Face's layout.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::error::Problem;
use crate::metadata::{Metadata, bad};
use crate::shape::{Keys, Shape, UNSCALED};
use crate::value::Value;

const KEYS: Keys = Keys {
    layers: "num_hidden_layers",
    hidden: "hidden_size",
    feed_forward: "intermediate_size",
    heads: "num_attention_heads",
    kv_heads: "num_key_value_heads",
    key_len: "head_dim",
    context_len: "max_position_embeddings",
    sliding_window: "sliding_window",
    rope_base: "rope_theta",
    rms_epsilon: "rms_norm_eps",
};
const DEFAULT_ROTATION: &str = "\"default\": scaled positions are not supported";
const WHOLE_HEADS: &str = "1: heads that are rotated in part are not supported";
/// No vocabulary is larger.
const MAX_VOCAB_SIZE: usize = 1 << 24;

/// What the other files are held to.
pub(crate) struct Config {
    pub(crate) shape: Shape,
    pub(crate) tied: bool,
    pub(crate) bos: u32,
    pub(crate) eos: u32,
}

impl Config {
    pub(crate) fn read(bytes: &[u8], name: String) -> Result<Self, Problem> {
        let json: Json = parse(bytes)?;
        let mut values = BTreeMap::new();
        flatten(String::new(), json, &mut values);
        // Newer files keep all of the rotation together; one of several ends of answers is enough.
        for (newer, key) in [("rope_parameters.rope_theta", "rope_theta"), ("eos_token_id.0", "eos_token_id")] {
            if let Some(value) = values.remove(newer) {
                values.insert(key.to_owned(), value);
            }
        }
        let metadata = Metadata(values);
        refuse_variants(&metadata)?;
        let vocab_size = metadata.count("vocab_size", MAX_VOCAB_SIZE)?;
        Ok(Config {
            shape: Shape::read(&metadata, &KEYS, name, vocab_size)?,
            tied: metadata.flag("tie_word_embeddings", false)?,
            bos: metadata.token_id("bos_token_id")?,
            eos: metadata.token_id("eos_token_id")?,
        })
    }
}

/// JSON of any kind.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::Damaged(error.to_string()))
}

/// Nested values as `outer.inner`; what is null is not there.
fn flatten(key: String, json: Json, values: &mut BTreeMap<String, Value>) {
    let inner = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    let value = match json {
        Json::Null => return,
        Json::Bool(flag) => Value::Bool(flag),
        Json::String(text) => Value::String(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::I64(integer),
            (None, float) => Value::F64(float.unwrap_or(f64::NAN)),
        },
        Json::Array(items) => {
            let items = items.into_iter().enumerate();
            return items.for_each(|(index, item)| flatten(inner(&index.to_string()), item, values));
        }
        Json::Object(items) => return items.into_iter().for_each(|(name, item)| flatten(inner(&name), item, values)),
    };
    values.insert(key, value);
}

/// What the layout also covers, and is not computed here.
fn refuse_variants(metadata: &Metadata) -> Result<(), Problem> {
    let model_type = metadata.text("model_type")?;
    if !matches!(model_type, "llama" | "mistral") {
        return Err(bad("model_type", format!("{model_type:?}"), "\"llama\" or \"mistral\""));
    }
    if metadata.get("hidden_act").is_some() && metadata.text("hidden_act")? != "silu" {
        return Err(bad("hidden_act", metadata.text("hidden_act")?, "silu"));
    }
    for key in metadata.0.keys() {
        if key.starts_with("quantization_config.") {
            return Err(bad("quantization_config", "there", "none: give the weights as plain floats"));
        }
    }
    for rotation in ["rope_scaling", "rope_parameters"] {
        for key in ["type", "rope_type"].map(|key| format!("{rotation}.{key}")) {
            if metadata.get(&key).is_some() && !matches!(metadata.text(&key)?, "default" | "none") {
                return Err(bad(&key, format!("{:?}", metadata.text(&key)?), DEFAULT_ROTATION));
            }
        }
        metadata.no_factor(&format!("{rotation}.factor"), UNSCALED)?;
        metadata.no_factor(&format!("{rotation}.partial_rotary_factor"), WHOLE_HEADS)?;
    }
    metadata.no_factor("partial_rotary_factor", WHOLE_HEADS)?;
    Ok(())
}
