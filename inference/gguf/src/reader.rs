//! Little-endian values one after the other, never beyond the end.

use crate::error::Problem;

/// A position in a file's bytes.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// What has been read since a position.
    pub(crate) fn since(&self, position: usize) -> &'a [u8] {
        &self.bytes[position..self.position]
    }

    /// What has not been read yet.
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// The next `count` bytes; `part` says of what.
    pub(crate) fn take(&mut self, count: u64, part: &str) -> Result<&'a [u8], Problem> {
        let taken = usize::try_from(count).ok().and_then(|count| self.rest().get(..count));
        let taken =
            taken.ok_or_else(|| Problem::Truncated { part: part.to_owned(), file_bytes: self.bytes.len() as u64 })?;
        self.position += taken.len();
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, part: &str) -> Result<[u8; N], Problem> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, part)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self, part: &str) -> Result<u32, Problem> {
        self.array(part).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, part: &str) -> Result<u64, Problem> {
        self.array(part).map(u64::from_le_bytes)
    }

    /// A length and so many bytes of UTF-8.
    pub(crate) fn string(&mut self, part: &str) -> Result<&'a str, Problem> {
        let length = self.u64(part)?;
        let bytes = self.take(length, part)?;
        str::from_utf8(bytes).map_err(|_| Problem::Damaged(format!("{part} holds a string that is not UTF-8")))
    }

    /// How many entries follow, each of `min_bytes` at least: no more than the rest has room for.
    pub(crate) fn count(&mut self, min_bytes: usize, part: &str) -> Result<usize, Problem> {
        let count = self.u64(part)?;
        let room = self.rest().len() / min_bytes;
        match usize::try_from(count) {
            Ok(count) if count <= room => Ok(count),
            _ => Err(Problem::Truncated { part: format!("{part} ({count})"), file_bytes: self.bytes.len() as u64 }),
        }
    }
}
