//! Models in Hugging Face's layout: the same model as the GGUF file, and each contradiction named.

use std::collections::BTreeMap;
use std::path::Path;

use gguf::synth::{Mix, RandomModel};
use gguf::{Format, ModelFile, RawVocab};
use safetensors::tensor::TensorView;
use serde_json::{Value as Json, json};

use crate::support::{Files, bytes, check_whole, folder, model};

fn open(files: &Files, format: Format) -> Result<ModelFile, gguf::Error> {
    ModelFile::from_folder_bytes("folder", files, format)
}

#[track_caller]
fn check(files: &Files, expected: &str) {
    let error = open(files, Format::Q8_0).err().expect("the folder should be refused");
    assert_eq!(error.to_string(), expected);
}

/// The folder with another value in one of its JSON files; null takes it out.
fn with(name: &'static str, pointer: &str, value: Json) -> Files {
    let mut files = folder(&model());
    let mut json: Json = serde_json::from_slice(&files[name]).unwrap();
    let (outer, key) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(outer).unwrap()[key] = value;
    files.insert(name, json.to_string().into_bytes());
    files
}

#[test]
fn a_folder_is_the_model_that_the_file_is() {
    let model = RandomModel { mix: Mix::All(Format::F32), ..model() };
    let mut file = Vec::new();
    model.write(&mut file, |_, _| {}).unwrap();
    let file = ModelFile::from_bytes("file", file).unwrap();
    let folder = open(&folder(&model), Format::F32).unwrap();
    let mut shape = folder.shape().clone();
    shape.name.clone_from(&file.shape().name);
    assert_eq!(shape, *file.shape());
    let (ours, theirs) = (file.vocab(), folder.vocab());
    assert_eq!((&ours.tokens, &ours.token_types, ours.bos, ours.eos), (&theirs.tokens, &theirs.token_types, 1, 2));
    for (name, dims) in shape.tensors() {
        match dims.as_slice() {
            [_] => assert_eq!(file.vector(&name).unwrap(), folder.vector(&name).unwrap(), "{name}"),
            _ => assert!(file.matrix(&name).unwrap().bytes == folder.matrix(&name).unwrap().bytes, "{name}"),
        }
    }
}

#[test]
fn matrices_are_read_in_the_format_that_is_asked_for() {
    let files = folder(&model());
    for format in [Format::Q8_0, Format::BF16, Format::Q4_0] {
        let file = open(&files, format).unwrap();
        check_whole(&file);
        assert_eq!(file.matrix("blk.0.attn_q.weight").unwrap().format, format);
    }
    // Rows of 64 are no whole blocks of 256.
    let file = open(&files, Format::Q4K).unwrap();
    check_whole(&file);
    assert_eq!(file.matrix("blk.0.attn_q.weight").unwrap().format, Format::F32);
}

#[test]
fn shards_are_one_model() {
    let mut files = folder(&model());
    let whole = files.remove("model.safetensors").unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&whole).unwrap();
    let names = tensors.names();
    let mut weight_map = BTreeMap::new();
    for (shard, names) in ["a.safetensors", "b.safetensors"].into_iter().zip(names.chunks(names.len() / 2 + 1)) {
        let views = names.iter().map(|name| (*name, tensors.tensor(name).unwrap()));
        files.insert(shard, safetensors::serialize(views, None).unwrap());
        weight_map.extend(names.iter().map(|name| (*name, shard)));
    }
    let index = |weight_map: &BTreeMap<&str, &str>| json!({ "weight_map": weight_map }).to_string().into_bytes();
    files.insert("model.safetensors.index.json", index(&weight_map));
    check_whole(&open(&files, Format::Q8_0).unwrap());

    let mut outside = files.clone();
    let shards = BTreeMap::from([("a", "../a.safetensors")]);
    outside.insert("model.safetensors.index.json", index(&shards));
    check(
        &outside,
        "folder/model.safetensors.index.json is damaged: \"../a.safetensors\" is not the name of a file beside it; \
         fetch or convert it again",
    );
    files.insert("b.safetensors", files["a.safetensors"].clone());
    let error = open(&files, Format::Q8_0).err().unwrap().to_string();
    assert!(error.starts_with("folder/b.safetensors is damaged: the tensor") && error.contains("twice"), "{error}");
}

