//! `talon demo`: runs by itself, and leaves nothing behind.

use std::collections::BTreeSet;

use crate::home::Home;

#[test]
fn the_demo_ends_by_itself_with_a_result_for_every_document() {
    let home = Home::new();
    let folder = home.path("temporary");
    std::fs::create_dir(&folder).unwrap();
    let ran = crate::home::Ran::of(home.command(&["demo", "--json"]).env("TMPDIR", &folder)).ok();
    let report = ran.json();
    let results = report["results"].as_array().unwrap();
    assert!(50 <= results.len(), "{} results", results.len());
    let agents: BTreeSet<&str> = results.iter().map(|result| result["agent"].as_str().unwrap()).collect();
    assert_eq!(agents.len(), 5, "{agents:?}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "something was left behind");
    assert!(!home.data_dir().exists(), "the demo touched the user's data");
}
