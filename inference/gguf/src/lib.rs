//! Model files. Everything that a file says is checked before it is used; nothing here computes with a model.

mod format;

pub use format::Format;
