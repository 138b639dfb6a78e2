//! The engine's promises, on a backend that only counts.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use futures::future::join_all;
use inference::backend::{BLOCK_TOKENS, Backend, BackendError, BackendMemory, Logits, ModelInput};
use inference::engine::start;
use inference::{
    CacheSalt, EngineConfig, EngineHandle, EngineMetrics, Event, FinishReason, GenerateRequest, Generation, Refused,
    SamplingParams, TokenId,
};
use prometheus::Registry;
use types::TaskClass;

use crate::support::{Numbers, ids, metrics};

const VOCAB_SIZE: usize = 16;
const STOP: TokenId = TokenId(9);
const PANIC: TokenId = TokenId(10);
const FAIL: TokenId = TokenId(11);
const NAN: TokenId = TokenId(12);

/// Says that each token's successor follows it, modulo 8; some tokens make it misbehave.
#[derive(Default)]
struct Counting {
    /// What each block holds.
    blocks: Vec<[Option<TokenId>; BLOCK_TOKENS]>,
    /// When set, each pass waits for a word before it begins, and tells how many rows it has.
    gate: Option<(Receiver<()>, Sender<usize>)>,
    /// Telling what it holds panics after so many passes.
    dies_after: Option<usize>,
    passes: usize,
}

impl Backend for Counting {
    fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError> {
        self.blocks = vec![[None; BLOCK_TOKENS]; num_blocks];
        Ok(())
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        self.passes += 1;
        if let Some((go, rows)) = &self.gate {
            let _ = go.recv();
            let _ = rows.send(input.token_ids.len());
        }
        let mut values = Vec::new();
        let mut token_ids = input.token_ids.as_slice();
        for span in &input.spans {
            let table = input.table(span);
            let tokens = token_ids.split_off(..span.num_rows).unwrap();
            for (position, token) in (span.position..).zip(tokens) {
                self.blocks[table[position / BLOCK_TOKENS].0 as usize][position % BLOCK_TOKENS] = Some(*token);
            }
            let at = |position: usize| self.blocks[table[position / BLOCK_TOKENS].0 as usize][position % BLOCK_TOKENS];
            assert!((0..span.position).all(|position| at(position).is_some()), "rows were lost");
            assert!(!tokens.contains(&PANIC), "this token panics");
            if tokens.contains(&FAIL) {
                return Err(BackendError("this token fails".to_owned()));
            }
            for tokens in (1 + tokens.len() - span.num_logits..=tokens.len()).map(|end| &tokens[..end]) {
                let mut row = vec![0.0; VOCAB_SIZE];
                row[(tokens[tokens.len() - 1].0 as usize + 1) % 8] = 1.0;
                if tokens.contains(&STOP) {
                    row[STOP.0 as usize] = 2.0;
                }
                if tokens.contains(&NAN) {
                    row.fill(f32::NAN);
                }
                values.extend(row);
            }
        }
        *logits = Logits { values, vocab_size: VOCAB_SIZE };
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        VOCAB_SIZE
    }

    fn context_len(&self) -> usize {
        400
    }

    fn kv_bytes_per_token(&self) -> u64 {
        8
    }

    fn memory(&self) -> BackendMemory {
        assert!(self.dies_after.is_none_or(|passes| self.passes < passes), "it dies");
        BackendMemory { weights: 1, kv: 0, workspace: 0 }
    }
}

const CONFIG: EngineConfig = EngineConfig {
    max_num_seqs: 4,
    max_num_batched_tokens: 16,
    kv_cache_bytes: 8 * 480,
    max_waiting: 50,
    max_draft_tokens: 0,
};

fn engine(config: EngineConfig) -> EngineHandle {
    start(Counting::default(), config, metrics()).unwrap()
}

/// An engine whose passes are let through one by one.
fn gated(config: EngineConfig) -> (EngineHandle, Sender<()>, Receiver<usize>) {
    gated_on(Counting::default(), config)
}

fn gated_on(backend: Counting, config: EngineConfig) -> (EngineHandle, Sender<()>, Receiver<usize>) {
    let ((go, gate), (rows, seen)) = (channel(), channel());
    let backend = Counting { gate: Some((gate, rows)), ..backend };
    (start(backend, config, metrics()).unwrap(), go, seen)
}

fn request(prompt: &[u32], max_new_tokens: usize) -> GenerateRequest {
    GenerateRequest {
        prompt: ids(prompt.iter().copied()),
        params: SamplingParams::greedy(max_new_tokens).stop_at(STOP),
        ..GenerateRequest::default()
    }
}

