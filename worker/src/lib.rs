//! Agents at work: warm workers take tasks, run their agents against model and tools within the platform's limits, and
//! end each with one outcome. Never decides who may submit, and keeps no truth: that is the store's.
//!
//! Reading order: [`worker`], [`agent_loop`] (its `step.rs` first), [`session`], [`pool`], [`tools`].

mod agent;
mod agent_loop;
mod documents;
mod generate;
mod metrics;
mod outcome;
pub mod pool;
mod session;
pub mod tools;
mod worker;

pub use agent::{Agent, AgentError, Agents};
pub use agent_loop::{Answer, LoopLimits, Progress, Run, Step};
pub use generate::Generate;
pub use metrics::WorkerMetrics;
pub use outcome::Interruption;
pub use pool::{PoolLimits, PoolManager};
pub use session::{ResetReason, Session, SessionLimits};
pub use tools::ToolClient;
pub use worker::{WorkerSettings, Workplace};
