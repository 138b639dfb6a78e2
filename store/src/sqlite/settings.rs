//! What the embedded store is opened with.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::metrics::StoreMetrics;

/// What the embedded store is opened with.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The database file. It and its folder are made if missing; a `.lock` file beside it says who owns it.
    pub path: PathBuf,
    /// More waiting tasks than this are refused with `QueueFull`.
    pub max_queued: u64,
    /// A task whose workers were lost more often than this is dead as poison.
    pub max_losses: u32,
    /// The file never grows beyond this; when it is full, the store answers `DiskFull`.
    pub max_size_bytes: Option<u64>,
    /// How long to wait for another program that holds the file, such as a backup.
    pub busy_timeout: Duration,
    /// Connections that read.
    pub readers: u32,
    /// The time by which leases expire and delays end.
    pub clock: Clock,
    /// Where to count; `None` counts nothing.
    pub metrics: Option<StoreMetrics>,
}

impl SqliteSettings {
    /// The defaults, for a database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        SqliteSettings {
            path: path.into(),
            max_queued: 100_000,
            max_losses: 3,
            max_size_bytes: None,
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            clock: Clock::System,
            metrics: None,
        }
    }
}
