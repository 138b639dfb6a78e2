//! The scheduler over hundreds of thousands of random steps, on a memory that would betray every mistake: what it holds
//! of a position depends on all tokens before it, and the next token depends on everything that is read through the
//! block table. So a sequence that ever saw a wrong block generates other tokens than it does alone.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use types::TaskClass;

use super::block_manager::CacheSalt;
use super::config::EngineConfig;
use super::scheduler::{Chunk, Scheduler, StepPlan};
use super::sequence::{Sequence, SequenceId};
use crate::backend::{BLOCK_TOKENS, BlockId};
use crate::tokenizer::TokenId;

const LIMITS: EngineConfig = EngineConfig {
    max_num_seqs: 6,
    max_num_batched_tokens: 48,
    kv_cache_bytes: 0,
    max_waiting: 0,
    max_draft_tokens: 8,
};
const MAX_LIVE_OF_CLASS: usize = 8;
const NUM_BLOCKS: usize = 64;
const VOCAB_SIZE: u64 = 300;
const STOP: TokenId = TokenId(0);
/// Steps from arrival to the end at most: more than twice what is seen, and far below what a starved sequence reaches.
const PATIENCE: usize = 20_000;

fn mix(a: u64, b: u64) -> u64 {
    let mixed = (a.rotate_left(29) ^ b).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ mixed >> 32
}

/// What is kept of a position: all before it, and its token.
fn entry(before: u64, token: TokenId) -> u64 {
    mix(before, u64::from(token.0) + 1)
}

fn next_token(entries: impl Iterator<Item = u64>) -> TokenId {
    TokenId((entries.fold(7, mix) >> 7) as u32 % VOCAB_SIZE as u32)
}

/// What a sequence generates when it has the machine to itself.
fn alone(prompt: &[TokenId], max_new_tokens: usize, salt: CacheSalt) -> Vec<TokenId> {
    let mut before = salt.0;
    let mut entries: Vec<u64> = Vec::new();
    let mut extend = |token: TokenId, entries: &mut Vec<u64>| {
        before = entry(before, token);
        entries.push(before);
    };
    prompt.iter().for_each(|token| extend(*token, &mut entries));
    let mut tokens = Vec::new();
    while tokens.len() < max_new_tokens {
        let token = next_token(entries.iter().copied());
        if token == STOP {
            break;
        }
        tokens.push(token);
        extend(token, &mut entries);
    }
    tokens
}

/// What the blocks hold.
struct Memory(Vec<[u64; BLOCK_TOKENS]>);

impl Memory {
    fn read(&self, table: &[BlockId], position: usize) -> u64 {
        self.0[table[position / BLOCK_TOKENS].0 as usize][position % BLOCK_TOKENS]
    }

    /// Writes a chunk's rows; gives the next token after each row that wants logits. What a tenant computes is its own.
    fn compute(&mut self, chunk: &Chunk, salt: CacheSalt, tokens: &[TokenId], table: &[BlockId]) -> Vec<TokenId> {
        for (position, token) in (chunk.position..).zip(tokens) {
            let before = if position == 0 { salt.0 } else { self.read(table, position - 1) };
            self.0[table[position / BLOCK_TOKENS].0 as usize][position % BLOCK_TOKENS] = entry(before, *token);
        }
        let end = chunk.position + tokens.len();
        let after = |end| next_token((0..end).map(|position| self.read(table, position)));
        (end + 1 - chunk.num_logits()..=end).map(after).collect()
    }
}

/// A request that has not ended.
struct Live {
    prompt: Vec<TokenId>,
    salt: CacheSalt,
    /// What it is to generate: what it does alone.
    expected: Vec<TokenId>,
    generated: Vec<TokenId>,
    arrived_at: usize,
    deadline: Option<usize>,
}

/// What came about in a run; each of it has to.
#[derive(Debug, Default)]
struct Seen {
    completed: usize,
    cancelled: usize,
    expired: usize,
    failed: usize,
    preempted: usize,
    accepted_drafts: usize,
    refused_drafts: usize,
    forced_tokens: usize,
    cached_tokens: usize,
    longest_wait: usize,
}

/// Some of what comes next, sometimes with a mistake.
fn guess(live: &Live, random: &mut StdRng, max: usize) -> Vec<TokenId> {
    let num_drafts = random.random_range(0..8).min(max);
    let rest = live.expected.get(live.generated.len()..).unwrap_or_default();
    let mut drafts = rest[..num_drafts.min(rest.len())].to_vec();
    if let Some(draft) = drafts.iter_mut().filter(|_| random.random_bool(0.1)).last() {
        *draft = TokenId(VOCAB_SIZE as u32);
    }
    drafts
}

