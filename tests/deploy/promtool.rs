//! Prometheus's own checks of `deploy/prometheus`, and that every alert is shown to fire.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use testbed::installed;

use crate::yaml::{self, shipped};

const RULES: [&str; 2] = ["deploy/prometheus/rules/recording.yml", "deploy/prometheus/rules/alerts.yml"];

const CASES: [&str; 2] = ["deploy/prometheus/rules/alerts_test.yml", "deploy/prometheus/rules/slow_alerts_test.yml"];

#[track_caller]
fn promtool(arguments: &[&str]) {
    let checked = Command::new(installed("promtool", "prometheus"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

/// Every rule of a file.
pub(crate) fn rules(file: &str) -> Vec<Value> {
    let groups = yaml::read(file);
    let groups = groups["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// What alerts and recorded rules ask.
pub(crate) fn expressions() -> Vec<(String, String)> {
    let rules = RULES.iter().flat_map(|file| rules(file));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rules.map(|rule| (text(rule.get("alert").unwrap_or(&rule["record"])), text(&rule["expr"]))).collect()
}

#[test]
fn the_rules_are_valid() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", RULES[0], RULES[1]]);
}

#[test]
fn alerts_fire_when_they_should() {
    promtool(&["test", "rules", CASES[0], CASES[1]]);
}

#[test]
fn every_alert_is_shown_to_fire() {
    let tests = CASES.iter().flat_map(|file| yaml::read(file)["tests"].as_array().unwrap().clone());
    let cases = tests.flat_map(|test| test["alert_rule_test"].as_array().unwrap().clone());
    let fires = cases.filter(|case| !case["exp_alerts"].as_array().unwrap().is_empty());
    let fires: BTreeSet<String> = fires.map(|case| case["alertname"].as_str().unwrap().to_owned()).collect();
    let alerts: BTreeSet<String> = rules(RULES[1]).iter().map(|it| it["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(alerts, fires);
}

#[test]
fn the_operators_guide_says_what_to_do_about_every_alert() {
    let guide = std::fs::read_to_string(shipped("docs/operations.md")).unwrap();
    for (name, _) in expressions().into_iter().filter(|(name, _)| !name.contains(':')) {
        assert!(guide.contains(&format!("| `{name}`")), "{name}");
    }
}

#[test]
fn the_scrape_configuration_is_valid_and_as_named() {
    // The files that it names are there in the container alone.
    promtool(&["check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"]);
    let config = yaml::read("deploy/prometheus/prometheus.yml");
    let job = &config["scrape_configs"][0];
    assert_eq!(job["job_name"], "openclaw-agents");
    assert_eq!(job["metrics_path"], "/metrics");
    assert_eq!(job["dns_sd_configs"][0]["port"], 8400);
    assert_eq!(config["global"]["scrape_interval"], "15s");
    assert_eq!(job["metric_relabel_configs"][0]["regex"], "openclaw_.+");
}
