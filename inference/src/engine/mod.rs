//! Token ids into token ids, for many sequences at once. One OS thread owns the backend, the scheduler and the
//! samplers. Synchronous: no runtime, no lock held across a step, no `.await`.
//!
//! A request's life: refused or accepted by the handle ▸ waits by class and arrival (the urgent first, none for ever) ▸
//! admitted, when there are blocks for its prompt and the beginning of its answer ▸ what the prefix cache does not have of
//! its prompt is computed in pieces, beside other sequences' tokens ▸ one token per step, or several where its grammar or an accepted
//! guess says what they are ▸ exactly one `Finished`. When
//! the blocks run out, the least urgent gives way and waits again; nothing fails of it. A panic or an error in a step ends
//! that step's requests, not the engine; one in choosing a token ends only its own.

mod step;

mod sample;

mod scheduler;

mod block_manager;
mod class_order;
mod sequence;
#[cfg(test)]
mod simulation;

mod masks;
mod sampler;
mod speculation;

mod command;
mod config;
mod handle;
mod metrics;
mod params;
mod run;
mod stats;
mod step_cost;

pub use block_manager::CacheSalt;
pub use command::{Event, FinishReason, GenerateRequest, Usage};
pub use config::{EngineConfig, InvalidConfig};
pub use handle::{EngineHandle, Generation, Refused};
pub use metrics::EngineMetrics;
pub use params::{InvalidParams, SamplingOptions, SamplingParams};
pub use run::start;
pub use sampler::Logprobs;
pub use stats::EngineStats;
