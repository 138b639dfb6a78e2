//! Decides which sequences run in the next step, and who gives way when there is no room. Pure: no tensors, no clock,
//! no channels.
//!
//! Admission keeps room for a prompt and a bounded part of its answer. Who goes on for longer takes a block when it needs
//! one; when there is none, the least urgent and youngest sequence is preempted: its blocks are let go of, and it goes
//! back to the front of its line with all its tokens, to be computed again from what the cache still has of them. Nobody
//! is admitted in such a step, and who is next in line and does not fit holds back all behind it.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use types::TaskClass;

use super::block_manager::{BlockManager, Node};
use super::class_order::ClassOrder;
use super::config::EngineConfig;
use super::sequence::{Sequence, SequenceId};
use crate::backend::{BLOCK_TOKENS, BlockId};
use crate::tokenizer::TokenId;

/// Waiting and running sequences.
pub(crate) struct Scheduler {
    limits: EngineConfig,
    pub(crate) blocks: BlockManager,
    /// One line per class. Numbers only grow, so a preempted sequence comes before all that have never run.
    waiting: [BTreeMap<SequenceId, Sequence>; TaskClass::ALL.len()],
    admission_order: ClassOrder,
    prefill_order: ClassOrder,
    running: BTreeMap<SequenceId, Sequence>,
    /// The blocks that this step's prompts begin to compute.
    in_progress: Vec<Node>,
}

/// One step's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepPlan {
    /// Rows to compute: at most one chunk per sequence.
    pub(crate) chunks: Vec<Chunk>,
    /// Sequences that stopped waiting, with the tokens of theirs that the cache had.
    pub(crate) admitted: Vec<(SequenceId, usize)>,
    /// Tokens of prompts that were taken over from others after admission.
    pub(crate) taken_over: Vec<(SequenceId, usize)>,
    /// How many went back to waiting.
    pub(crate) num_preempted: usize,
}

/// Consecutive tokens of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) id: SequenceId,
    pub(crate) position: usize,
    pub(crate) num_rows: usize,
    /// Whether it reaches the sequence's end, so that the next token can be sampled.
    pub(crate) samples: bool,
    /// So many rows at its end are of guessed tokens.
    pub(crate) num_drafts: usize,
}

impl Chunk {
    /// Rows from which a token can be sampled.
    pub(crate) fn num_logits(&self) -> usize {
        if self.samples { 1 + self.num_drafts } else { 0 }
    }
}

/// Guesses what follows a sequence's tokens, in a step of so many rows, with at most so many tokens.
pub(crate) type Draft<'a> = dyn FnMut(&Sequence, usize, usize) -> Vec<TokenId> + 'a;

impl StepPlan {
    /// Whether no prompt is read in it.
    pub(crate) fn only_decodes(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.num_rows == chunk.num_logits())
    }

    pub(crate) fn num_rows(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.num_rows).sum()
    }
}

impl Scheduler {
    pub(crate) fn new(limits: EngineConfig, num_blocks: usize) -> Self {
        Scheduler {
            limits,
            blocks: BlockManager::new(num_blocks),
            waiting: Default::default(),
            admission_order: ClassOrder::default(),
            prefill_order: ClassOrder::default(),
            running: BTreeMap::new(),
            in_progress: Vec::new(),
        }
    }

    /// Puts a sequence into its class's line. It has to fit into all blocks, or it would wait for ever.
    pub(crate) fn submit(&mut self, sequence: Sequence) {
        debug_assert!(sequence.max_tokens.div_ceil(BLOCK_TOKENS) <= self.blocks.num_blocks());
        self.waiting[sequence.id.class as usize].insert(sequence.id, sequence);
    }

