//! What a database has of its own beneath the common verbs.

use async_trait::async_trait;
use sqlx::Error;

use super::connection::Sql;
use crate::change::Change;
use crate::controls::Leadership;
use crate::error::StoreError;

/// A database: where connections come from, and what its faults mean.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// A connection to read by.
    async fn reader(&self) -> Result<Box<dyn Sql>, Error>;

    /// The connection to write by; asked for again when it was lost.
    async fn writer(&self) -> Result<Box<dyn Writing>, Error>;

    /// What an error means to a caller, where `doing` completes "the database failed to …".
    fn fault(&self, doing: &'static str, error: Error) -> StoreError;

    /// Whether the connection is gone: what was asked last may be done or not.
    fn is_lost(&self, error: &Error) -> bool;

    /// Whether another program or process holds what is needed, or the database is slow: that is no fault of one request.
    fn is_busy(&self, error: &Error) -> bool;

    /// Whether others' writes got in the way, so that trying again may succeed.
    fn is_conflict(&self, error: &Error) -> bool;

    /// Becomes or stays the leader.
    async fn lead(&self) -> Result<Leadership, Error>;

    /// Has other processes hear of what this one has committed.
    fn committed(&self, changes: &[Change]);

    /// No one is to read any more.
    async fn close(&self);

    /// The writer is closed: lets go of what is left.
    async fn released(&self);
}

/// What the server calls a session; nothing where there is no server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionId(pub(crate) String);

/// A connection that writes.
#[async_trait]
pub(crate) trait Writing: Sql {
    /// What the server calls it.
    fn session(&self) -> SessionId;

    /// Waits until a session whose connection was lost does nothing any more.
    async fn outlive(&mut self, lost: &SessionId) -> Result<(), Error>;

    /// Ends it in peace.
    async fn close(self: Box<Self>);
}
