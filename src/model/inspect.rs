//! `talon model inspect`: what a model file says of itself, and what it would take to run it.

use std::collections::BTreeMap;

use gguf::{Format, ModelFile, Shape};
use indicatif::{BinaryBytes, HumanCount};
use inference::KvKind;
use kernels::kv::KvShape;
use serde_json::{Value, json};

use crate::cli::{InspectArgs, KV_KINDS};
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::show;

/// A tensor, as far as it concerns people.
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
    pub(super) format: Format,
    pub(super) bytes: u64,
}

impl Tensor {
    fn parameters(&self) -> u64 {
        self.dims.iter().product::<usize>() as u64
    }
}

/// Tensors of one format.
#[derive(Default)]
struct Sum {
    tensors: usize,
    parameters: u64,
    bytes: u64,
}

pub(super) fn run(arguments: &InspectArgs, json: bool) -> Result<(), Failure> {
    let file = super::open(&arguments.file)?;
    let tensors = tensors(&file)?;
    let context_tokens = arguments.context.unwrap_or(file.shape().context_len as u64);
    if json {
        return print_json(&told(&file, &tensors, context_tokens, arguments.tensors));
    }
    print(text(&file, &tensors))?;
    let mut table = show::table(["format", "tensors", "parameters", "size"]);
    for (format, sum) in sums(&tensors) {
        let (parameters, bytes) = (HumanCount(sum.parameters).to_string(), BinaryBytes(sum.bytes).to_string());
        table.add_row([format.to_owned(), sum.tensors.to_string(), parameters, bytes]);
    }
    print(table)?;
    let at_context = format!("{} tokens", HumanCount(context_tokens));
    let mut table = show::table(["keys and values", "a token", &at_context, "with the weights"]);
    for (name, kind) in KV_KINDS {
        let each = kv_bytes_per_token(file.shape(), kind);
        let all = each.saturating_mul(context_tokens);
        let sizes = [each, all, all.saturating_add(file.tensor_bytes())].map(|bytes| BinaryBytes(bytes).to_string());
        table.add_row([name.to_owned()].into_iter().chain(sizes));
    }
    print(table)?;
    if arguments.tensors {
        let mut table = show::table(["tensor", "format", "shape", "size"]);
        for tensor in &tensors {
            let (dims, bytes) = (dims(&tensor.dims), BinaryBytes(tensor.bytes).to_string());
            table.add_row([tensor.name.as_str(), tensor.format.name(), &dims, &bytes]);
        }
        print(table)?;
    }
    Ok(())
}

/// All that the file has, in the order in which they are used.
pub(super) fn tensors(file: &ModelFile) -> Result<Vec<Tensor>, Failure> {
    let stored = file.shape().tensors().filter(|(name, _)| !(file.is_tied() && name == "output.weight"));
    stored
        .map(|(name, dims)| {
            let (format, bytes) = file.read_as(&name).map_err(|error| Failure::negative(error.to_string()))?;
            Ok(Tensor { name, dims, format, bytes })
        })
        .collect()
}

fn sums(tensors: &[Tensor]) -> BTreeMap<&'static str, Sum> {
    let mut sums = BTreeMap::<_, Sum>::new();
    for tensor in tensors {
        let sum = sums.entry(tensor.format.name()).or_default();
        sum.tensors += 1;
        sum.parameters += tensor.parameters();
        sum.bytes += tensor.bytes;
    }
    sums
}

fn parameters(tensors: &[Tensor]) -> u64 {
    tensors.iter().map(Tensor::parameters).sum()
}

fn bits_per_weight(file: &ModelFile, tensors: &[Tensor]) -> f64 {
    8.0 * file.tensor_bytes() as f64 / parameters(tensors) as f64
}

fn kv_bytes_per_token(shape: &Shape, kind: KvKind) -> u64 {
    let &Shape { layers: num_layers, kv_heads: num_kv_heads, head_dim, .. } = shape;
    KvShape { num_layers, num_kv_heads, head_dim, kind }.bytes_per_token() as u64
}

fn dims(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

fn text(file: &ModelFile, tensors: &[Tensor]) -> String {
    let (shape, vocab) = (file.shape(), file.vocab());
    let count = |number: usize| HumanCount(number as u64);
    let window = shape.sliding_window.map_or("none".to_owned(), |window| format!("{} tokens", count(window)));
    let token = |id: u32| vocab.tokens.get(id as usize).map_or("not in the vocabulary", String::as_str);
    let parameters = parameters(tensors);
    format!(
        "file            {}\nname            {}\narchitecture    llama: {} layers of width {}, {} inside\n\
         heads           {} of width {}, on {} of keys and values\ncontext         {} tokens\nsliding window  {window}\n\
         rotation base   {}\noutput          {}\nparameters      {} ({:.2} B)\nweights         {}, {:.2} bits each\n\
         tokenizer       {}, {} tokens, begins with {}, ends with {}",
        file.path().display(),
        shape.name,
        shape.layers,
        count(shape.hidden),
        count(shape.feed_forward),
        shape.heads,
        shape.head_dim,
        shape.kv_heads,
        count(shape.context_len),
        shape.rope_base,
        if file.is_tied() { "the embedding's matrix" } else { "a matrix of its own" },
        HumanCount(parameters),
        parameters as f64 / 1e9,
        BinaryBytes(file.tensor_bytes()),
        bits_per_weight(file, tensors),
        vocab.model,
        count(vocab.tokens.len()),
        token(vocab.bos),
        token(vocab.eos),
    )
}

fn told(file: &ModelFile, tensors: &[Tensor], context_tokens: u64, with_tensors: bool) -> Value {
    let (shape, vocab) = (file.shape(), file.vocab());
    let formats: Vec<_> = sums(tensors)
        .into_iter()
        .map(|(format, sum)| {
            json!({"format": format, "tensors": sum.tensors, "parameters": sum.parameters, "bytes": sum.bytes})
        })
        .collect();
    let memory: Vec<_> = KV_KINDS
        .into_iter()
        .map(|(name, kind)| {
            let each = kv_bytes_per_token(shape, kind);
            let all = each.saturating_mul(context_tokens);
            json!({
                "kv": name, "kv_bytes_per_token": each, "context_tokens": context_tokens, "kv_bytes": all,
                "bytes": all.saturating_add(file.tensor_bytes()),
            })
        })
        .collect();
    let mut told = json!({
        "file": file.path(),
        "name": shape.name,
        "architecture": "llama",
        "layers": shape.layers,
        "hidden": shape.hidden,
        "feed_forward": shape.feed_forward,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "context_len": shape.context_len,
        "sliding_window": shape.sliding_window,
        "rope_base": shape.rope_base,
        "rms_epsilon": shape.rms_epsilon,
        "tied": file.is_tied(),
        "parameters": parameters(tensors),
        "tensor_bytes": file.tensor_bytes(),
        "bits_per_weight": bits_per_weight(file, tensors),
        "formats": formats,
        "tokenizer": {"model": vocab.model, "tokens": vocab.tokens.len(), "bos": vocab.bos, "eos": vocab.eos},
        "memory": memory,
    });
    if with_tensors {
        let listed = tensors.iter().map(|tensor| {
            json!({"name": tensor.name, "format": tensor.format.name(), "shape": tensor.dims, "bytes": tensor.bytes})
        });
        told["tensors"] = listed.collect();
    }
    told
}
