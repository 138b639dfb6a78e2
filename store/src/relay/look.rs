//! One look of the leader at everything: the I/O around the relay's policy. Each part may be repeated, and each is bounded.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use types::{TaskClass, TaskId};

use super::backlog::{Backlog, Page};
use super::fair::Weights;
use super::fed::Fed;
use super::keys::KeyName;
use super::leader::{Moment, News, Standing};
use super::window::Window;
use super::{Relay, RelayError, Relayed};
use crate::controls::Scope;
use crate::error::StoreError;
use crate::fault;
use crate::store::{Swept, Waiting};

/// Rows and ids that are moved in one call.
const BATCH: u32 = 1000;
/// Pages of the outbox that are taken before something else is looked at.
const PAGES: usize = 16;
/// Fed ids that are compared with the queue in one look.
const COMPARED: usize = 2000;
/// Between two counts of every row.
const BETWEEN_COUNTS: Duration = Duration::from_secs(60);

/// Whether a sweep may have left something to do.
pub(super) fn is_full(swept: &Swept) -> bool {
    [swept.due, swept.expired, swept.timed_out].into_iter().any(|count| count == BATCH)
}

impl Relay {
    /// Looks whether this process leads, and if it does, at everything that hints may have missed.
    pub async fn run_once(&mut self) -> Result<Relayed, RelayError> {
        let answer = self.store.lead().await.inspect_err(|_| self.resign())?;
        let now = Instant::now();
        let patience = (self.settings.lease_timeout / 3).max(2 * self.settings.tick);
        match self.standing.hear(answer, Moment { instant: now, time: self.store.now() }, patience) {
            News::Follows => {
                self.resign();
                return Ok(Relayed::default());
            }
            News::TakesOver => self.take_over().await.inspect_err(|_| self.resign())?,
            News::Leads => {}
        }
        // Ids flow even where a full disk keeps the store from writing.
        let swept = self.sweep(now).await;
        self.read_controls().await?;
        let mut delivered = self.take_outbox().await?;
        self.compare_rows().await?;
        let refilled = self.compare_fed().await?;
        self.read_keys().await?;
        self.look_at_window(now).await?;
        delivered += self.feed().await?;
        self.count_rows(now);
        Ok(Relayed { swept: swept?, delivered, refilled })
    }

    /// Leads no more: whatever it knows may be outdated by the time it leads again.
    pub(super) fn resign(&mut self) {
        self.standing = Standing::Follower;
        self.forget_everything();
        if self.leading.send_if_modified(|leads| std::mem::replace(leads, false)) {
            info!("this process leads no more");
        }
        if let Some(metrics) = &self.settings.metrics {
            metrics.follows();
        }
    }

    fn forget_everything(&mut self) {
        (self.backlog, self.fed, self.window) = (Backlog::default(), Fed::default(), Window::default());
        (self.compared, self.counted_at) = (None, None);
        self.count = JoinSet::new();
    }

    /// Reads everything that is queued. What the queue holds already is pushed again, which changes nothing there.
    async fn take_over(&mut self) -> Result<(), StoreError> {
        self.forget_everything();
        self.read_controls().await?;
        self.read_keys().await?;
        while self.compare_rows().await? {}
        let waiting: usize = TaskClass::ALL.iter().map(|class| self.backlog.count(*class)).sum();
        info!(waiting, "this process leads: it feeds the queue");
        if let Some(metrics) = &self.settings.metrics {
            metrics.leads();
        }
        self.leading.send_replace(true);
        Ok(())
    }

    async fn sweep(&mut self, now: Instant) -> Result<Swept, StoreError> {
        let leases = self.standing.lease_sweep(now, self.settings.lease_timeout);
        fault::point("sweeping");
        let swept = self.store.sweep(BATCH, leases).await;
        fault::point("swept");
        if let (Some(metrics), Ok(swept)) = (&self.settings.metrics, &swept) {
            metrics.expired(swept.expired);
        }
        swept
    }

    async fn read_controls(&mut self) -> Result<(), StoreError> {
        let pauses = self.store.pauses().await?;
        let scopes: HashSet<Scope> = pauses.into_iter().map(|pause| pause.scope).collect();
        if let Some(metrics) = &self.settings.metrics {
            metrics.pauses(&scopes);
        }
        self.backlog.set_pauses(scopes);
        let teams = self.store.teams().await?;
        self.backlog.set_weights(teams.into_iter().map(|team| (team.name, team.weight)).collect::<Weights>());
        Ok(())
    }

