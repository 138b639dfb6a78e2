//! `tokenizer.json`: a vocabulary with merges, byte-level or made from a SentencePiece model.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::parse;
use crate::error::Problem;
use crate::metadata::bad;
use crate::pre_tokenizer::PreTokenizer;
use crate::vocab::{BYTE, CONTROL, NORMAL, RawVocab, UNKNOWN, UNUSED, USER_DEFINED};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    normalizer: Option<Json>,
    pre_tokenizer: Option<Json>,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    unk_token: Option<String>,
    vocab: BTreeMap<String, u32>,
    merges: Vec<Merge>,
}

/// Two pieces: as a list, or with a space between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair([String; 2]),
    Line(String),
}

pub(crate) fn read(bytes: &[u8], bos: u32, eos: u32, max_size: usize) -> Result<RawVocab, Problem> {
    let file: File = parse(bytes)?;
    let Model { kind, byte_fallback, ignore_merges, unk_token, vocab, merges } = file.model;
    let (normalizer, splits) = (file.normalizer.as_ref(), file.pre_tokenizer.as_ref());
    let pre_tokenizer = PreTokenizer::of_json(normalizer, splits, ignore_merges)?;
    if kind.as_deref().is_some_and(|kind| kind != "BPE") || !(byte_fallback || pre_tokenizer.is_some()) {
        let expected = "BPE with byte_fallback, as made from a SentencePiece model, or with a ByteLevel pre_tokenizer";
        return Err(bad("model", kind.unwrap_or_default() + " without byte_fallback", expected));
    }
    let names = vocab.into_iter().map(|(piece, id)| (id, piece, None));
    let added = file.added_tokens.into_iter().map(|token| {
        let kind = if token.special { CONTROL } else { USER_DEFINED };
        (token.id, token.content, Some(kind))
    });
    let tokens: Vec<(u32, String, Option<i32>)> = names.chain(added).collect();
    let size = tokens.iter().map(|(id, ..)| *id as usize + 1).max().unwrap_or(0);
    if size > max_size {
        return Err(Problem::VocabSize { tokens: size, rows: max_size });
    }
    let is_byte_level = pre_tokenizer.is_some();
    let mut raw = RawVocab {
        model: if is_byte_level { "gpt2" } else { "llama" }.to_owned(),
        tokens: (0..size).map(|id| format!("[PAD{id}]")).collect(),
        scores: vec![0.0; size],
        token_types: vec![UNUSED; size],
        pre_tokenizer,
        bos,
        eos,
        add_space_prefix: !is_byte_level && [normalizer, splits].into_iter().flatten().any(puts_space_in_front),
        ..RawVocab::default()
    };
    let ranks = if is_byte_level { HashMap::new() } else { ranks(&merges) };
    // Added tokens come last, and say of pieces of the vocabulary what they are.
    for (id, piece, kind) in tokens {
        let id = id as usize;
        raw.token_types[id] = match kind {
            _ if Some(&piece) == unk_token.as_ref() => UNKNOWN,
            Some(kind) => kind,
            None if !is_byte_level && piece.len() == 6 && piece.starts_with("<0x") && piece.ends_with('>') => BYTE,
            None => NORMAL,
        };
        if matches!(raw.token_types[id], NORMAL | USER_DEFINED) {
            raw.scores[id] = -(ranks.get(&piece).copied().unwrap_or(merges.len() + id) as f32);
        }
        raw.tokens[id] = piece;
    }
    if is_byte_level {
        raw.merges = merges.into_iter().map(Merge::line).collect();
    }
    Ok(raw)
}

impl Merge {
    fn line(self) -> String {
        match self {
            Merge::Pair([left, right]) => format!("{left} {right}"),
            Merge::Line(line) => line,
        }
    }
}

/// When each piece is first merged: the order of SentencePiece's scores.
fn ranks(merges: &[Merge]) -> HashMap<String, usize> {
    let mut ranks = HashMap::new();
    for (rank, merge) in merges.iter().enumerate() {
        let merged = match merge {
            Merge::Pair(pair) => pair.concat(),
            Merge::Line(line) => line.replacen(' ', "", 1),
        };
        ranks.entry(merged).or_insert(rank);
    }
    ranks
}

/// Whether a normalizer, a pre-tokenizer, or one of a sequence of them begins each text with a space.
fn puts_space_in_front(step: &Json) -> bool {
    let text = |key: &str| step.get(key).and_then(Json::as_str);
    match text("type") {
        Some("Prepend") => true,
        Some("Metaspace") => match text("prepend_scheme") {
            Some(scheme) => scheme != "never",
            None => step.get("add_prefix_space").and_then(Json::as_bool).unwrap_or(true),
        },
        _ => ["normalizers", "pretokenizers"]
            .iter()
            .filter_map(|key| step.get(key)?.as_array())
            .any(|steps| steps.iter().any(puts_space_in_front)),
    }
}
