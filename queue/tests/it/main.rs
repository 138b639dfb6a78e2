//! Every queue keeps the same contract; run once per implementation. What breaks around Redis is an ordinary event.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod cluster;
mod conformance;
mod connecting;
mod failures;
mod intake;
mod memory;
mod redis;
mod sentinel;
mod server;
