//! Every store keeps the same contract; run once per implementation. Beside it, what only the file can suffer.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod bad_database;
mod conformance;
mod kill;
mod lease;
mod losses;
mod metrics;
mod postgres;
mod random;
mod relay;
mod sqlite;
mod upgrade;
mod wait;
mod world;
