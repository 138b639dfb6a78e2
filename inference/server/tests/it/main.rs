//! The OpenAI routes over HTTP, on the bundled model. What it says does not matter here; the form has to hold.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod scripted;
mod sse;
mod world;

mod chat;
mod choices;
mod completions;
mod gone;
mod limits;
mod logprobs;
mod openapi;
mod order;
mod refusals;
mod routing;
mod streaming;
mod tokenize;
mod tools;
