//! One file for each thing that can be asked for.

pub(crate) mod agents;
mod answers;
pub(crate) mod batch;
pub(crate) mod dead_letters;
pub(crate) mod dead_letters_by_filter;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod keys;
mod lines;
mod outcome;
pub(crate) mod queue;
mod reject;
pub(crate) mod retry;
pub(crate) mod service;
pub(crate) mod submit;
pub(crate) mod tasks;
pub(crate) mod teams;
mod upload;
mod wait;
pub(crate) mod webhooks;

pub(crate) use reject::MAX_JSON_BYTES;
