//! The real binary, as those who run it meet it: real processes, real signals, the bundled model.
//!
//! The model's answers are nobody's claim here, but for a low floor under the demo; forms, states and what survives are.
#![allow(clippy::unwrap_used)]

mod api;
mod flaky;
mod home;
mod hub;
mod pdf;
mod receiver;
mod server;
mod silent_tool;

mod chat;
mod clients;
mod command_line;
mod damage;
mod demo;
mod disk_full;
mod documents;
mod enqueue;
mod kill;
mod model;
mod operate;
mod pull;
mod remote;
mod roles;
mod shutdown;
mod start;
mod task;
mod validate;
