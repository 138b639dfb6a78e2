//! What operators write: `talon.yml` and the agents' YAML files. Data only; nothing here acts.
//!
//! Reading never stops at the first mistake: every mistake in every file comes back as a [`Diagnostic`] with its
//! file, line, column and a hint. A value is handed out only when its file has no error.

mod agent;
mod talon;

mod bundled;
mod diagnostics;
mod endpoint;
mod files;
mod json_schema;
mod nearest;
mod schema;
mod seconds;
mod secret;
mod secrets;
mod shape;
mod source;
mod yaml;

pub use agent::{
    AgentSpec, Condition, DataLabel, DerivedField, Effect, EffectiveContext, Guardrails, OutputSpec, Reach, RetrySpec,
    SessionMode, SessionSpec, ToolSpec, effective_context,
};
pub use bundled::{AGENTS as BUNDLED_AGENTS, BundledFile};
pub use diagnostics::{Diagnostic, Diagnostics, Loaded, Position, Severity};
pub use schema::{agent_schema, talon_schema};
pub use secret::{Secret, SecretUrl};
pub use talon::{
    AgentsDir, Authentication, Environment, Exposed, HubModel, InferenceConfig, KvCacheDtype, LeaseConfig, LogConfig,
    LogFormat, LogLevel, ModelSource, ModelSpec, PoolConfig, QueueConfig, RemoteKind, RemoteModel, RetentionConfig,
    ServerConfig, StoreConfig, TalonConfig, ToolBinding, WebhookConfig,
};
