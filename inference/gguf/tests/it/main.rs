//! The crate from outside: files that are wrong in every way that could be thought of, and in many that could not.
#![allow(clippy::unwrap_used)]

mod allocations;
mod folder;
mod fuzz;
mod refusals;
mod support;
mod vocab;
