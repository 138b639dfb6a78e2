//! A file's bytes: mapped, so that weights are read once and from where the system keeps them anyway.
#![allow(unsafe_code)] // A map is only as constant as its file, which Rust cannot know.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};

use crate::error::Problem;

/// The whole of a file.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    pub(crate) fn map(path: &Path) -> Result<Self, Problem> {
        let file = File::open(path).map_err(Problem::Unreadable)?;
        if file.metadata().map_err(Problem::Unreadable)?.len() == 0 {
            return Ok(Bytes::Owned(Vec::new())); // No map has length 0.
        }
        // SAFETY: the map is read only. Who overwrites a model file while it is loaded gets wrong numbers, who cuts it
        // gets a SIGBUS; as with every program that maps files, models are replaced by renaming.
        let map = unsafe { Mmap::map(&file) }.map_err(Problem::Unreadable)?;
        Ok(Bytes::Mapped(map))
    }

    /// Gives memory back; whoever reads the range again reads the file again.
    pub(crate) fn release(&self, range: Range<usize>) {
        if let Bytes::Mapped(map) = self {
            // SAFETY: the map is of a file and read only, so dropped pages come back with the same contents.
            let released = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
            debug_assert!(released.is_ok(), "{released:?}");
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}
