//! The truth about tasks: what was accepted, who works on it, how it ended.
//!
//! A task is accepted when its row is committed, and from then on exactly one terminal state follows, whatever crashes.
//! Workers hold tasks by lease; every write of a lease carries its attempt number and an older one is refused.
//!
//! ```text
//!            accept                 open                      complete ┌───────────┐
//!   ───────────┬──────▶ queued ───────────────▶ running ──────────────▶│ succeeded │
//!              │          ▲ ▲ ▲                 │ │ │ │   fail         ├───────────┤
//!        delay │   due    │ │ └────release──────┘ │ │ └───────────────▶│ failed    │
//!              ▼          │ └──expired (a loss)───┘ │     cancelled    ├───────────┤
//!          scheduled ─────┘                         ├─────────────────▶│ cancelled │
//!              ▲                  retry             │ spent, buried,   ├───────────┤
//!              └────────────────────────────────────┴─poison──────────▶│ dead      │──requeue──▶ queued
//!                                                                      └───────────┘
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod audit;
mod change;
mod clock;
mod controls;
mod document;
mod error;
mod figures;
mod lease;
mod leases;
mod metrics;
mod outcome;
mod relay;
mod retry;
mod sqlite;
mod step;
mod store;
mod task;
mod wait;
mod webhook;

pub use access::{Access, ApiKey, NewApiKey, Team};
pub use audit::{Actor, AuditEntry};
pub use change::Change;
pub use clock::Clock;
pub use controls::{
    Controls, DeadLetter, KeyHolder, Leadership, Pause, PlaceInLine, Process, ProcessBeat, Pruned, Retention, Scope,
};
pub use document::{Document, NewDocument};
pub use error::StoreError;
pub use figures::{Conservation, Figures};
pub use lease::{Interrupt, Lease};
pub use leases::{Leases, Opening};
pub use metrics::StoreMetrics;
pub use outcome::{Ended, Ending, Failure};
pub use relay::{Relay, RelayError, RelaySettings, Relayed};
pub use retry::{Next, RetryPolicy};

pub use sqlite::{SqliteSettings, SqliteStore};
pub use step::{Event, EventKind, NewStep, Step, StepKind};
pub use store::{
    Cancelling, Edit, Fence, LeaseSweep, Opened, Purging, Renewal, Requeueing, Store, Swept, Waiting, Withheld,
};
pub use task::{AcceptError, Accepted, Concurrency, NewTask, Task, TaskFilter, TaskPage};
pub use wait::wait;
pub use webhook::{Webhook, WebhookState, Webhooks};
