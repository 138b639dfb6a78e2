//! Decides which sequences run in the next step. Pure: no tensors, no clock, no channels.

use std::collections::VecDeque;

use types::TaskClass;

use super::admission::AdmissionOrder;
use super::config::EngineConfig;
use super::sequence::{Sequence, SequenceId};
use crate::backend::{BLOCK_TOKENS, BlockId};
use crate::tokenizer::TokenId;

/// Waiting and running sequences, and what the running ones have reserved.
pub(crate) struct Scheduler {
    limits: EngineConfig,
    /// One line per class, the most urgent first.
    waiting: [VecDeque<Sequence>; TaskClass::ALL.len()],
    order: AdmissionOrder,
    /// In the order of admission.
    running: Vec<Sequence>,
    free_blocks: Vec<BlockId>,
    reserved_tokens: usize,
}

/// One step's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepPlan {
    /// Sequences that stopped waiting.
    pub(crate) admitted: Vec<SequenceId>,
    /// Rows to compute: at most one chunk per sequence.
    pub(crate) chunks: Vec<Chunk>,
}

/// Consecutive tokens of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) id: SequenceId,
    pub(crate) position: usize,
    pub(crate) num_rows: usize,
    /// Whether it reaches the sequence's end, so that the next token can be sampled.
    pub(crate) samples: bool,
}

impl Scheduler {
    pub(crate) fn new(limits: EngineConfig) -> Self {
        let free_blocks = (0..limits.num_blocks() as u32).rev().map(BlockId).collect();
        Scheduler {
            limits,
            waiting: Default::default(),
            order: AdmissionOrder::default(),
            running: Vec::new(),
            free_blocks,
            reserved_tokens: 0,
        }
    }

    /// Puts a sequence at the end of its class's line. It has to fit into the whole budget, or it would wait for ever.
    pub(crate) fn submit(&mut self, sequence: Sequence) {
        debug_assert!(sequence.max_tokens <= self.limits.max_kv_tokens);
        self.waiting[sequence.class as usize].push_back(sequence);
    }

    /// Admits who fits, then takes decoding sequences first and fills up with pieces of prompts.
    pub(crate) fn plan(&mut self) -> StepPlan {
        let admitted = self.admit();
        let mut budget = self.limits.max_num_batched_tokens;
        let mut chunks = Vec::new();
        let decoding = self.running.iter().filter(|sequence| sequence.num_pending() == 1);
        let prefilling = TaskClass::ALL.into_iter().flat_map(|class| {
            self.running.iter().filter(move |sequence| sequence.class == class && sequence.num_pending() > 1)
        });
        for sequence in decoding.chain(prefilling) {
            let num_rows = sequence.num_pending().min(budget);
            if num_rows > 0 {
                let samples = num_rows == sequence.num_pending();
                let (id, position) = (sequence.id, sequence.num_computed);
                chunks.push(Chunk { id, position, num_rows, samples });
                budget -= num_rows;
            }
        }
        StepPlan { admitted, chunks }
    }

    /// The chunk's rows are in the KV.
    pub(crate) fn computed(&mut self, chunk: &Chunk) {
        if let Some(sequence) = self.find(chunk.id) {
            sequence.num_computed += chunk.num_rows;
        }
    }

    /// The sequence goes on with `token`; says whether it has room for another one after it.
    pub(crate) fn append(&mut self, id: SequenceId, token: TokenId) -> bool {
        let Some(sequence) = self.find(id) else { return false };
        sequence.tokens.push(token);
        !sequence.is_full()
    }

    /// Takes a sequence out, wherever it stands.
    pub(crate) fn remove(&mut self, id: SequenceId) {
        for line in &mut self.waiting {
            line.retain(|sequence| sequence.id != id);
        }
        let Some(index) = self.running.iter().position(|sequence| sequence.id == id) else { return };
        let sequence = self.running.remove(index);
        self.reserved_tokens -= sequence.max_tokens;
        self.free_blocks.extend(sequence.blocks);
    }

    /// The tokens of a chunk.
    pub(crate) fn tokens(&self, chunk: &Chunk) -> &[TokenId] {
        let sequence = self.running.iter().find(|sequence| sequence.id == chunk.id);
        sequence.map_or(&[], |sequence| &sequence.tokens[chunk.position..chunk.position + chunk.num_rows])
    }

