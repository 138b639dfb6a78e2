//! Writing GGUF: keys and table first, then tensor by tensor, so that a model of any size passes through.

use std::io::{self, Write};

use crate::format::Format;
use crate::table::byte_len;
use crate::value::{Value, write_string};

const ALIGNMENT: usize = 32;

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Outermost first; the last one is the length of a row.
    pub dims: Vec<usize>,
    /// How its numbers are stored.
    pub format: Format,
}

impl TensorSpec {
    /// Its size; an error where rows are not whole blocks.
    pub fn byte_len(&self) -> io::Result<usize> {
        byte_len(&self.dims, self.format).ok_or_else(|| {
            let (name, dims, format) = (&self.name, &self.dims, self.format.name());
            io::Error::new(io::ErrorKind::InvalidInput, format!("{name} of shape {dims:?} cannot be in {format}"))
        })
    }
}

/// Writes a file of version 3. `fill` is asked for each tensor in turn, and has to write its bytes, all of them.
pub fn write<W: Write>(
    out: &mut W,
    metadata: &[(String, Value)],
    tensors: &[TensorSpec],
    mut fill: impl FnMut(&TensorSpec, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    let mut head = b"GGUF".to_vec();
    head.extend(3_u32.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        write_string(key, &mut head);
        value.write(&mut head);
    }
    let mut offset = 0;
    for tensor in tensors {
        write_string(&tensor.name, &mut head);
        head.extend((tensor.dims.len() as u32).to_le_bytes());
        head.extend(tensor.dims.iter().rev().flat_map(|dim| (*dim as u64).to_le_bytes()));
        head.extend(tensor.format.to_ggml().to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset += tensor.byte_len()?.next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
    out.write_all(&head)?;
    for tensor in tensors {
        fill(tensor, out)?;
        let bytes = tensor.byte_len()?;
        out.write_all(&[0; ALIGNMENT][..bytes.next_multiple_of(ALIGNMENT) - bytes])?;
    }
    Ok(())
}
