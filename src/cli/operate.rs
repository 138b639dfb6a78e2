//! The commands of those who operate an installation.

use std::time::Duration;

use clap::{Args, Subcommand};
use types::{AgentName, ApiKeyId, Role, StopReason, TaskClass, TaskId, TeamName, WebhookId};

use super::ServerArgs;
use crate::help;

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it, this once.
    Create(CreateKeyArgs),
    /// List keys, without their text.
    List(ServerArgs),
    /// Revoke a key.
    Revoke(RevokeKeyArgs),
}

#[derive(Args)]
#[command(after_help = help::KEY)]
pub(crate) struct CreateKeyArgs {
    /// Whose tasks it may see; a new team is made.
    #[arg(long)]
    pub(crate) team: TeamName,
    /// What it may do: submitter (its team's tasks), operator (dead letters, pauses, figures too) or admin (keys and teams
    /// too).
    #[arg(long)]
    pub(crate) role: Role,
    /// What it is for.
    #[arg(long)]
    pub(crate) name: String,
    /// How long it is good, such as 12h or 90d; for ever unless given.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) expires_in: Option<Duration>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct RevokeKeyArgs {
    /// Its id, not the key itself; `talon key list` has it.
    pub(crate) id: ApiKeyId,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Subcommand)]
pub(crate) enum TeamCommand {
    /// List teams and their weights.
    List(ServerArgs),
    /// Make a team, or change its weight.
    Set(SetTeamArgs),
}

#[derive(Args)]
pub(crate) struct SetTeamArgs {
    /// The team.
    pub(crate) name: TeamName,
    /// A team of weight 2 gets twice the tokens of one of weight 1 while both wait.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) weight: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead letters, the newest first.
    List(DlqListArgs),
    /// Show one with all its attempts.
    Show(DlqShowArgs),
    /// Queue one again, edited if need be, or all that a filter fits.
    Requeue(RequeueArgs),
    /// Forget one for good, or all that a filter fits.
    Purge(PurgeArgs),
}

/// Which dead letters.
#[derive(Args)]
pub(crate) struct DlqFilter {
    /// Those of this agent.
    #[arg(long, value_name = "AGENT")]
    pub(crate) of_agent: Option<AgentName>,
    /// Those that are dead for this reason, such as tool_error or worker_lost.
    #[arg(long)]
    pub(crate) reason: Option<StopReason>,
    /// Those that have been dead for longer than this, such as 12h or 7d.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct DlqListArgs {
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// Go on behind this one: what the page before ended with.
    #[arg(long, value_name = "ID")]
    pub(crate) cursor: Option<TaskId>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct DlqShowArgs {
    /// The task's id.
    pub(crate) id: TaskId,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// One dead letter, or those of a filter.
#[derive(Args)]
pub(crate) struct DlqWhich {
    /// The task's id; without it, a filter or --all.
    pub(crate) id: Option<TaskId>,
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// Every dead letter.
    #[arg(long, conflicts_with_all = ["id", "of_agent", "reason", "older_than"])]
    pub(crate) all: bool,
    /// Only say how many there are.
    #[arg(long, conflicts_with = "id")]
    pub(crate) dry_run: bool,
    /// Ask nothing.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
#[command(after_help = help::REQUEUE)]
pub(crate) struct RequeueArgs {
    #[command(flatten)]
    pub(crate) which: DlqWhich,
    /// Another text in place of the task's; of one task only.
    #[arg(long, requires = "id")]
    pub(crate) input: Option<String>,
    /// Another agent is to work on it.
    #[arg(long)]
    pub(crate) agent: Option<AgentName>,
    /// Another class: interactive, normal or batch.
    #[arg(long)]
    pub(crate) class: Option<TaskClass>,
    /// Retries in place of the agent's own limit.
    #[arg(long)]
    pub(crate) max_retries: Option<u32>,
}

#[derive(Args)]
pub(crate) struct PurgeArgs {
    #[command(flatten)]
    pub(crate) which: DlqWhich,
}

#[derive(Subcommand)]
pub(crate) enum QueueCommand {
    /// Show what waits, what is paused and who works.
    Status(QueueStatusArgs),
    /// Withhold tasks from workers; those that run go on.
    Pause(PauseArgs),
    /// End a pause.
    Resume(ResumeArgs),
}

#[derive(Args)]
pub(crate) struct QueueStatusArgs {
    /// Count every row, too: whether each accepted task is accounted for. The exit code is 1 when one is not.
    #[arg(long)]
    pub(crate) conservation: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct PauseArgs {
    /// What is withheld: all, class:CLASS, agent:AGENT or team:TEAM.
    pub(crate) scope: String,
    /// Why; whoever asks why a task waits is told.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// The scope of the pause that ends; others go on.
    pub(crate) scope: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// List messages about ended tasks, the newest first.
    List(WebhookListArgs),
    /// Send a dead one again.
    Retry(WebhookRetryArgs),
}

#[derive(Args)]
pub(crate) struct WebhookListArgs {
    /// Only those in this state: pending, delivered or dead.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct WebhookRetryArgs {
    /// Its id.
    pub(crate) id: WebhookId,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// A number of seconds, minutes, hours or days.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let wrong = "a time is a number and s, m, h or d, such as 90d";
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit)).ok_or(wrong)?;
    let number: u64 = text.trim_end_matches(unit).parse().map_err(|_| wrong)?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("12h", 43_200), ("90d", 7_776_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "d", "90", "0d", "-1d", "1.5h", "99999999999999999999d", "213503982334602d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
