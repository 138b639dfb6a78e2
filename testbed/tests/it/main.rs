//! The servers that tests rely on, relied on for the first time.
#![allow(clippy::unwrap_used)]

mod postgres;
mod proxy;
mod redis;
mod small_disk;
