//! The most that a machine can make of a model: what a step takes in operations and in bytes, against what there is of
//! both per second.

use std::num::NonZeroUsize;

use gguf::ModelFile;
use inference::measure::Work;
use kernels::{Level, limits};

use crate::failure::Failure;

/// What some threads of this machine do per second at most.
pub(super) struct Machine {
    pub(super) level: Level,
    /// Multiplications and additions of 8-bit integers.
    pub(super) operations: f64,
    /// From memory.
    pub(super) bytes: f64,
}

/// What a model asks for.
pub(super) struct Cost {
    /// Operations of a row in all layers: two per weight.
    layers: f64,
    /// Operations of a row in the output, which only those have whose next token is wanted.
    output: f64,
    /// Bytes of the matrices, read once in a step. The embedding is not one of them, but where it is the output, too.
    pub(super) matrix_bytes: u64,
    pub(super) kv_bytes_per_token: u64,
    window: Option<usize>,
}

/// The speed that cannot be passed.
#[derive(Debug, PartialEq)]
pub(super) struct Limit {
    pub(super) tokens_per_second: f64,
    pub(super) by: &'static str,
}

impl Machine {
    pub(super) fn measure(threads: NonZeroUsize) -> Result<Machine, Failure> {
        let level = Level::detect().map_err(|error| Failure::usage(error.to_string()))?;
        let refused = |error| Failure::unavailable(format!("the machine cannot be measured: {error}"));
        let operations = limits::int8_ops_per_second(level, threads).map_err(refused)?;
        let bytes = limits::bytes_per_second(threads).map_err(refused)?;
        Ok(Machine { level, operations, bytes })
    }
}

impl Cost {
    pub(super) fn new(file: &ModelFile, weight_bytes: u64, kv_bytes_per_token: u64) -> Cost {
        let shape = file.shape();
        let matrices = shape.tensors().filter(|(name, dims)| name.starts_with("blk.") && dims.len() == 2);
        let weights: usize = matrices.map(|(_, dims)| dims.iter().product::<usize>()).sum();
        let embedding = file.matrix("token_embd.weight").map_or(0, |matrix| matrix.bytes.len() as u64);
        Cost {
            layers: 2.0 * weights as f64,
            output: 2.0 * (shape.vocab_size * shape.hidden) as f64,
            matrix_bytes: if file.is_tied() { weight_bytes } else { weight_bytes.saturating_sub(embedding) },
            kv_bytes_per_token,
            window: shape.sliding_window,
        }
    }

    /// Of a token that is written.
    pub(super) fn operations(&self) -> f64 {
        self.layers + self.output
    }

    pub(super) fn limit(&self, machine: &Machine, work: Work) -> Limit {
        let (rows, wanted, kv_tokens) = match work {
            Work::Prefill { tokens } => (tokens, 1, 0),
            Work::Decode { sequences, context, tokens } => {
                let seen = (context + tokens / 2).min(self.window.unwrap_or(usize::MAX));
                (sequences, sequences, sequences * seen)
            }
        };
        let operations = rows as f64 * self.layers + wanted as f64 * self.output;
        let bytes = self.matrix_bytes as f64 + kv_tokens as f64 * self.kv_bytes_per_token as f64;
        let (computing, reading) = (operations / machine.operations, bytes / machine.bytes);
        Limit {
            tokens_per_second: rows as f64 / computing.max(reading),
            by: if computing > reading { "operations" } else { "memory" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { level: Level::Scalar, operations: 1e6, bytes: 1e4 };

    fn cost(window: Option<usize>) -> Cost {
        Cost { layers: 1e4, output: 2e3, matrix_bytes: 300, kv_bytes_per_token: 10, window }
    }

    #[track_caller]
    fn check(cost: &Cost, work: Work, tokens_per_second: f64, by: &str) {
        let limit = cost.limit(&MACHINE, work);
        assert!((limit.tokens_per_second / tokens_per_second - 1.0).abs() < 1e-9, "{limit:?}");
        assert_eq!(limit.by, by);
    }

    #[test]
    fn a_prompt_needs_the_output_once() {
        check(&cost(None), Work::Prefill { tokens: 100 }, 100.0 / 1.002, "operations");
    }

    #[test]
    fn few_sequences_are_bound_by_memory_and_many_by_operations() {
        let decode = |sequences| Work::Decode { sequences, context: 0, tokens: 2 };
        check(&cost(None), decode(1), 1e4 / 310.0, "memory");
        check(&cost(None), decode(10), 1e6 / 1.2e4, "operations");
    }

    #[test]
    fn long_contexts_are_read_as_far_as_the_window_goes() {
        let work = Work::Decode { sequences: 2, context: 995, tokens: 10 };
        check(&cost(None), work, 2e4 / (300.0 + 20_000.0), "memory");
        check(&cost(Some(100)), work, 2e4 / (300.0 + 2_000.0), "memory");
    }
}