    /// Hears what was queued, and feeds it. Says how many ids it fed.
    pub(super) async fn take_outbox(&mut self) -> Result<u64, RelayError> {
        let mut delivered = 0;
        for _ in 0..PAGES {
            let queued = self.store.take_outbox(BATCH).await?;
            fault::point("outbox-taken");
            let was_full = queued.len() == BATCH as usize;
            for waiting in queued {
                // It was opened and came back, or is heard of twice.
                self.fed.forget(waiting.task);
                self.backlog.add(waiting);
            }
            delivered += self.feed().await?;
            if !was_full {
                break;
            }
        }
        Ok(delivered)
    }

    /// Compares a page of the store's rows with the backlog; says whether there are more before the round is over.
    async fn compare_rows(&mut self) -> Result<bool, StoreError> {
        let queued = self.store.queued(self.compared, BATCH).await?;
        let has_more = queued.len() == BATCH as usize;
        let next = queued.last().filter(|_| has_more).map(|last| last.task);
        let page = Page { after: self.compared, queued, has_more };
        let missing = self.backlog.correct(page, |task| self.fed.contains(task));
        if 0 < missing {
            debug!(missing, "queued tasks that no hint told of");
        }
        self.compared = next;
        Ok(has_more)
    }

    /// Compares some of what was fed with the queue. What is missing there and still queued is fed again.
    async fn compare_fed(&mut self) -> Result<u64, RelayError> {
        let slice = self.fed.next_slice(COMPARED);
        if slice.is_empty() {
            return Ok(0);
        }
        let held = self.queue.holds(&slice).await?;
        let missing: Vec<TaskId> =
            slice.into_iter().zip(held).filter(|(_, held)| !held).map(|(task, _)| task).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        // Asked after the queue: a task is acknowledged after it was opened.
        let lost = self.store.still_queued(&missing).await?;
        for waiting in &lost {
            self.fed.forget(waiting.task);
        }
        for task in missing {
            self.left(task);
        }
        let refilled = lost.len() as u64;
        lost.into_iter().for_each(|waiting| self.backlog.give_back(waiting));
        if 0 < refilled {
            debug!(refilled, "the queue has lost ids, or workers were refused them");
        }
        if let Some(metrics) = &self.settings.metrics {
            metrics.refilled(refilled);
        }
        Ok(refilled)
    }

    /// Asked after what was fed was compared: a task that was opened since is among the running.
    async fn read_keys(&mut self) -> Result<(), StoreError> {
        let running = self.store.running_keyed().await?;
        let running = running.into_iter().map(|holder| (holder.task, KeyName { team: holder.team, key: holder.key }));
        self.backlog.set_running(running.collect(), |task| self.fed.contains(task));
        Ok(())
    }

    async fn look_at_window(&mut self, now: Instant) -> Result<(), StoreError> {
        let processes = self.store.processes().await?;
        self.window.look(now - self.looked_at, &processes);
        self.looked_at = now;
        Ok(())
    }

    /// Fills the queue's lines up to their windows; says how many ids that took.
    pub(super) async fn feed(&mut self) -> Result<u64, RelayError> {
        let mut delivered = 0;
        loop {
            let batch = self.next_batch();
            if batch.is_empty() {
                break;
            }
            let ids: Vec<_> = batch.iter().map(|waiting| (waiting.task, waiting.class)).collect();
            fault::point("pushing");
            if let Err(error) = self.queue.push(&ids).await {
                batch.into_iter().for_each(|waiting| self.backlog.give_back(waiting));
                return Err(error.into());
            }
            fault::point("pushed");
            ids.iter().for_each(|&(task, class)| self.fed.add(task, class));
            delivered += ids.len() as u64;
        }
        if let Some(metrics) = &self.settings.metrics {
            for class in TaskClass::ALL {
                metrics.holds(class, self.backlog.count(class), self.fed.count(class));
            }
        }
        Ok(delivered)
    }

    fn next_batch(&mut self) -> Vec<Waiting> {
        let mut batch = Vec::new();
        for class in TaskClass::ALL {
            let room = self.window.size(class, self.settings.tick).saturating_sub(self.fed.count(class));
            let room = room.min(BATCH as usize - batch.len());
            batch.extend((0..room).map_while(|_| self.backlog.take(class)));
        }
        batch
    }

    /// Counts every row now and then. That takes long where there are many, so it is done beside.
    fn count_rows(&mut self, now: Instant) {
        let Some(metrics) = self.settings.metrics.clone() else { return };
        if self.counted_at.is_some_and(|counted| now - counted < BETWEEN_COUNTS) {
            return;
        }
        self.counted_at = Some(now);
        let store = self.store.clone();
        self.count = JoinSet::new();
        self.count.spawn(async move {
            match store.conservation().await {
                Ok(law) => metrics.conserves(&law),
                Err(error) => warn!(%error, "the rows were not counted"),
            }
        });
    }
}
