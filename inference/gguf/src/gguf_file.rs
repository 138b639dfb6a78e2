//! The parts of a GGUF file, of versions 2 and 3.

use crate::bytes::Bytes;
use crate::error::Problem;
use crate::file::{Parts, Stored, check_tensors};
use crate::metadata::{Metadata, bad};
use crate::reader::Reader;
use crate::shape::Shape;
use crate::table;
use crate::vocab::RawVocab;

const MAGIC: &[u8] = b"GGUF";
const MAX_ALIGNMENT: usize = 1 << 16;

pub(crate) fn read(bytes: Bytes) -> Result<Parts, Problem> {
    let mut reader = Reader::new(&bytes);
    if !bytes.starts_with(MAGIC) {
        return Err(Problem::NotGguf);
    }
    reader.take(MAGIC.len() as u64, "its first bytes")?;
    match reader.u32("its version")? {
        2 | 3 => {}
        version => return Err(Problem::Version(version)),
    }
    let num_tensors = table::count_tensors(&mut reader)?;
    let num_keys = Metadata::count_keys(&mut reader)?;
    let metadata = Metadata::read(&mut reader, num_keys)?;
    let entries = table::read(&mut reader, num_tensors, alignment(&metadata)?, bytes.len())?;
    if entries.contains_key("rope_freqs.weight") {
        return Err(bad("rope_freqs.weight", "a tensor", "none: scaled positions are not supported"));
    }
    let vocab = RawVocab::read(&metadata)?;
    let shape = Shape::of_gguf(&metadata, vocab.tokens.len())?;
    let tensors = entries.into_iter().map(|(name, entry)| (name, Stored::as_it_is(0, entry))).collect();
    check_tensors(&shape, &tensors)?;
    Ok(Parts { shape, vocab, files: vec![bytes], tensors })
}

fn alignment(metadata: &Metadata) -> Result<usize, Problem> {
    let key = "general.alignment";
    let Some(value) = metadata.get(key) else { return Ok(32) };
    let alignment = value.integer().and_then(|alignment| usize::try_from(alignment).ok());
    match alignment {
        Some(alignment) if alignment.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(&alignment) => Ok(alignment),
        _ => Err(Problem::Damaged(format!("{key} is not a power of two from 8 to {MAX_ALIGNMENT}"))),
    }
}