    /// Decoding sequences first; then admits who fits, and fills up with pieces of prompts.
    pub(crate) fn plan(&mut self, plan: &mut StepPlan, draft: &mut Draft<'_>) {
        plan.chunks.clear();
        plan.admitted.clear();
        plan.taken_over.clear();
        plan.num_preempted = 0;
        self.decode(plan);
        if self.limits.max_draft_tokens > 0 && plan.num_preempted == 0 && self.only_decodes() {
            self.draft(plan, draft);
        }
        if plan.num_preempted == 0 {
            self.admit(plan);
        }
        self.prefill(plan);
        plan.chunks.retain(|chunk| chunk.num_rows > 0);
    }

    /// The chunk's rows are in the KV. Of its guesses, the first `num_accepted` were right; the others are forgotten.
    pub(crate) fn computed(&mut self, chunk: &Chunk, num_accepted: usize) {
        if let Some(sequence) = self.running.get_mut(&chunk.id) {
            sequence.settle_drafts(num_accepted);
            sequence.is_decoding |= chunk.samples;
            sequence.num_computed += chunk.num_rows - chunk.num_drafts + num_accepted;
            self.blocks.register(&mut sequence.table, &sequence.tokens[..sequence.num_computed]);
        }
    }

    /// The sequence goes on with `token`; says whether it has room for another one after it.
    pub(crate) fn append(&mut self, id: SequenceId, token: TokenId) -> bool {
        let waiting = &mut self.waiting[id.class as usize];
        let Some(sequence) = self.running.get_mut(&id).or_else(|| waiting.get_mut(&id)) else { return false };
        sequence.tokens.push(token);
        !sequence.is_full()
    }

    /// Takes a sequence out, wherever it stands.
    pub(crate) fn remove(&mut self, id: SequenceId) {
        self.waiting[id.class as usize].remove(&id);
        if let Some(mut sequence) = self.running.remove(&id) {
            self.blocks.release(&mut sequence.table);
        }
    }

    /// The tokens of a chunk, and the blocks that cover it and all before it.
    pub(crate) fn rows(&self, chunk: &Chunk) -> (&[TokenId], &[BlockId]) {
        let Some(sequence) = self.running.get(&chunk.id) else { return (&[], &[]) };
        let end = chunk.position + chunk.num_rows;
        (&sequence.tokens[chunk.position..end], &sequence.table.blocks[..end.div_ceil(BLOCK_TOKENS)])
    }

    pub(crate) fn num_running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn num_waiting(&self) -> usize {
        self.waiting.iter().map(BTreeMap::len).sum()
    }

    /// The last tokens of each sequence that has generated some: one row of each, and more of those that have more to
    /// compute, which leave half of the step to prompts.
    fn decode(&mut self, plan: &mut StepPlan) {
        let num_decoding = self.running.values().filter(|sequence| sequence.is_decoding).count();
        let rest = self.limits.max_num_batched_tokens - num_decoding;
        let mut spare = if self.only_decodes() { rest } else { rest / 2 };
        let mut from = Unbounded;
        while let Some((&id, sequence)) = self.running.range((from, Unbounded)).next() {
            from = Excluded(id);
            if !sequence.is_decoding {
                continue;
            }
            let num_pending = sequence.num_pending();
            let num_rows = num_pending.min(1 + spare);
            spare -= num_rows - 1;
            let (position, samples) = (sequence.num_computed, num_rows == num_pending);
            plan.chunks.push(Chunk { id, position, num_rows, samples, num_drafts: 0 });
            self.make_room(plan.chunks.len() - 1, plan);
        }
    }

    /// Whether nobody waits or has a prompt to read.
    fn only_decodes(&self) -> bool {
        self.num_waiting() == 0 && self.running.values().all(|sequence| sequence.is_decoding)
    }

    /// What sequences are guessed to go on with, as far as there is room that nobody else needs now.
    fn draft(&mut self, plan: &mut StepPlan, draft: &mut Draft<'_>) {
        let num_rows = plan.num_rows();
        let mut spare = self.limits.max_num_batched_tokens - num_rows;
        for chunk in plan.chunks.iter_mut().filter(|chunk| chunk.samples) {
            let Some(sequence) = self.running.get_mut(&chunk.id) else { continue };
            let drafts = draft(sequence, num_rows, self.limits.max_draft_tokens.min(sequence.max_drafts()).min(spare));
            let num_blocks = (chunk.position + chunk.num_rows + drafts.len()).div_ceil(BLOCK_TOKENS);
            if self.blocks.grow(&mut sequence.table, num_blocks) {
                sequence.push_drafts(&drafts);
                chunk.num_drafts = drafts.len();
                chunk.num_rows += drafts.len();
                spare -= drafts.len();
            }
        }
    }