    /// The blocks that cover a chunk and all before it.
    pub(crate) fn table(&self, chunk: &Chunk) -> &[BlockId] {
        let sequence = self.running.iter().find(|sequence| sequence.id == chunk.id);
        let num_blocks = (chunk.position + chunk.num_rows).div_ceil(BLOCK_TOKENS);
        sequence.map_or(&[], |sequence| &sequence.blocks[..num_blocks])
    }

    pub(crate) fn num_running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn num_waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    pub(crate) fn reserved_tokens(&self) -> usize {
        self.reserved_tokens
    }

    /// Every block is free or in use, and the reservations are those of the running sequences.
    pub(crate) fn check_integrity(&self) {
        let used: usize = self.running.iter().map(|sequence| sequence.blocks.len()).sum();
        assert_eq!(self.free_blocks.len() + used, self.limits.num_blocks(), "blocks leak");
        let reserved: usize = self.running.iter().map(|sequence| sequence.max_tokens).sum();
        assert_eq!(reserved, self.reserved_tokens, "reservations leak");
        assert!(reserved <= self.limits.max_kv_tokens, "more is reserved than there is");
    }

    /// In turn; who does not fit holds back all others, or large requests would wait for ever.
    fn admit(&mut self) -> Vec<SequenceId> {
        let mut admitted = Vec::new();
        loop {
            let waits = self.waiting.each_ref().map(|line| !line.is_empty());
            let Some(class) = self.order.next(waits) else { break };
            let line = &mut self.waiting[class as usize];
            let needed = line.front().map_or(0, |sequence| sequence.max_tokens);
            if self.running.len() == self.limits.max_num_seqs
                || self.reserved_tokens + needed > self.limits.max_kv_tokens
            {
                break;
            }
            let Some(mut sequence) = line.pop_front() else { break };
            self.order.admitted(class, waits);
            let first_kept = self.free_blocks.len() - sequence.max_tokens.div_ceil(BLOCK_TOKENS);
            sequence.blocks = self.free_blocks.split_off(first_kept);
            self.reserved_tokens += sequence.max_tokens;
            admitted.push(sequence.id);
            self.running.push(sequence);
        }
        admitted
    }

