//! What a warm worker carries from task to task for one agent, and when the platform throws it away.

use std::time::{Duration, Instant};

use config::SessionMode;
use inference::Message;

/// The limits of a session; from `openclaw_core.agents` and the agent's effective context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SessionLimits {
    /// Tasks after which the session is reset.
    pub max_tasks: u32,
    /// Tokens the conversation may hold: min(agent's, model's).
    pub context_tokens: usize,
    /// Share of the context above which the session is reset, `0.0..=1.0`.
    pub context_share: f64,
    /// Idle time after which the session is reset.
    pub idle_timeout: Duration,
}

impl SessionLimits {
    /// The number of tokens that must not be passed.
    pub(crate) fn token_threshold(&self) -> usize {
        (self.context_tokens as f64 * self.context_share) as usize
    }
}

/// Why a session was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetReason {
    /// It has served its number of tasks.
    MaxTasks,
    /// Its context plus the next task's estimate would pass the threshold.
    Context,
    /// It was not used for too long.
    Idle,
    /// Its last task ended in an error: what it holds cannot be trusted.
    Error,
}

impl ResetReason {
    /// The name in metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ResetReason::MaxTasks => "max_tasks",
            ResetReason::Context => "context",
            ResetReason::Idle => "idle",
            ResetReason::Error => "error",
        }
    }
}

/// Messages and counters that survive a task.
#[derive(Debug)]
pub(crate) struct Session {
    mode: SessionMode,
    limits: SessionLimits,
    /// `max_tasks` shortened by up to a fifth, so that workers do not reset together.
    tasks_allowed: u32,
    history: Vec<Message>,
    history_tokens: usize,
    num_tasks: u32,
    /// Tokens the tasks so far added, as a moving average: the estimate for the next one.
    tokens_per_task: f64,
    failed: bool,
    last_used: Instant,
}

impl Session {
    /// A fresh session; `unit` is uniform in `0.0..1.0` and shortens the task limit by up to a fifth.
    pub(crate) fn new(mode: SessionMode, limits: SessionLimits, unit: f64, now: Instant) -> Self {
        let shortened = (f64::from(limits.max_tasks) * (1.0 - 0.2 * unit)).ceil() as u32;
        Session {
            mode,
            limits,
            tasks_allowed: shortened.clamp(1, limits.max_tasks.max(1)),
            history: Vec::new(),
            history_tokens: 0,
            num_tasks: 0,
            tokens_per_task: 0.0,
            failed: false,
            last_used: now,
        }
    }

    /// Whether it must be thrown away before the next task is taken.
    pub(crate) fn reset_due(&self, now: Instant) -> Option<ResetReason> {
        if self.failed {
            Some(ResetReason::Error)
        } else if self.num_tasks >= self.tasks_allowed {
            Some(ResetReason::MaxTasks)
        } else if !self.history.is_empty()
            && self.history_tokens as f64 + self.tokens_per_task > self.limits.token_threshold() as f64
        {
            Some(ResetReason::Context)
        } else if self.idle_at().is_some_and(|moment| moment <= now) {
            Some(ResetReason::Idle)
        } else {
            None
        }
    }

    /// When it is reset unless it serves another task first.
    pub(crate) fn idle_at(&self) -> Option<Instant> {
        if self.num_tasks > 0 { self.last_used.checked_add(self.limits.idle_timeout) } else { None }
    }

    /// The messages of earlier tasks, oldest first; empty in mode `task`.
    pub(crate) fn history(&self) -> &[Message] {
        &self.history
    }

    /// Tokens the session holds between tasks.
    pub(crate) fn context_tokens(&self) -> usize {
        self.history_tokens
    }

