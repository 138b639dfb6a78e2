//! The crate from outside, on the bundled model, on small random models, and on a backend that only counts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chat_model;
mod engine;
mod equivalence;
mod folders;
mod forced;
mod formats;
mod hugging_face;
mod loading;
mod metrics;
mod oracle;
mod prompts;
mod sampling;
mod streaming;
mod support;
mod templates;
mod tokenizers;
