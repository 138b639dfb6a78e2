//! How probable the model itself holds a token and its rivals: the log-softmax of the raw row.

use crate::tokenizer::TokenId;

/// Natural logarithms of probabilities, before bias, penalties, grammar and temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct Logprobs {
    /// The delivered token's.
    pub chosen: f32,
    /// The most probable tokens' of all, the most probable first, the lower id first among equals.
    pub top: Vec<(TokenId, f32)>,
}

impl Logprobs {
    /// `chosen` is in the row. Logits that are not finite have no part in it.
    pub(super) fn new(row: &[f32], chosen: TokenId, num_top: usize) -> Self {
        let finite = row.iter().copied().filter(|logit| logit.is_finite());
        let peak = finite.clone().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = finite.map(|logit| f64::from((logit - peak).exp())).sum();
        let logprob = |logit: f32| (f64::from(logit - peak) - total.ln()) as f32;
        let top = top(row, num_top).into_iter().map(|(id, logit)| (id, logprob(logit))).collect();
        Logprobs { chosen: logprob(row[chosen.0 as usize]), top }
    }
}

/// The largest, in order: one pass with a short sorted list.
fn top(row: &[f32], num_top: usize) -> Vec<(TokenId, f32)> {
    let mut top: Vec<(TokenId, f32)> = Vec::with_capacity(num_top + 1);
    for (id, logit) in (0..).zip(row) {
        let is_in = top.len() < num_top || top.last().is_some_and(|(_, least)| logit > least);
        if logit.is_finite() && is_in {
            let place = top.partition_point(|(_, larger)| larger >= logit);
            top.insert(place, (TokenId(id), *logit));
            top.truncate(num_top);
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [f32; 5] = [0.0, f32::NEG_INFINITY, 1.0, f32::NAN, 1.0];

    #[track_caller]
    fn check(chosen: u32, num_top: usize, logprob: f32, top: &[(u32, f32)]) {
        let logprobs = Logprobs::new(&ROW, TokenId(chosen), num_top);
        assert!((logprobs.chosen - logprob).abs() < 1e-6, "{logprobs:?}");
        assert_eq!(logprobs.top.len(), top.len());
        for ((id, logprob), (expected_id, expected)) in logprobs.top.iter().zip(top) {
            assert_eq!(id.0, *expected_id);
            assert!((logprob - expected).abs() < 1e-6, "{logprob} in place of {expected}");
        }
    }

    #[test]
    fn logprobs_are_the_log_softmax_of_the_row() {
        // ln(1 + 2e) = 1.861995.
        check(0, 0, -1.861_995, &[]);
        check(2, 1, -0.861_995, &[(2, -0.861_995)]);
        check(4, 2, -0.861_995, &[(2, -0.861_995), (4, -0.861_995)]);
        check(0, 20, -1.861_995, &[(2, -0.861_995), (4, -0.861_995), (0, -1.861_995)]);
    }

    #[test]
    fn logprobs_of_huge_logits_are_finite() {
        let (logprobs, half) = (Logprobs::new(&[1e30, -1e30, 1e30], TokenId(2), 1), 0.5_f32.ln());
        assert_eq!(logprobs, Logprobs { chosen: half, top: vec![(TokenId(0), half)] });
    }
}