async fn outcome(mut generation: Generation) -> (Vec<u32>, FinishReason) {
    let mut tokens = Vec::new();
    loop {
        match generation.next().await.expect("an end comes first") {
            Event::Token { id, .. } => tokens.push(id.0),
            Event::Finished { reason, usage } => {
                assert!(usage.completion_tokens >= tokens.len());
                assert_eq!(generation.next().await, None);
                return (tokens, reason);
            }
        }
    }
}

async fn run(engine: &EngineHandle, request: GenerateRequest) -> (Vec<u32>, FinishReason) {
    outcome(engine.generate(request).unwrap()).await
}

#[tokio::test]
async fn tokens_come_until_the_limit_or_a_stop_token() {
    let engine = engine(CONFIG);
    assert_eq!(run(&engine, request(&[3], 4)).await, (vec![4, 5, 6, 7], FinishReason::Length));
    assert_eq!(run(&engine, request(&[3, 9], 4)).await, (vec![], FinishReason::Stop));
}

#[tokio::test]
async fn the_context_is_a_limit_like_any_other() {
    let engine = engine(CONFIG);
    let (tokens, reason) = run(&engine, request(&[1; 395], 50)).await;
    assert_eq!((tokens.len(), reason), (5, FinishReason::Length));
}

#[tokio::test]
async fn what_can_never_fit_is_refused_at_once_with_both_numbers() {
    let engine = engine(EngineConfig { kv_cache_bytes: 8 * 64, ..CONFIG });
    let refused = engine.generate(request(&[1; 64], 1)).unwrap_err();
    assert_eq!(refused, Refused::TooLong { tokens: 64, max: 63 });
    assert_eq!(refused.to_string(), "prompt has 64 tokens but at most 63 leave room for an answer; shorten the prompt");
    assert_eq!(engine.generate(request(&[], 1)).unwrap_err(), Refused::Empty);
    let unknown = Refused::UnknownToken { id: 99, vocab_size: VOCAB_SIZE };
    assert_eq!(engine.generate(request(&[1, 99], 1)).unwrap_err(), unknown);
}

#[tokio::test]
async fn a_full_line_refuses_at_once_and_takes_more_when_it_moves() {
    let (engine, go, seen) = gated(EngineConfig { max_num_seqs: 1, max_waiting: 2, ..CONFIG });
    let first = engine.generate(request(&[1], 1)).unwrap();
    go.send(()).unwrap();
    seen.recv().unwrap();
    assert_eq!(outcome(first).await.1, FinishReason::Length);
    let second = engine.generate(request(&[1], 1)).unwrap();
    let third = engine.generate(request(&[1], 1)).unwrap();
    // The second may have been admitted by now, or not; with one more the line is full either way.
    let more: Vec<_> = (0..2).map(|_| engine.generate(request(&[1], 1))).collect();
    assert!(matches!(more.last(), Some(Err(Refused::Overloaded { waiting: 2 }))));
    (0..8).for_each(|_| go.send(()).unwrap());
    for generation in [second, third].into_iter().chain(more.into_iter().flatten()) {
        assert_eq!(outcome(generation).await.1, FinishReason::Length);
    }
    assert_eq!(run(&engine, request(&[1], 1)).await.1, FinishReason::Length);
}

#[tokio::test]
async fn a_panic_or_error_ends_its_own_request_and_nobody_elses() {
    let (engine, go, seen) = gated(CONFIG);
    let blocker = engine.generate(request(&[0], 1)).unwrap();
    // While the first pass waits, three more come in, and share one.
    let prompts: [&[u32]; 3] = [&[1, 10], &[1, 11], &[1]];
    let generations = prompts.map(|prompt| engine.generate(request(prompt, 2)).unwrap());
    (0..10).for_each(|_| go.send(()).unwrap());
    outcome(blocker).await;
    let [panics, fails, innocent] = futures::future::join_all(generations.map(outcome)).await.try_into().unwrap();
    assert_eq!(panics.1, FinishReason::Failed("the forward pass panicked: this token panics".to_owned()));
    assert_eq!(fails.1, FinishReason::Failed("forward pass failed: this token fails".to_owned()));
    assert_eq!(innocent, (vec![2, 3], FinishReason::Length));
    assert!(seen.iter().take(2).any(|rows| rows >= 5), "they were in one pass");
    engine.drain().await;
    assert_eq!(engine.stats().kv_tokens_used, 0);
}

