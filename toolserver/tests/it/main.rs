//! The tool server over real HTTP.

#![allow(clippy::unwrap_used, missing_docs)]

mod examples;
mod hostile;
mod http;
mod parse;
mod pdf;
mod server;
mod table;
mod validate;