struct World {
    random: StdRng,
    scheduler: Scheduler,
    memory: Memory,
    live: BTreeMap<SequenceId, Live>,
    next_number: u64,
    now: usize,
    seen: Seen,
}

impl World {
    fn new(seed: u64) -> Self {
        World {
            random: StdRng::seed_from_u64(seed),
            scheduler: Scheduler::new(LIMITS, NUM_BLOCKS),
            memory: Memory(vec![[0; BLOCK_TOKENS]; NUM_BLOCKS]),
            live: BTreeMap::new(),
            next_number: 0,
            now: 0,
            seen: Seen::default(),
        }
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.random.random_range(0..count) == 0
    }

    fn step(&mut self) {
        self.now += 1;
        if self.one_in(16) {
            self.arrive();
        }
        if self.one_in(500) {
            self.end_any(|seen| &mut seen.cancelled);
        }
        let is_late = |live: &Live| live.deadline.is_some_and(|deadline| deadline <= self.now);
        let late: Vec<SequenceId> = self.live.iter().filter(|(_, live)| is_late(live)).map(|(id, _)| *id).collect();
        for id in late {
            self.end(id, |seen| &mut seen.expired);
        }
        let mut plan = StepPlan::default();
        let (random, live) = (&mut self.random, &self.live);
        self.scheduler.plan(&mut plan, &mut |sequence, _, max| guess(&live[&sequence.id], random, max));
        self.check(&plan);
        self.seen.preempted += plan.num_preempted;
        self.seen.cached_tokens += plan.admitted.iter().map(|(_, cached)| cached).sum::<usize>();
        if self.one_in(2000) {
            // The pass fails: what it was to write is garbage, and its sequences end.
            for chunk in &plan.chunks {
                let (_, table) = self.scheduler.rows(chunk);
                table[chunk.position / BLOCK_TOKENS..].iter().for_each(|block| self.memory.0[block.0 as usize].fill(3));
            }
            plan.chunks.iter().for_each(|chunk| self.end(chunk.id, |seen| &mut seen.failed));
        } else {
            self.run(&plan);
        }
        self.scheduler.check_integrity();
    }

    /// Prompts of different lengths: some that begin alike, some that repeat themselves block by block, some that are
    /// there already; more of every class than can run; two tenants.
    fn arrive(&mut self) {
        let class = TaskClass::ALL[self.random.random_range(0..3)];
        if self.live.keys().filter(|id| id.class == class).count() == MAX_LIVE_OF_CLASS {
            return;
        }
        let twin = if self.one_in(4) { self.live.values().next_back() } else { None };
        let (prompt, salt) = match twin {
            Some(twin) => (twin.prompt.clone(), twin.salt),
            None => (self.prompt(), CacheSalt(self.random.random_range(0..2))),
        };
        let max_new_tokens = if self.one_in(3) { 700 } else { self.random.random_range(1..60) };
        let deadline = self.one_in(30).then(|| self.now + self.random.random_range(0..200));
        let id = SequenceId { class, number: self.next_number };
        self.next_number += 1;
        self.scheduler.submit(Sequence::new(id, prompt.clone(), max_new_tokens, salt));
        let expected = alone(&prompt, max_new_tokens, salt);
        let (generated, arrived_at) = (Vec::new(), self.now);
        self.live.insert(id, Live { prompt, salt, expected, generated, arrived_at, deadline });
        self.go_on(id, &[], 0);
    }

    fn prompt(&mut self) -> Vec<TokenId> {
        let kind = self.random.random_range(0..3);
        let shared = self.random.random_range(0..100);
        let mut prompt: Vec<TokenId> = (0..shared).map(|index| TokenId(kind * 100 + index % 16)).collect();
        // Often whole blocks.
        let own = if self.one_in(4) { 16 - shared % 16 } else { self.random.random_range(1..150) };
        prompt.extend((0..own).map(|_| TokenId(self.random.random_range(0..VOCAB_SIZE as u32))));
        prompt
    }

