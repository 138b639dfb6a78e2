//! The REST interface over HTTP, on a real store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agents;
mod batch;
mod cancelling;
mod documents;
mod draining;
mod events;
mod guard;
mod idempotency;
mod listing;
mod openapi;
mod problems;
mod retrying;
mod service;
mod submit;
mod waiting;
mod world;
