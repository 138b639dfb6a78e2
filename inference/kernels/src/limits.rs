//! What the processor and the memory can do at most, measured: products are judged by their share of it.

#![allow(unsafe_code)]

use std::hint::black_box;
use std::io;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::memory::Buffer;
use crate::{Level, Pool};

/// How long each limit is measured; the best of many short runs counts, as others may disturb some.
const TIME: Duration = Duration::from_millis(400);

/// Multiplications and additions of 8-bit integers per second, on registers alone, with the instructions of a level;
/// of `Scalar`, those of a plain loop.
///
/// # Errors
/// The system refuses the threads.
///
/// # Panics
/// When the processor lacks `level`.
pub fn int8_ops_per_second(level: Level, threads: NonZeroUsize) -> io::Result<f64> {
    assert!(level.is_available(), "this processor has no {}", level.name());
    let work: unsafe fn(usize) -> usize = match level {
        Level::Scalar => scalar,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => x86::avx2,
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni => x86::avxvnni,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => x86::avx512vnni,
        #[cfg(not(target_arch = "x86_64"))]
        _ => scalar,
    };
    let pool = Pool::new(threads)?;
    const ROUNDS: usize = 20_000;
    // SAFETY: the processor has the level.
    let round = unsafe { work(1) };
    let seconds = shortest(|| {
        pool.run(threads.get(), 1, &|_| {
            // SAFETY: as above.
            black_box(unsafe { work(black_box(ROUNDS)) });
        });
    });
    Ok((threads.get() * ROUNDS * round) as f64 / seconds)
}

/// Bytes per second that come from memory when all threads read it from front to back and ask for them ahead.
///
/// # Errors
/// The system refuses the memory or the threads.
pub fn bytes_per_second(threads: NonZeroUsize) -> io::Result<f64> {
    const LEN: usize = 512 << 20;
    /// What is read in one run: more than caches hold before its turn comes again, and so little that some run is not
    /// disturbed.
    const PIECE: usize = 64 << 20;
    const CHUNK: usize = 4 << 20;
    let mut buffer = Buffer::new(LEN)?;
    let pool = Pool::new(threads)?;
    // Pages that nobody has written are all the same one.
    buffer.slice_mut::<u8>().iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    let mut pieces = buffer.slice::<i32>().chunks(PIECE / size_of::<i32>()).cycle();
    let seconds = shortest(|| {
        let numbers = pieces.next().unwrap_or_default().as_chunks::<128>().0;
        pool.run(PIECE / CHUNK, 1, &|range| {
            let mut sums = [0; 128];
            for numbers in &numbers[range.start * (CHUNK / 512)..range.end * (CHUNK / 512)] {
                ask_for(numbers.as_ptr().wrapping_add(1024));
                sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum ^= number);
            }
            black_box(sums);
        });
    });
    Ok(PIECE as f64 / seconds)
}

/// Asks for 512 bytes.
fn ask_for(address: *const i32) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..8 {
        // SAFETY: asking for any address is allowed.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(16 * line).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Seconds of the shortest run.
fn shortest(mut work: impl FnMut()) -> f64 {
    work();
    let begin = Instant::now();
    let mut shortest = f64::INFINITY;
    while begin.elapsed() < TIME {
        let start = Instant::now();
        work();
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    shortest
}

/// Returns the operations of a round, as all of these.
fn scalar(rounds: usize) -> usize {
    let weights = black_box([3_u8; 64]);
    let quants = black_box([-5_i8; 64]);
    for _ in 0..rounds {
        let products = black_box(&weights).iter().zip(black_box(&quants)).map(|(a, b)| i32::from(*a) * i32::from(*b));
        black_box(products.sum::<i32>());
    }
    2 * 64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Independent sums, enough to hide how long an instruction takes.
    const SUMS: usize = 12;

    macro_rules! rounds {
        ($name:ident, $features:literal, $type:ty, $ones:expr, $add:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(rounds: usize) -> usize {
                let (weights, quants): ($type, $type) = (black_box($ones), black_box($ones));
                let mut sums = [$ones; SUMS];
                for _ in 0..rounds {
                    for sum in &mut sums {
                        *sum = $add(*sum, weights, quants);
                    }
                }
                black_box(sums);
                2 * SUMS * size_of::<$type>()
            }
        };
    }
    rounds!(avx512vnni, "avx512f,avx512vnni", __m512i, _mm512_set1_epi8(1), |sum, a, b| _mm512_dpbusd_epi32(sum, a, b));
    rounds!(avxvnni, "avx2,avxvnni", __m256i, _mm256_set1_epi8(1), |sum, a, b| _mm256_dpbusd_avx_epi32(sum, a, b));
    // As where weights are so small that 16 bits hold the sums. The product is of the sum, else it would be computed once.
    rounds!(avx2, "avx2", __m256i, _mm256_set1_epi8(1), |sum, a, b| {
        _mm256_add_epi16(_mm256_maddubs_epi16(a, sum), b)
    });
}
