//! How much context an agent really has.

use std::fmt;

/// The smaller of the agent's wish and the model's limit. `Display` is the sentence to log when the agent is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveContext {
    /// What the agent may use.
    pub tokens: usize,
    /// `max_context_tokens` of the agent.
    pub agent_max: usize,
    /// The model's own limit.
    pub model_max: usize,
}

/// `min(agent_max, model_max)`, with both remembered for the log.
pub fn effective_context(agent_max: usize, model_max: usize) -> EffectiveContext {
    EffectiveContext { tokens: agent_max.min(model_max), agent_max, model_max }
}

impl fmt::Display for EffectiveContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EffectiveContext { tokens, agent_max, model_max } = self;
        if model_max < agent_max {
            write!(f, "context of {tokens} tokens: the model's limit, below the agent's max_context_tokens {agent_max}")
        } else {
            write!(f, "context of {tokens} tokens: the agent's max_context_tokens, within the model's {model_max}")
        }
    }
}