    fn run(&mut self, plan: &StepPlan) {
        // All is written before anything ends, as in a real pass.
        let mut sampled = Vec::new();
        for chunk in &plan.chunks {
            let (tokens, table) = self.scheduler.rows(chunk);
            sampled.push(self.memory.compute(chunk, self.live[&chunk.id].salt, tokens, table));
        }
        for (chunk, sampled) in plan.chunks.iter().zip(sampled) {
            let (tokens, _) = self.scheduler.rows(chunk);
            let drafts = tokens[tokens.len() - chunk.num_drafts..].to_vec();
            let num_accepted = sampled.iter().zip(&drafts).take_while(|(token, draft)| token == draft).count();
            self.scheduler.computed(chunk, num_accepted);
            self.seen.accepted_drafts += num_accepted;
            self.seen.refused_drafts += drafts.len() - num_accepted;
            if chunk.samples {
                self.go_on(chunk.id, &sampled[..=num_accepted], num_accepted);
            }
        }
    }

    /// The first `num_accepted` of the tokens are in the sequence already. Sometimes the next ones follow at once, as if
    /// there were no choice about them.
    fn go_on(&mut self, id: SequenceId, tokens: &[TokenId], num_accepted: usize) {
        let num_forced = if self.one_in(6) { self.random.random_range(1..60) } else { 0 };
        let live = self.live.get_mut(&id).expect("who runs lives");
        let mut is_over = false;
        for (index, token) in tokens.iter().enumerate() {
            is_over = *token == STOP;
            if !is_over {
                live.generated.push(*token);
                is_over = index >= num_accepted && !self.scheduler.append(id, *token);
            }
        }
        for _ in 0..num_forced {
            let Some(token) = live.expected.get(live.generated.len()).filter(|_| !is_over) else { break };
            live.generated.push(*token);
            is_over = !self.scheduler.append(id, *token);
            self.seen.forced_tokens += 1;
        }
        if is_over {
            assert_eq!(live.generated, live.expected, "{id:?}");
            self.end(id, |seen| &mut seen.completed);
        }
    }

    fn end_any(&mut self, count: impl Fn(&mut Seen) -> &mut usize) {
        let index = self.random.random_range(0..self.live.len().max(1));
        if let Some(id) = self.live.keys().nth(index).copied() {
            self.end(id, count);
        }
    }

    fn end(&mut self, id: SequenceId, count: impl Fn(&mut Seen) -> &mut usize) {
        let live = self.live.remove(&id).expect("a request ends once");
        *count(&mut self.seen) += 1;
        self.seen.longest_wait = self.seen.longest_wait.max(self.now - live.arrived_at);
        self.scheduler.remove(id);
    }

    /// Budgets hold, whoever is there moves, and nobody writes where another reads.
    fn check(&self, plan: &StepPlan) {
        assert!(plan.num_rows() <= LIMITS.max_num_batched_tokens);
        assert_eq!(plan.chunks.is_empty(), self.live.is_empty(), "somebody moves");
        assert_eq!(self.scheduler.num_running() + self.scheduler.num_waiting(), self.live.len());
        let mut num_readers = [0; NUM_BLOCKS];
        for chunk in &plan.chunks {
            let (tokens, table) = self.scheduler.rows(chunk);
            assert_eq!(tokens.len(), chunk.num_rows);
            table.iter().for_each(|block| num_readers[block.0 as usize] += 1);
        }
        for chunk in &plan.chunks {
            let written = &self.scheduler.rows(chunk).1[chunk.position / BLOCK_TOKENS..];
            assert!(written.iter().all(|block| num_readers[block.0 as usize] == 1), "a block is written by one alone");
        }
    }
}

#[track_caller]
fn check(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..100_000 {
        world.step();
    }
    while !world.live.is_empty() {
        world.end_any(|seen| &mut seen.cancelled);
    }
    world.scheduler.check_integrity();
    assert_eq!(world.scheduler.blocks.num_referenced(), 0);
    let Seen { completed, cancelled, expired, failed, preempted, cached_tokens, longest_wait, .. } = world.seen;
    let Seen { accepted_drafts, refused_drafts, forced_tokens, .. } = world.seen;
    assert!(accepted_drafts > 1000 && refused_drafts > 1000 && forced_tokens > 1000, "{:?}", world.seen);
    assert!(completed > 1000 && cancelled > 50 && expired > 20 && failed > 20, "{:?}", world.seen);
    assert!(preempted > 50 && cached_tokens > 10_000, "{:?}", world.seen);
    assert!(longest_wait < PATIENCE, "{:?}", world.seen);
}

#[test]
fn every_sequence_generates_what_it_does_alone() {
    check(1);
}

#[test]
fn and_with_other_numbers() {
    check(2);
}