#[test]
fn a_tied_model_has_no_output_of_its_own() {
    let file = open(&with("config.json", "/tie_word_embeddings", json!(true)), Format::Q8_0).unwrap();
    assert!(file.is_tied());
    check_whole(&file);
}

#[test]
fn newer_names_are_read_too() {
    let mut files = with("config.json", "/rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5}));
    let mut config: Json = serde_json::from_slice(&files["config.json"]).unwrap();
    config.as_object_mut().unwrap().remove("rope_theta");
    config["eos_token_id"] = json!([2, 5]);
    files.insert("config.json", config.to_string().into_bytes());
    let file = open(&files, Format::Q8_0).unwrap();
    assert_eq!((file.shape().rope_base, file.vocab().eos), (5e5, 2));
}

#[test]
fn variants_that_are_not_computed_are_refused() {
    let plain = "; use a plain Mistral or Llama model";
    check(
        &with("config.json", "/model_type", json!("qwen2")),
        &format!("folder/config.json: model_type is \"qwen2\", expected \"llama\" or \"mistral\"{plain}"),
    );
    check(
        &with("config.json", "/rope_scaling", json!({"rope_type": "llama3", "factor": 8.0})),
        &format!(
            "folder/config.json: rope_scaling.rope_type is \"llama3\", \
             expected \"default\": scaled positions are not supported{plain}"
        ),
    );
    check(
        &with("config.json", "/quantization_config", json!({"quant_method": "awq"})),
        &format!(
            "folder/config.json: quantization_config is there, expected none: give the weights as plain floats{plain}"
        ),
    );
    check(
        &with("tokenizer.json", "/model/byte_fallback", json!(false)),
        &format!(
            "folder/tokenizer.json: model is BPE without byte_fallback, expected BPE with byte_fallback, \
             as made from a SentencePiece model, or with a ByteLevel pre_tokenizer{plain}"
        ),
    );
}

#[test]
fn rotations_that_are_not_computed_are_refused() {
    let refused = |pointer, value, expected: &str| {
        let expected = format!("folder/config.json: {expected}; use a plain Mistral or Llama model");
        check(&with("config.json", pointer, value), &expected);
    };
    let default = "expected \"default\": scaled positions are not supported";
    let unscaled = "expected 1: scaled positions are not supported";
    let whole = "expected 1: heads that are rotated in part are not supported";
    refused("/rope_scaling", json!({"type": "linear"}), &format!("rope_scaling.type is \"linear\", {default}"));
    refused("/rope_scaling", json!({"factor": 2.0}), &format!("rope_scaling.factor is 2, {unscaled}"));
    let yarn = json!({"rope_theta": 1e4, "rope_type": "yarn"});
    refused("/rope_parameters", yarn, &format!("rope_parameters.rope_type is \"yarn\", {default}"));
    let scaled = json!({"rope_theta": 1e4, "factor": 4});
    refused("/rope_parameters", scaled, &format!("rope_parameters.factor is 4, {unscaled}"));
    refused("/rope_scaling", json!({"type": 1}), "rope_scaling.type is an integer, expected a string");
    refused("/partial_rotary_factor", json!(0.5), &format!("partial_rotary_factor is 0.5, {whole}"));
    let partial = json!({"rope_theta": 1e4, "partial_rotary_factor": 0.25});
    refused("/rope_parameters", partial, &format!("rope_parameters.partial_rotary_factor is 0.25, {whole}"));

    for (pointer, value) in [
        ("/rope_scaling", json!({"type": "none", "factor": 1.0})),
        ("/rope_parameters", json!({"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0})),
        ("/partial_rotary_factor", json!(1)),
    ] {
        check_whole(&open(&with("config.json", pointer, value), Format::Q8_0).unwrap());
    }
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let whole = folder(&model()).remove("model.safetensors").unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&whole).unwrap();
    let read = |weight: f32| {
        let mut down = tensors.tensor("model.layers.0.mlp.down_proj.weight").unwrap().data().to_vec();
        down[400..404].copy_from_slice(&weight.to_le_bytes());
        let views = tensors.iter().map(|(name, view)| {
            let data = if name.contains("down_proj") { &down } else { view.data() };
            (name, TensorView::new(view.dtype(), view.shape().to_vec(), data).unwrap())
        });
        let mut files = folder(&model());
        files.insert("model.safetensors", safetensors::serialize(views, None).unwrap());
        open(&files, Format::Q8_0).unwrap().matrix("blk.0.ffn_down.weight").map(|matrix| matrix.bytes.into_owned())
    };
    assert!(read(0.25).is_ok());
    for weight in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(
            read(weight).unwrap_err().to_string(),
            "folder: tensor blk.0.ffn_down.weight has numbers that are not finite; \
             fetch it again, or use another model"
        );
    }
}

#[test]
fn what_is_missing_or_too_large_is_named() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let mut files = folder(&model());
        files.remove(name);
        let second = match name {
            "model.safetensors" => "model.safetensors.index.json",
            "tokenizer.json" => "tokenizer.model",
            other => other,
        };
        check(&files, &format!("folder/{second} cannot be read; check the path and its permissions"));
    }
    check(
        &with("config.json", "/vocab_size", json!(299)),
        "folder: the vocabulary has 299 tokens but token_embd.weight has 300 rows; convert the model anew",
    );
    check(
        &with("tokenizer.json", "/model/vocab/more", json!(4_000_000_000_u32)),
        "folder/tokenizer.json: the vocabulary has 4000000001 tokens but token_embd.weight has 300 rows; \
         convert the model anew",
    );
    let mut files = folder(&model());
    let tensors = files.get_mut("model.safetensors").unwrap();
    let length = tensors.len() - 1;
    tensors.truncate(length);
    check(
        &files,
        &format!(
            "folder/model.safetensors has {length} bytes, too few for its tensors; \
             the download is incomplete: fetch it again"
        ),
    );
}

