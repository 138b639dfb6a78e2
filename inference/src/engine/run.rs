//! The engine's thread: takes in commands, drops who has gone, steps, and survives a step that fails.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, mpsc::TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::command::{Command, Event, FinishReason, Submission, Usage};
use super::config::{EngineConfig, InvalidConfig};
use super::handle::EngineHandle;
use super::masks::Masks;
use super::metrics::{EngineMetrics, RequestTimes};
use super::sample::Sample;
use super::sampler::{Chosen, Sampled, Sampler};
use super::scheduler::{Scheduler, StepPlan};
use super::sequence::{Sequence, SequenceId};
use super::speculation::Speculation;
use super::stats::{EngineStats, Limits, Shared};
use super::step_cost::StepCost;
use crate::backend::{BLOCK_TOKENS, Backend, Logits, ModelInput};
use crate::tokenizer::TokenId;

/// How long an idle engine waits for a command before it shows that it is alive.
const IDLE_BEAT: Duration = Duration::from_secs(1);

/// Starts the thread `engine`; it ends after `drain` or `stop`, or when the last handle is gone and its work done. It
/// dies of a panic outside a step, and says so to all that it had accepted.
pub fn start<B: Backend + 'static>(
    mut backend: B,
    config: EngineConfig,
    metrics: EngineMetrics,
) -> Result<EngineHandle, InvalidConfig> {
    config.check()?;
    let num_blocks = config.num_blocks(backend.kv_bytes_per_token())?;
    let bytes = config.kv_cache_bytes;
    backend.allocate(num_blocks).map_err(|source| InvalidConfig::NoMemory { bytes, source })?;
    let limits = Limits::new(&config, backend.context_len(), num_blocks, backend.vocab_size());
    if limits.max_sequence_tokens < backend.context_len() {
        let (kv_tokens, context_len) = (limits.max_sequence_tokens, backend.context_len());
        tracing::warn!(
            kv_tokens,
            context_len,
            "the KV budget is below the model's context: longer prompts are refused"
        );
    }
    let shared = Arc::new(Shared::new(limits, metrics.heartbeat()));
    // Submissions hold a place, so they never fill it; one more for the command that ends it all.
    let (sender, commands) = sync_channel(config.max_waiting + 1);
    let places = Arc::new(Semaphore::new(config.max_waiting));
    let (alive, ended) = watch::channel(());
    let no_thread = |error: std::io::Error| InvalidConfig::NoThread(error.to_string());
    let mut engine = Engine {
        step_cost: StepCost::default(),
        masks: Masks::start().map_err(no_thread)?,
        scheduler: Scheduler::new(config, num_blocks),
        backend,
        requests: BTreeMap::new(),
        plan: StepPlan::default(),
        input: ModelInput::default(),
        logits: Logits::default(),
        chosen: Vec::new(),
        samples: Vec::new(),
        next_number: 0,
        commands,
        closing: false,
        stats: EngineStats::default(),
        shared: shared.clone(),
        metrics,
    };
    engine.publish();
    let run = move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| engine.run())) {
            engine.give_up(panic_text(panic.as_ref()));
        }
        // Who hears of the end finds the channel closed and the memory given back.
        drop(engine);
        drop(alive);
    };
    let spawned = std::thread::Builder::new().name("engine".to_owned()).spawn(run);
    spawned.map_err(no_thread)?;
    Ok(EngineHandle { commands: sender, places, shared, closing: Arc::new(AtomicBool::new(false)), ended })
}

/// Everything the thread owns.
pub(super) struct Engine<B> {
    pub(super) scheduler: Scheduler,
    pub(super) backend: B,
    pub(super) requests: BTreeMap<SequenceId, Request>,
    /// The step under way; what it holds is lost when the step fails.
    pub(super) plan: StepPlan,
    /// What steps write into, kept so that they need no new memory.
    pub(super) input: ModelInput,
    pub(super) logits: Logits,
    pub(super) chosen: Vec<Chosen>,
    pub(super) samples: Vec<Sample>,
    pub(super) masks: Masks,
    pub(super) step_cost: StepCost,
    next_number: u64,
    commands: Receiver<Command>,
    closing: bool,
    stats: EngineStats,
    shared: Arc<Shared>,
    pub(super) metrics: EngineMetrics,
}

/// A request's side that the scheduler does not see.
pub(super) struct Request {
    pub(super) sampler: Sampler,
    speculation: Speculation,
    events: mpsc::Sender<Event>,
    /// Held until it is admitted for the first time.
    pub(super) place: Option<OwnedSemaphorePermit>,
    deadline: Option<Instant>,
    pub(super) times: RequestTimes,
    pub(super) usage: Usage,
    cached_tokens: Arc<AtomicUsize>,
}

