//! A sequence's logits and tokens depend on nothing but its tokens, to the last bit: not on its neighbours, on how its
//! prompt was cut, on where its blocks lie, on who computed them, or on whether it was interrupted.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use inference::backend::{BLOCK_TOKENS, Backend, BlockId, Logits, ModelInput};
use inference::{
    BackendChoice, EngineConfig, EngineHandle, EngineMetrics, Event, GenerateRequest, KvKind, LoadOptions, Model,
    SamplingOptions, SamplingParams, TokenId,
};
use prometheus::Registry;

use crate::support::{Numbers, SmallModel, metrics, pocket_path};

const NUM_BLOCKS: u32 = 128;

/// What computes, and how it keeps keys and values.
type Kind = (BackendChoice, KvKind);

fn kinds() -> &'static [Kind] {
    let all = &[
        (BackendChoice::Candle, KvKind::F16),
        (BackendChoice::Packed, KvKind::F16),
        (BackendChoice::Packed, KvKind::Int8),
    ];
    if cfg!(target_arch = "x86_64") { all } else { &all[..1] }
}

fn backend((backend, kv): Kind, path: &Path) -> Box<dyn Backend> {
    Model::load_with(path, LoadOptions { backend, kv, ..LoadOptions::default() }).unwrap().into_backend()
}

/// All kinds of backend, by name: with the bundled model in Q8_0, and with a random one in Q4_K.
fn backends() -> Vec<(String, Box<dyn Backend>)> {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small.gguf");
    SmallModel::new(GgmlDType::Q4K, false).write(&small);
    let named = |kind: &Kind, path: &Path| (format!("{kind:?} {}", path.display()), backend(*kind, path));
    kinds().iter().flat_map(|kind| [named(kind, &pocket_path()), named(kind, &small)]).collect()
}

/// Runs on every backend, each with 128 blocks and a prompt of 90 tokens.
#[track_caller]
fn check(run: impl Fn(&mut dyn Backend, &[TokenId]) -> (Vec<f32>, Vec<f32>)) {
    for (name, mut backend) in backends() {
        backend.allocate(NUM_BLOCKS as usize).unwrap();
        let prompt = Numbers(1).prompt(90, backend.vocab_size() as u64);
        let (expected, found) = run(backend.as_mut(), &prompt);
        assert!(!expected.is_empty() && expected == found, "{name}");
    }
}

/// The logits after each part: its table, its position, its tokens.
fn forward(backend: &mut dyn Backend, parts: &[(&[BlockId], usize, &[TokenId])]) -> Vec<f32> {
    let mut input = ModelInput::default();
    for (table, position, tokens) in parts {
        input.push(*position, tokens, table, 1);
    }
    let mut logits = Logits::default();
    backend.forward(&input, &mut logits).unwrap();
    logits.values
}

/// Eight blocks in a row.
fn row(first: u32) -> Vec<BlockId> {
    (first..first + 8).map(BlockId).collect()
}

#[test]
fn a_prompt_in_pieces_gives_the_logits_of_the_whole() {
    for size in [1, 7, 32] {
        check(|backend, prompt| {
            let whole = forward(backend, &[(&row(0), 0, prompt)]);
            let pieces = prompt.chunks(size).enumerate();
            let logits = pieces.map(|(index, piece)| forward(backend, &[(&row(8), index * size, piece)]));
            (whole, logits.last().unwrap())
        });
    }
}

#[test]
fn sequences_in_one_pass_give_the_logits_that_each_gives_alone() {
    check(|backend, prompt| {
        let prompts = [&prompt[..5], &prompt[..1], prompt, &prompt[50..83]];
        let tables = [row(0), row(8), row(16), row(24)];
        let alone = prompts.map(|prompt| forward(backend, &[(&row(64), 0, prompt)])).concat();
        let parts: Vec<_> = tables.iter().zip(prompts).map(|(table, prompt)| (table.as_slice(), 0, prompt)).collect();
        (alone, forward(backend, &parts))
    });
}

