//! The stream in which dead letters are shown to those who look with Redis' tools. A mirror: the store has them all.

use std::sync::Arc;

use types::{AgentName, TaskId, TeamName, Timestamp};

use super::errand::Errand;
use super::intake::DEAD_LETTERS_KEPT;
use super::metrics::Tally;
use super::server::Server;
use crate::queue::QueueError;

/// Adds to the stream of dead letters.
#[derive(Debug)]
pub struct DeadLetterStream {
    errand: Errand,
}

/// A task that could not be finished.
#[derive(Clone, Debug)]
pub struct MirroredLetter {
    /// Its input.
    pub payload: String,
    /// Why it ended.
    pub error: String,
    /// The task's id.
    pub original_id: TaskId,
    /// Executions that were begun.
    pub attempts: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those whose worker was lost.
    pub losses: u32,
    /// Who worked on it.
    pub agent: AgentName,
    /// Whose it is.
    pub team: TeamName,
    /// When it ended.
    pub died_at: Timestamp,
}

impl DeadLetterStream {
    pub(crate) fn new(server: Arc<Server>, tally: Tally) -> Self {
        DeadLetterStream { errand: Errand::new(server, tally) }
    }

    /// Adds letters, all or none. The oldest beyond ten thousand leave.
    pub async fn add(&mut self, letters: &[MirroredLetter]) -> Result<(), QueueError> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut link = self.errand.link().await?;
        let key = self.errand.server.address.dead_letters();
        let mut all = redis::pipe();
        all.atomic();
        for letter in letters {
            all.cmd("XADD").arg(key).arg("MAXLEN").arg("~").arg(DEAD_LETTERS_KEPT).arg("*");
            all.arg("payload").arg(&letter.payload).arg("error").arg(&letter.error);
            all.arg("original_id").arg(letter.original_id.to_string());
            all.arg("attempts").arg(letter.attempts).arg("failures").arg(letter.failures);
            all.arg("losses").arg(letter.losses).arg("agent").arg(letter.agent.as_str());
            all.arg("team").arg(letter.team.as_str()).arg("died_at").arg(letter.died_at.to_string());
        }
        all.exec_async(&mut link).await.map_err(|error| self.errand.failed(error))
    }
}
