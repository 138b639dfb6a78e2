//! The parts of a model in Hugging Face's layout.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::bytes::Bytes;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::file::{Parts, RowOrder, Stored, check_tensors};
use crate::format::Format;
use crate::safetensors;
use crate::shape::{EMBEDDING, OUTPUT};
use crate::tokenizer_config::TokenizerConfig;
use crate::vocab::RawVocab;

/// Gives a file's contents.
type Read<'a> = dyn Fn(&Path) -> Result<Bytes, Problem> + 'a;

pub(crate) fn read(folder: &Path, read: &Read<'_>, format: Format) -> Result<Parts, Error> {
    let (config_path, config) = contents(folder, "config.json", read)?;
    let name = folder.file_name().map_or_else(|| "unnamed".to_owned(), |name| name.to_string_lossy().into_owned());
    let config = Config::read(&config, name).map_err(|problem| problem.of(&config_path))?;
    let (files, tensors) = tensors(folder, read, &config, format)?;
    check_tensors(&config.shape, &tensors).map_err(|problem| problem.of(folder))?;
    let vocab = vocab(folder, read, &config)?;
    Ok(Parts { shape: config.shape, vocab, files, tensors })
}

fn contents(folder: &Path, name: &str, read: &Read<'_>) -> Result<(PathBuf, Bytes), Error> {
    let path = folder.join(name);
    let bytes = read(&path).map_err(|problem| problem.of(&path))?;
    Ok((path, bytes))
}

/// A file that may be missing.
fn optional(folder: &Path, name: &str, read: &Read<'_>) -> Result<Option<(PathBuf, Bytes)>, Error> {
    match contents(folder, name, read) {
        Err(Error { problem: Problem::Unreadable(error), .. }) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// The first of two files, or the second where that is missing.
fn either(folder: &Path, names: [&str; 2], read: &Read<'_>) -> Result<(PathBuf, Bytes), Error> {
    optional(folder, names[0], read)?.map_or_else(|| contents(folder, names[1], read), Ok)
}

fn tensors(
    folder: &Path,
    read: &Read<'_>,
    config: &Config,
    format: Format,
) -> Result<(Vec<Bytes>, BTreeMap<String, Stored>), Error> {
    let (path, bytes) = either(folder, ["model.safetensors", "model.safetensors.index.json"], read)?;
    let shards = if path.extension().is_some_and(|extension| extension == "json") {
        let names = safetensors::shards(&bytes).map_err(|problem| problem.of(&path))?;
        names.iter().map(|name| contents(folder, name, read)).collect::<Result<Vec<_>, _>>()?
    } else {
        vec![(path, bytes)]
    };
    let (mut files, mut tensors) = (Vec::new(), BTreeMap::new());
    for (path, bytes) in shards {
        for (name, entry) in safetensors::table(&bytes).map_err(|problem| problem.of(&path))? {
            let name = gguf_name(&name).unwrap_or(name);
            if config.tied && name == OUTPUT {
                continue;
            }
            let mut stored = Stored::as_it_is(files.len(), entry);
            if let [_, columns] = stored.entry.dims.as_slice()
                && format.row_bytes(*columns).is_some()
            {
                stored.read_as = format;
            }
            if name.ends_with(".attn_q.weight") || name.ends_with(".attn_k.weight") {
                stored.rows = RowOrder::HalfSplit(config.shape.head_dim);
            }
            if tensors.insert(name.clone(), stored).is_some() {
                return Err(Problem::Damaged(format!("the tensor {name} is there twice")).of(&path));
            }
        }
        files.push(bytes);
    }
    Ok((files, tensors))
}

fn gguf_name(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some(EMBEDDING.to_owned()),
        "model.norm.weight" => return Some("output_norm.weight".to_owned()),
        "lm_head.weight" => return Some(OUTPUT.to_owned()),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let part = match part {
        "input_layernorm.weight" => "attn_norm",
        "self_attn.q_proj.weight" => "attn_q",
        "self_attn.k_proj.weight" => "attn_k",
        "self_attn.v_proj.weight" => "attn_v",
        "self_attn.o_proj.weight" => "attn_output",
        "post_attention_layernorm.weight" => "ffn_norm",
        "mlp.gate_proj.weight" => "ffn_gate",
        "mlp.up_proj.weight" => "ffn_up",
        "mlp.down_proj.weight" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{part}.weight"))
}

/// As many tokens as the embedding has rows: what is left over is not in use.
fn vocab(folder: &Path, read: &Read<'_>, config: &Config) -> Result<RawVocab, Error> {
    let (path, bytes) = either(folder, ["tokenizer.json", "tokenizer.model"], read)?;
    let (bos, eos, rows) = (config.bos, config.eos, config.shape.vocab_size);
    let vocab = if path.extension().is_some_and(|extension| extension == "json") {
        RawVocab::of_tokenizer_json(&bytes, bos, eos, rows)
    } else {
        RawVocab::of_sentencepiece(&bytes, bos, eos)
    };
    let mut vocab = vocab.map_err(|problem| problem.of(&path))?;
    let tokens = vocab.tokens.len();
    if tokens > rows {
        return Err(Problem::VocabSize { tokens, rows }.of(&path));
    }
    vocab.tokens.extend((tokens..rows).map(|id| format!("[PAD{id}]")));
    vocab.scores.resize(rows, 0.0);
    vocab.token_types.resize(rows, crate::vocab::UNUSED);
    if let Some((path, bytes)) = optional(folder, "tokenizer_config.json", read)? {
        TokenizerConfig::read(&bytes).map_err(|problem| problem.of(&path))?.complete(&mut vocab);
    }
    if let Some((path, bytes)) = optional(folder, "chat_template.jinja", read)? {
        let text = str::from_utf8(&bytes).map_err(|_| Problem::Damaged("it is not UTF-8".to_owned()).of(&path))?;
        vocab.chat_template = Some(text.to_owned());
    }
    Ok(vocab)
}
