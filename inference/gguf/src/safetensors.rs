//! Tensors of safetensors files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;

use crate::config::parse;
use crate::error::Problem;
use crate::format::Format;
use crate::table::Entry;

/// Tables of frequencies that old converters wrote, and that follow from the shape.
const FREQUENCIES: &str = ".rotary_emb.inv_freq";

pub(crate) fn table(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, Problem> {
    let (header_bytes, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| match error {
        SafeTensorError::HeaderTooSmall
        | SafeTensorError::InvalidHeaderLength
        | SafeTensorError::MetadataIncompleteBuffer => {
            Problem::Truncated { part: "its tensors".to_owned(), file_bytes: bytes.len() as u64 }
        }
        other => Problem::Damaged(other.to_string()),
    })?;
    let data = size_of::<u64>() + header_bytes;
    let mut entries = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        if name.ends_with(FREQUENCIES) {
            continue;
        }
        let format = match info.dtype {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::BF16,
            other => return Err(Problem::TensorFormat { tensor: name, format: format!("{other:?}") }),
        };
        let (start, end) = info.data_offsets;
        entries.insert(name, Entry { format, dims: info.shape.clone(), range: data + start..data + end });
    }
    Ok(entries)
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that `model.safetensors.index.json` names: all in its own folder.
pub(crate) fn shards(bytes: &[u8]) -> Result<BTreeSet<String>, Problem> {
    let names: BTreeSet<String> = parse::<Index>(bytes)?.weight_map.into_values().collect();
    match names.iter().find(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        Some(name) => Err(Problem::Damaged(format!("{name:?} is not the name of a file beside it"))),
        None => Ok(names),
    }
}
