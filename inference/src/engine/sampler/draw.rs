//! Temperature ▸ min-p ▸ top-k ▸ top-p ▸ one token by its share. Each takes time in proportion to the vocabulary:
//! nothing is sorted. Logits that are not finite are never chosen; among equals the lower id comes first.

use std::cmp::Ordering;

use crate::engine::params::SamplingParams;
use crate::tokenizer::TokenId;

/// A token that may be drawn.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    id: u32,
    logit: f32,
    /// In proportion to its probability; the most probable token of the row has 1.
    weight: f32,
}

/// The first of the largest.
pub(super) fn largest(row: &[f32]) -> Option<TokenId> {
    let mut best: Option<(u32, f32)> = None;
    for (id, logit) in (0..).zip(row) {
        if logit.is_finite() && best.is_none_or(|(_, largest)| *logit > largest) {
            best = Some((id, *logit));
        }
    }
    best.map(|(id, _)| TokenId(id))
}

/// A token of a row, which is left with weights in place of logits. The temperature is above 0, `unit` is uniform in
/// `0.0..1.0`, and `candidates` is a buffer.
pub(super) fn draw(
    row: &mut [f32],
    params: &SamplingParams,
    unit: f64,
    candidates: &mut Vec<Candidate>,
) -> Option<TokenId> {
    let peak = row[largest(row)?.0 as usize];
    let weight = |logit: f32| ((logit - peak) / params.temperature).exp();
    if params.min_p == 0.0 && params.top_k.is_none() && params.top_p == 1.0 {
        row.iter_mut().for_each(|logit| *logit = if logit.is_finite() { weight(*logit) } else { 0.0 });
    } else {
        candidates.clear();
        let finite = (0..).zip(row.iter()).filter(|(_, logit)| logit.is_finite());
        candidates.extend(finite.map(|(id, logit)| Candidate { id, logit: *logit, weight: 0.0 }));
        truncate(candidates, params, weight);
        // Back in the order of ids, so that the way of the selection does not show in what is drawn.
        row.fill(0.0);
        candidates.iter().for_each(|candidate| row[candidate.id as usize] = candidate.weight);
    }
    pick(row, unit)
}

/// Weighs the candidates and keeps those that may be drawn, in no order.
fn truncate(candidates: &mut Vec<Candidate>, params: &SamplingParams, weight: impl Fn(f32) -> f32) {
    // Before the weights, which then are fewer; min-p and top-k each keep the first of one ranking, so their order is
    // no matter.
    if let Some(top_k) = params.top_k
        && top_k < candidates.len()
    {
        candidates.select_nth_unstable_by(top_k, rank);
        candidates.truncate(top_k);
    }
    candidates.iter_mut().for_each(|candidate| candidate.weight = weight(candidate.logit));
    candidates.retain(|candidate| candidate.weight >= params.min_p);
    if params.top_p < 1.0 {
        let kept = nucleus(candidates, params.top_p);
        candidates.truncate(kept);
    }
}

fn rank(one: &Candidate, other: &Candidate) -> Ordering {
    // Candidates are finite, so they compare.
    other.logit.partial_cmp(&one.logit).unwrap_or(Ordering::Equal).then(one.id.cmp(&other.id))
}

/// How many of the first by rank it takes to hold the share `top_p` of all weight; they are moved to the front. Each
/// round halves what is left to look at (Holtzman et al. 2019 for the cut, quickselect for the way).
fn nucleus(candidates: &mut [Candidate], top_p: f32) -> usize {
    let mut wanted = f64::from(top_p) * total(candidates);
    let (mut rest, mut kept) = (candidates, 0);
    while rest.len() > 1 {
        let half = rest.len() / 2;
        rest.select_nth_unstable_by(half, rank);
        let (first, last) = rest.split_at_mut(half);
        let held = total(first);
        if held < wanted {
            wanted -= held;
            kept += half;
            rest = last;
        } else {
            rest = first;
        }
    }
    kept + 1
}

fn total(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| f64::from(candidate.weight)).sum()
}

