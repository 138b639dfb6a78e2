//! Delivery of waiting task ids to workers, by class.
//!
//! A queue orders ids and wakes workers. It may lose an id or hand one out twice, and it never decides anything: the
//! store does, when a worker opens the task there. What is lost here is put back by the store's relay.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod memory;
mod order;
mod queue;
mod redis;

pub use memory::{MemoryQueue, MemoryQueueSettings};
pub use order::ClassOrder;
pub use queue::{Classes, Closed, Delivery, Depth, Queue, QueueError};
pub use redis::{
    ConnectError, DeadLetterStream, Intake, IntakeEntry, MirroredLetter, RedisMetrics, RedisQueue, RedisSettings,
};
