//! `talon agent validate`: right files pass, and a wrong one is shown with every place and what to do.

use crate::home::{Home, shipped_arg};

const BROKEN: &str = "\
agent:
  name: broken
  description: Has three mistakes
  owner: someone@example.internal
  team: default
  model: pocket
  timeout: 5
  instructions: Answer.
  guardrails:
    max_steps: many
    allow_external_network: perhaps
";

#[test]
fn the_shipped_agents_are_fine() {
    let home = Home::new();
    let ran = home.run(&["agent", "validate", &shipped_arg("config/agents")]).ok();
    assert_eq!(ran.stdout, "fine: 5 agents\n");
    // The same ones, from the binary.
    let ran = home.run(&["agent", "validate"]).ok();
    assert_eq!(ran.stdout, "fine: 5 agents\n");
}

#[test]
fn every_mistake_has_its_place_and_a_hint() {
    let home = Home::new();
    let file = home.write("broken.yml", BROKEN);
    let ran = home.run(&["agent", "validate", file.to_str().unwrap()]);
    ran.says(1, &["broken.yml:7:3", "timeout_seconds", "broken.yml:10:16", "broken.yml:11:29", "help:"]);
    assert!(!ran.stderr.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn scripts_get_the_mistakes_as_json() {
    let home = Home::new();
    let file = home.write("broken.yml", BROKEN);
    let ran = home.run(&["--json", "agent", "validate", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1));
    let mistakes = ran.json();
    let mistakes = mistakes.as_array().unwrap();
    let lines: Vec<u64> = mistakes.iter().map(|mistake| mistake["line"].as_u64().unwrap()).collect();
    assert!([7, 10, 11].iter().all(|line| lines.contains(line)), "{lines:?}");
    assert!(mistakes.iter().all(|mistake| mistake["severity"] == "error" && mistake["message"].is_string()));
}

#[test]
fn a_path_without_agents_is_a_mistake() {
    let home = Home::new();
    home.run(&["agent", "validate", "absent.yml"]).says(1, &["absent.yml"]);
}
