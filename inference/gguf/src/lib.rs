//! Model files. Everything that a file says is checked before it is used; nothing here computes with a model.
//!
//! Reading order: [`ModelFile`], which opens GGUF files (`gguf_file.rs`) and folders in Hugging Face's layout
//! (`folder.rs`); [`Shape`], [`RawVocab`] and [`Format`], which say what they hold; [`synth`], which writes them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blocks;
mod bytes;
mod config;
mod error;
mod file;
mod folder;
mod format;
mod gguf_file;
mod memory;
mod metadata;
mod pre_tokenizer;
mod quantize;
mod reader;
mod safetensors;
mod sentencepiece;
mod shape;
pub mod synth;
mod table;
mod tokenizer_config;
mod tokenizer_json;
mod value;
mod vocab;
mod write;

pub use error::{Error, Problem};
pub use file::{Matrix, ModelFile};
pub use format::Format;
pub use pre_tokenizer::PreTokenizer;
pub use shape::Shape;
pub use value::{Array, Value};
pub use vocab::RawVocab;
pub use write::{TensorSpec, write};
