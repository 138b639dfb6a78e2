//! `logit_bias`: JSON's keys are texts, OpenAI's are token ids all the same.

use std::collections::BTreeMap;

use inference::TokenId;

use crate::refusal::Refusal;

const MAX_BIASES: usize = 1024;

/// The biases by token; their range is the sampler's business.
pub(super) fn check(biases: BTreeMap<String, f32>, vocab_size: usize) -> Result<BTreeMap<TokenId, f32>, Refusal> {
    if biases.len() > MAX_BIASES {
        let message = format!("logit_bias has {} entries but at most {MAX_BIASES} are taken", biases.len());
        return Err(Refusal::invalid("logit_bias", "invalid_value", message));
    }
    biases.into_iter().map(|(key, bias)| Ok((token(&key, vocab_size)?, bias))).collect()
}

fn token(key: &str, vocab_size: usize) -> Result<TokenId, Refusal> {
    // `+1` and `01` would be second names of 1.
    let id = key.parse::<u32>().ok().filter(|id| id.to_string() == key && (*id as usize) < vocab_size);
    id.map(TokenId).ok_or_else(|| {
        let message = format!("{key:?} is no token of the model; its tokens are 0 to {}", vocab_size.saturating_sub(1));
        Refusal::invalid(format!("logit_bias.{key}"), "invalid_value", message)
    })
}
