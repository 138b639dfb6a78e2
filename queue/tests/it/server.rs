//! A Redis server of a test's own, and queues in it.

use std::time::Duration;

use task_queue::{RedisMetrics, RedisQueue, RedisSettings};
use testbed::{Redis, RedisOptions};
use types::ProcessId;

/// Long for what a test does meanwhile, short to wait for.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(2);

pub async fn start() -> Redis {
    Redis::start(RedisOptions::default()).await
}

pub fn settings(url: &str) -> RedisSettings {
    RedisSettings {
        visibility_timeout: VISIBILITY_TIMEOUT,
        response_timeout: Duration::from_secs(1),
        patience: Duration::from_millis(200),
        ..RedisSettings::new(url, ProcessId::new())
    }
}

pub async fn connect(url: &str) -> RedisQueue {
    RedisQueue::connect(settings(url)).await.unwrap()
}

/// A queue and what it counts.
pub async fn counted(url: &str) -> (RedisQueue, prometheus::Registry) {
    counted_for(url, VISIBILITY_TIMEOUT).await
}

/// A queue with this visibility timeout, and what it counts.
pub async fn counted_for(url: &str, visibility_timeout: Duration) -> (RedisQueue, prometheus::Registry) {
    let registry = prometheus::Registry::new();
    let metrics = Some(RedisMetrics::new(&registry).unwrap());
    let settings = RedisSettings { metrics, visibility_timeout, ..settings(url) };
    (RedisQueue::connect(settings).await.unwrap(), registry)
}

/// A counter's value, of one kind if it has kinds.
pub fn count(registry: &prometheus::Registry, name: &str, kind: Option<&str>) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    let of_kind = |metric: &&prometheus::proto::Metric| {
        kind.is_none_or(|kind| metric.get_label().iter().any(|label| label.value() == kind))
    };
    family.get_metric().iter().filter(of_kind).map(|metric| metric.get_counter().get_value()).sum()
}

/// Makes everything that is delivered look as if it had been left alone for an hour.
pub async fn age(redis: &Redis) {
    let script = "for _, line in ipairs(KEYS) do \
                    for _, entry in ipairs(redis.call('XPENDING', line, 'agent-pool', '-', '+', 1000)) do \
                      redis.call('XCLAIM', line, 'agent-pool', entry[2], 0, entry[1], 'IDLE', 3600000, 'JUSTID') \
                    end \
                  end";
    redis.cli(&["EVAL", script, "3", LINES[0], LINES[1], LINES[2]]).await;
}

pub const LINES: [&str; 3] = ["{openclaw:tasks}:interactive", "{openclaw:tasks}:normal", "{openclaw:tasks}:batch"];