    /// In turn; who does not fit holds back all others, or large requests would wait for ever.
    fn admit(&mut self, plan: &mut StepPlan) {
        let mut num_due: usize = self.running.values().map(Sequence::num_blocks_due).sum();
        while self.running.len() < self.limits.max_num_seqs {
            let waits = self.waiting.each_ref().map(|line| !line.is_empty());
            let Some(class) = self.admission_order.next(waits) else { break };
            let Some(first) = self.waiting[class as usize].first_entry() else { break };
            let hits = self.blocks.find(first.get().salt, &first.get().tokens);
            let num_missing = first.get().num_blocks_wanted() - hits.num_referenced;
            if num_due + num_missing > self.blocks.num_available() {
                break;
            }
            self.admission_order.took_turn(class, waits);
            let mut sequence = first.remove();
            self.blocks.reuse(&mut sequence.table, &sequence.tokens);
            sequence.num_computed = sequence.table.num_full_tokens();
            sequence.num_reserved = sequence.num_blocks_wanted();
            if sequence.is_protected() {
                let has_room = self.blocks.grow(&mut sequence.table, sequence.num_reserved);
                debug_assert!(has_room, "there are blocks for all that it was admitted with");
            }
            num_due += sequence.num_blocks_due();
            plan.admitted.push((sequence.id, sequence.num_computed));
            self.running.insert(sequence.id, sequence);
        }
    }

    /// Deals out what decoding leaves of the step. A prompt that does not fit takes half of it while others of its class,
    /// or more urgent ones, wait, so that a long one does not hold them up; what is left over goes to the first.
    fn prefill(&mut self, plan: &mut StepPlan) {
        let mut budget = self.limits.max_num_batched_tokens - plan.num_rows();
        let first_chunk = plan.chunks.len();
        self.in_progress.clear();
        let mut next = TaskClass::ALL.map(|class| self.next_prefill(class, None, plan));
        while budget > 0 {
            let waits = next.map(|id| id.is_some());
            let Some(class) = self.prefill_order.next(waits) else { break };
            let Some(id) = next[class as usize] else { break };
            next[class as usize] = self.next_prefill(class, Some(id), plan);
            let Some(sequence) = self.running.get(&id) else { break };
            let (position, num_pending) = (sequence.num_computed, sequence.num_pending());
            let gives_way = next[..=class as usize].iter().any(Option::is_some);
            let share = if num_pending > budget && gives_way { budget.div_ceil(2) } else { budget };
            let num_rows = num_pending.min(share);
            plan.chunks.push(Chunk { id, position, num_rows, samples: num_rows == num_pending, num_drafts: 0 });
            self.prefill_order.took_turn(class, waits);
            budget -= num_rows;
        }
        for index in first_chunk..plan.chunks.len() {
            let chunk = &mut plan.chunks[index];
            let num_pending = self.running.get(&chunk.id).map_or(0, Sequence::num_pending);
            let more = budget.min(num_pending - chunk.num_rows);
            chunk.num_rows += more;
            chunk.samples = chunk.num_rows == num_pending;
            budget -= more;
            self.make_room(index, plan);
        }
    }

