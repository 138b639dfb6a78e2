//! Where each tensor lies: inside the file, on its own, in a format and shape that agree with its size.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Problem;
use crate::format::Format;
use crate::reader::Reader;

/// The shortest entry: an empty name, one dimension.
const MIN_ENTRY_BYTES: usize = 8 + 4 + 8 + 4 + 8;
const MAX_DIMENSIONS: u32 = 4;

/// One tensor's place in a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) format: Format,
    /// Outermost first; the last one is the length of a row.
    pub(crate) dims: Vec<usize>,
    /// Its bytes in the file.
    pub(crate) range: Range<usize>,
}

pub(crate) fn count_tensors(reader: &mut Reader<'_>) -> Result<usize, Problem> {
    reader.count(MIN_ENTRY_BYTES, "the number of its tensors")
}

/// Entries with offsets into the file's data, which begins after the table at the next multiple of `alignment`.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    count: usize,
    alignment: usize,
    file_bytes: usize,
) -> Result<BTreeMap<String, Entry>, Problem> {
    let mut raw = Vec::new();
    for _ in 0..count {
        raw.push(read_entry(reader)?);
    }
    let data = reader.position().next_multiple_of(alignment);
    let mut entries = BTreeMap::new();
    for (name, dims, format, offset) in raw {
        if !offset.is_multiple_of(alignment as u64) {
            return Err(Problem::Damaged(format!("tensor {name} begins at {offset}, not a multiple of {alignment}")));
        }
        let Some(bytes) = byte_len(&dims, format) else {
            let format = format.name();
            return Err(Problem::Damaged(format!("tensor {name} of shape {dims:?} cannot be in format {format}")));
        };
        let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(data)?.checked_add(bytes));
        let Some(end) = end.filter(|end| *end <= file_bytes) else {
            return Err(Problem::Truncated { part: format!("tensor {name}"), file_bytes: file_bytes as u64 });
        };
        if entries.insert(name.to_owned(), Entry { format, dims, range: end - bytes..end }).is_some() {
            return Err(Problem::Damaged(format!("the tensor {name} is there twice")));
        }
    }
    check_apart(&entries)?;
    Ok(entries)
}

fn read_entry<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, Vec<usize>, Format, u64), Problem> {
    let name = reader.string("a tensor's name")?;
    let num_dims = reader.u32(name)?;
    if !(1..=MAX_DIMENSIONS).contains(&num_dims) {
        return Err(Problem::Damaged(format!("tensor {name} has {num_dims} dimensions")));
    }
    let mut dims = Vec::new();
    for _ in 0..num_dims {
        let dim = reader.u64(name)?;
        let dim = usize::try_from(dim).ok().filter(|dim| *dim > 0);
        dims.push(dim.ok_or_else(|| Problem::Damaged(format!("tensor {name} has an impossible dimension")))?);
    }
    dims.reverse();
    let number = reader.u32(name)?;
    let format = Format::from_ggml(number).ok_or_else(|| Problem::TensorFormat {
        tensor: name.to_owned(),
        format: ggml_name(number).map_or_else(|| format!("number {number}"), str::to_owned),
    })?;
    Ok((name, dims, format, reader.u64(name)?))
}

/// Bytes of a tensor; `None` where rows are not whole blocks, or the product overflows.
pub(crate) fn byte_len(dims: &[usize], format: Format) -> Option<usize> {
    let (columns, rows) = dims.split_last()?;
    rows.iter().try_fold(format.row_bytes(*columns)?, |bytes, dim| bytes.checked_mul(*dim))
}

pub(crate) fn check_apart(entries: &BTreeMap<String, Entry>) -> Result<(), Problem> {
    let mut sorted: Vec<(&String, &Range<usize>)> = entries.iter().map(|(name, entry)| (name, &entry.range)).collect();
    sorted.sort_by_key(|(_, range)| range.start);
    match sorted.windows(2).find(|pair| pair[0].1.end > pair[1].1.start) {
        Some(pair) => Err(Problem::Damaged(format!("the tensors {} and {} overlap", pair[0].0, pair[1].0))),
        None => Ok(()),
    }
}

/// The names of formats that are in use elsewhere.
fn ggml_name(number: u32) -> Option<&'static str> {
    Some(match number {
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        28 => "F64",
        29 => "IQ1_M",
        39 => "MXFP4",
        _ => return None,
    })
}
