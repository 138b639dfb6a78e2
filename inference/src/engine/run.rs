//! The engine's thread: takes in commands, drops who has gone, steps, and survives a step that fails.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, mpsc::TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::command::{Command, Event, FinishReason, Submission, Usage};
use super::config::{EngineConfig, InvalidConfig};
use super::handle::EngineHandle;
use super::metrics::EngineMetrics;
use super::sampler::{Logprobs, Sampler};
use super::scheduler::{Scheduler, StepPlan};
use super::sequence::{Sequence, SequenceId};
use super::stats::{EngineStats, Limits, Shared};
use crate::backend::Backend;
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
    let tokens = config.max_kv_tokens;
    backend.allocate(config.num_blocks()).map_err(|source| InvalidConfig::NoMemory { tokens, source })?;
    let limits = Limits::new(&config, backend.context_len(), backend.vocab_size());
    let shared = Arc::new(Shared::new(limits, metrics.heartbeat()));
    // Submissions hold a place, so they never fill it; one more for the command that ends it all.
    let (sender, commands) = sync_channel(config.max_waiting + 1);
    let places = Arc::new(Semaphore::new(config.max_waiting));
    let (alive, ended) = watch::channel(());
    let max_kv_tokens = config.max_kv_tokens;
    let mut engine = Engine {
        scheduler: Scheduler::new(config),
        backend,
        requests: BTreeMap::new(),
        plan: StepPlan::default(),
        next_id: 0,
        commands,
        closing: false,
        stats: EngineStats { kv_tokens_free: max_kv_tokens, ..EngineStats::default() },
        max_kv_tokens,
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
    spawned.map_err(|error| InvalidConfig::NoThread(error.to_string()))?;
    Ok(EngineHandle { commands: sender, places, shared, closing: Arc::new(AtomicBool::new(false)), ended })
}

/// Everything the thread owns.
pub(super) struct Engine<B> {
    pub(super) scheduler: Scheduler,
    pub(super) backend: B,
    pub(super) requests: BTreeMap<SequenceId, Request>,
    /// The step under way; what it holds is lost when the step fails.
    pub(super) plan: StepPlan,
    next_id: u64,
    commands: Receiver<Command>,
    closing: bool,
    stats: EngineStats,
    max_kv_tokens: usize,
    shared: Arc<Shared>,
    pub(super) metrics: EngineMetrics,
}

/// A request's side that the scheduler does not see.
pub(super) struct Request {
    pub(super) sampler: Sampler,
    events: mpsc::Sender<Event>,
    /// Held while it waits.
    pub(super) place: Option<OwnedSemaphorePermit>,
    deadline: Option<Instant>,
    pub(super) accepted_at: Instant,
    pub(super) usage: Usage,
    /// Whether its prompt is computed.
    pub(super) started: bool,
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
        let Submission { request, events, place, accepted_at } = submission;
        let max_new_tokens = self.shared.limits.max_new_tokens(&request);
        let id = SequenceId(self.next_id);
        self.next_id += 1;
        let usage = Usage { prompt_tokens: request.prompt.len(), completion_tokens: 0 };
        let sampler = Sampler::new(request.params, request.grammar, &request.prompt);
        self.scheduler.submit(Sequence::new(id, request.class, request.prompt, max_new_tokens));
        let request = Request {
            sampler,
            events,
            place: Some(place),
            deadline: request.deadline,
            accepted_at,
            usage,
            started: false,
        };
        self.requests.insert(id, request);
    }

    /// Takes out who no longer listens and who has no time left.
    fn drop_ended(&mut self, now: Instant) {
        let is_gone = |(id, request): (&SequenceId, &Request)| request.events.is_closed().then_some(*id);
        let gone: Vec<SequenceId> = self.requests.iter().filter_map(is_gone).collect();
        for id in gone {
            self.remove(id);
            self.metrics.aborted();
        }
        self.finish_all(|request| {
            request.deadline.is_some_and(|deadline| deadline <= now).then_some(FinishReason::Deadline)
        });
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

    /// A step that fails or panics ends its own requests: their KV is lost. When it is not known whose step it was, it
    /// ends all, or the next step would fail in the same way.
    fn step_or_fail(&mut self) {
        let began = Instant::now();
        let reason = match catch_unwind(AssertUnwindSafe(|| self.step())) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("forward pass failed: {error}")),
            Err(panic) => Some(format!("the step panicked: {}", panic_text(panic.as_ref()))),
        };
        if let Some(reason) = reason {
            let chunks = std::mem::take(&mut self.plan).chunks;
            tracing::error!(%reason, requests = chunks.len(), "engine step failed");
            for chunk in &chunks {
                self.finish(chunk.id, FinishReason::Failed(reason.clone()));
            }
            if chunks.is_empty() {
                self.finish_all(|_| Some(FinishReason::Failed(reason.clone())));
            }
        }
        self.stats.observe_step(began.elapsed());
        self.metrics.stepped(began.elapsed());
    }

    pub(super) fn deliver(&mut self, id: SequenceId, token: TokenId, logprobs: Option<Logprobs>) {
        self.count_token(id);
        if let Some(request) = self.requests.get(&id) {
            // A closed receiver is seen before the next step.
            let _ = request.events.try_send(Event::Token { id: token, logprobs });
        }
    }

    pub(super) fn count_token(&mut self, id: SequenceId) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.usage.completion_tokens += 1;
            self.metrics.generated();
        }
    }

    pub(super) fn finish(&mut self, id: SequenceId, reason: FinishReason) {
        if let Some(request) = self.remove(id) {
            self.tell_end(&request, reason);
        }
    }

    /// The one place that tells a request its end.
    fn tell_end(&self, request: &Request, reason: FinishReason) {
        self.metrics.finished(&reason);
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
        if self.is_idle() {
            self.scheduler.check_integrity();
        }
        self.stats.running = self.scheduler.num_running();
        self.stats.waiting = self.scheduler.num_waiting();
        self.stats.kv_tokens_used = self.scheduler.reserved_tokens();
        self.stats.kv_tokens_free = self.max_kv_tokens - self.stats.kv_tokens_used;
        self.shared.publish(self.stats);
        let kv_budget_bytes = self.max_kv_tokens as u64 * self.backend.kv_bytes_per_token();
        self.metrics.observe(&self.stats, self.backend.memory(), kv_budget_bytes);
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
