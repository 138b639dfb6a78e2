//! The truth about tasks: what was accepted, who works on it, how it ended.
//!
//! A task is accepted when its row is committed, and from then on exactly one terminal state follows, whatever crashes.
//! Workers hold tasks by lease; every write of a lease carries its attempt number and an older one is refused.
//!
//! ```text
//!            accept             open, unless          complete ┌───────────┐
//!   ───────────┬──────▶ queued ──withheld───▶ running ──────────▶│ succeeded │
//!              │         ▲ ▲ ▲                │ │ │ │  fail      ├───────────┤
//!        delay │   sweep │ │ └────release─────┘ │ │ └───────────▶│ failed    │
//!              ▼         │ └sweep: lease lost───┘ │   cancelled  ├───────────┤
//!          scheduled ────┘                        ├─────────────▶│ cancelled │
//!              ▲                 retry            │ spent,       ├───────────┤
//!              └──────────────────────────────────┴─buried, ────▶│ dead      │──requeue──▶ queued
//!                                                   poison       └───────────┘──purge────▶ forgotten
//! ```
//!
//! A queued task is withheld while a pause covers it, or while as many tasks with its concurrency key run as may; both
//! are read from rows at the moment of opening. A waiting task ends as `failed` at its deadline and as `cancelled` when
//! that is asked. A lease that has expired is recorded by a sweep before anyone else may open the task. What has ended
//! is forgotten by retention (`prune`); the audit log keeps that it was there, so that nothing is lost uncounted.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod audit;
mod change;
mod clock;
mod controls;
mod document;
mod error;
pub mod fault;
mod figures;
mod lease;
mod leases;
mod metrics;
mod outcome;
mod postgres;
mod relay;
mod retry;
mod sql;
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
pub use postgres::{Postgres, PostgresSettings, PostgresStore};
pub use relay::{Relay, RelayError, RelayMetrics, RelaySettings, Relayed};
pub use retry::{Next, RetryPolicy};

pub use sql::SqlStore;
pub use sqlite::{Sqlite, SqliteSettings, SqliteStore};
pub use step::{Event, EventKind, NewStep, Step, StepKind};
pub use store::{
    Cancelling, Edit, Fence, LeaseSweep, Opened, Purging, Renewal, Requeueing, Store, Swept, Waiting, Withheld,
};
pub use task::{AcceptError, Accepted, Concurrency, NewTask, Task, TaskFilter, TaskPage};
pub use wait::wait;
pub use webhook::{Webhook, WebhookState, Webhooks};
