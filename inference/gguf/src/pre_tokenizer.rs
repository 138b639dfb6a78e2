//! What byte-level tokenizers do with a text before they merge: by the names that GGUF files give, and as tokenizer.json
//! spells it out.

use serde_json::Value as Json;

use crate::error::Problem;
use crate::metadata::bad;

/// Normalising and splitting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PreTokenizer {
    /// Regular expressions. Each splits what those before it left whole, into its matches and what lies between them.
    pub patterns: Vec<String>,
    /// Whether a text is brought into Unicode's form NFC first.
    pub nfc: bool,
    /// Whether a split that is a token stays whole, however it would be merged.
    pub whole_words: bool,
}

const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const NAMES: &str = "\"default\", \"gpt-2\", \"llama-bpe\", \"qwen2\", \"smollm\" or \"tekken\"";

impl PreTokenizer {
    /// By `tokenizer.ggml.pre`, as llama.cpp's converter writes it. Normalising is the original tokenizer's.
    pub(crate) fn named(name: &str) -> Result<Self, Problem> {
        let words = |digits: &str| {
            format!(
                r"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            )
        };
        let patterns = match name {
            "default" => [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"].map(str::to_owned).to_vec(),
            "gpt-2" => vec![GPT2.to_owned()],
            "smollm" => vec![r"\p{N}".to_owned(), GPT2.to_owned()],
            "llama-bpe" | "llama3" | "llama-v3" => vec![words(r"\p{N}{1,3}")],
            "qwen2" => vec![words(r"\p{N}")],
            "tekken" => vec![TEKKEN.to_owned()],
            other => return Err(bad("tokenizer.ggml.pre", format!("{other:?}"), NAMES)),
        };
        let whole_words = matches!(name, "llama-bpe" | "llama3" | "llama-v3" | "tekken");
        Ok(PreTokenizer { patterns, nfc: name == "qwen2", whole_words })
    }

    /// By the steps of a tokenizer.json; `None` where they are not of a byte-level tokenizer.
    pub(crate) fn of_json(
        normalizer: Option<&Json>,
        pre_tokenizer: Option<&Json>,
        whole_words: bool,
    ) -> Result<Option<Self>, Problem> {
        let steps = steps(pre_tokenizer, "pretokenizers");
        if !steps.iter().any(|step| kind(step) == "ByteLevel") {
            return Ok(None);
        }
        let mut patterns = Vec::new();
        for step in steps {
            patterns.extend(pattern(step)?);
        }
        let mut nfc = false;
        for step in self::steps(normalizer, "normalizers") {
            match kind(step) {
                "NFC" => nfc = true,
                other => return Err(bad("normalizer", format!("{other:?}"), "\"NFC\" or none")),
            }
        }
        Ok(Some(PreTokenizer { patterns, nfc, whole_words }))
    }
}

fn kind(step: &Json) -> &str {
    step.get("type").and_then(Json::as_str).unwrap_or_default()
}

/// The steps of a sequence, or the one that is none.
fn steps<'a>(step: Option<&'a Json>, inner: &str) -> Vec<&'a Json> {
    match step {
        None | Some(Json::Null) => Vec::new(),
        Some(step) if kind(step) == "Sequence" => step
            .get(inner)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .flat_map(|step| steps(Some(step), inner))
            .collect(),
        Some(step) => vec![step],
    }
}

/// What a step splits by; nothing where it only spells bytes as characters.
fn pattern(step: &Json) -> Result<Option<String>, Problem> {
    let flag = |key: &str, default: bool| step.get(key).and_then(Json::as_bool).unwrap_or(default);
    match kind(step) {
        "ByteLevel" if flag("add_prefix_space", true) => {
            Err(bad("pre_tokenizer.add_prefix_space", "true", "false: a space in front is not supported here"))
        }
        "ByteLevel" => Ok(flag("use_regex", true).then(|| GPT2.to_owned())),
        "Digits" => Ok(Some(if flag("individual_digits", false) { r"\p{N}" } else { r"\p{N}+" }.to_owned())),
        "Split" => {
            let behavior = step.get("behavior").and_then(Json::as_str).unwrap_or_default();
            if behavior != "Isolated" || flag("invert", false) {
                return Err(bad("pre_tokenizer.behavior", format!("{behavior:?}"), "\"Isolated\", not inverted"));
            }
            let regex = step.pointer("/pattern/Regex").and_then(Json::as_str);
            let regex = regex.ok_or_else(|| bad("pre_tokenizer.pattern", "something else", "a Regex"))?;
            Ok(Some(regex.to_owned()))
        }
        other => Err(bad("pre_tokenizer", format!("{other:?}"), "\"Split\", \"Digits\" and \"ByteLevel\"")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_steps_of_the_same_tokenizer_say_the_same() {
        let split = |name: &str| {
            let [pattern] = PreTokenizer::named(name).unwrap().patterns.try_into().unwrap();
            let split =
                json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
            let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false});
            json!({"type": "Sequence", "pretokenizers": [split, bytes]})
        };
        for (name, normalizer, whole_words) in
            [("tekken", json!(null), true), ("llama-bpe", json!(null), true), ("qwen2", json!({"type": "NFC"}), false)]
        {
            let found = PreTokenizer::of_json(Some(&normalizer), Some(&split(name)), whole_words).unwrap();
            assert_eq!(found.unwrap(), PreTokenizer::named(name).unwrap(), "{name}");
        }
        let digits = json!({"type": "Digits", "individual_digits": true});
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false});
        let steps = json!({"type": "Sequence", "pretokenizers": [digits, bytes]});
        let found = PreTokenizer::of_json(None, Some(&steps), false).unwrap();
        assert_eq!(found.unwrap(), PreTokenizer::named("smollm").unwrap());
    }

    #[test]
    fn what_is_not_known_is_named() {
        let error = PreTokenizer::named("falcon").unwrap_err().to_string();
        assert!(error.contains("tokenizer.ggml.pre is \"falcon\", expected \"default\""), "{error}");
        let with = |step: Json| {
            let steps = json!({"type": "Sequence", "pretokenizers": [step, {"type": "ByteLevel"}]});
            PreTokenizer::of_json(None, Some(&steps), false).unwrap_err().to_string()
        };
        assert!(with(json!({"type": "Punctuation"})).contains("pre_tokenizer is \"Punctuation\""));
        let removed = json!({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Removed", "invert": true});
        assert!(with(removed).contains("pre_tokenizer.behavior is \"Removed\""));
        let error = PreTokenizer::of_json(
            Some(&json!({"type": "Lowercase"})),
            Some(&json!({"type": "ByteLevel", "add_prefix_space": false})),
            false,
        );
        assert!(error.unwrap_err().to_string().contains("normalizer is \"Lowercase\""));
        assert_eq!(PreTokenizer::of_json(None, Some(&json!({"type": "Metaspace"})), false).unwrap(), None);
    }
}
