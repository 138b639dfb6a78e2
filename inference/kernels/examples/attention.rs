//! How long attention takes in a model of 1.1 billion parameters: 22 layers, 32 heads of 64 values that share 4 heads of
//! keys. The least of several runs over all layers, so nothing is in a cache from the run before.
//!
//! `cargo run --release -p kernels --example attention [LEVEL] [int8]`

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use kernels::attention::{Attention, AttentionShape, Sequence};
use kernels::kv::{BLOCK, Kv, KvKind, KvShape};
use kernels::{Level, Pool};

const NUM_LAYERS: usize = 22;
const SHAPE: AttentionShape = AttentionShape { num_heads: 32, num_kv_heads: 4, head_dim: 64, window: None };
const POSITIONS: usize = 8 * 4096;
/// The least counts.
const RUNS: usize = 3;
const WIDTH: usize = SHAPE.num_heads * SHAPE.head_dim;

fn main() -> Result<(), Box<dyn Error>> {
    let mut level = Level::detect()?;
    let mut kind = KvKind::F16;
    for argument in std::env::args().skip(1) {
        match Level::available().find(|level| level.name() == argument) {
            Some(asked) => level = asked,
            None => kind = KvKind::Int8,
        }
    }
    let shape = KvShape { num_layers: NUM_LAYERS, num_kv_heads: SHAPE.num_kv_heads, head_dim: SHAPE.head_dim, kind };
    let mut kv = Kv::new(shape, POSITIONS / BLOCK)?;
    for memory in ["fresh", "used"] {
        let started = Instant::now();
        fill(&mut kv);
        let per_token = started.elapsed() / POSITIONS as u32;
        println!("{}, {kind:?}, {memory} memory: appending a token takes {per_token:?}", level.name());
    }
    for num_threads in [1, 2] {
        let pool = Pool::new(NonZeroUsize::new(num_threads).ok_or("no threads")?)?;
        println!("{num_threads} threads, ms per layer, x{NUM_LAYERS}, GB/s of keys and values:");
        report("decode 8 at 4,096", level, &kv, &pool, &[(4095, 1); 8]);
        report("decode 1 at 4,096", level, &kv, &pool, &[(4095, 1)]);
        report("decode 1 at 32,768", level, &kv, &pool, &[(POSITIONS - 1, 1)]);
        report("prefill 512", level, &kv, &pool, &[(0, 512)]);
        report("prefill 2,048", level, &kv, &pool, &[(0, 2048)]);
        report("512 more at 4,096", level, &kv, &pool, &[(4096, 512)]);
    }
    Ok(())
}

fn fill(kv: &mut Kv) {
    let width = SHAPE.num_kv_heads * SHAPE.head_dim;
    let numbers: Vec<f32> = (0..2 * width).map(|index| (index as f32 * 0.7).sin()).collect();
    let writer = kv.writer();
    for position in 0..POSITIONS {
        for layer in 0..NUM_LAYERS {
            let start = (position * 7 + layer) % width;
            let (keys, values) = (&numbers[start..][..width], &numbers[width - start..][..width]);
            writer.append(layer, (position / BLOCK) as u32, position % BLOCK, keys, values);
        }
    }
}

/// Sequences of position and number of rows; their blocks follow each other.
fn report(name: &str, level: Level, kv: &Kv, pool: &Pool, sequences: &[(usize, usize)]) {
    let num_rows: usize = sequences.iter().map(|(_, num_rows)| num_rows).sum();
    let mut attention = Attention::new(level, SHAPE);
    let mut next = 0;
    let mut blocks = Vec::new();
    let mut num_seen = 0;
    for (position, num_rows) in sequences {
        let num_blocks = (position + num_rows).div_ceil(BLOCK);
        blocks.push((next..next + num_blocks as u32).collect::<Vec<_>>());
        next += num_blocks as u32;
        num_seen += position + num_rows;
    }
    let queries: Vec<f32> = (0..num_rows * WIDTH).map(|index| (index as f32 * 0.3).cos()).collect();
    let mut out = vec![0.0; num_rows * WIDTH];
    let least = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            let sequences = sequences.iter().zip(&blocks);
            let sequences = sequences.map(|((position, num_rows), blocks)| Sequence {
                position: *position,
                num_rows: *num_rows,
                blocks,
            });
            attention.plan(sequences, pool.threads());
            for layer in 0..NUM_LAYERS {
                attention.attend(kv, layer, &queries, WIDTH, &mut out, pool);
            }
            started.elapsed()
        })
        .min()
        .unwrap_or(Duration::ZERO);
    let rate = (num_seen * kv.shape().bytes_per_token()) as f64 / least.as_secs_f64() / 1e9;
    let ms = least.as_secs_f64() * 1e3;
    println!("{name:>20}: {:8.3} {ms:9.2} {rate:7.1}", ms / NUM_LAYERS as f64);
}
