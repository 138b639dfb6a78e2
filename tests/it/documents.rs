//! Documents that nobody can read end their task as failed, with a reason that a person understands.

use serde_json::Value;

use crate::home::{Home, shipped};
use crate::pdf;
use crate::server::Server;

#[test]
fn unusable_documents_fail_with_a_reason() {
    let home = Home::new();
    let server = Server::start(&home);
    let bad = |name: &str| std::fs::read(shipped(&format!("examples/bad/{name}.pdf"))).unwrap();
    for (name, bytes, reason) in [
        ("encrypted", bad("encrypted"), "encrypted"),
        ("image-only", bad("image-only"), "OCR"),
        ("truncated", bad("truncated"), "cut off"),
        ("10,000 pages", pdf::with_pages(10_000), "10000 pages but at most"),
    ] {
        let path = home.write(&format!("{name}.pdf"), bytes);
        let submit = ["task", "submit", "--agent", "data-extraction", "--wait", "--json", "--document"];
        let ran = server.run(&home, &[&submit[..], &[path.to_str().unwrap()]].concat());
        let task = ran.json();
        assert_eq!(ran.code, Some(1), "{name}: {task}");
        let ended = (task["state"].as_str(), task["stop_reason"].as_str());
        assert_eq!(ended, (Some("failed"), Some("unusable_input")), "{name}: {task}");
        assert!(task["error"].as_str().is_some_and(|error| error.contains(reason)), "{name}: {task}");
    }
    server.stop();
}

#[test]
fn an_empty_document_is_not_even_stored() {
    let home = Home::new();
    let server = Server::start(&home);
    let path = shipped("examples/bad/empty.pdf");
    let submit = ["task", "submit", "--agent", "data-extraction", "--document", path.to_str().unwrap()];
    server.run(&home, &submit).says(4, &["empty.pdf", "empty"]);
    let tasks: Value = server.run(&home, &["task", "list", "--json"]).ok().json();
    assert_eq!(tasks["tasks"], Value::Array(Vec::new()));
    server.stop();
}

#[test]
fn a_generated_document_is_a_document() {
    let home = Home::new();
    let server = Server::start(&home);
    let path = home.write("two.pdf", pdf::with_pages(2));
    let submit = ["task", "submit", "--agent", "data-extraction", "--wait", "--json", "--document"];
    let task = server.run(&home, &[&submit[..], &[path.to_str().unwrap()]].concat()).json();
    assert_ne!(task["stop_reason"], "unusable_input", "{task}");
    server.stop();
}
