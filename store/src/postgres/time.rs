//! The server's clock, by which all processes of an installation agree on leases and delays.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::Error;
use types::Timestamp;

use crate::clock::Clock;
use crate::sql::{Sql, query};

/// How far the server's clock is ahead of this machine's, measured now and then.
#[derive(Clone, Default)]
pub(crate) struct ServerTime {
    ahead_ms: Arc<AtomicI64>,
}

impl ServerTime {
    /// The clock of a store; one that a test moves stays that.
    pub(crate) fn clock(&self, asked: Clock) -> Clock {
        match asked {
            Clock::System => Clock::Offset(Arc::clone(&self.ahead_ms)),
            Clock::Offset(_) | Clock::Manual(_) => asked,
        }
    }

    /// Measures. The server's answer is taken to be of the middle of the time that it took.
    pub(crate) async fn measure(&self, sql: &mut dyn Sql) -> Result<(), Error> {
        let asked = Timestamp::now().as_millis();
        let now = query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS millis");
        let rows = sql.rows(now).await?;
        let answered = Timestamp::now().as_millis();
        let server: i64 = rows.first().ok_or(Error::RowNotFound)?.get("millis")?;
        self.ahead_ms.store(server - (asked + answered) / 2, Ordering::SeqCst);
        Ok(())
    }
}