    /// The next of a class with a prompt to compute. It first takes over what others have computed of it by now; and who
    /// comes to a block that another begins to compute in this step waits to take that over, too.
    fn next_prefill(&mut self, class: TaskClass, after: Option<SequenceId>, plan: &mut StepPlan) -> Option<SequenceId> {
        let from = after.map_or(Included(SequenceId { class, number: 0 }), Excluded);
        let to = Included(SequenceId { class, number: u64::MAX });
        for (id, sequence) in self.running.range_mut((from, to)) {
            if sequence.is_decoding {
                continue;
            }
            self.blocks.reuse(&mut sequence.table, &sequence.tokens);
            let num_taken_over = sequence.table.num_full_tokens().saturating_sub(sequence.num_computed);
            sequence.num_computed += num_taken_over;
            if sequence.num_preemptions == 0 && num_taken_over > 0 {
                plan.taken_over.push((*id, num_taken_over));
            }
            let node = sequence.table.next_node(&sequence.tokens);
            if node.is_some_and(|node| self.in_progress.contains(&node)) {
                continue;
            }
            self.in_progress.extend(node);
            return Some(*id);
        }
        None
    }

    /// Gets the blocks that a chunk of the plan is written to, from others if need be; or takes it out of the plan.
    fn make_room(&mut self, index: usize, plan: &mut StepPlan) {
        while let Some(sequence) = self.running.get_mut(&plan.chunks[index].id) {
            let chunk = plan.chunks[index];
            let num_blocks = (chunk.position + chunk.num_rows).div_ceil(BLOCK_TOKENS);
            if self.blocks.grow(&mut sequence.table, num_blocks) {
                break;
            }
            let mut from_last = self.running.values().rev();
            let victim = from_last.find(|sequence| !sequence.is_protected()).map_or(chunk.id, |sequence| sequence.id);
            self.preempt(victim, plan);
        }
    }

    fn preempt(&mut self, id: SequenceId, plan: &mut StepPlan) {
        let Some(mut sequence) = self.running.remove(&id) else { return };
        self.blocks.release(&mut sequence.table);
        sequence.num_computed = 0;
        sequence.is_decoding = false;
        sequence.num_preemptions += 1;
        self.waiting[id.class as usize].insert(id, sequence);
        plan.num_preempted += 1;
        // Those that come after it keep their places while the plan is made.
        plan.chunks.iter_mut().filter(|chunk| chunk.id == id).for_each(|chunk| chunk.num_rows = 0);
    }
}

