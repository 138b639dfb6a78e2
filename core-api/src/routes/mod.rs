//! One file for each thing that can be asked for.

pub(crate) mod agents;
pub(crate) mod documents;
pub(crate) mod events;
mod reject;
pub(crate) mod service;
pub(crate) mod tasks;
