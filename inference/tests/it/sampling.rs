//! What a request asks of the sampler arrives there, and what it finds comes back with the tokens.

use inference::{EngineConfig, Event, GenerateRequest, Logprobs, SamplingOptions, SamplingParams, TokenId};

use crate::support::{ids, metrics, pocket};

/// Tokens that follow the prompt 5, 9, 9, greedily.
fn generate(options: SamplingOptions) -> Vec<(TokenId, Option<Logprobs>)> {
    let engine = inference::engine::start(pocket().into_backend(), EngineConfig::default(), metrics()).unwrap();
    let options = SamplingOptions { temperature: 0.0, max_new_tokens: 24, ..options };
    let params = SamplingParams::try_from(options).unwrap();
    let request = GenerateRequest { prompt: ids([5, 9, 9]), params, ..GenerateRequest::default() };
    let mut generation = engine.generate(request).unwrap();
    let mut tokens = Vec::new();
    while let Some(event) = generation.blocking_next() {
        if let Event::Token { id, logprobs } = event {
            tokens.push((id, logprobs));
        }
    }
    tokens
}

#[test]
fn logprobs_come_with_every_token_and_only_when_asked_for() {
    let plain = generate(SamplingOptions::default());
    assert!(plain.iter().all(|(_, logprobs)| logprobs.is_none()));
    let asked = generate(SamplingOptions { logprobs: Some(3), ..SamplingOptions::default() });
    assert_eq!(asked.len(), plain.len());
    for ((id, logprobs), (plain_id, _)) in asked.into_iter().zip(plain) {
        let Logprobs { chosen, top } = logprobs.unwrap();
        assert_eq!((id, id, chosen), (plain_id, top[0].0, top[0].1));
        assert!(top.len() == 3 && top.is_sorted_by(|more, less| more.1 >= less.1), "{top:?}");
    }
}

#[test]
fn repetition_is_penalised_over_the_prompt_too() {
    let logit_bias = [5, 9].map(|id| (TokenId(id), 100.0)).into();
    let favoured = SamplingOptions { logit_bias, ..SamplingOptions::default() };
    assert!([5, 9].contains(&generate(favoured.clone())[0].0.0));
    let penalised = SamplingOptions { repetition_penalty: 100.0, ..favoured };
    assert!(![5, 9].contains(&generate(penalised)[0].0.0));
}
