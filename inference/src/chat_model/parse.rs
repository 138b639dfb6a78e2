//! From what the model wrote to what it meant.

use rand::RngExt;
use serde_json::{Map, Value};

use crate::chat::ToolCall;

const ID_LEN: usize = 9;
const ID_CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The calls of `[{"name": …, "arguments": {…}, "id": …}]`, each with a fresh id: the model's own may repeat.
pub(super) fn tool_calls(text: &str) -> Result<Vec<ToolCall>, String> {
    let written: Vec<Map<String, Value>> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let call = |mut entries: Map<String, Value>| match (entries.remove("name"), entries.remove("arguments")) {
        (Some(Value::String(name)), Some(Value::Object(arguments))) => Ok(ToolCall { id: fresh_id(), name, arguments }),
        _ => Err("a call lacks its name or arguments".to_owned()),
    };
    written.into_iter().map(call).collect()
}

fn fresh_id() -> String {
    let mut random = rand::rng();
    (0..ID_LEN).map(|_| ID_CHARACTERS[random.random_range(0..ID_CHARACTERS.len())] as char).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn calls_keep_names_and_arguments_and_get_fresh_ids() {
        let text = r#" [{"name": "a", "arguments": {"y": 1, "x": "ä"}, "id": "call00001"}]"#;
        let (first, second) = (tool_calls(text).unwrap(), tool_calls(text).unwrap());
        assert_eq!(first[0].name, "a");
        assert_eq!(Value::from(first[0].arguments.clone()).to_string(), r#"{"y":1,"x":"ä"}"#);
        assert_ne!(first[0].id, second[0].id);
        assert!(first[0].id.len() == 9 && first[0].id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn what_is_no_call_is_an_error() {
        for text in ["", "[", "{}", r#"[{"name": "a"}]"#, r#"[{"name": 1, "arguments": {}}]"#] {
            assert!(tool_calls(text).is_err(), "{text:?}");
        }
    }
}
