//! What a key may do, and what a process does.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::InvalidName;

/// What the holder of an API key may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Submits and reads tasks and documents of its own team.
    Submitter,
    /// Looks after dead letters, pauses and figures too.
    Operator,
    /// Makes and revokes keys, and weighs teams.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 3] = [Role::Submitter, Role::Operator, Role::Admin];

    /// The name in JSON, in the store and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Submitter => "submitter",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| InvalidName {
            what: "role",
            given: text.to_owned(),
            rule: "one of submitter, operator, admin",
        })
    }
}

/// Which parts of the program a process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProcessRole {
    /// Everything.
    #[default]
    All,
    /// The REST interface.
    Api,
    /// Workers.
    Worker,
    /// Models behind HTTP.
    Engine,
}

impl ProcessRole {
    /// Every role.
    pub const ALL: [ProcessRole; 4] = [ProcessRole::All, ProcessRole::Api, ProcessRole::Worker, ProcessRole::Engine];

    /// The name in JSON, in the store and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            ProcessRole::All => "all",
            ProcessRole::Api => "api",
            ProcessRole::Worker => "worker",
            ProcessRole::Engine => "engine",
        }
    }
}

impl std::fmt::Display for ProcessRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ProcessRole {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ProcessRole::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| InvalidName {
            what: "process role",
            given: text.to_owned(),
            rule: "one of all, api, worker, engine",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_more_is_greater() {
        assert!(Role::Submitter < Role::Operator && Role::Operator < Role::Admin);
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        assert!(Role::ALL.iter().all(|role| role.as_str().parse() == Ok(*role)));
        assert!(ProcessRole::ALL.iter().all(|role| role.as_str().parse() == Ok(*role)));
        assert!("Admin".parse::<Role>().is_err());
    }
}
