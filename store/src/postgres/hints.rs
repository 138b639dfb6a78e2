//! Word of commits between processes. Hints only: they may be lost, and whoever waits looks for itself as well.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, Error};
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, warn};

use super::connection::{PING_PATIENCE, within};
use super::readers::Readers;
use super::time::ServerTime;
use crate::change::Change;
use crate::sql::{Given, Sql};

const CHANNEL: &str = "talon_changes";

/// The server takes less than 8000 bytes.
const MAX_PAYLOAD: usize = 7900;

/// Commits that may wait to be told; what comes when so many wait is not told.
const MAX_WAITING: usize = 1024;

/// So often the listener asks whether the connection still lives and what time it is there, however much it hears.
const LOOK: Duration = Duration::from_secs(20);

/// Between two tries to listen.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells other processes what this one commits, and listeners here what others do.
pub(crate) struct Hints {
    outgoing: mpsc::Sender<Vec<Change>>,
    tasks: [AbortHandle; 2],
}

impl Hints {
    /// Tells by a connection of the pool and listens on one of its own.
    pub(crate) fn spawn(
        options: PgConnectOptions,
        readers: Arc<Readers>,
        changes: broadcast::Sender<Change>,
        time: ServerTime,
    ) -> Self {
        let sender = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let (outgoing, waiting) = mpsc::channel(MAX_WAITING);
        let telling = tokio::spawn(tell(readers, sender.clone(), waiting));
        let listening = tokio::spawn(listen(options, sender, changes, time));
        Hints { outgoing, tasks: [telling.abort_handle(), listening.abort_handle()] }
    }

    /// Neither tells nor listens any more.
    pub(crate) fn close(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    pub(crate) fn tell(&self, changes: &[Change]) {
        if !changes.is_empty() && self.outgoing.try_send(changes.to_vec()).is_err() {
            debug!("other processes do not hear of a commit; they look for themselves");
        }
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.close();
    }
}

async fn tell(readers: Arc<Readers>, sender: String, mut waiting: mpsc::Receiver<Vec<Change>>) {
    let mut commits = Vec::new();
    while waiting.recv_many(&mut commits, MAX_WAITING).await > 0 {
        let mut given = Given::new(&["payload"]);
        for payload in payloads(&sender, commits.drain(..).flatten()) {
            given.push([payload.into()]);
        }
        if let Err(error) = notify(&readers, given).await {
            debug!(%error, "other processes do not hear of commits; they look for themselves");
        }
    }
}

async fn notify(readers: &Readers, payloads: Given) -> Result<(), Error> {
    let mut connection = readers.acquire().await?;
    connection.rows(payloads.query("SELECT COUNT(pg_notify('talon_changes', payload)) FROM {given}")).await?;
    Ok(())
}

async fn listen(options: PgConnectOptions, sender: String, changes: broadcast::Sender<Change>, time: ServerTime) {
    loop {
        let Err(error) = hear(&options, &sender, &changes, &time).await;
        warn!(%error, "hints of other processes are not heard; listening again");
        sleep(PAUSE).await;
    }
}

/// Listens until the connection is lost.
async fn hear(
    options: &PgConnectOptions,
    sender: &str,
    changes: &broadcast::Sender<Change>,
    time: &ServerTime,
) -> Result<std::convert::Infallible, Error> {
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = within(PING_PATIENCE, pool.connect_with(options.clone())).await?;
    let mut listener = within(PING_PATIENCE, PgListener::connect_with(&pool)).await?;
    listener.eager_reconnect(false);
    within(PING_PATIENCE, listener.listen(CHANNEL)).await?;
    let mut due = Instant::now() + LOOK;
    loop {
        match timeout_at(due, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                for change in read(notification.payload(), sender) {
                    // An error means that nobody listens.
                    let _ = changes.send(change);
                }
            }
            Ok(Ok(None)) => return Err(Error::Io(std::io::ErrorKind::ConnectionReset.into())),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let connection = sqlx::Acquire::acquire(&mut listener);
                let connection = within(PING_PATIENCE, connection).await?;
                within(PING_PATIENCE, connection.ping()).await?;
                within(PING_PATIENCE, time.measure(connection)).await?;
                due = Instant::now() + LOOK;
            }
        }
    }
}

/// A line for who tells, and one for each change; as many as fit.
fn payloads(sender: &str, changes: impl Iterator<Item = Change>) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    for Change { task, kind, state } in changes {
        let line = format!("\n{task} {} {}", kind.as_str(), state.as_str());
        match payloads.last_mut() {
            Some(payload) if payload.len() + line.len() <= MAX_PAYLOAD => payload.push_str(&line),
            _ => payloads.push(format!("{sender}{line}")),
        }
    }
    payloads
}

/// The changes of another process; what is not understood was written by another version and is left out.
fn read(payload: &str, own: &str) -> Vec<Change> {
    let mut lines = payload.lines();
    if lines.next() == Some(own) {
        return Vec::new();
    }
    let change = |line: &str| {
        let mut words = line.split(' ');
        let (task, kind, state) = (words.next()?, words.next()?, words.next()?);
        Some(Change { task: task.parse().ok()?, kind: kind.parse().ok()?, state: state.parse().ok()? })
    };
    lines.filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use types::{TaskId, TaskState};

    use super::*;
    use crate::step::EventKind;

    fn change() -> Change {
        Change { task: TaskId::new(), kind: EventKind::CancelRequested, state: TaskState::Running }
    }

    #[test]
    fn changes_come_back_as_they_were_told() {
        let told: Vec<Change> = (0..500).map(|_| change()).collect();
        let payloads = payloads("one", told.iter().copied());
        assert!(1 < payloads.len() && payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD));
        let heard: Vec<Change> = payloads.iter().flat_map(|payload| read(payload, "two")).collect();
        assert_eq!(heard, told);
    }

    #[test]
    fn ones_own_changes_and_unknown_kinds_are_left_out() {
        let task = TaskId::new();
        assert!(read(&payloads("one", [change()].into_iter())[0], "one").is_empty());
        let payload = format!("two\n{task} dreamed queued\n{task} due queued\nnonsense");
        let heard = Change { task, kind: EventKind::Due, state: TaskState::Queued };
        assert_eq!(read(&payload, "one"), [heard]);
    }
}
