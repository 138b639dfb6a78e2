//! Whether two backends make the same of a model: the same tokens in, their logits side by side.

use gguf::Shape;
use inference::backend::{BLOCK_TOKENS, Backend, BlockId, Logits, ModelInput};
use inference::{TokenId, Tokenizer};

/// What differences may be, as shares of the largest logit: those of `inference/tests/it/oracle.rs`, which says why.
/// Keys and values in 16 bits.
const KV_ROUNDED: f32 = 2e-3;
/// Activations in 8 bits.
const ROUNDED: f32 = 0.15;

/// Tokens that are written.
const NEW_TOKENS: usize = 8;
const PROMPT: &str = "The invoice is due on the first day of the month.";

/// What a backend computed.
#[derive(Debug)]
pub(super) struct Run {
    /// What follows the prompt.
    pub(super) tokens: Vec<TokenId>,
    /// Behind the prompt, and behind each token but the last.
    logits: Vec<Vec<f32>>,
}

/// What the backends go on from. Candle has no sliding window: its context ends where the window does.
pub(super) fn prompt(tokenizer: &Tokenizer, shape: &Shape) -> Vec<TokenId> {
    let context_len = shape.context_len.min(shape.sliding_window.unwrap_or(usize::MAX));
    let longest = context_len.saturating_sub(NEW_TOKENS).max(1);
    [tokenizer.bos()].into_iter().chain(tokenizer.encode_text(PROMPT)).take(longest).collect()
}

impl Run {
    /// The most probable tokens behind `prompt`.
    pub(super) fn write(backend: Box<dyn Backend>, prompt: &[TokenId]) -> Result<Run, String> {
        Run::new(backend, prompt, |_, logits| largest(logits))
    }

    /// These tokens behind `prompt`.
    pub(super) fn follow(backend: Box<dyn Backend>, prompt: &[TokenId], tokens: &[TokenId]) -> Result<Run, String> {
        Run::new(backend, prompt, |index, _| tokens[index])
    }

    fn new(
        mut backend: Box<dyn Backend>,
        prompt: &[TokenId],
        next: impl Fn(usize, &[f32]) -> TokenId,
    ) -> Result<Run, String> {
        let num_blocks = (prompt.len() + NEW_TOKENS).div_ceil(BLOCK_TOKENS);
        let table: Vec<BlockId> = (0..num_blocks as u32).map(BlockId).collect();
        backend.allocate(num_blocks).map_err(|error| error.to_string())?;
        let mut run = Run { tokens: Vec::new(), logits: Vec::new() };
        let (mut input, mut logits) = (ModelInput::default(), Logits::default());
        input.push(0, prompt, &table, 1);
        for index in 0..NEW_TOKENS {
            backend.forward(&input, &mut logits).map_err(|error| error.to_string())?;
            if !logits.values.iter().all(|logit| logit.is_finite()) {
                return Err(format!("its logits behind {} tokens are not finite", prompt.len() + index));
            }
            let token = next(index, &logits.values);
            run.tokens.push(token);
            run.logits.push(logits.values.clone());
            input.clear();
            input.push(prompt.len() + index, &[token], &table, 1);
        }
        Ok(run)
    }
}

/// How far `run` is from `reference`; `rounded` when its activations were.
pub(super) fn compare(reference: &Run, run: &Run, rounded: bool) -> Result<String, String> {
    let tolerance = if rounded { ROUNDED } else { KV_ROUNDED };
    let mut worst = 0.0_f32;
    for (index, (expected, found)) in reference.logits.iter().zip(&run.logits).enumerate() {
        let scale = expected.iter().fold(f32::MIN_POSITIVE, |scale, logit| scale.max(logit.abs()));
        let difference = expected.iter().zip(found).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs())) / scale;
        worst = worst.max(difference);
        if largest(expected) != largest(found) && lead(expected) > 2.0 * tolerance * scale {
            return Err(format!("the backends write different tokens after {index}; please report it"));
        }
    }
    let share = |share: f32| format!("{:.3} %", 100.0 * share);
    let allowed = share(tolerance);
    match worst <= tolerance {
        true => Ok(format!("agrees: logits differ by {} of the largest at most, {allowed} allowed", share(worst))),
        false => Err(format!("logits differ by {} of the largest, {allowed} allowed; please report it", share(worst))),
    }
}

fn largest(logits: &[f32]) -> TokenId {
    let largest = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    TokenId(largest.map_or(0, |(index, _)| index as u32))
}

/// Of the largest logit over the next.
fn lead(logits: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; 2];
    for logit in logits {
        if *logit > best[0] {
            best = [*logit, best[0]];
        } else if *logit > best[1] {
            best[1] = *logit;
        }
    }
    best[0] - best[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(logits: &[f32]) -> Run {
        Run { tokens: vec![largest(logits)], logits: vec![logits.to_vec()] }
    }

    #[track_caller]
    fn check(found: &[f32], rounded: bool, fine: bool, word: &str) {
        let result = compare(&run(&[1.0, 10.0, 4.0]), &run(found), rounded);
        assert_eq!(result.is_ok(), fine, "{result:?}");
        assert!(result.unwrap_or_else(|wrong| wrong).contains(word));
    }

    #[test]
    fn differences_are_shares_of_the_largest_logit() {
        check(&[1.0, 10.0, 4.01], false, true, "0.100 %");
        check(&[1.0, 10.0, 4.1], false, false, "1.000 %");
        check(&[1.0, 10.0, 5.0], true, true, "10.000 %");
        check(&[1.0, 10.0, 6.0], true, false, "20.000 %");
    }

    #[test]
    fn another_token_is_wrong_where_the_lead_is_clear() {
        check(&[1.0, 4.0, 4.1], true, false, "different tokens");
        let (close, other) = (run(&[10.0, 9.9]), run(&[9.9, 10.0]));
        assert!(compare(&close, &other, true).is_ok());
    }
}