#[test]
fn scattered_blocks_give_the_logits_of_blocks_in_a_row() {
    check(|backend, prompt| {
        let in_a_row = forward(backend, &[(&row(0), 0, prompt)]);
        // Used before by another, and taken up piece by piece.
        forward(backend, &[(&row(80), 0, &prompt[3..])]);
        let scattered = [85, 3, 120, 81, 80, 127].map(BlockId);
        forward(backend, &[(&scattered, 0, &prompt[..40])]);
        (in_a_row, forward(backend, &[(&scattered, 40, &prompt[40..])]))
    });
}

#[test]
fn a_prefix_that_another_has_computed_gives_the_logits_of_a_cold_start() {
    check(|backend, prompt| {
        let cold = forward(backend, &[(&row(0), 0, prompt)]);
        let other = [&prompt[..64], &prompt[..20]].concat();
        forward(backend, &[(&row(16), 0, &other)]);
        let shared = [&row(16)[..4], &row(32)[..4]].concat();
        // Both read the shared blocks in the same pass.
        let parts = [(shared.as_slice(), 64, &prompt[64..]), (&row(16), other.len(), &prompt[..1])];
        let vocab_size = backend.vocab_size();
        (cold, forward(backend, &parts)[..vocab_size].to_vec())
    });
}

#[test]
fn what_was_generated_token_by_token_and_is_read_again_as_a_prompt_gives_the_same_logits() {
    check(|backend, prompt| {
        forward(backend, &[(&row(0), 0, &prompt[..20])]);
        let one_by_one = (20..90).map(|at| forward(backend, &[(&row(0), at, &prompt[at..=at])])).last().unwrap();
        (one_by_one, forward(backend, &[(&row(40), 0, prompt)]))
    });
}

fn request(prompt: Vec<TokenId>, seed: u64, max_new_tokens: usize) -> GenerateRequest {
    let options = SamplingOptions { temperature: 0.8, top_p: 0.95, seed, max_new_tokens, ..SamplingOptions::default() };
    let params = SamplingParams::try_from(options).unwrap();
    GenerateRequest { prompt, params, ..GenerateRequest::default() }
}

/// Tokens with their log-probabilities, and the end; what the cache had is left out.
async fn events(engine: &EngineHandle, request: GenerateRequest) -> Vec<Event> {
    let mut generation = engine.generate(request).unwrap();
    let mut events = Vec::new();
    while let Some(mut event) = generation.next().await {
        if let Event::Finished { usage, .. } = &mut event {
            usage.cached_tokens = 0;
        }
        events.push(event);
    }
    events
}

async fn tokens(engine: &EngineHandle, request: GenerateRequest) -> Vec<TokenId> {
    let id = |event| match event {
        Event::Token { id, .. } => Some(id),
        Event::Finished { .. } => None,
    };
    events(engine, request).await.into_iter().filter_map(id).collect()
}

/// The bundled model in an engine with so many blocks.
fn engine(kind: Kind, num_blocks: usize, config: EngineConfig, metrics: EngineMetrics) -> EngineHandle {
    let backend = backend(kind, &pocket_path());
    let kv_cache_bytes = num_blocks as u64 * BLOCK_TOKENS as u64 * backend.kv_bytes_per_token();
    inference::engine::start(backend, EngineConfig { kv_cache_bytes, ..config }, metrics).unwrap()
}

