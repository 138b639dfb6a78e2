//! Every queue keeps the same contract; run once per implementation.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod conformance;
mod memory;
