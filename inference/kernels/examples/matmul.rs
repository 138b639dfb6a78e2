//! How close the matrix products of a model with 1.1 billion weights come to what the machine can do:
//! `cargo run --release -p kernels --example matmul [FORMAT]…`.

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use gguf::Format;
use kernels::matmul::{Activations, Matrix, Then, multiply, multiply_gated};
use kernels::memory::Arena;
use kernels::{Level, Pool, limits};

const HIDDEN: usize = 2048;
const INNER: usize = 5632;
const KEYS: usize = 256;
/// Weights of the model: 22 layers and the output.
const MODEL: f64 = 1.034e9;
/// Weights to pack, in bytes: as many layers as fit.
const ROOM: usize = 400 << 20;
/// How long each figure is measured; each layer's best run counts, as others may disturb some.
const TIME: Duration = Duration::from_millis(1500);

struct Layer {
    query: Matrix,
    key: Matrix,
    value: Matrix,
    output: Matrix,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

impl Layer {
    fn new(format: Format, pool: &Pool, arena: &mut Arena) -> Result<Layer, Box<dyn Error>> {
        let mut matrix = |rows, columns| {
            let bytes = rows * columns / format.block_len() * format.block_bytes();
            let raw: Vec<u8> = (0..bytes).map(|index| (index * 37 % 59) as u8).collect();
            Matrix::pack(format, &raw, rows, columns, pool, arena)
        };
        Ok(Layer {
            query: matrix(HIDDEN, HIDDEN)?,
            key: matrix(KEYS, HIDDEN)?,
            value: matrix(KEYS, HIDDEN)?,
            output: matrix(HIDDEN, HIDDEN)?,
            gate: matrix(INNER, HIDDEN)?,
            up: matrix(INNER, HIDDEN)?,
            down: matrix(HIDDEN, INNER)?,
        })
    }

    fn matrices(&self) -> [&Matrix; 7] {
        [&self.query, &self.key, &self.value, &self.output, &self.gate, &self.up, &self.down]
    }

    /// The layer's products for all rows.
    fn run(&self, level: Level, pool: &Pool, [hidden, inner]: [&Activations; 2], out: &mut [f32]) {
        let rows = hidden.rows();
        let keys = HIDDEN + 2 * KEYS;
        multiply(level, pool, &self.matrices()[..3], hidden, Then::Store, &mut out[..rows * keys]);
        multiply(level, pool, &[&self.output], hidden, Then::Add, &mut out[..rows * HIDDEN]);
        multiply_gated(level, pool, &self.gate, &self.up, hidden, &mut out[..rows * INNER]);
        multiply(level, pool, &[&self.down], inner, Then::Add, &mut out[..rows * HIDDEN]);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let level = Level::detect()?;
    let all = std::thread::available_parallelism()?;
    for threads in if all.get() > 1 { vec![NonZeroUsize::MIN, all] } else { vec![all] } {
        let pool = Pool::new(threads)?;
        let (operations, bytes) = (limits::int8_ops_per_second(level, threads)?, limits::bytes_per_second(threads)?);
        println!("{} x {}: {:.2} Top/s, {:.1} GB/s", threads, level.name(), operations / 1e12, bytes / 1e9);
        println!("format  batch     GB/s   share    Top/s   share    tok/s");
        for format in Format::ALL {
            if names.is_empty() || names.iter().any(|name| name == format.name()) {
                measure(format, level, &pool, operations, bytes)?;
            }
        }
    }
    Ok(())
}

fn measure(
    format: Format,
    level: Level,
    pool: &Pool,
    max_operations: f64,
    max_bytes: f64,
) -> Result<(), Box<dyn Error>> {
    let mut arena = Arena::default();
    let mut layers = vec![Layer::new(format, pool, &mut arena)?];
    let bytes: usize = layers[0].matrices().iter().map(|matrix| matrix.bytes()).sum();
    let weights: usize = layers[0].matrices().iter().map(|matrix| matrix.rows() * matrix.columns()).sum();
    while (layers.len() + 1) * bytes <= ROOM {
        layers.push(Layer::new(format, pool, &mut arena)?);
    }
    let (bytes, weights) = (layers.len() * bytes, layers.len() * weights);
    for rows in [1, 4, 8, 16, 512] {
        let activations = [HIDDEN, INNER].map(|columns| {
            let values: Vec<f32> = (0..rows * columns).map(|index| (index * 29 % 101) as f32 - 50.0).collect();
            let mut activations = Activations::new(&[layers[0].query.kind()]);
            activations.fill(level, pool, &values, columns);
            activations
        });
        let mut out = vec![0.0; rows * INNER];
        let mut shortest = vec![Duration::MAX; layers.len()];
        let begin = Instant::now();
        while begin.elapsed() < TIME {
            for (layer, shortest) in layers.iter().zip(&mut shortest) {
                let start = Instant::now();
                layer.run(level, pool, activations.each_ref(), &mut out);
                *shortest = start.elapsed().min(*shortest);
            }
        }
        let seconds = shortest.iter().sum::<Duration>().as_secs_f64();
        let (bytes, operations) = (bytes as f64 / seconds, (2 * rows * weights) as f64 / seconds);
        println!(
            "{:<6} {rows:>6} {:>8.1} {:>6.0}% {:>8.3} {:>6.0}% {:>8.1}",
            format.name(),
            bytes / 1e9,
            100.0 * bytes / max_bytes,
            operations / 1e12,
            100.0 * operations / max_operations,
            rows as f64 * weights as f64 / MODEL / seconds,
        );
    }
    Ok(())
}
