//! Keeping attempts: all leases of a process in one statement.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Error;
use types::{AttemptNumber, TaskId};

use super::query::Given;
use super::request::Alone;
use super::transaction::Transaction;
use crate::store::{Fence, Renewal};

pub(crate) struct Renew {
    pub(crate) held: Vec<Fence>,
    pub(crate) lease_timeout: Duration,
}

#[async_trait]
impl Alone for Renew {
    type Answer = Vec<Renewal>;

    const DOING: &'static str = "renew leases";

    fn tasks(&self) -> Vec<TaskId> {
        self.held.iter().map(|fence| fence.task).collect()
    }

    /// A lease that has expired and was not recorded as such yet is still good.
    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Vec<Renewal>, Error> {
        if self.held.is_empty() {
            return Ok(Vec::new());
        }
        let until = tx.now.after(self.lease_timeout);
        let mut held = Given::new(&["task", "fence", "renewed"]);
        for fence in &self.held {
            tx.forget_ahead(fence.task);
            held.push([fence.task.into(), fence.attempt.into(), until.into()]);
        }
        let update = "UPDATE tasks SET lease_until = given.renewed FROM {given}
            WHERE id = given.task AND attempt = given.fence AND state = 'running'
            RETURNING id, attempt, cancel_requested";
        let mut renewed = HashMap::with_capacity(self.held.len());
        for row in tx.rows(held.query(update)).await? {
            let fence = Fence { task: row.parse("id")?, attempt: AttemptNumber(row.get("attempt")?) };
            let cancel_requested: bool = row.get("cancel_requested")?;
            let renewal = if cancel_requested { Renewal::CancelRequested(until) } else { Renewal::Held(until) };
            renewed.insert(fence, renewal);
        }
        Ok(self.held.iter().map(|fence| renewed.get(fence).copied().unwrap_or(Renewal::Lost)).collect())
    }
}
