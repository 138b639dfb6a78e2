//! The repository's sample documents, each with what the product should answer.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::server::{Server, document};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn read(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap()
}

/// The samples of one agent: file and expectation.
fn samples(agent: &str) -> Vec<(String, Value)> {
    let manifest = String::from_utf8(read("manifest.jsonl")).unwrap();
    let lines = manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mine = lines.filter(|sample| sample["agent"] == agent);
    mine.map(|sample| (sample["file"].as_str().unwrap().to_owned(), sample["expected"].clone())).collect()
}

#[tokio::test]
async fn records_can_be_copied_from_the_text() {
    let server = Server::start().await;
    let samples = samples("data-extraction");
    assert!(!samples.is_empty());
    for (file, expected) in samples {
        let text = server.parse(&file, &read(&file)).await.ok()["text"].as_str().unwrap().to_owned();
        for field in ["vendor", "document_number"] {
            let value = expected["json"][field].as_str().unwrap();
            assert!(text.contains(value), "{file}: {value:?} is not in {text:?}");
        }
        assert!(!text.contains('\t') && text.lines().count() > 5, "{file}: {text:?}");
    }
}

#[tokio::test]
async fn facts_can_be_copied_from_the_text() {
    let server = Server::start().await;
    let samples = samples("document-summarization");
    assert!(!samples.is_empty());
    for (file, expected) in samples {
        let text = server.parse(&file, &read(&file)).await.ok()["text"].as_str().unwrap().replace('\n', " ");
        for fact in expected["facts"].as_array().unwrap() {
            assert!(text.contains(fact.as_str().unwrap()), "{file}: {fact} is not in {text:?}");
        }
    }
}

#[tokio::test]
async fn the_figures_of_tables_are_those_of_the_reports() {
    let server = Server::start().await;
    let samples = samples("report-generation");
    assert!(!samples.is_empty());
    for (file, expected) in samples {
        let figures = server.post("/table", &json!({"document": document(&file, &read(&file))})).await.ok();
        let report = expected["text"].as_str().unwrap();
        let figure =
            |path: &str| figures.pointer(path).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        for path in
            ["/title", "/rows", "/total", "/mean", "/highest/name", "/highest/value", "/lowest/name", "/lowest/value"]
        {
            let figure = figure(path).unwrap();
            assert!(report.contains(&figure), "{file}: {path} is {figure:?}, the report {report:?}");
        }
    }
}

#[tokio::test]
async fn bad_documents_are_refused_with_their_reason() {
    let server = Server::start().await;
    for (file, code) in [
        ("encrypted.pdf", "encrypted"),
        ("empty.pdf", "empty"),
        ("truncated.pdf", "unreadable"),
        ("image-only.pdf", "no_text"),
    ] {
        server.parse(file, &read(&format!("bad/{file}"))).await.refused(422, code);
    }
}
