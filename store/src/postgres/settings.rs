//! What a store in PostgreSQL is opened with.

use std::time::Duration;

use crate::clock::Clock;
use crate::metrics::StoreMetrics;

/// What a store in PostgreSQL is opened with.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Such as `postgres://user:password@host:5432/talon?sslmode=verify-full`: a direct connection, or a pooler that
    /// keeps sessions. Credentials are never shown.
    pub url: String,
    /// More waiting tasks than this are refused with `QueueFull`; processes that accept at the same moment may go a
    /// little beyond.
    pub max_queued: u64,
    /// A task whose workers were lost more often than this is dead as poison.
    pub max_losses: u32,
    /// Connections that read; beside them a process has one that writes, one that listens and one that leads.
    pub readers: u32,
    /// How long to try to reach the server at the start.
    pub connect_timeout: Duration,
    /// [`Clock::System`] goes by the server's clock, so that all processes agree.
    pub clock: Clock,
    /// Where to count; `None` counts nothing.
    pub metrics: Option<StoreMetrics>,
}

impl PostgresSettings {
    /// The defaults, for a database.
    pub fn new(url: impl Into<String>) -> Self {
        PostgresSettings {
            url: url.into(),
            max_queued: 100_000,
            max_losses: 3,
            readers: 4,
            connect_timeout: Duration::from_secs(30),
            clock: Clock::System,
            metrics: None,
        }
    }
}

impl std::fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PostgresSettings { url: _, max_queued, max_losses, readers, connect_timeout, clock, metrics: _ } = self;
        f.debug_struct("PostgresSettings")
            .field("max_queued", max_queued)
            .field("max_losses", max_losses)
            .field("readers", readers)
            .field("connect_timeout", connect_timeout)
            .field("clock", clock)
            .finish_non_exhaustive()
    }
}