#[tokio::test]
async fn an_engine_that_dies_tells_all_whom_it_had_accepted() {
    let backend = Counting { dies_after: Some(1), ..Counting::default() };
    let (engine, go, seen) = gated_on(backend, EngineConfig { max_num_seqs: 2, ..CONFIG });
    let accepted: Vec<_> = (0..9).map(|_| engine.generate(request(&[1], 50)).unwrap()).collect();
    go.send(()).unwrap();
    seen.recv().unwrap();
    engine.ended().await;
    for generation in accepted {
        let (_, reason) = outcome(generation).await;
        assert!(matches!(&reason, FinishReason::Failed(why) if why.starts_with("the engine died")), "{reason:?}");
    }
    assert_eq!(engine.generate(request(&[1], 1)).unwrap_err(), Refused::Stopped);
}

#[tokio::test]
async fn a_row_without_numbers_ends_only_its_own_request() {
    let engine = engine(CONFIG);
    let (good, bad) = tokio::join!(run(&engine, request(&[1; 20], 9)), run(&engine, request(&[12], 9)));
    assert_eq!(good.1, FinishReason::Length);
    let expected = "the model gave no finite logits for the allowed tokens";
    assert_eq!(bad, (vec![], FinishReason::Failed(expected.to_owned())));
}

#[tokio::test]
async fn a_deadline_ends_a_sequence_wherever_it_stands() {
    let (engine, go, _seen) = gated(EngineConfig { max_num_seqs: 1, ..CONFIG });
    let soon = Instant::now() + Duration::from_millis(20);
    let running = engine.generate(GenerateRequest { deadline: Some(soon), ..request(&[1], 50) }).unwrap();
    let waiting = engine.generate(GenerateRequest { deadline: Some(soon), ..request(&[1], 50) }).unwrap();
    // The first step stands at the gate until the time is up.
    tokio::time::sleep_until(soon.into()).await;
    go.send(()).unwrap();
    assert_eq!(outcome(running).await.1, FinishReason::Deadline);
    assert_eq!(outcome(waiting).await, (vec![], FinishReason::Deadline));
}

#[tokio::test]
async fn a_dropped_generation_frees_its_place_at_the_next_step() {
    let engine = engine(EngineConfig { max_num_seqs: 1, ..CONFIG });
    for _ in 0..20 {
        drop(engine.generate(request(&[1], 50)).unwrap());
    }
    assert_eq!(run(&engine, request(&[1], 1)).await.1, FinishReason::Length);
    engine.drain().await;
    assert_eq!(engine.stats().kv_tokens_used, 0);
    assert_eq!((engine.stats().running, engine.stats().waiting), (0, 0));
}

#[tokio::test]
async fn draining_finishes_what_was_accepted_and_refuses_the_rest() {
    let engine = engine(CONFIG);
    let accepted: Vec<_> = (0..20).map(|_| engine.generate(request(&[1], 30)).unwrap()).collect();
    engine.drain().await;
    assert_eq!(engine.generate(request(&[1], 1)).unwrap_err(), Refused::Stopped);
    for generation in accepted {
        assert_eq!(outcome(generation).await.1, FinishReason::Length);
    }
}

#[tokio::test]
async fn stopping_ends_everything_even_during_a_drain() {
    let (engine, go, _seen) = gated(CONFIG);
    let accepted: Vec<_> = (0..20).map(|_| engine.generate(request(&[1], 60)).unwrap()).collect();
    let drain = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drain().await }
    });
    go.send(()).unwrap();
    let stop = engine.stop();
    drop(go);
    stop.await;
    drain.await.unwrap();
    for generation in accepted {
        assert_eq!(outcome(generation).await.1, FinishReason::Stopped);
    }
}

