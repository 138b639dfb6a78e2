//! Connections with a deadline on everything: a server that has vanished without a word is noticed.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, Postgres};
use sqlx::{ConnectOptions, Connection, Error};
use tokio::time::{Instant, sleep, timeout};

use super::faults::is_lost;
use crate::sql::{Dialect, Query, Row, SessionId, Sql, Writing, query};

/// How long an answer may take: of the session that writes, of one that reads, of one that is asked whether it lives. The
/// server gives up first where it lives; see [`SESSION`] and [`WRITING`].
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(6);
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const PING_PATIENCE: Duration = Duration::from_secs(2);

/// How long one try to connect may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// Between two tries to connect: doubled up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Settings of every session: nothing waits for ever, and what a client that has vanished holds becomes free.
pub(crate) const SESSION: [(&str, &str); 8] = [
    ("statement_timeout", "9s"),
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
    ("jit", "off"),
];

/// Of the session that leads: the lock of a leader that is silent becomes free. What it writes may be lost, and neither a slow
/// statement nor a slow disk is to pass for a lost session.
pub(crate) const LEADING: [(&str, &str); 3] =
    [("idle_session_timeout", "10s"), ("statement_timeout", "1500ms"), ("synchronous_commit", "off")];

/// Settings of the session that writes. Its statements find rows by their keys; a plan made while a table was small would
/// read all of it for as long as the session lives.
pub(crate) const WRITING: [(&str, &str); 5] = [
    ("statement_timeout", "5s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// Connects, trying again for as long as `patience` lasts while the server is away.
pub(crate) async fn connect(options: &PgConnectOptions, patience: Duration) -> Result<PgConnection, Error> {
    let give_up = Instant::now() + patience;
    let (mut pause, longest) = PAUSES;
    loop {
        let error = match timeout(CONNECT_PATIENCE, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => silence(),
        };
        if !is_lost(&error) || give_up <= Instant::now() + pause {
            return Err(error);
        }
        sleep(pause).await;
        pause = (2 * pause).min(longest);
    }
}

/// The outcome of what was asked of the server, unless that takes too long.
pub(crate) async fn within<T>(patience: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(patience, asked).await.unwrap_or_else(|_| Err(silence()))
}

fn silence() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer"))
}

/// A connection of a purpose of its own: the one that writes, the one that leads.
pub(crate) struct Session {
    connection: PgConnection,
    id: SessionId,
    /// How long an answer may take.
    patience: Duration,
}

impl Session {
    /// Connects for as long as `to_connect`.
    pub(crate) async fn open(
        options: &PgConnectOptions,
        to_connect: Duration,
        patience: Duration,
    ) -> Result<Self, Error> {
        let mut connection = connect(options, to_connect).await?;
        let id = query(
            "SELECT CAST(pid AS TEXT) || ' ' || CAST(backend_start AS TEXT) AS id FROM pg_stat_activity
             WHERE pid = pg_backend_pid()",
        );
        let rows = within(patience, connection.rows(id)).await?;
        let id = SessionId(rows.first().ok_or(Error::RowNotFound)?.get("id")?);
        Ok(Session { connection, id, patience })
    }
}

#[async_trait]
impl Sql for Session {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        within(self.patience, self.connection.execute(query)).await
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error> {
        within(self.patience, self.connection.rows(query)).await
    }
}

#[async_trait]
impl Writing for Session {
    fn session(&self) -> SessionId {
        self.id.clone()
    }

    async fn outlive(&mut self, lost: &SessionId) -> Result<(), Error> {
        let give_up = Instant::now() + self.patience;
        loop {
            // A session of the same role may be ended. It is looked for by its beginning too: ids of processes return.
            let end = query(
                "SELECT COUNT(pg_terminate_backend(pid)) AS alive FROM pg_stat_activity
                 WHERE CAST(pid AS TEXT) || ' ' || CAST(backend_start AS TEXT) = $1",
            );
            let rows = self.rows(end.bind(&lost.0)).await?;
            if rows.first().ok_or(Error::RowNotFound)?.get::<i64>("alive")? == 0 {
                return Ok(());
            }
            if give_up < Instant::now() {
                return Err(silence());
            }
            sleep(PAUSES.0).await;
        }
    }

    async fn close(self: Box<Self>) {
        // A server that does not hear it finds out.
        let _ = within(PING_PATIENCE, self.connection.close()).await;
    }
}

/// A connection of the pool. One that was lost does not go back to it.
pub(crate) struct Reader(Option<PoolConnection<Postgres>>);

impl Reader {
    pub(crate) fn new(connection: PoolConnection<Postgres>) -> Self {
        Reader(Some(connection))
    }

    fn keep<T>(&mut self, connection: PoolConnection<Postgres>, result: Result<T, Error>) -> Result<T, Error> {
        if result.as_ref().is_err_and(is_lost) {
            drop(connection.detach());
        } else {
            self.0 = Some(connection);
        }
        result
    }
}

#[async_trait]
impl Sql for Reader {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        let mut connection = self.0.take().ok_or_else(silence)?;
        let result = within(READ_PATIENCE, connection.execute(query)).await;
        self.keep(connection, result)
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error> {
        let mut connection = self.0.take().ok_or_else(silence)?;
        let result = within(READ_PATIENCE, connection.rows(query)).await;
        self.keep(connection, result)
    }
}
