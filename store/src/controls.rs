//! What operators and the processes themselves steer by: pauses, processes, the leader, retention, the place in line.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tokio::time::Instant;
use types::{AgentName, InvalidName, ProcessId, ProcessRole, TaskClass, TaskId, TeamName, Timestamp};

use crate::audit::Actor;
use crate::error::StoreError;
use crate::store::Waiting;
use crate::task::Task;

/// Steering. Like the verbs of tasks, each is committed when it answers `Ok`.
#[async_trait]
pub trait Controls: Send + Sync + 'static {
    /// Nothing that the scope covers is opened by calls made from now on. Again: the newer reason counts.
    async fn pause(&self, scope: &Scope, reason: &str, actor: &Actor) -> Result<(), StoreError>;

    /// Ends a pause; says whether there was one.
    async fn resume(&self, scope: &Scope, actor: &Actor) -> Result<bool, StoreError>;

    /// Every pause, oldest first.
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;

    /// Writes that a process lives, what it is and how busy; forgets those silent for ten minutes.
    async fn beat(&self, beat: &ProcessBeat) -> Result<(), StoreError>;

    /// The processes heard of lately, by id.
    async fn processes(&self) -> Result<Vec<Process>, StoreError>;

    /// Becomes or stays the one leader of the installation. Given up by [`Store::close`](crate::Store::close), or by
    /// the loss of the connection that holds the lock.
    async fn lead(&self) -> Result<Leadership, StoreError>;

    /// Forgets what ended longer ago than `retention` says, to at most `limit` tasks and documents.
    async fn prune(&self, retention: &Retention, limit: u32) -> Result<Pruned, StoreError>;

    /// Dead letters that their mirror has not heard of, oldest first; at most `limit`.
    async fn unmirrored(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError>;

    /// The mirror has heard of these.
    async fn mirrored(&self, seqs: &[i64]) -> Result<(), StoreError>;

    /// Running tasks that have a concurrency key.
    async fn running_keyed(&self) -> Result<Vec<KeyHolder>, StoreError>;

    /// Why a queued or scheduled task waits, as far as the store knows. `None` for any other.
    async fn place_in_line(&self, task: TaskId) -> Result<Option<PlaceInLine>, StoreError>;
}

/// What a pause covers. As text: `all`, `class:batch`, `agent:router`, `team:sales`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every task.
    All,
    /// Those of a class.
    Class(TaskClass),
    /// Those of an agent.
    Agent(AgentName),
    /// Those of a team.
    Team(TeamName),
}

impl Scope {
    /// The kinds of scopes, as their text begins.
    pub(crate) const KINDS: [&'static str; 4] = ["all", "class", "agent", "team"];

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Class(_) => "class",
            Scope::Agent(_) => "agent",
            Scope::Team(_) => "team",
        }
    }

    /// Whether it covers a waiting task.
    pub fn covers(&self, task: &Waiting) -> bool {
        self.covers_parts(task.class, &task.agent, &task.team)
    }

    pub(crate) fn covers_parts(&self, class: TaskClass, agent: &AgentName, team: &TeamName) -> bool {
        match self {
            Scope::All => true,
            Scope::Class(paused) => *paused == class,
            Scope::Agent(paused) => paused == agent,
            Scope::Team(paused) => paused == team,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::Class(class) => write!(f, "class:{class}"),
            Scope::Agent(agent) => write!(f, "agent:{agent}"),
            Scope::Team(team) => write!(f, "team:{team}"),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "all" => Ok(Scope::All),
            Some(("class", class)) => class.parse().map(Scope::Class),
            Some(("agent", agent)) => agent.parse().map(Scope::Agent),
            Some(("team", team)) => team.parse().map(Scope::Team),
            _ => Err(InvalidName {
                what: "scope",
                given: text.to_owned(),
                rule: "all, class:CLASS, agent:AGENT or team:TEAM",
            }),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A pause in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// What it covers.
    pub scope: Scope,
    /// Why, in the words of who paused.
    pub reason: String,
    /// Who paused.
    pub by: Actor,
    /// Since when.
    pub since: Timestamp,
}

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessBeat {
    /// Its incarnation.
    pub process: ProcessId,
    /// What it runs.
    pub role: ProcessRole,
    /// Workers it has.
    pub slots: u32,
    /// Those that work on a task.
    pub busy: u32,
}

/// A process heard of lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// What it said last.
    #[serde(flatten)]
    pub beat: ProcessBeat,
    /// When it was heard of first.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}

/// Whether this process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// Another does.
    Follower,
    /// It does.
    Leader {
        /// Since when the connection that holds the lock has lived.
        since_connect: Instant,
    },
}

/// How long what has ended is kept; `None` keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Succeeded tasks.
    pub succeeded: Option<Duration>,
    /// Failed tasks.
    pub failed: Option<Duration>,
    /// Cancelled tasks.
    pub cancelled: Option<Duration>,
    /// Dead letters.
    pub dead: Option<Duration>,
    /// Documents that no task refers to, counted from when they were last stored.
    pub documents: Option<Duration>,
}

/// What one pruning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Tasks, with their steps, events and messages.
    pub tasks: u32,
    /// Documents.
    pub documents: u32,
}

/// A dead task that the mirror of dead letters has to hear of.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its number; they only grow.
    pub seq: i64,
    /// The task.
    pub task: Box<Task>,
}

/// A running task that counts against a concurrency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The task.
    pub task: TaskId,
    /// Whose key it is.
    pub team: TeamName,
    /// The key.
    pub key: String,
}

/// Why a task waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlaceInLine {
    /// Queued tasks of its class that have waited longer.
    pub ahead_in_class: u64,
    /// Those of them that are of its team.
    pub ahead_of_team: u64,
    /// Running tasks of its team with its concurrency key.
    pub running_with_key: u32,
    /// Pauses that cover it.
    pub pauses: Vec<Pause>,
    /// Tasks of its class that ended within the last minute.
    pub finished_last_minute: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for text in ["all", "class:batch", "agent:router", "team:sales"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for wrong in ["", "ALL", "all:", "class:", "class:slow", "agent:No Agent", "team", "worker:1", ":"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong:?}");
        }
    }
}
