//! `talon model`: sound files pass and are told of, damaged ones are refused with what is wrong, and speed is measured.

use std::path::Path;

use gguf::{Format, ModelFile};
use serde_json::Value;

use crate::home::{Home, Ran, shipped_arg};

const POCKET: &str = "models/pocket/pocket.gguf";

/// A model of two layers in a format.
fn synth(home: &Home, format: &str) -> String {
    let path = home.path(&format!("{format}.gguf"));
    let path = path.to_str().unwrap().to_owned();
    home.run(&["model", "synth", "--shape", "small", "--format", format, &path]).ok();
    path
}

/// Where a tensor's bytes begin in a file: its first 64 are there once.
fn place_of(path: &Path, tensor: &str) -> usize {
    let file = ModelFile::open(path).unwrap();
    let matrix = file.matrix(tensor).unwrap();
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(64).position(|window| window == &matrix.bytes[..64]).unwrap()
}

fn check<'a>(told: &'a Value, name: &str) -> &'a Value {
    let checks = told["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name} in {told:#}"))
}

fn verify(home: &Home, path: &str) -> (Ran, Value) {
    let ran = home.run(&["model", "verify", path, "--json"]);
    let told = ran.json();
    (ran, told)
}

#[test]
fn every_model_command_has_help_with_examples() {
    let home = Home::new();
    for command in ["pull", "inspect", "verify", "bench", "synth"] {
        let help = home.run(&["model", command, "--help"]).ok().stdout;
        assert!(help.contains("Usage: talon") && help.contains("Examples:"), "{command}: {help}");
    }
}

#[test]
fn a_model_is_told_to_people() {
    let home = Home::new();
    let text = home.run(&["model", "inspect", &shipped_arg(POCKET)]).ok().stdout;
    for word in ["6 layers of width 256", "3,072 tokens", "Q8_0", "int8", "2,048 tokens", "bits each", "</s>"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("blk.0"));
    let text = home.run(&["model", "inspect", &shipped_arg(POCKET), "--tensors"]).ok().stdout;
    assert!(text.contains("blk.5.ffn_down.weight") && text.contains("256 x 768"), "{text}");
}

#[test]
fn a_model_is_told_to_scripts() {
    let home = Home::new();
    let path = synth(&home, "q8_0");
    let told = home.run(&["model", "inspect", &path, "--json", "--context", "1000", "--tensors"]).ok().json();
    let tensors = told["tensors"].as_array().unwrap();
    let sum = |list: &Value, field: &str| -> u64 {
        list.as_array().unwrap().iter().map(|item| item[field].as_u64().unwrap()).sum()
    };
    assert_eq!(tensors.len() as u64, sum(&told["formats"], "tensors"));
    assert_eq!(sum(&told["tensors"], "bytes"), told["tensor_bytes"].as_u64().unwrap());
    assert_eq!(sum(&told["formats"], "parameters"), told["parameters"].as_u64().unwrap());
    // 34 bytes for 32 weights; the norms' 4 bytes each are few.
    let bits = told["bits_per_weight"].as_f64().unwrap();
    assert!((8.5..8.6).contains(&bits), "{bits}");
    // Two layers, four heads of keys and of values, 32 numbers each, 2 bytes a number.
    let kv = &told["memory"][0];
    assert_eq!((kv["kv"].as_str(), kv["kv_bytes_per_token"].as_u64()), (Some("f16"), Some(2 * 4 * 2 * 32 * 2)));
    assert_eq!(kv["kv_bytes"].as_u64(), Some(1000 * 1024));
    let without = home.run(&["model", "inspect", &path, "--json"]).ok().json();
    assert!(without.get("tensors").is_none());
    assert_eq!(without["memory"][0]["context_tokens"], without["context_len"]);
}

#[test]
fn sound_models_pass() {
    let home = Home::new();
    let mut paths: Vec<String> = ["f32", "q4_k_m", "q4_0"].map(|format| synth(&home, format)).into();
    // The second one is a folder, with a window that is shorter than the prompt.
    paths.extend([POCKET, "inference/tests/fixtures/mistral/windowed"].map(shipped_arg));
    for path in &paths {
        let (ran, told) = verify(&home, path);
        assert_eq!((ran.code, &told["fine"]), (Some(0), &Value::Bool(true)), "{path}: {told:#}");
        let names =
            ["header and tensors", "numbers", "tokenizer", "control tokens", "packed backend", "candle backend"];
        for name in names {
            assert_eq!(check(&told, name)["fine"], true, "{path}: {told:#}");
        }
    }
}

#[test]
fn a_wrong_digest_is_told_with_the_right_one() {
    let home = Home::new();
    let path = synth(&home, "q8_0");
    let (_, told) = verify(&home, &path);
    let digest = check(&told, "sha-256")["found"].as_str().unwrap().to_owned();
    home.run(&["model", "verify", &path, "--sha256", &digest.to_uppercase()]).ok();
    let wrong = "0".repeat(64);
    let ran = home.run(&["model", "verify", &path, "--sha256", &wrong]);
    ran.says(1, &["fails 1 of"]);
    assert!(ran.stdout.contains(&digest) && ran.stdout.contains(&wrong), "{}", ran.stdout);
    home.run(&["model", "verify", &path, "--sha256", "abc"]).says(2, &["64 hexadecimal digits"]);
}