impl Request {
    pub(super) fn sample(&mut self, logits: &mut [f32], chosen: &mut Vec<Chosen>) -> Sampled {
        guarded(|| self.sampler.sample(logits, chosen))
    }

    /// Notes tokens that the prefix cache had, and says how many of them are the prompt's.
    pub(super) fn found_in_cache(&mut self, num_tokens: usize) -> usize {
        let num_new = num_tokens.min(self.usage.prompt_tokens - self.usage.cached_tokens);
        self.usage.cached_tokens += num_new;
        self.cached_tokens.store(self.usage.cached_tokens, Ordering::Relaxed);
        num_new
    }

    /// What `tokens` may go on with, as far as it is allowed.
    pub(super) fn draft(&mut self, tokens: &[TokenId], price: f32, max: usize) -> Vec<TokenId> {
        let drafts = self.speculation.draft(tokens, price, max);
        // A grammar that panics does so again when the token is chosen.
        let num_allowed = catch_unwind(AssertUnwindSafe(|| self.sampler.num_allowed(drafts))).unwrap_or(0);
        drafts[..num_allowed].to_vec()
    }

    /// What came of the last draft.
    pub(super) fn observe_drafts(&mut self, num_drafts: usize, num_accepted: usize) {
        self.speculation.observe(num_drafts, num_accepted);
    }

    /// Whether it ends now, whatever it has; without a reason when nobody listens any more.
    fn has_ended(&self, now: Instant) -> Option<Option<FinishReason>> {
        if self.events.is_closed() {
            return Some(None);
        }
        self.deadline.is_some_and(|deadline| deadline <= now).then_some(Some(FinishReason::Deadline))
    }
}

impl<B: Backend> Engine<B> {
    fn run(&mut self) {
        while self.take_commands() {
            self.shared.heartbeat.beat();
            self.drop_ended(Instant::now());
            if !self.is_idle() {
                self.step_or_fail();
            }
            self.publish();
        }
    }

