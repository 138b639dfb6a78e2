//! One leader per installation: who holds an advisory lock by a session of its own. It is lost with the connection.

use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connection::Session;
use crate::controls::Leadership;
use crate::sql::{Sql, query};

/// The lock, among those of the same database: "Talon" in hexadecimal.
const LOCK: i64 = 0x0054_616c_6f6e;

/// Puts the differences of the figures together once they are many. It shows as well that the session lives.
const SUM_UP: &str = "WITH differences AS (
        DELETE FROM task_figures WHERE 100 < (SELECT COUNT(*) FROM task_figures) RETURNING state, class, count)
    INSERT INTO task_figures (state, class, count)
    SELECT state, class, SUM(count) FROM differences GROUP BY state, class HAVING SUM(count) <> 0";

/// A process that does not reach the server is no leader now; it asks again soon.
const PATIENCE: Duration = Duration::from_secs(1);

/// The candidacy of this process.
pub(crate) struct Candidate {
    options: PgConnectOptions,
    session: Mutex<Option<Held>>,
}

struct Held {
    session: Session,
    /// Since when it has the lock.
    leads: Option<Instant>,
}

impl Candidate {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Candidate { options, session: Mutex::new(None) }
    }

    /// Takes the lock if it is free, and says whether this process has it.
    pub(crate) async fn lead(&self) -> Result<Leadership, Error> {
        let mut place = self.session.lock().await;
        let mut held = match place.take() {
            Some(held) => held,
            None => Held { session: Session::open(&self.options, PATIENCE).await?, leads: None },
        };
        // A session that fails is dropped, and the lock with it.
        let since = match held.leads {
            Some(since) => {
                held.session.execute(query(SUM_UP)).await?;
                Some(since)
            }
            None => {
                let lock = query("SELECT CAST(pg_try_advisory_lock($1) AS TEXT) AS taken").bind(LOCK);
                let rows = held.session.rows(lock).await?;
                let taken: String = rows.first().ok_or(Error::RowNotFound)?.get("taken")?;
                (taken == "true").then(Instant::now)
            }
        };
        held.leads = since;
        *place = Some(held);
        Ok(since.map_or(Leadership::Follower, |since_connect| Leadership::Leader { since_connect }))
    }

    /// Gives the lock up.
    pub(crate) async fn close(&self) {
        if let Some(held) = self.session.lock().await.take() {
            crate::sql::Writing::close(Box::new(held.session)).await;
        }
    }
}