/// The token at `unit` of the way through the weights.
fn pick(weights: &[f32], unit: f64) -> Option<TokenId> {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let mut left = unit * total;
    let mut last = None;
    for (id, weight) in (0..).zip(weights).filter(|(_, weight)| **weight > 0.0) {
        left -= f64::from(*weight);
        last = Some(TokenId(id));
        if left < 0.0 {
            break;
        }
    }
    // Rounding can leave a remainder; the last token with a weight owns it.
    last
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::f32::consts::LN_2;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::engine::params::SamplingOptions;

    fn params(top_k: Option<usize>, top_p: f32, min_p: f32, temperature: f32) -> SamplingParams {
        let options = SamplingOptions { top_k, top_p, min_p, temperature, ..SamplingOptions::default() };
        SamplingParams::try_from(options).unwrap()
    }

    /// The shares of the row that is drawn from.
    fn shares(logits: &[f32], params: &SamplingParams) -> Vec<f64> {
        let mut row = logits.to_vec();
        draw(&mut row, params, 0.0, &mut Vec::new()).unwrap();
        let total: f64 = row.iter().map(|weight| f64::from(*weight)).sum();
        row.iter().map(|weight| f64::from(*weight) / total).collect()
    }

    /// The shares are 0.4, 0, 0.2, 0.1, 0.2 and 0.1.
    const ROW: [f32; 6] = [2.0 * LN_2, f32::NEG_INFINITY, LN_2, 0.0, LN_2, 0.0];

    #[track_caller]
    fn check(params: &SamplingParams, expected: [f64; 6]) {
        for (share, expected) in shares(&ROW, params).iter().zip(expected) {
            assert!((share - expected).abs() < 1e-6, "{share} in place of {expected}");
        }
    }

    #[test]
    fn temperature_sharpens_and_flattens() {
        check(&params(None, 1.0, 0.0, 1.0), [0.4, 0.0, 0.2, 0.1, 0.2, 0.1]);
        let squares = [16.0, 0.0, 4.0, 1.0, 4.0, 1.0].map(|square| square / 26.0);
        check(&params(None, 1.0, 0.0, 0.5), squares);
        let roots = [2.0, 0.0, 2_f64.sqrt(), 1.0, 2_f64.sqrt(), 1.0].map(|root| root / (4.0 + 2.0 * 2_f64.sqrt()));
        check(&params(None, 1.0, 0.0, 2.0), roots);
        check(&params(None, 1.0, 0.0, 1e-40), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn top_k_keeps_the_largest_and_the_lower_id_among_equals() {
        check(&params(Some(1), 1.0, 0.0, 1.0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check(&params(Some(2), 1.0, 0.0, 1.0), [2.0 / 3.0, 0.0, 1.0 / 3.0, 0.0, 0.0, 0.0]);
        check(&params(Some(4), 1.0, 0.0, 1.0), [4.0 / 9.0, 0.0, 2.0 / 9.0, 1.0 / 9.0, 2.0 / 9.0, 0.0]);
        check(&params(Some(9), 1.0, 0.0, 1.0), [0.4, 0.0, 0.2, 0.1, 0.2, 0.1]);
    }

    #[test]
    fn top_p_keeps_the_fewest_that_hold_the_share() {
        check(&params(None, 0.01, 0.0, 1.0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check(&params(None, 0.41, 0.0, 1.0), [2.0 / 3.0, 0.0, 1.0 / 3.0, 0.0, 0.0, 0.0]);
        check(&params(None, 0.79, 0.0, 1.0), [0.5, 0.0, 0.25, 0.0, 0.25, 0.0]);
        check(&params(None, 0.81, 0.0, 1.0), [4.0 / 9.0, 0.0, 2.0 / 9.0, 1.0 / 9.0, 2.0 / 9.0, 0.0]);
    }

    #[test]
    fn min_p_keeps_what_is_near_enough_to_the_most_probable() {
        check(&params(None, 1.0, 0.24, 1.0), [0.4, 0.0, 0.2, 0.1, 0.2, 0.1]);
        check(&params(None, 1.0, 0.26, 1.0), [0.5, 0.0, 0.25, 0.0, 0.25, 0.0]);
        check(&params(None, 1.0, 1.0, 1.0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        // Temperature comes first: at 2 the ratio of 1 to 2 is 0.71.
        check(&params(None, 1.0, 0.6, 2.0), [0.414_213_56, 0.0, 0.292_893_22, 0.0, 0.292_893_22, 0.0]);
    }

    #[test]
    fn top_p_takes_its_share_of_what_top_k_and_min_p_left() {
        check(&params(Some(3), 0.49, 0.0, 1.0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check(&params(None, 0.49, 0.26, 1.0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check(&params(None, 0.49, 0.0, 1.0), [2.0 / 3.0, 0.0, 1.0 / 3.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_token_is_drawn_where_its_share_lies() {
        for (unit, expected) in [(0.0, 0), (0.399, 0), (0.401, 2), (0.601, 3), (0.701, 4), (0.901, 5), (0.999_999, 5)] {
            for params in [params(None, 1.0, 0.0, 1.0), params(Some(5), 1.0, 0.0, 1.0)] {
                let token = draw(&mut ROW.clone(), &params, unit, &mut Vec::new());
                assert_eq!(token, Some(TokenId(expected)), "{unit}");
            }
        }
    }

    #[test]
    fn rows_without_a_finite_number_choose_nothing() {
        let mut row = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
        assert_eq!(largest(&row), None);
        assert_eq!(draw(&mut row, &params(Some(1), 0.5, 0.1, 1.0), 0.5, &mut Vec::new()), None);
        assert_eq!(largest(&[f32::NAN, -3.0, 2.0, 2.0]), Some(TokenId(2)));
    }

    /// A model's row has a few large logits and a long tail; halves of one make for equals.
    fn random_row(random: &mut StdRng) -> Vec<f32> {
        let num_tokens = random.random_range(1..400);
        let logit = |random: &mut StdRng| match random.random_range(0..4) {
            0 => random.random_range(-8..8) as f32 / 2.0,
            1 => f32::NEG_INFINITY,
            _ => random.random_range(-10.0..10.0),
        };
        let mut row: Vec<f32> = (0..num_tokens).map(|_| logit(random)).collect();
        row[0] = 3.0;
        row
    }

    /// vLLM's steps, one after the other over a sorted list.
    fn naive_shares(logits: &[f32], params: &SamplingParams) -> Vec<f64> {
        let mut ranked: Vec<(usize, f64)> =
            logits.iter().map(|logit| f64::from(*logit) / f64::from(params.temperature)).enumerate().collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        let softmax = |ranked: &mut Vec<(usize, f64)>, from: fn(f64, f64) -> f64| {
            let peak = ranked[0].1;
            ranked.iter_mut().for_each(|(_, value)| *value = from(*value, peak));
            let total: f64 = ranked.iter().map(|(_, value)| value).sum();
            ranked.iter_mut().for_each(|(_, value)| *value /= total);
        };
        softmax(&mut ranked, |value, peak| (value - peak).exp());
        let least = ranked[0].1 * f64::from(params.min_p);
        ranked.retain(|(_, probability)| *probability > 0.0 && *probability >= least);
        ranked.truncate(params.top_k.unwrap_or(usize::MAX));
        softmax(&mut ranked, |value, _| value);
        let mut before = 0.0;
        ranked.retain(|(_, probability)| {
            let is_kept = before < f64::from(params.top_p);
            before += probability;
            is_kept
        });
        softmax(&mut ranked, |value, _| value);
        let mut shares = vec![0.0; logits.len()];
        ranked.into_iter().for_each(|(id, share)| shares[id] = share);
        shares
    }

    #[test]
    fn what_is_kept_is_what_sorting_would_keep() {
        let mut random = StdRng::seed_from_u64(11);
        for _ in 0..2_000 {
            let row = random_row(&mut random);
            let top_k = random.random_bool(0.5).then(|| random.random_range(1..500));
            let top_p = if random.random_bool(0.5) { 1.0 } else { random.random_range(0.01..0.999) };
            let min_p = if random.random_bool(0.5) { 0.0 } else { random.random_range(0.0..0.3) };
            let params = params(top_k, top_p, min_p, random.random_range(0.1..3.0));
            for (share, expected) in shares(&row, &params).iter().zip(naive_shares(&row, &params)) {
                assert!((share - expected).abs() < 1e-6, "{share} in place of {expected} with {params:?} of {row:?}");
            }
        }
    }

    #[test]
    fn tokens_are_drawn_as_often_as_their_shares_say() {
        const DRAWS: usize = 40_000;
        let mut random = StdRng::seed_from_u64(12);
        let mut candidates = Vec::new();
        for params in [
            params(None, 1.0, 0.0, 1.0),
            params(None, 1.0, 0.0, 2.5),
            params(Some(4), 1.0, 0.0, 1.0),
            params(None, 0.85, 0.0, 1.0),
            params(Some(5), 0.95, 0.1, 1.5),
        ] {
            let mut counts = [0; ROW.len()];
            for _ in 0..DRAWS {
                let token = draw(&mut ROW.clone(), &params, random.random(), &mut candidates).unwrap();
                counts[token.0 as usize] += 1;
            }
            for (count, share) in counts.into_iter().zip(naive_shares(&ROW, &params)) {
                // Four standard deviations of a binomial count.
                let allowance = 4.0 * (DRAWS as f64 * share * (1.0 - share)).sqrt();
                let wanted = DRAWS as f64 * share;
                assert!((f64::from(count) - wanted).abs() <= allowance, "{count} in place of {wanted}");
            }
        }
    }

    #[test]
    fn top_k_is_never_left() {
        let mut random = StdRng::seed_from_u64(13);
        for _ in 0..2_000 {
            let row = random_row(&mut random);
            let top_k = random.random_range(1..30);
            let token = draw(&mut row.clone(), &params(Some(top_k), 1.0, 0.0, 5.0), random.random(), &mut Vec::new());
            let chosen = row[token.unwrap().0 as usize];
            let num_larger = row.iter().filter(|logit| **logit > chosen).count();
            assert!(chosen.is_finite() && num_larger < top_k, "{num_larger} are larger, top_k is {top_k}");
        }
    }
}
