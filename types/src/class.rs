//! How urgent a task is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::InvalidName;

/// The level a task waits in. Each class has its own waiting line; none can starve another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskClass {
    /// A person waits for the answer.
    Interactive,
    /// The default.
    #[default]
    Normal,
    /// Documents in bulk; finished when there is room.
    Batch,
}

impl TaskClass {
    /// Every class, the most urgent first.
    pub const ALL: [TaskClass; 3] = [TaskClass::Interactive, TaskClass::Normal, TaskClass::Batch];

    /// The name in JSON, in the store, in metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskClass::Interactive => "interactive",
            TaskClass::Normal => "normal",
            TaskClass::Batch => "batch",
        }
    }
}

impl std::fmt::Display for TaskClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TaskClass {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TaskClass::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| InvalidName {
            what: "class",
            given: text.to_owned(),
            rule: "one of interactive, normal, batch",
        })
    }
}
