//! The OpenAI routes over HTTP, on the bundled model. What it says does not matter here; the form has to hold.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod completions;
mod limits;
mod refusals;
mod world;
