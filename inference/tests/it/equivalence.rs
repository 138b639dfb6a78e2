//! A sequence's logits and tokens do not depend on its neighbours or on how its prompt was cut, to the last bit.

use candle_core::quantized::GgmlDType;
use inference::backend::{Backend, BlockId, CandleBackend, Logits, ModelInput};
use inference::{EngineConfig, EngineHandle, Event, GenerateRequest, Model, SamplingOptions, SamplingParams, TokenId};
use types::TaskClass;

use crate::support::{Numbers, SmallModel, metrics, pocket};

/// The logits of parts `(first block, position, tokens)`, each over 16 blocks in a row.
fn forward(backend: &mut CandleBackend, parts: &[(u32, usize, &[TokenId])]) -> Vec<f32> {
    let mut input = ModelInput::default();
    for (first, position, tokens) in parts {
        let table: Vec<BlockId> = (*first..first + 16).map(BlockId).collect();
        input.push(*position, tokens, &table, true);
    }
    let mut logits = Logits::default();
    backend.forward(&input, &mut logits).unwrap();
    logits.values
}

/// The bundled model in Q8_0, and a random one in Q4_K.
fn backends() -> [CandleBackend; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gguf");
    SmallModel::new(GgmlDType::Q4K, false).write(&path);
    [pocket().into_backend(), Model::load(path).unwrap().into_backend()].map(|mut backend| {
        backend.allocate(128).unwrap();
        backend
    })
}

#[test]
fn a_prompt_in_pieces_gives_the_logits_of_the_whole() {
    backends().into_iter().for_each(check_pieces);
}

fn check_pieces(mut backend: CandleBackend) {
    let prompt = Numbers(1).prompt(80, backend.vocab_size() as u64);
    let whole = forward(&mut backend, &[(0, 0, &prompt)]);
    for size in [1, 7, 32] {
        let mut last = None;
        for (index, piece) in prompt.chunks(size).enumerate() {
            last = Some(forward(&mut backend, &[(16, index * size, piece)]));
        }
        assert_eq!(last.unwrap(), whole, "pieces of {size}");
    }
}

#[test]
fn sequences_in_one_pass_give_the_logits_that_each_gives_alone() {
    backends().into_iter().for_each(check_batch);
}

fn check_batch(mut backend: CandleBackend) {
    let mut numbers = Numbers(2);
    let vocab_size = backend.vocab_size() as u64;
    let prompts: Vec<Vec<TokenId>> = [5, 1, 90, 33].map(|length| numbers.prompt(length, vocab_size)).into();
    let alone: Vec<Vec<f32>> =
        (0..).step_by(16).zip(&prompts).map(|(first, prompt)| forward(&mut backend, &[(first, 0, prompt)])).collect();
    let parts: Vec<(u32, usize, &[TokenId])> =
        (64..).step_by(16).zip(&prompts).map(|(first, prompt)| (first, 0, prompt.as_slice())).collect();
    assert_eq!(forward(&mut backend, &parts), alone.concat());
}

fn request(prompt: Vec<TokenId>, seed: u64) -> GenerateRequest {
    let options =
        SamplingOptions { temperature: 0.8, top_p: 0.95, seed, max_new_tokens: 16, ..SamplingOptions::default() };
    let params = SamplingParams::try_from(options).unwrap();
    GenerateRequest { prompt, params, grammar: None, class: TaskClass::Normal, deadline: None }
}

async fn tokens(engine: &EngineHandle, request: GenerateRequest) -> Vec<TokenId> {
    let mut generation = engine.generate(request).unwrap();
    let mut tokens = Vec::new();
    while let Some(event) = generation.next().await {
        if let Event::Token { id, .. } = event {
            tokens.push(id);
        }
    }
    tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_full_of_sequences_gives_each_the_tokens_it_gets_alone() {
    let small = EngineConfig { max_num_seqs: 6, max_num_batched_tokens: 24, ..EngineConfig::default() };
    let single = EngineConfig { max_num_seqs: 1, max_num_batched_tokens: 512, ..EngineConfig::default() };
    let crowded = inference::engine::start(pocket().into_backend(), small, metrics()).unwrap();
    let alone = inference::engine::start(pocket().into_backend(), single, metrics()).unwrap();
    let mut numbers = Numbers(5);
    let prompts: Vec<Vec<TokenId>> = (0..8).map(|index| numbers.prompt(1 + index * 13, 3072)).collect();
    let together = (0..).zip(&prompts).map(|(seed, prompt)| tokens(&crowded, request(prompt.clone(), seed)));
    let together = futures::future::join_all(together).await;
    for (seed, prompt) in (0..).zip(&prompts) {
        assert_eq!(together[seed as usize], tokens(&alone, request(prompt.clone(), seed)).await);
    }
    crowded.drain().await;
    assert_eq!(crowded.stats().kv_tokens_used, 0);
}