#[test]
fn a_sentencepiece_model_is_the_vocabulary_that_its_gguf_has() {
    let pocket = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/pocket");
    let expected = ModelFile::open(pocket.join("pocket.gguf")).unwrap();
    let mut model = model();
    model.shape.vocab_size = expected.shape().vocab_size;
    let mut files = folder(&model);
    files.remove("tokenizer.json");
    files.insert("tokenizer.model", std::fs::read(pocket.join("tokenizer.model")).unwrap());
    let expected = RawVocab { chat_template: None, ..expected.vocab().clone() };
    assert_eq!(*open(&files, Format::Q8_0).unwrap().vocab(), expected);
}

#[test]
fn a_folder_on_disk_opens_like_a_file() {
    let directory = tempfile::tempdir().unwrap();
    for (name, contents) in folder(&model()) {
        std::fs::write(directory.path().join(name), contents).unwrap();
    }
    let file = ModelFile::open(directory.path()).unwrap();
    check_whole(&file);
    assert_eq!(file.matrix("output.weight").unwrap().format, Format::Q8_0);

    let path = directory.path().join("model.gguf");
    std::fs::write(&path, bytes(&model())).unwrap();
    let file = ModelFile::open(path).unwrap();
    let before = file.matrix("output.weight").unwrap().bytes.into_owned();
    file.release("output.weight");
    assert!(before == *file.matrix("output.weight").unwrap().bytes);
}