#[test]
fn infinite_scales_are_named_with_their_tensor() {
    let home = Home::new();
    let path = synth(&home, "q8_0");
    let tensor = "blk.1.ffn_up.weight";
    let place = place_of(path.as_ref(), tensor);
    let mut bytes = std::fs::read(&path).unwrap();
    for block in [9, 11] {
        bytes[place + block * Format::Q8_0.block_bytes()..][..2].copy_from_slice(&[0x00, 0x7e]);
    }
    std::fs::write(&path, bytes).unwrap();
    let (ran, told) = verify(&home, &path);
    assert_eq!(ran.code, Some(1));
    let found = check(&told, "numbers")["found"].as_str().unwrap();
    assert!(found.contains(tensor) && found.contains("2 of 4096") && found.contains("row 1, column 32"), "{found}");
    assert_eq!(check(&told, "tokenizer")["fine"], true);
}

#[test]
fn damage_is_told_and_ends_with_1() {
    let home = Home::new();
    let path = synth(&home, "q8_0");
    let bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|window| window == b"[INST]").unwrap();
    let mut renamed = bytes.clone();
    renamed[at + 1] = b'X';
    for (name, bytes, words) in [
        ("short", &bytes[..bytes.len() / 2], "the download is incomplete"),
        ("text", b"<html>404".as_slice(), "is not a GGUF file"),
        ("renamed", &renamed, "no control token [INST]"),
    ] {
        let damaged = home.write(&format!("{name}.gguf"), bytes);
        let damaged = damaged.to_str().unwrap();
        let (ran, told) = verify(&home, damaged);
        assert_eq!((ran.code, &told["fine"]), (Some(1), &Value::Bool(false)), "{name}");
        assert!(told.to_string().contains(words), "{name}: {told:#}");
        let inspected = home.run(&["model", "inspect", damaged]);
        assert_eq!(inspected.code, Some(if name == "renamed" { 0 } else { 1 }), "{inspected:?}");
    }
}

#[test]
fn an_absent_file_is_wrong_usage() {
    let home = Home::new();
    for command in ["inspect", "verify", "bench"] {
        home.run(&["model", command, "absent.gguf"]).says(2, &["absent.gguf"]);
    }
}

#[test]
fn a_seed_is_a_file_and_files_are_not_written_over() {
    let home = Home::new();
    let write = |name: &str, seed: &str| {
        home.run(&["model", "synth", "--shape", "small", "--format", "Q4_0", "--seed", seed, name, "--json"])
    };
    let told = write("a.gguf", "7").ok().json();
    write("b.gguf", "7").ok();
    write("c.gguf", "8").ok();
    let read = |name: &str| std::fs::read(home.path(name)).unwrap();
    assert_eq!(told["bytes"].as_u64(), Some(read("a.gguf").len() as u64));
    assert_eq!((told["format"].as_str(), told["shape"].as_str()), (Some("q4_0"), Some("small")));
    assert!(read("a.gguf") == read("b.gguf") && read("a.gguf") != read("c.gguf"));
    write("a.gguf", "8").says(2, &["a.gguf", "there already"]);
    write("absent/a.gguf", "8").says(2, &["absent/a.gguf"]);
    let arguments = ["model", "synth", "--shape", "2b", "--format", "q4_0", "d.gguf"];
    home.run(&arguments).says(2, &["pocket, small, 1b, 7b"]);
}

#[test]
fn speed_is_measured_beside_its_limit() {
    let home = Home::new();
    let path = synth(&home, "q8_0");
    let arguments = ["model", "bench", &path, "--runs", "1", "--long", "--threads", "1"];
    let told = home.run(&[&arguments[..], &["--kv", "int8", "--json"]].concat()).ok().json();
    let rows = told["rows"].as_array().unwrap();
    let works: Vec<&str> = rows.iter().map(|row| row["work"].as_str().unwrap()).collect();
    // The model's context is 512.
    assert_eq!(works, ["prefill 511", "decode x 1", "decode x 8", "decode x 16", "decode x 8 at 224"]);
    for row in rows {
        let [speed, limit, share] =
            ["tokens_per_second", "limit_tokens_per_second", "share"].map(|field| row[field].as_f64().unwrap());
        assert!(speed > 0.0 && limit > 0.0 && (speed / limit - share).abs() < 1e-9, "{row}");
        assert!(matches!(row["limited_by"].as_str(), Some("memory" | "operations")), "{row}");
    }
    assert_eq!(told["kv_bytes_per_token"].as_u64(), Some(2 * 4 * 2 * (32 + 4)));
    assert_eq!(told["threads"], 1);
    for field in ["load_seconds", "weight_bytes", "resident_bytes", "ops_per_token", "bytes_per_step"] {
        assert!(told[field].as_f64().unwrap() > 0.0, "{field}");
    }
}

#[test]
fn speed_is_told_to_people_by_either_backend() {
    let home = Home::new();
    let path = synth(&home, "q8_0");
    for backend in ["auto", "candle"] {
        let text = home.run(&["model", "bench", &path, "--runs", "1", "--backend", backend]).ok().stdout;
        for word in ["prefill 511", "decode x 1 ", "decode x 8", "decode x 16", "tokens/s", "limit", "reached"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