#[cfg(test)]
impl Scheduler {
    /// Blocks are whole, waiting sequences hold none, and running ones write only to blocks of their own.
    pub(super) fn check_integrity(&self) {
        self.blocks.check_integrity(self.running.values().map(|sequence| &sequence.table));
        for sequence in self.waiting.iter().flat_map(BTreeMap::values) {
            assert!(sequence.table.blocks.is_empty() && sequence.num_computed == 0, "who waits holds nothing");
        }
        for sequence in self.running.values() {
            assert!(sequence.num_computed >= sequence.table.num_full_tokens(), "full blocks are never written again");
            assert!(sequence.num_pending() > 0 && sequence.num_preemptions <= 2);
        }
        assert!(self.running.len() <= self.limits.max_num_seqs);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use TaskClass::{Batch, Interactive, Normal};

    use super::super::block_manager::CacheSalt;
    use super::*;

    const LIMITS: EngineConfig = EngineConfig {
        max_num_seqs: 3,
        max_num_batched_tokens: 64,
        kv_cache_bytes: 0,
        max_waiting: 0,
        max_draft_tokens: 0,
    };

    /// A scheduler of `num_blocks` with these sequences: class, prompt, most new tokens. Prompts have nothing in common.
    fn scheduler(num_blocks: usize, sequences: &[(TaskClass, usize, usize)]) -> Scheduler {
        let mut scheduler = Scheduler::new(LIMITS, num_blocks);
        for (number, (class, prompt, max_new_tokens)) in (0..).zip(sequences) {
            submit(&mut scheduler, number, *class, vec![TokenId(number as u32); *prompt], *max_new_tokens);
        }
        scheduler
    }

    fn submit(scheduler: &mut Scheduler, number: u64, class: TaskClass, prompt: Vec<TokenId>, max_new_tokens: usize) {
        let id = SequenceId { class, number };
        scheduler.submit(Sequence::new(id, prompt, max_new_tokens, CacheSalt::default()));
    }

    /// Plans, computes and lets every sampling sequence go on; gives who was admitted and `(number, rows)` of all chunks.
    fn step(scheduler: &mut Scheduler) -> (Vec<u64>, Vec<(u64, usize)>) {
        let mut plan = StepPlan::default();
        scheduler.plan(&mut plan, &mut |_, _, _| Vec::new());
        scheduler.check_integrity();
        for chunk in &plan.chunks {
            scheduler.computed(chunk, 0);
            if chunk.samples && !scheduler.append(chunk.id, TokenId(99)) {
                scheduler.remove(chunk.id);
            }
        }
        let admitted = plan.admitted.iter().map(|(id, _)| id.number).collect();
        (admitted, plan.chunks.iter().map(|chunk| (chunk.id.number, chunk.num_rows)).collect())
    }

    fn rows(scheduler: &mut Scheduler) -> Vec<(u64, usize)> {
        step(scheduler).1
    }

    #[test]
    fn decoding_goes_first_and_prompts_fill_the_rest() {
        let mut scheduler = scheduler(99, &[(Normal, 2, 5), (Normal, 160, 5)]);
        assert_eq!(rows(&mut scheduler), [(0, 2), (1, 62)]);
        assert_eq!(rows(&mut scheduler), [(0, 1), (1, 63)]);
        assert_eq!(rows(&mut scheduler), [(0, 1), (1, 35)]);
        assert_eq!(rows(&mut scheduler), [(0, 1), (1, 1)]);
    }

    #[test]
    fn a_long_prompt_leaves_half_of_a_step_to_those_behind_it_and_gets_what_they_leave() {
        let mut scheduler = scheduler(99, &[(Normal, 500, 5), (Normal, 10, 5)]);
        assert_eq!(rows(&mut scheduler), [(0, 54), (1, 10)]);
        submit(&mut scheduler, 2, Normal, vec![TokenId(2); 500], 5);
        assert_eq!(rows(&mut scheduler), [(1, 1), (0, 32), (2, 31)]);
    }

    #[test]
    fn every_class_gets_its_share_of_reading_prompts() {
        let mut scheduler = scheduler(999, &[(Batch, 3000, 5), (Interactive, 3000, 5)]);
        let mut read = [0, 0];
        for _ in 0..30 {
            rows(&mut scheduler).iter().for_each(|(number, rows)| read[*number as usize] += rows);
        }
        assert!(read[1] > 5 * read[0] && read[0] > 50, "{read:?}");
    }

    #[test]
    fn the_urgent_are_admitted_first_and_within_a_class_the_early() {
        let mut scheduler = scheduler(9, &[(Batch, 1, 2), (Normal, 1, 2), (Interactive, 1, 2), (Normal, 1, 2)]);
        assert_eq!(step(&mut scheduler).0, [2, 1, 3]);
    }

    #[test]
    fn who_does_not_fit_waits_and_holds_back_those_behind() {
        let mut scheduler = scheduler(4, &[(Normal, 40, 3), (Normal, 20, 3), (Normal, 1, 1)]);
        assert_eq!(step(&mut scheduler).0, [0]);
        assert_eq!(scheduler.num_waiting(), 2);
        assert_eq!(step(&mut scheduler).0, [0_u64; 0]);
        assert_eq!(step(&mut scheduler).0, [0_u64; 0]);
        assert_eq!(step(&mut scheduler).0, [1, 2]);
    }

    #[test]
    fn a_large_request_is_not_overtaken_for_ever_by_small_and_urgent_ones() {
        let mut scheduler = scheduler(4, &[(Batch, 60, 4), (Interactive, 1, 2)]);
        for number in 2..30 {
            if step(&mut scheduler).0.contains(&0) {
                return;
            }
            submit(&mut scheduler, number, Interactive, vec![TokenId(1)], 2);
        }
        panic!("it still waits");
    }

    #[test]
    fn whole_prompts_from_the_cache_compute_one_token() {
        let prompt: Vec<TokenId> = (0..49).map(TokenId).collect();
        let mut scheduler = scheduler(9, &[]);
        submit(&mut scheduler, 0, Normal, prompt.clone(), 2);
        assert_eq!(rows(&mut scheduler), [(0, 49)]);
        submit(&mut scheduler, 1, Normal, prompt, 2);
        assert_eq!(rows(&mut scheduler), [(0, 1), (1, 1)]);
    }

    #[test]
    fn prompts_that_begin_alike_are_read_once() {
        let mut scheduler = scheduler(99, &[]);
        for number in 0..3 {
            let prompt = [(0..100).map(TokenId).collect(), vec![TokenId(200 + number); 10]].concat();
            submit(&mut scheduler, number.into(), Normal, prompt, 5);
        }
        assert_eq!(rows(&mut scheduler), [(0, 64)], "the others wait for what it computes");
        assert_eq!(rows(&mut scheduler), [(0, 46)]);
        // 96 tokens are shared; the rest of the prompts differs.
        let mut plan = StepPlan::default();
        scheduler.plan(&mut plan, &mut |_, _, _| Vec::new());
        let taken_over: Vec<_> = plan.taken_over.iter().map(|(id, tokens)| (id.number, *tokens)).collect();
        assert_eq!(taken_over, [(1, 32), (2, 32)], "after 64 each in the step before");
        let chunks: Vec<_> = plan.chunks.iter().map(|chunk| (chunk.id.number, chunk.num_rows)).collect();
        assert_eq!(chunks, [(0, 1), (1, 14), (2, 14)]);
        assert_eq!(scheduler.blocks.num_referenced(), 6 + 3);
    }

    #[test]
    fn the_least_urgent_and_youngest_gives_way_and_comes_back_before_those_behind_it() {
        // Room for both with 256 tokens of answer; both want more.
        let mut scheduler = scheduler(34, &[(Batch, 16, 500), (Normal, 16, 500), (Batch, 16, 500)]);
        assert_eq!(step(&mut scheduler).0, [1, 0]);
        let preempted = (0..).find(|_| rows(&mut scheduler).len() == 1).unwrap();
        assert!(preempted > 250, "{preempted}");
        assert_eq!((scheduler.num_running(), scheduler.num_waiting()), (1, 2));
        let admitted = (0..).find_map(|_| step(&mut scheduler).0.first().copied()).unwrap();
        assert_eq!(admitted, 0);
    }

    #[test]
    fn a_sequence_that_was_preempted_twice_is_left_alone() {
        let mut scheduler = scheduler(40, &[(Batch, 16, 600)]);
        let id = SequenceId { class: Batch, number: 0 };
        for _ in 0..2 {
            step(&mut scheduler);
            scheduler.preempt(id, &mut StepPlan::default());
        }
        step(&mut scheduler);
        assert_eq!(scheduler.blocks.num_referenced(), 39, "it has all it can ever use");
        submit(&mut scheduler, 1, Interactive, vec![TokenId(5); 10], 30);
        assert_eq!(step(&mut scheduler).0, [0_u64; 0], "there is no room");
        while scheduler.running.contains_key(&id) {
            assert_eq!(rows(&mut scheduler)[0], (0, 1));
        }
    }

    #[test]
    fn removal_gives_everything_back_wherever_a_sequence_stands() {
        let mut scheduler = scheduler(20, &[(Normal, 100, 5), (Normal, 100, 50), (Batch, 200, 5)]);
        step(&mut scheduler);
        for number in 0..3 {
            scheduler.remove(SequenceId { class: if number == 2 { Batch } else { Normal }, number });
            scheduler.check_integrity();
        }
        assert_eq!((scheduler.num_running(), scheduler.num_waiting(), scheduler.blocks.num_referenced()), (0, 0, 0));
        assert!(scheduler.blocks.num_cached() > 0);
    }
}