    fn find(&mut self, id: SequenceId) -> Option<&mut Sequence> {
        self.running.iter_mut().find(|sequence| sequence.id == id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const LIMITS: EngineConfig =
        EngineConfig { max_num_seqs: 3, max_num_batched_tokens: 8, max_kv_tokens: 40, max_waiting: 100 };

    fn sequence(id: u64, class: TaskClass, prompt: usize, max_new_tokens: usize) -> Sequence {
        Sequence::new(SequenceId(id), class, vec![TokenId(7); prompt], max_new_tokens)
    }

    fn scheduler(sequences: &[(TaskClass, usize, usize)]) -> Scheduler {
        let mut scheduler = Scheduler::new(LIMITS);
        for (id, (class, prompt, max_new_tokens)) in (0..).zip(sequences) {
            scheduler.submit(sequence(id, *class, *prompt, *max_new_tokens));
        }
        scheduler
    }

    /// Plans, computes and lets every sampling sequence go on; gives `(id, rows, samples)`.
    fn step(scheduler: &mut Scheduler) -> Vec<(u64, usize, bool)> {
        let plan = scheduler.plan();
        for chunk in &plan.chunks {
            scheduler.computed(chunk);
            if chunk.samples && !scheduler.append(chunk.id, TokenId(1)) {
                scheduler.remove(chunk.id);
            }
        }
        scheduler.check_integrity();
        plan.chunks.iter().map(|chunk| (chunk.id.0, chunk.num_rows, chunk.samples)).collect()
    }

    use TaskClass::{Batch, Interactive, Normal};

    #[test]
    fn decoding_goes_first_and_prompts_fill_the_rest() {
        let mut scheduler = scheduler(&[(Normal, 2, 5), (Normal, 20, 5)]);
        assert_eq!(step(&mut scheduler), [(0, 2, true), (1, 6, false)]);
        assert_eq!(step(&mut scheduler), [(0, 1, true), (1, 7, false)]);
        assert_eq!(step(&mut scheduler), [(0, 1, true), (1, 7, true)]);
        assert_eq!(step(&mut scheduler), [(0, 1, true), (1, 1, true)]);
    }

    #[test]
    fn the_urgent_are_admitted_first_and_within_a_class_the_early() {
        let mut scheduler = scheduler(&[(Batch, 1, 1), (Normal, 1, 1), (Interactive, 1, 1), (Normal, 1, 1)]);
        assert_eq!(scheduler.plan().admitted, [SequenceId(2), SequenceId(1), SequenceId(3)]);
    }

    #[test]
    fn who_does_not_fit_waits_and_holds_back_those_behind() {
        let mut scheduler = scheduler(&[(Normal, 20, 10), (Normal, 10, 10), (Normal, 1, 1)]);
        assert_eq!(scheduler.plan().admitted, [SequenceId(0)]);
        assert_eq!(scheduler.num_waiting(), 2);
        scheduler.remove(SequenceId(0));
        assert_eq!(scheduler.plan().admitted, [SequenceId(1), SequenceId(2)]);
    }

    #[test]
    fn a_large_request_is_not_overtaken_for_ever_by_small_and_urgent_ones() {
        let mut scheduler = scheduler(&[(Batch, 30, 10), (Interactive, 1, 1)]);
        let mut running = None;
        for id in 2..14 {
            let next = scheduler.plan().admitted.first().copied();
            if next == Some(SequenceId(0)) {
                return;
            }
            // One ends only when the next one is there or is held back.
            let ended = std::mem::replace(&mut running, next);
            ended.map(|ended| scheduler.remove(ended));
            scheduler.submit(sequence(id, Interactive, 1, 1));
        }
        panic!("it still waits");
    }

    #[test]
    fn a_sequence_ends_when_its_reservation_is_used_up() {
        let mut scheduler = scheduler(&[(Normal, 3, 2)]);
        assert_eq!(step(&mut scheduler), [(0, 3, true)]);
        assert_eq!(step(&mut scheduler), [(0, 1, true)]);
        assert_eq!(step(&mut scheduler), []);
        assert_eq!(scheduler.reserved_tokens(), 0);
    }

    /// Random arrivals, aborts and stops over thousands of steps.
    #[test]
    fn budgets_hold_at_every_step_and_nothing_is_left_at_the_end() {
        let mut random = StdRng::seed_from_u64(4);
        let mut scheduler = Scheduler::new(LIMITS);
        let (mut next_id, mut live) = (0, BTreeSet::new());
        while next_id < 2000 || !live.is_empty() {
            if next_id < 2000 && random.random_range(0..3) == 0 {
                let (prompt, max_new_tokens) = (random.random_range(1..30), random.random_range(1..=10));
                let class = TaskClass::ALL[random.random_range(0..3)];
                scheduler.submit(sequence(next_id, class, prompt, max_new_tokens));
                live.insert(next_id);
                next_id += 1;
            }
            if random.random_range(0..20) == 0
                && let Some(id) = live.pop_first()
            {
                scheduler.remove(SequenceId(id));
            }
            let plan = scheduler.plan();
            let rows: usize = plan.chunks.iter().map(|chunk| chunk.num_rows).sum();
            assert!(rows <= LIMITS.max_num_batched_tokens);
            assert_eq!(plan.chunks.is_empty(), live.is_empty(), "whoever is there moves");
            for chunk in &plan.chunks {
                assert_eq!(scheduler.tokens(chunk).len(), chunk.num_rows);
                scheduler.computed(chunk);
                let stops = random.random_range(0..15) == 0;
                if chunk.samples && (!scheduler.append(chunk.id, TokenId(1)) || stops) {
                    assert!(live.remove(&chunk.id.0), "a sequence ends once");
                    scheduler.remove(chunk.id);
                }
            }
            scheduler.check_integrity();
        }
        assert_eq!((scheduler.num_running(), scheduler.num_waiting(), scheduler.reserved_tokens()), (0, 0, 0));
    }
}
