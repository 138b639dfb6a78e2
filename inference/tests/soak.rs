//! Thousands of requests with aborts: memory stays flat and every block is free at the end. In a process of its own, so
//! that no other test's memory is counted.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use inference::{EngineConfig, EngineMetrics, Event, GenerateRequest, Model, SamplingOptions, SamplingParams, TokenId};

const ROUNDS: usize = 60;
const REQUESTS: usize = 50;
/// What the allocator and the page tables may add after the first third.
const SLACK_BYTES: u64 = 8 << 20;

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_over_thousands_of_requests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/pocket/pocket.gguf");
    let backend = Model::load(path).unwrap().into_backend();
    let metrics = EngineMetrics::register(&prometheus::Registry::new()).unwrap();
    // Few blocks, so that prefixes are forgotten and sequences preempted all the time.
    let kv_cache_bytes = 1200 * backend.kv_bytes_per_token();
    let config = EngineConfig { kv_cache_bytes, ..EngineConfig::default() };
    let engine = inference::engine::start(backend, config, metrics).unwrap();
    let mut after_a_third = 0;
    for round in 0..ROUNDS {
        let generations: Vec<_> = (0..REQUESTS).map(|index| engine.generate(request(round, index)).unwrap()).collect();
        for (index, mut generation) in generations.into_iter().enumerate() {
            // Some are dropped at once, some after a token, the others are read to the end.
            let mut read = if index.is_multiple_of(3) { index % 2 } else { usize::MAX };
            while read > 0 && matches!(generation.blocking_next(), Some(Event::Token { .. })) {
                read -= 1;
            }
        }
        if round == ROUNDS / 3 {
            after_a_third = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(after_a_third);
    assert!(grown <= SLACK_BYTES, "{grown} bytes more after {} requests", ROUNDS * REQUESTS);
    // An engine that is idle asserts that no block is referenced, and would have died of it.
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(engine.drain());
    assert_eq!(engine.stats().kv_tokens_used, 0);
}

fn request(round: usize, index: usize) -> GenerateRequest {
    let length = 1 + (round * 31 + index * 17) % 60;
    let prompt = (0..length).map(|place| TokenId(20 + ((round % 7) * 13 + index % 5 + place * 3) as u32 % 3000));
    let options = SamplingOptions {
        max_new_tokens: 1 + index % 12,
        seed: index as u64,
        repetition_penalty: 1.1,
        logprobs: index.is_multiple_of(4).then_some(3),
        ..SamplingOptions::default()
    };
    GenerateRequest {
        prompt: prompt.collect(),
        params: SamplingParams::try_from(options).unwrap(),
        ..GenerateRequest::default()
    }
}

/// `VmRSS` of this process.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