#[tokio::test]
async fn the_engine_ends_when_its_last_handle_is_gone() {
    let (engine, go, seen) = gated(CONFIG);
    let generation = engine.generate(request(&[1], 2)).unwrap();
    drop(engine);
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(outcome(generation).await.1, FinishReason::Length);
    // The thread's end drops the backend and with it the sender of row counts.
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn long_prompts_do_not_hold_up_running_sequences() {
    let (engine, go, seen) = gated(CONFIG);
    let short = engine.generate(request(&[1], 8)).unwrap();
    go.send(()).unwrap();
    assert_eq!(seen.recv().unwrap(), 1);
    let long = engine.generate(request(&[1; 40], 1)).unwrap();
    (0..20).for_each(|_| go.send(()).unwrap());
    assert_eq!(outcome(short).await.0.len(), 8);
    assert_eq!(outcome(long).await.0.len(), 1);
    engine.drain().await;
    let rows: Vec<usize> = seen.try_iter().collect();
    // Full steps hold one decoding row and fifteen of the long prompt.
    assert_eq!(rows.iter().filter(|rows| **rows == 16).count(), 2, "{rows:?}");
}

#[tokio::test]
async fn contradicting_limits_are_refused() {
    let start = |config| start(Counting::default(), config, metrics()).err().unwrap().to_string();
    assert_eq!(start(EngineConfig { max_num_seqs: 0, ..CONFIG }), "engine.max_num_seqs is 0 but must be at least 1");
    assert_eq!(
        start(EngineConfig { max_num_batched_tokens: 3, ..CONFIG }),
        "engine.max_num_batched_tokens is 3 but must be at least engine.max_num_seqs (4); raise it or lower the other"
    );
}

#[tokio::test]
async fn running_out_of_blocks_makes_requests_wait_and_fails_none() {
    let registry = Registry::new();
    // Each counts on 17 blocks when it is admitted, and wants 21 in the end.
    let config = EngineConfig { kv_cache_bytes: 8 * 16 * 54, max_draft_tokens: 3, ..CONFIG };
    let engine = start(Counting::default(), config, EngineMetrics::register(&registry).unwrap()).unwrap();
    // As tenants of their own, or they would share all that they say.
    let request = |tenant| GenerateRequest { cache_salt: CacheSalt(tenant), ..request(&[3; 16], 310) };
    let generations: Vec<_> = (0..12).map(|tenant| engine.generate(request(tenant)).unwrap()).collect();
    let expected: Vec<u32> = (4..).map(|token| token % 8).take(310).collect();
    for generation in generations {
        assert_eq!(outcome(generation).await, (expected.clone(), FinishReason::Length));
    }
    engine.drain().await;
    let families = registry.gather();
    let preemptions = families.iter().find(|family| family.name() == "openclaw_engine_preemptions_total").unwrap();
    assert!(preemptions.get_metric()[0].get_counter().get_value() > 0.0);
    assert_eq!(engine.stats().kv_tokens_used, 0);
}

/// Reads some of it and goes away.
async fn leave(mut generation: Generation, after: u64) {
    for _ in 0..after {
        generation.next().await;
    }
}

/// The backend's own assertions hold every sequence to its blocks; the engine's, whenever it is idle, to holding nothing.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_random_requests_each_end_once_and_leave_nothing_behind() {
    let engine = engine(EngineConfig { max_draft_tokens: 3, ..CONFIG });
    let mut numbers = Numbers(11);
    let mut outcomes = BTreeMap::new();
    for _ in 0..100 {
        let (mut kept, mut left) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let length = 1 + numbers.below(60) as usize;
            // Half of the prompts begin alike.
            let mut prompt = if numbers.below(2) == 0 { ids([1; 40]) } else { ids([]) };
            prompt.extend(numbers.prompt(length, 8));
            let last = prompt.len() - 1;
            match numbers.below(40) {
                0 => prompt[last / 2] = PANIC,
                1 => prompt[last / 2] = FAIL,
                2 => prompt[last] = NAN,
                3 => prompt[last] = STOP,
                _ => {}
            }
            let max_new_tokens = if numbers.below(20) == 0 { 290 } else { 1 + numbers.below(25) as usize };
            let mut request = request(&[], max_new_tokens);
            request.prompt = prompt;
            request.class = TaskClass::ALL[numbers.below(3) as usize];
            request.cache_salt = CacheSalt(numbers.below(2));
            request.deadline = (numbers.below(20) == 0).then(Instant::now);
            let generation = engine.generate(request).unwrap();
            match numbers.below(6) {
                0 => left.push(leave(generation, numbers.below(20))),
                _ => kept.push(outcome(generation)),
            }
        }
        let (ends, _) = futures::future::join(join_all(kept), join_all(left)).await;
        for (_, reason) in ends {
            *outcomes.entry(reason.as_str()).or_insert(0) += 1;
        }
    }
    for reason in ["stop", "length", "deadline", "failed"] {
        assert!(outcomes.contains_key(reason), "{outcomes:?}");
    }
    engine.drain().await;
    let stats = engine.stats();
    assert_eq!((stats.running, stats.waiting, stats.kv_tokens_used), (0, 0, 0));
    assert_eq!(stats.kv_tokens_cached + stats.kv_tokens_free, 480, "every block is free");
    assert!(stats.steps > 1000, "{stats:?}");
}
