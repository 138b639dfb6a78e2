//! Agents at work.

pub mod tools;
