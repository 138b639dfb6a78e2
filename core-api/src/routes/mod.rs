//! One file for each thing that can be asked for.

pub(crate) mod agents;
pub(crate) mod documents;
pub(crate) mod events;
mod outcome;
mod reject;
pub(crate) mod retry;
pub(crate) mod service;
pub(crate) mod submit;
pub(crate) mod tasks;
mod wait;

pub(crate) use reject::MAX_JSON_BYTES;
