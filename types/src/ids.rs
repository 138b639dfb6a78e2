//! Ids, each with a type of its own, valid by construction.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A text that is not the name or id it was given as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a valid {what}: expected {rule}")]
pub struct InvalidName {
    /// What it should have been, e.g. `agent name`.
    pub what: &'static str,
    /// The text.
    pub given: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// A task's id: a UUID whose order is the order of acceptance (version 7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = "uuid")]
pub struct TaskId(Uuid);

impl TaskId {
    /// A new id, later than every one made before it in this process.
    #[allow(clippy::new_without_default, reason = "a new id is an act, not a default value")]
    pub fn new() -> Self {
        TaskId(Uuid::now_v7())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TaskId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(TaskId).map_err(|_| InvalidName {
            what: "task id",
            given: text.to_owned(),
            rule: "a UUID such as 01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55",
        })
    }
}

/// One execution of a task. It only grows and is the fencing token: a write from an older attempt is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct AttemptNumber(pub u32);

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok($name(text))
                } else {
                    Err(InvalidName { what: $what, given: text, rule: $rule })
                }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// The tag and 12 lowercase hexadecimal digits.
fn is_tagged(text: &str, tag: &str) -> bool {
    text.strip_prefix(tag).is_some_and(|rest| {
        rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

fn random_tagged(tag: &str) -> String {
    let unique = Uuid::new_v4().simple().to_string();
    format!("{tag}{}", &unique[..12])
}

text_id!(
    /// An agent's name, as in its YAML file.
    AgentName, "agent name", "1 to 63 of a-z, 0-9 and '-', not at either end", is_label
);
text_id!(
    /// A team's name: who owns tasks, documents and agents.
    TeamName, "team name", "1 to 63 of a-z, 0-9 and '-', not at either end", is_label
);
text_id!(
    /// A stored document's id; short, because models copy it.
    DocumentId, "document id", "doc_ and 12 hexadecimal digits, such as doc_3f2a9c01b7de",
    |text| is_tagged(text, "doc_")
);
text_id!(
    /// One incarnation of a process that works on tasks; a restart makes a new one.
    ProcessId, "process id", "1 to 63 of a-z, 0-9 and '-', not at either end", is_label
);

text_id!(
    /// An API key's id: what people and logs call it. The key itself is never kept.
    ApiKeyId, "API key id", "key_ and 12 hexadecimal digits, such as key_3f2a9c01b7de", |text| is_tagged(text, "key_")
);
text_id!(
    /// A completion message's id; its receiver drops repetitions by it.
    WebhookId, "webhook id", "whk_ and 12 hexadecimal digits, such as whk_3f2a9c01b7de", |text| is_tagged(text, "whk_")
);

impl ProcessId {
    /// A new incarnation's id: the host's process number for people, randomness for uniqueness.
    pub fn new() -> Self {
        let unique = Uuid::new_v4().simple().to_string();
        ProcessId(format!("p{}-{}", std::process::id(), &unique[..8]))
    }
}

impl Default for ProcessId {
    fn default() -> Self {
        ProcessId::new()
    }
}

/// A worker: the process it lives in and its slot there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct WorkerId {
    /// The incarnation of the process.
    pub process: ProcessId,
    /// Its number in the process, from 0.
    pub slot: u32,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/worker-{}", self.process, self.slot)
    }
}

impl DocumentId {
    /// A new random id.
    pub fn random() -> Self {
        DocumentId(random_tagged("doc_"))
    }
}

impl ApiKeyId {
    /// A new random id.
    pub fn random() -> Self {
        ApiKeyId(random_tagged("key_"))
    }
}

impl WebhookId {
    /// A new random id.
    pub fn random() -> Self {
        WebhookId(random_tagged("whk_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_where_they_come_in() {
        assert!("data-extraction".parse::<AgentName>().is_ok());
        for wrong in ["", "-a", "a-", "Upper", "with space", &"x".repeat(64)] {
            assert!(wrong.parse::<AgentName>().is_err(), "{wrong:?}");
        }
        assert!(serde_json::from_str::<TeamName>("\"No Team\"").is_err());
    }

    #[test]
    fn random_ids_have_one_form() {
        assert!(DocumentId::random().as_str().parse::<DocumentId>().is_ok());
        assert!(ApiKeyId::random().as_str().parse::<ApiKeyId>().is_ok());
        assert!(WebhookId::random().as_str().parse::<WebhookId>().is_ok());
        assert!(WebhookId::random().as_str().parse::<ApiKeyId>().is_err());
        assert!("doc_3F2A9C01B7DE".parse::<DocumentId>().is_err());
    }

    #[test]
    fn later_tasks_have_later_ids() {
        let first = TaskId::new();
        assert!(first < TaskId::new());
    }
}
