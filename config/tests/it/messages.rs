//! Every message, word for word: each `tests/messages/*.yml` is read, and what there is to say stands beside it in a
//! `.txt`. `TALON_UPDATE_MESSAGES=1` writes those files; read the difference before committing it.

use std::fs;
use std::path::Path;

use config::{AgentSpec, Environment, TalonConfig};

/// What is said about a file. Those named `talon-*` are read as `talon.yml`, the others as agents.
fn said_about(name: &str, text: &str) -> String {
    if name.starts_with("talon-") {
        TalonConfig::parse(name, text, &Environment::from([("HOME", "/home/op")])).diagnostics.to_string()
    } else {
        AgentSpec::parse(name, text).diagnostics.to_string()
    }
}

#[test]
fn every_message_is_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let update = std::env::var_os("TALON_UPDATE_MESSAGES").is_some();
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    assert!(30 < files.len());
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let said = said_about(name, &fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap_or_default(), "{name}");
    }
}

#[test]
fn json_has_the_place_the_message_and_the_hint() {
    let loaded = AgentSpec::parse("a.yml", "agent: {nmae: x, name: a, model: m, instructions: i, owner: o}");
    assert_eq!(
        serde_json::to_value(&loaded.diagnostics).unwrap(),
        serde_json::json!([{
            "severity": "error", "file": "a.yml", "line": 1, "column": 9,
            "message": "agent has no key \"nmae\"",
            "hint": "known keys are name, description, owner, team, model, max_context_tokens, timeout_seconds, \
                     retry_policy, instructions, tools, guardrails, session, output",
        }])
    );
}

#[test]
fn colours_only_add_escape_sequences() {
    let said = AgentSpec::parse("a.yml", "agent: 1").diagnostics;
    let mut plain = String::new();
    let colored = said.colored().to_string();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, said.to_string());
    assert_ne!(colored, plain);
}

#[test]
fn a_secret_is_never_printed() {
    let key = "sk-live-0123456789abcdefABCDEF";
    let text = format!("agent:\n  name: {key}\n  timeout_seconds: {key}\n  colour: {key} # {key}\n");
    let said = AgentSpec::parse("a.yml", &text).diagnostics;
    assert!(said.is_error());
    assert!(!said.to_string().contains("0123456789"), "{said}");
    assert!(!serde_json::to_string(&said).unwrap().contains("0123456789"));
}

#[test]
fn hostile_files_end_in_a_message() {
    let deep = "[".repeat(100_000);
    let bomb = format!(
        "a: &a [x, x, x, x, x, x, x, x, x]\n{}",
        ('b'..='h')
            .map(|c| {
                let before = char::from(c as u8 - 1);
                format!("{c}: &{c} [{}]\n", vec![format!("*{before}"); 9].join(", "))
            })
            .collect::<String>()
    );
    for text in
        [deep.as_str(), &bomb, "a: &a [*a]", "? [x]\n: 1", "\u{0}", "%YAML 9.9\n---\n", "- - -\n\t- x", "*x", "!!int x"]
    {
        assert!(AgentSpec::parse("a.yml", text).diagnostics.is_error(), "{:.40}", text);
    }
}