fn value(registry: &Registry, name: &str) -> f64 {
    let families = registry.gather();
    families.iter().find(|family| family.name() == name).unwrap().get_metric()[0].get_counter().get_value()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_full_of_sequences_gives_each_the_tokens_it_gets_alone() {
    for kind in kinds() {
        check_crowd(*kind).await;
    }
}

async fn check_crowd(kind: Kind) {
    let small = EngineConfig { max_num_seqs: 6, max_num_batched_tokens: 24, ..EngineConfig::default() };
    let single = EngineConfig { max_num_seqs: 1, ..EngineConfig::default() };
    let (crowded, alone) = (engine(kind, 1000, small, metrics()), engine(kind, 1000, single, metrics()));
    let mut numbers = Numbers(5);
    let prompts: Vec<Vec<TokenId>> = (0..8).map(|index| numbers.prompt(1 + index * 13, 3072)).collect();
    let together = (0..).zip(&prompts).map(|(seed, prompt)| tokens(&crowded, request(prompt.clone(), seed, 16)));
    let together = futures::future::join_all(together).await;
    for (seed, prompt) in (0..).zip(&prompts) {
        assert_eq!(together[seed as usize], tokens(&alone, request(prompt.clone(), seed, 16)).await);
    }
    crowded.drain().await;
    assert_eq!(crowded.stats().kv_tokens_used, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_that_share_a_prefix_and_are_preempted_get_the_tokens_they_get_alone() {
    // Candle is left to the crowd above where there is another: these are thousands of steps, and its threads spin.
    for kind in kinds().iter().rev().take(2) {
        check_preemption(*kind).await;
    }
}

async fn check_preemption(kind: Kind) {
    let registry = Registry::new();
    let config = EngineConfig { max_num_seqs: 4, ..EngineConfig::default() };
    // Each counts on about 20 blocks when it is admitted, and wants 25 in the end.
    let tight = engine(kind, 58, config.clone(), EngineMetrics::register(&registry).unwrap());
    let prefix = Numbers(8).prompt(40, 3072);
    let prompts: Vec<Vec<TokenId>> =
        (0..4).map(|seed| [prefix.clone(), Numbers(seed).prompt(10, 3072)].concat()).collect();
    let together = (0..).zip(&prompts).map(|(seed, prompt)| tokens(&tight, request(prompt.clone(), seed, 340)));
    let together = futures::future::join_all(together).await;
    for (seed, prompt) in (0..).zip(&prompts) {
        let alone = engine(kind, 1000, config.clone(), metrics());
        assert_eq!(together[seed as usize], tokens(&alone, request(prompt.clone(), seed, 340)).await);
    }
    tight.drain().await;
    assert_eq!(tight.stats().kv_tokens_used, 0);
    assert!(value(&registry, "openclaw_engine_preemptions_total") > 0.0);
    // Two whole blocks, computed by the first and taken over by the others.
    assert!(value(&registry, "openclaw_engine_prefix_cache_hits_total") >= 3.0 * 32.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessed_tokens_give_the_tokens_that_come_without_guesses() {
    for kind in kinds() {
        check_guesses(*kind).await;
    }
}

async fn check_guesses(kind: Kind) {
    let registry = Registry::new();
    let guessing = engine(kind, 1000, EngineConfig::default(), EngineMetrics::register(&registry).unwrap());
    let plain = engine(kind, 1000, EngineConfig { max_draft_tokens: 0, ..EngineConfig::default() }, metrics());
    for seed in 0..6 {
        // What repeats itself goes on repeating itself, mostly.
        let prompt = Numbers(seed).prompt(5 + seed as usize, 3072).repeat(4);
        let plainly = SamplingOptions { temperature: 0.0, seed, max_new_tokens: 60, ..SamplingOptions::default() };
        let drawing = SamplingOptions { temperature: 0.8, top_p: 0.95, ..plainly.clone() };
        for options in [
            SamplingOptions { repetition_penalty: 1.2, frequency_penalty: 0.3, ..drawing.clone() },
            SamplingOptions { stop_ids: vec![prompt[1]], min_new_tokens: 9, ..plainly.clone() },
            SamplingOptions { stop_ids: vec![prompt[2], prompt[4]], ..drawing.clone() },
            SamplingOptions { logprobs: Some(2), ..plainly.clone() },
            plainly,
            drawing,
        ] {
            let params = SamplingParams::try_from(options).unwrap();
            let request = || GenerateRequest { params: params.clone(), ..request(prompt.clone(), seed, 60) };
            assert_eq!(events(&guessing, request()).await, events(&plain, request()).await);
        }
    }
    guessing.drain().await;
    assert_eq!(guessing.stats().kv_tokens_used, 0);
    let drafts = value(&registry, "openclaw_engine_spec_decode_num_draft_tokens_total");
    let accepted = value(&registry, "openclaw_engine_spec_decode_num_accepted_tokens_total");
    assert!(accepted > 50.0 && accepted < drafts, "{accepted} of {drafts}");
}
