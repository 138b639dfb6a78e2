//! The REST interface over HTTP, on a real store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agents;
mod authentication;
mod batch;
mod cancelling;
mod dead_letters;
mod documents;
mod draining;
mod events;
mod explaining;
mod guard;
mod guide;
mod idempotency;
mod keys;
mod listing;
mod openapi;
mod problems;
mod processes;
mod queue;
mod retrying;
mod service;
mod submit;
mod waiting;
mod webhooks;
mod world;