    /// Obeys all commands there are; waits for one when there is nothing else to do. Says whether to go on.
    fn take_commands(&mut self) -> bool {
        if self.is_idle() && !self.closing {
            match self.commands.recv_timeout(IDLE_BEAT) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.closing = true,
            }
        }
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.closing = true;
                    break;
                }
            }
        }
        if self.shared.stop_now.load(Ordering::Acquire) {
            self.finish_all(|_| Some(FinishReason::Stopped));
        }
        !(self.closing && self.is_idle())
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Submit(submission) => self.accept(*submission),
            Command::Close => self.closing = true,
        }
    }

    fn accept(&mut self, submission: Submission) {
        let Submission { request, events, place, accepted_at, cached_tokens } = submission;
        let max_new_tokens = self.shared.limits.max_new_tokens(&request);
        let id = SequenceId { class: request.class, number: self.next_number };
        self.next_number += 1;
        let usage = Usage { prompt_tokens: request.prompt.len(), ..Usage::default() };
        let mut sampler = Sampler::new(request.params, request.grammar, &request.prompt);
        let mut forced = Vec::new();
        let begun = guarded(|| sampler.begin(&mut forced));
        // What is written in any case is read with the prompt.
        self.scheduler.submit(Sequence::new(id, request.prompt, max_new_tokens, request.cache_salt));
        let request = Request {
            sampler,
            speculation: Speculation::default(),
            events,
            place: Some(place),
            deadline: request.deadline,
            times: RequestTimes::new(accepted_at),
            usage,
            cached_tokens,
        };
        self.requests.insert(id, request);
        self.go_on(id, forced.into_iter(), begun, Instant::now());
    }

    /// Takes out who no longer listens and who has no time left.
    fn drop_ended(&mut self, now: Instant) {
        let ended = self.requests.iter().filter_map(|(id, request)| Some((*id, request.has_ended(now)?)));
        for (id, reason) in ended.collect::<Vec<_>>() {
            match reason {
                Some(reason) => self.finish(id, reason),
                None => {
                    self.remove(id);
                    self.metrics.aborted();
                }
            }
        }
    }

    /// The thread dies: whoever it had accepted hears of it. What panicked may be the scheduler or the backend, so both
    /// are left alone.
    fn give_up(&mut self, reason: &str) {
        let requests = std::mem::take(&mut self.requests);
        tracing::error!(reason, requests = requests.len(), "the engine died");
        for request in requests.into_values() {
            self.tell_end(&request, FinishReason::Failed(format!("the engine died: {reason}")));
        }
    }

    /// A step that panics outside the forward pass ends its own requests. When it is not known whose step it was, it ends
    /// all, or the next step would fail in the same way.
    fn step_or_fail(&mut self) {
        let began = Instant::now();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.step())) {
            let reason = format!("the step panicked: {}", panic_text(panic.as_ref()));
            let chunks = std::mem::take(&mut self.plan.chunks);
            tracing::error!(%reason, requests = chunks.len(), "engine step failed");
            for chunk in &chunks {
                self.finish(chunk.id, FinishReason::Failed(reason.clone()));
            }
            if chunks.is_empty() {
                self.finish_all(|_| Some(FinishReason::Failed(reason.clone())));
            }
        }
        let elapsed = began.elapsed();
        if self.plan.num_rows() > 0 && self.plan.only_decodes() {
            self.step_cost.observe(self.plan.num_rows(), elapsed);
        }
        self.stats.observe_step(elapsed);
        self.metrics.stepped(elapsed);
    }

    pub(super) fn deliver(&mut self, id: SequenceId, chosen: Chosen, now: Instant) {
        match self.requests.get_mut(&id) {
            Some(request) if !chosen.is_drawn => {
                request.usage.completion_tokens += 1;
                self.metrics.forced();
            }
            Some(_) => self.count_token(id, now),
            None => {}
        }
        if let Some(request) = self.requests.get(&id) {
            // A closed receiver is seen before the next step.
            let _ = request.events.try_send(Event::Token { id: chosen.id, logprobs: chosen.logprobs });
        }
    }

    pub(super) fn count_token(&mut self, id: SequenceId, now: Instant) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.usage.completion_tokens += 1;
            self.metrics.generated(&mut request.times, now, request.usage.prompt_tokens);
        }
    }

    pub(super) fn finish(&mut self, id: SequenceId, reason: FinishReason) {
        if let Some(request) = self.remove(id) {
            self.tell_end(&request, reason);
        }
    }

    /// The one place that tells a request its end.
    fn tell_end(&self, request: &Request, reason: FinishReason) {
        self.metrics.finished(&request.times, &reason);
        let _ = request.events.try_send(Event::Finished { reason, usage: request.usage });
    }

    fn finish_all(&mut self, reason: impl Fn(&Request) -> Option<FinishReason>) {
        let ended: Vec<_> = self.requests.iter().filter_map(|(id, request)| Some((*id, reason(request)?))).collect();
        for (id, reason) in ended {
            self.finish(id, reason);
        }
    }

    fn remove(&mut self, id: SequenceId) -> Option<Request> {
        self.scheduler.remove(id);
        self.requests.remove(&id)
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    fn publish(&mut self) {
        let blocks = &self.scheduler.blocks;
        if self.is_idle() {
            let held = (self.scheduler.num_running(), self.scheduler.num_waiting(), blocks.num_referenced());
            assert_eq!(held, (0, 0, 0), "an idle engine holds sequences (running, waiting) or blocks");
        }
        self.stats.running = self.scheduler.num_running();
        self.stats.waiting = self.scheduler.num_waiting();
        self.stats.kv_tokens_used = blocks.num_referenced() * BLOCK_TOKENS;
        self.stats.kv_tokens_cached = blocks.num_cached() * BLOCK_TOKENS;
        self.stats.kv_tokens_free = (blocks.num_available() - blocks.num_cached()) * BLOCK_TOKENS;
        self.shared.publish(self.stats);
        let kv_bytes = (blocks.num_blocks() * BLOCK_TOKENS) as u64 * self.backend.kv_bytes_per_token();
        self.metrics.observe(&self.stats, self.backend.memory(), kv_bytes);
    }
}

/// A panic of a sampler or a grammar is its own request's failure.
fn guarded(choose: impl FnOnce() -> Sampled) -> Sampled {
    catch_unwind(AssertUnwindSafe(choose)).unwrap_or_else(|panic| {
        Sampled::Failed(format!("choosing the next token panicked: {}", panic_text(panic.as_ref())))
    })
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_choosing_a_token_is_a_failure_of_its_request() {
        let expected = Sampled::Failed("choosing the next token panicked: a bad mask".to_owned());
        assert_eq!(guarded(|| panic!("a bad mask")), expected);
        assert_eq!(guarded(|| Sampled::Stop), Sampled::Stop);
    }
}
