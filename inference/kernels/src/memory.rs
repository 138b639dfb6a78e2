//! Large buffers straight from the system: zeroed, taken up only when touched, on huge pages where the system has them
//! (a fifth more bandwidth for weights than on plain pages). What is smaller than a few of them goes into an [`Arena`].

#![allow(unsafe_code)]

use std::io;
use std::sync::Arc;

use memmap2::{MmapMut, MmapRaw};

/// Where a buffer begins: a cache line, and the widest vector.
pub const ALIGNMENT: usize = 64;
const HUGE_PAGE: usize = 2 << 20;
/// What an arena takes from the system at a time; only what is used of it takes memory.
const CHUNK: usize = 256 << 20;

/// Zeroed bytes, aligned to [`ALIGNMENT`].
pub struct Buffer {
    map: Arc<MmapRaw>,
    start: usize,
    len: usize,
}

/// Hands out buffers one after the other in memory, so that small ones lie on huge pages, too.
#[derive(Default)]
pub struct Arena {
    chunk: Option<(Arc<MmapRaw>, usize)>,
    left: usize,
}

impl Arena {
    /// `len` bytes that nobody else has. An error means that the system refuses so much memory.
    pub fn take(&mut self, len: usize) -> io::Result<Buffer> {
        let room = len.checked_next_multiple_of(ALIGNMENT).ok_or(io::ErrorKind::OutOfMemory)?;
        if self.chunk.is_none() || self.left < room {
            self.left = room.max(CHUNK);
            self.chunk = Some(map(self.left)?);
        }
        let Some((map, start)) = &mut self.chunk else { return Err(io::ErrorKind::OutOfMemory.into()) };
        let buffer = Buffer { map: map.clone(), start: *start, len };
        *start += room;
        self.left -= room;
        Ok(buffer)
    }
}

impl Buffer {
    /// `len` bytes. An error means that the system refuses so much memory.
    pub fn new(len: usize) -> io::Result<Buffer> {
        let (map, start) = map(len)?;
        Ok(Buffer { map, start, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.slice()
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.slice_mut()
    }

    /// The bytes as numbers; what is left at the end is not part of them.
    pub fn slice<T: Plain>(&self) -> &[T] {
        // SAFETY: the part is this buffer's alone, inside the map, aligned, initialised, and any bits are a `T`.
        unsafe { std::slice::from_raw_parts(self.pointer().cast(), self.len / size_of::<T>()) }
    }

    /// The bytes as numbers, to be written.
    pub fn slice_mut<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.pointer().cast(), self.len / size_of::<T>()) }
    }

    fn pointer(&self) -> *mut u8 {
        self.map.as_mut_ptr().wrapping_add(self.start)
    }
}

/// A map with room for `len` bytes and where they begin in it: at a huge page, if they fill one.
fn map(len: usize) -> io::Result<(Arc<MmapRaw>, usize)> {
    if len < HUGE_PAGE {
        return Ok((Arc::new(MmapMut::map_anon(len.max(1))?.into()), 0));
    }
    let room = len.checked_add(HUGE_PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
    let map = MmapMut::map_anon(room)?;
    // A hint: without it the buffer works as well, only slower.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    let start = map.as_ptr().align_offset(HUGE_PAGE);
    Ok((Arc::new(map.into()), start))
}

/// A type that any bits are a value of, no larger than a page.
///
/// # Safety
/// Implement it only for such types.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: any bits are a number.
unsafe impl Plain for u8 {}
// SAFETY: any bits are a number.
unsafe impl Plain for i8 {}
// SAFETY: any bits are a number.
unsafe impl Plain for u16 {}
// SAFETY: any bits are a number.
unsafe impl Plain for i16 {}
// SAFETY: any bits are a number.
unsafe impl Plain for i32 {}
// SAFETY: any bits are a number.
unsafe impl Plain for f32 {}
// SAFETY: any bits are a number.
unsafe impl Plain for half::f16 {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_buffer_is_zeroed_aligned_and_as_long_as_asked() {
        for len in [0, 1, 100, HUGE_PAGE + 5] {
            let mut buffer = Buffer::new(len).unwrap();
            assert!(buffer.bytes().len() == len && buffer.bytes().iter().all(|byte| *byte == 0));
            assert_eq!(buffer.bytes().as_ptr() as usize % ALIGNMENT, 0);
            buffer.slice_mut::<f32>().fill(1.0);
            assert_eq!(buffer.slice::<f32>().len(), len / 4);
        }
        assert!(Buffer::new(usize::MAX / 2).is_err());
    }

    #[test]
    fn an_arena_gives_each_buffer_bytes_of_its_own() {
        let mut arena = Arena::default();
        let mut buffers: Vec<Buffer> = [1, 64, 0, 100, CHUNK, 7].map(|len| arena.take(len).unwrap()).into();
        for (number, buffer) in (1..).zip(&mut buffers) {
            assert!(buffer.bytes().iter().all(|byte| *byte == 0));
            buffer.bytes_mut().fill(number);
        }
        drop(arena);
        for (number, buffer) in (1..).zip(&buffers) {
            assert!(buffer.bytes().iter().all(|byte| *byte == number));
        }
    }
}
