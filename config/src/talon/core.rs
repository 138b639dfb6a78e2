//! The keys below `openclaw_core`: the engine and the worker pool, named as in the stack that Talon replaces.

use super::{InferenceConfig, KvCacheDtype, PoolConfig};
use crate::shape::{Fields, Show, bytes, choice, number, object, seconds, whole};
use crate::talon::shape::defaults;

pub(super) fn core(fields: &mut Fields<'_, '_>) -> Option<(Option<InferenceConfig>, Option<PoolConfig>)> {
    let inference = fields.optional("inference", "the engine", object(inference));
    let agents = fields.optional("agents", "the worker pool and its sessions", object(pool));
    Some((inference, agents))
}

fn inference(fields: &mut Fields<'_, '_>) -> Option<InferenceConfig> {
    let default = defaults().inference;
    fields.unsupported(
        "quantization",
        "elsewhere it picks a kind of quantized weights (awq-4bit); here the model's file decides",
        "take the key out, and name a quantized file (GGUF Q4_K, Q8_0) under models",
    );
    let max_batch_size = fields.or(
        "max_batch_size",
        "sequences that one step of the engine may carry",
        whole(1..=256),
        default.max_batch_size,
    );
    let inference = InferenceConfig {
        max_batch_size,
        max_batched_tokens: fields.or(
            "max_batched_tokens",
            "tokens that one step may compute; smaller makes running tasks smoother, larger reads prompts faster",
            whole(16..=65_536),
            default.max_batched_tokens,
        ),
        request_timeout: fields.or(
            "request_timeout",
            "seconds that one generation may take",
            seconds(1..=3600),
            default.request_timeout,
        ),
        kv_cache_bytes: fields.or(
            "kv_cache_bytes",
            "memory for the keys and values of all sessions together; taken as it is used",
            bytes(1 << 20..=1 << 44),
            default.kv_cache_bytes,
        ),
        kv_cache_dtype: fields.or(
            "kv_cache_dtype",
            "how keys and values are kept; int8 takes half the memory and is a little less exact",
            choice(&[("f16", KvCacheDtype::F16), ("int8", KvCacheDtype::Int8)]),
            default.kv_cache_dtype,
        ),
        threads: fields.optional(
            "threads",
            "threads that compute; without it, all cores that the process may use",
            whole(1..=1024),
        ),
        max_waiting: fields.or(
            "max_waiting",
            "requests that may wait for the engine; more are refused as overloaded",
            whole(1..=100_000),
            default.max_waiting,
        ),
    };
    if inference.max_batched_tokens < max_batch_size {
        let tokens = inference.max_batched_tokens;
        let message = |path: &str| {
            format!(
                "{path}.max_batched_tokens ({tokens}) is below max_batch_size ({max_batch_size}): every sequence needs a token"
            )
        };
        let key = if fields.has("max_batched_tokens") { "max_batched_tokens" } else { "max_batch_size" };
        fields.error(key, message, "raise the one or lower the other");
    }
    Some(inference)
}

fn pool(fields: &mut Fields<'_, '_>) -> Option<PoolConfig> {
    let default = defaults().agents;
    fields.unsupported(
        "memory_limit_per_agent",
        "elsewhere it caps the process of one agent; here agents share one process and cost KV tokens, not memory",
        "take the key out; openclaw_core.inference.kv_cache_bytes bounds what all agents use together",
    );
    let pool = PoolConfig {
        max_agents: max_agents(fields, default.max_agents),
        warm_agents: fields.or("warm_agents", "workers that are always there", whole(1..=512), default.warm_agents),
        scale_up_depth: fields.or(
            "scale_up_depth",
            "waiting tasks above which workers are added",
            whole(0..=1_000_000),
            default.scale_up_depth,
        ),
        session_max_tasks: fields.or(
            "session_max_tasks",
            "tasks after which a session is reset; up to a fifth fewer, so that sessions do not reset together",
            whole(1..=1_000_000),
            default.session_max_tasks,
        ),
        session_context_share: fields.or(
            "session_context_share",
            "share of its context above which a session is reset",
            number(0.10..=0.95),
            default.session_context_share,
        ),
        idle_timeout: fields.or(
            "idle_timeout",
            "seconds without a task after which a session is reset, and a worker above warm_agents leaves",
            seconds(1..=86_400),
            default.idle_timeout,
        ),
    };
    if pool.max_agents < pool.warm_agents {
        let (max, warm) = (pool.max_agents, pool.warm_agents);
        let message = |path: &str| format!("{path}.warm_agents ({warm}) is above max_agents ({max})");
        let key = if fields.has("warm_agents") { "warm_agents" } else { "max_agents" };
        fields.error(key, message, format!("set warm_agents to {max} or less, or raise max_agents"));
    }
    Some(pool)
}

fn max_agents(fields: &mut Fields<'_, '_>, default: usize) -> usize {
    fields.or("max_agents", "workers at most; OPENCLAW_MAX_AGENTS overrides it", agents_count(), default)
}

/// The limits of `max_agents`, for the file and for the variable.
pub(super) fn agents_count() -> impl Show<Out = usize> {
    whole(1..=512)
}
