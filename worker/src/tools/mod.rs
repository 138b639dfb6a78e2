//! How an agent's acts leave the process: the one HTTP client for all tool calls, and the rules it keeps.
//!
//! The order of every call: documents of the task in place of their ids ▸ fixed arguments over the model's ▸ resolve
//! the host ▸ check every address ▸ dial a checked address ▸ one answer within the limits of time and size. The target
//! is the bound endpoint and nothing else: no redirect is followed and no proxy is taken from the environment.
//! Retrying, counting calls and guarding labels are the agent loop's business, never done here.

mod address;
mod arguments;
mod bound;
mod client;
mod documents;
mod egress;
mod error;
mod resolver;
mod schema;

#[cfg(test)]
mod tests;

pub use bound::{BoundTool, EndpointError};
pub use client::ToolClient;
pub(crate) use client::{reason, retry_after};
pub(crate) use documents::{Document, DocumentError, DocumentSource};
pub use egress::Egress;
pub(crate) use error::ToolError;
pub(crate) use schema::{arguments_schema, offered};
