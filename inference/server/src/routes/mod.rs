//! One file for each thing that can be asked for.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod detokenize;
pub(crate) mod models;
pub(crate) mod tokenize;
