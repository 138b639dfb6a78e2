//! What the queue is called in Redis. One hash tag: in a cluster all of it lies in one slot, where scripts can reach it.

/// The consumer group of every stream.
pub(crate) const GROUP: &str = "agent-pool";

/// What the scripts of the queue are given: the lines by class, the ids held, the bells.
pub(crate) const QUEUE: [&str; 6] = [
    "{openclaw:tasks}:interactive",
    "{openclaw:tasks}:normal",
    "{openclaw:tasks}:batch",
    "{openclaw:tasks}:held",
    INTERACTIVE_BELL,
    OTHER_BELL,
];

/// Rings when an interactive id waits.
pub(crate) const INTERACTIVE_BELL: &str = "{openclaw:tasks}:bell:interactive";

/// Rings when an id of another class waits.
pub(crate) const OTHER_BELL: &str = "{openclaw:tasks}:bell:other";

/// Where producers that know nothing of Talon add tasks. In a cluster it lies in the slot of the hash tag as well.
pub(crate) const INTAKE: &str = "openclaw:tasks";

/// The dead letters for those who look in with Redis' tools.
pub(crate) const DEAD_LETTERS: &str = "openclaw:tasks:dlq";

/// The same in a cluster, where a script can reach it only in the slot of the intake.
pub(crate) const CLUSTER_DEAD_LETTERS: &str = "{openclaw:tasks}:dlq";