    /// Its limits.
    pub(crate) fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// A task ended with an answer. `exchange` is what it added, `used_tokens` what its last prompt and reply held.
    pub(crate) fn finished(&mut self, exchange: Vec<Message>, used_tokens: usize, now: Instant) {
        let added = used_tokens.saturating_sub(self.history_tokens) as f64;
        self.tokens_per_task = if self.num_tasks == 0 { added } else { 0.7 * self.tokens_per_task + 0.3 * added };
        self.num_tasks += 1;
        self.last_used = now;
        match self.mode {
            SessionMode::Task => {}
            SessionMode::Worker => {
                self.history.extend(exchange);
                self.history_tokens = used_tokens;
            }
        }
    }

    /// A task ended without an answer: the session is reset before the next one.
    pub(crate) fn broke(&mut self, now: Instant) {
        self.num_tasks += 1;
        self.last_used = now;
        self.failed = true;
    }

    /// Forgets the messages of earlier tasks, to make room inside a running one. Returns whether there were any.
    pub(crate) fn prune(&mut self) -> bool {
        let pruned = !self.history.is_empty();
        self.history.clear();
        self.history_tokens = 0;
        pruned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SessionLimits = SessionLimits {
        max_tasks: 50,
        context_tokens: 6144,
        context_share: 0.80,
        idle_timeout: Duration::from_secs(120),
    };

    fn session(mode: SessionMode, unit: f64) -> (Session, Instant) {
        let now = Instant::now();
        (Session::new(mode, LIMITS, unit, now), now)
    }

    fn exchange() -> Vec<Message> {
        vec![Message::User("question".into()), Message::Assistant("answer".into())]
    }

    #[test]
    fn the_threshold_is_four_fifths_of_the_context() {
        assert_eq!(LIMITS.token_threshold(), 4915);
    }

    #[test]
    fn a_session_is_reset_after_its_tasks() {
        let (mut session, now) = session(SessionMode::Task, 0.0);
        for _ in 0..49 {
            session.finished(exchange(), 100, now);
            assert_eq!(session.reset_due(now), None);
        }
        session.finished(exchange(), 100, now);
        assert_eq!(session.reset_due(now), Some(ResetReason::MaxTasks));
    }

    #[test]
    fn jitter_only_shortens_down_to_four_fifths() {
        let (mut session, now) = session(SessionMode::Task, 0.999_999);
        for _ in 0..41 {
            session.finished(exchange(), 100, now);
        }
        assert_eq!(session.reset_due(now), Some(ResetReason::MaxTasks));
    }

    #[test]
    fn mode_task_keeps_no_messages() {
        let (mut session, now) = session(SessionMode::Task, 0.0);
        session.finished(exchange(), 5000, now);
        assert!(session.history().is_empty());
        assert_eq!(session.context_tokens(), 0);
    }

    #[test]
    fn mode_worker_resets_before_the_task_that_would_pass_the_threshold() {
        let (mut session, now) = session(SessionMode::Worker, 0.0);
        session.finished(exchange(), 2000, now);
        assert_eq!(session.reset_due(now), None, "2000 held + 2000 expected fit into 4915");
        session.finished(exchange(), 4000, now);
        assert_eq!(session.reset_due(now), Some(ResetReason::Context), "4000 held + 2000 expected do not");
    }

    #[test]
    fn a_large_task_does_not_reset_a_session_that_keeps_nothing() {
        let (mut session, now) = session(SessionMode::Task, 0.0);
        session.finished(exchange(), 6000, now);
        assert_eq!(session.reset_due(now), None);
    }

    #[test]
    fn an_idle_session_is_reset() {
        let (mut session, now) = session(SessionMode::Worker, 0.0);
        assert_eq!(session.reset_due(now + Duration::from_secs(999)), None, "a fresh one has nothing to forget");
        session.finished(exchange(), 10, now);
        assert_eq!(session.reset_due(now + Duration::from_secs(120)), Some(ResetReason::Idle));
    }

    #[test]
    fn an_error_resets() {
        let (mut session, now) = session(SessionMode::Worker, 0.0);
        session.broke(now);
        assert_eq!(session.reset_due(now), Some(ResetReason::Error));
    }
}
