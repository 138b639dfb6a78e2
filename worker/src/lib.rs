//! Agents at work: warm workers take tasks, run their agents against model and tools within the platform's limits, and
//! end each with one outcome. Never decides who may submit, and keeps no truth: that is the store's.
//!
//! Reading order: `worker.rs`, `execution.rs`, `agent_loop/` (its `step.rs` first), `session.rs`, `pool/`, `tools/`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agent;
mod agent_loop;
mod blocking;
mod documents;
mod execution;
mod generate;
mod metrics;
mod outcome;
mod pool;
mod session;
mod tools;
mod worker;

pub use agent::{Agent, AgentError, Agents};
pub use generate::{ConnectError, Generate, RemoteChat};
pub use metrics::WorkerMetrics;
pub use pool::{Occupancy, PoolLimits, PoolManager};
pub use tools::{BoundTool, Egress, EndpointError, ToolClient};
pub use worker::{WorkerSettings, Workplace};
