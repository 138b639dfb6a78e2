//! Token ids into token ids, for many sequences at once. One OS thread owns the backend, the scheduler and the
//! samplers. Synchronous: no runtime, no lock held across a step, no `.await`.
//!
//! A request's life: refused or accepted by the handle ▸ waits by class and arrival (the urgent first, none for ever) ▸
//! admitted, when its prompt and longest answer fit into the KV budget ▸ its prompt is computed in pieces, beside other
//! sequences' tokens ▸ one token per step ▸ exactly one `Finished`. A panic or an error in a step ends that step's
//! requests, not the engine.

mod step;

mod admission;
mod scheduler;
mod sequence;

mod sampler;

mod command;
mod config;
mod handle;
mod metrics;
mod params;
mod run;
mod stats;

pub use command::{Event, FinishReason, GenerateRequest, Usage};
pub use config::{EngineConfig, InvalidConfig};
pub use handle::{EngineHandle, Generation, Refused};
pub use metrics::EngineMetrics;
pub use params::{InvalidParams, SamplingOptions, SamplingParams};
pub use run::start;
pub use sampler::Logprobs;
pub use stats::EngineStats;
