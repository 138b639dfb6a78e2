//! The vocabulary of `/metrics`: names, labels and help are an interface.

use inference::{ChatModel, EngineConfig, EngineMetrics, Event, GenerateRequest, SamplingParams};
use prometheus::{Registry, TextEncoder};

use crate::support::{ids, pocket};

#[tokio::test]
async fn metrics_have_these_names_and_count() {
    let registry = Registry::new();
    let metrics = EngineMetrics::register(&registry).unwrap();
    // A guess that is right would save a step.
    let config = EngineConfig { max_draft_tokens: 0, ..EngineConfig::default() };
    let model = ChatModel::start(pocket(), config, metrics).unwrap();
    let (prompt, params) = (ids([1, 20, 30]), SamplingParams::greedy(5));
    let request = GenerateRequest { prompt, params, ..GenerateRequest::default() };
    let mut generation = model.handle().generate(request).unwrap();
    while !matches!(generation.next().await, Some(Event::Finished { .. })) {}
    model.handle().drain().await;
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let without_values: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("_bucket{") && !line.starts_with("# HELP"))
        .map(|line| if line.starts_with('#') { line } else { line.rsplit_once(' ').unwrap().0 })
        .collect();
    assert_eq!(without_values.join("\n"), include_str!("../fixtures/metrics.txt").trim_end());
    for sample in [
        "openclaw_engine_request_success_total{finish=\"length\"} 1",
        "openclaw_engine_prompt_tokens_total 3",
        "openclaw_engine_generation_tokens_total 5",
        "openclaw_engine_time_to_first_token_seconds_count 1",
        "openclaw_engine_step_seconds_count 5",
        "openclaw_engine_requests_running 0",
        "openclaw_engine_kv_tokens{state=\"used\"} 0",
        "openclaw_engine_kv_tokens{state=\"cached\"} 0",
        "openclaw_engine_kv_cache_usage 0",
        "openclaw_engine_prefix_cache_queries_total 3",
        "openclaw_engine_prefix_cache_hits_total 0",
        "openclaw_engine_preemptions_total 0",
        "openclaw_engine_iteration_tokens_sum 7",
        "openclaw_engine_inter_token_latency_seconds_count 4",
        "openclaw_engine_request_queue_time_seconds_count 1",
        "openclaw_engine_request_prefill_time_seconds_count 1",
        "openclaw_engine_request_decode_time_seconds_count 1",
        "openclaw_engine_e2e_request_latency_seconds_count 1",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is missing in\n{text}");
    }
}

#[test]
fn one_registry_holds_one_engine() {
    let registry = Registry::new();
    assert!(EngineMetrics::register(&registry).is_ok());
    assert!(EngineMetrics::register(&registry).is_err());
}
