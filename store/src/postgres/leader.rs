//! One leader per installation: who holds an advisory lock by a session of its own. It is lost with the connection.

use sqlx::Error;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use super::connection::{LEADING, PING_PATIENCE, Session};
use super::faults::is_lost;
use crate::controls::Leadership;
use crate::sql::{SessionId, Sql, Writing, query};

/// The lock, among those of the same database: "Talon" in hexadecimal.
const LOCK: i64 = 0x0054_616c_6f6e;

/// Puts the differences of the figures together once they are many. It shows as well that the session lives.
const SUM_UP: &str = "WITH differences AS (
        DELETE FROM task_figures WHERE 100 < (SELECT COUNT(*) FROM task_figures) RETURNING state, class, count)
    INSERT INTO task_figures (state, class, count)
    SELECT state, class, SUM(count) FROM differences GROUP BY state, class HAVING SUM(count) <> 0";

/// The candidacy of this process.
pub(crate) struct Candidate {
    options: PgConnectOptions,
    place: Mutex<Place>,
}

#[derive(Default)]
struct Place {
    held: Option<Held>,
    /// A session that was lost, and whose lock the server may not have let go of yet.
    lost: SessionId,
    /// It does not stand again.
    is_closed: bool,
}

struct Held {
    session: Session,
    /// Since when it has the lock.
    leads: Option<Instant>,
}

impl Candidate {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Candidate { options: options.options(LEADING), place: Mutex::default() }
    }

    /// Takes the lock if it is free, and says whether this process has it. A session that was lost is made anew.
    pub(crate) async fn lead(&self) -> Result<Leadership, Error> {
        let mut place = self.place.lock().await;
        if place.is_closed {
            return Err(Error::PoolClosed);
        }
        if let Some(mut held) = place.held.take() {
            match held.look().await {
                Err(error) if is_lost(&error) => place.lost = held.session.session(),
                Err(error) => return Err(error),
                Ok(leadership) => {
                    place.held = Some(held);
                    return Ok(leadership);
                }
            }
        }
        let mut session = Session::open(&self.options, PING_PATIENCE, PING_PATIENCE).await?;
        session.outlive(&place.lost).await?;
        let mut held = Held { session, leads: None };
        let leadership = held.look().await?;
        place.held = Some(held);
        Ok(leadership)
    }

    /// Gives the lock up, so that another can have it at once.
    pub(crate) async fn close(&self) {
        let mut place = self.place.lock().await;
        place.is_closed = true;
        if let Some(mut held) = place.held.take() {
            // Where this fails, the end of the session does it.
            let _ = held.session.execute(query("SELECT pg_advisory_unlock_all()")).await;
            Box::new(held.session).close().await;
        }
    }
}

impl Held {
    async fn look(&mut self) -> Result<Leadership, Error> {
        if self.leads.is_some() {
            match self.session.execute(query(SUM_UP)).await {
                Err(error) if is_lost(&error) => return Err(error),
                Err(error) => warn!(%error, "figures are not summed up; trying again"),
                Ok(_) => {}
            }
        } else {
            let lock = query("SELECT CAST(pg_try_advisory_lock($1) AS TEXT) AS taken").bind(LOCK);
            let rows = self.session.rows(lock).await?;
            let taken: String = rows.first().ok_or(Error::RowNotFound)?.get("taken")?;
            self.leads = (taken == "true").then(Instant::now);
        }
        Ok(self.leads.map_or(Leadership::Follower, |since_connect| Leadership::Leader { since_connect }))
    }
}
