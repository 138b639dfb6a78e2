//! Who changed what, and when: written in the transaction of the change, and never altered.

use serde::Serialize;
use types::Timestamp;

/// Who acts: a user, a key, a worker, or the system itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Someone, such as `key:billing` or `user:ann`.
    pub fn new(name: impl Into<String>) -> Self {
        Actor(name.into())
    }

    /// The system: time has passed, or a process was lost.
    pub fn system() -> Self {
        Actor("system".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Its number; they only grow.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What was done, such as `task.accept`.
    pub action: String,
    /// To what: a task's or document's id.
    pub target: String,
    /// More about it: a JSON object.
    pub details: serde_json::Value,
}
