//! Model files. Everything that a file says is checked before it is used; nothing here computes with a model.

mod blocks;
mod format;

pub use format::Format;
