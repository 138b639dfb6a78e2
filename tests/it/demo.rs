//! `talon demo` and `talon eval`: run by themselves, and leave nothing behind.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::home::{Home, Ran};
use crate::server::signal;

/// The bundled model reaches far more. Below this it is not the model that is wrong, but what it is given or what becomes
/// of its answers.
const FLOOR_PERCENT: usize = 30;

#[test]
fn the_demo_ends_by_itself_with_a_result_for_every_document() {
    let home = Home::new();
    let folder = home.path("temporary");
    std::fs::create_dir(&folder).unwrap();
    let ran = Ran::of(home.command(&["demo", "--json"]).env("TMPDIR", &folder)).ok();
    let report = ran.json();
    let results = report["results"].as_array().unwrap();
    assert!(50 <= results.len(), "{} results", results.len());
    let agents: BTreeSet<&str> = results.iter().map(|result| result["agent"].as_str().unwrap()).collect();
    assert_eq!(agents.len(), 5, "{agents:?}");
    let exact = results.iter().filter(|result| result["exact"] == true).count();
    assert!(FLOOR_PERCENT * results.len() <= 100 * exact, "only {exact} of {} are exactly right", results.len());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "something was left behind");
    assert!(!home.data_dir().exists(), "the demo touched the user's data");
}

#[test]
fn an_interrupted_demo_says_so_and_leaves_nothing_behind() {
    let home = Home::new();
    let folder = home.path("temporary");
    std::fs::create_dir(&folder).unwrap();
    let mut command = home.command(&["demo"]);
    let mut child = command.env("TMPDIR", &folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("talon is up at http://"));
    signal(&child, "INT");
    assert!(said.any(|line| line.unwrap() == "error: interrupted"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "something was left behind");
}

#[test]
fn an_evaluation_scores_every_case_by_agent_and_split() {
    let home = Home::new();
    let line = |id: u32, split: &str| {
        format!(
            r#"{{"id": "{id}", "split": "{split}", "input": "Refund me.", "documents": [], "expected": {{"json": {{"queue": "x"}}}}}}"#
        )
    };
    let cases =
        home.write("customer-query-routing.jsonl", [line(1, "dev"), line(2, "test"), line(3, "test")].join("\n"));
    let report = home.run(&["eval", cases.to_str().unwrap(), "--json", "--failures"]).ok().json();
    let scores = report["scores"].as_array().unwrap();
    let counted: Vec<(&str, u64)> =
        scores.iter().map(|row| (row["split"].as_str().unwrap(), row["tally"]["cases"].as_u64().unwrap())).collect();
    assert_eq!(counted, [("dev", 1), ("test", 2)]);
    // Nothing is routed to x.
    assert_eq!(report["failures"].as_array().unwrap().len(), 3);
}

#[test]
fn a_wrong_case_is_shown_with_its_line() {
    let home = Home::new();
    let cases = home.write("customer-query-routing.jsonl", "\n{\"id\": 1}\n");
    home.run(&["eval", cases.to_str().unwrap()]).says(2, &["customer-query-routing.jsonl:2:"]);
}
