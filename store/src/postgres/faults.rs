//! Turns what PostgreSQL and the way to it say into what a caller or an operator can act on.

use std::path::PathBuf;

use sqlx::Error;

use crate::error::StoreError;

/// What follows from an error. By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// The pool was closed with the store.
    Closed,
    /// The connection is gone, or is to a server that does not take writes now.
    Lost,
    /// Others' writes got in the way.
    Conflict,
    /// Someone held a row or a table for too long.
    Busy,
    /// A statement took too long.
    Slow,
    DiskFull,
    Damaged,
    Other,
}

/// Knows which database the faults are about.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// Host, port and database; no credentials.
    at: String,
}

impl Faults {
    pub(crate) fn new(at: String) -> Self {
        Faults { at }
    }

    /// What the error means, where `doing` completes "the database failed to …".
    pub(crate) fn during(&self, doing: &'static str, source: Error) -> StoreError {
        let path = || PathBuf::from(&self.at);
        match class(&source) {
            Class::Closed => StoreError::Closed,
            Class::Lost => StoreError::Unavailable { at: self.at.clone(), source },
            Class::Conflict | Class::Busy | Class::Slow => StoreError::Busy { path: path() },
            Class::DiskFull => StoreError::DiskFull { path: path() },
            Class::Damaged => StoreError::Damaged { path: path(), reason: source.to_string() },
            Class::Other => StoreError::Database { doing, source },
        }
    }

    pub(crate) fn newer_schema(&self, found: i64, supported: i64) -> StoreError {
        StoreError::NewerSchema { path: PathBuf::from(&self.at), found, supported }
    }
}

/// Whether the connection is gone.
pub(crate) fn is_lost(error: &Error) -> bool {
    class(error) == Class::Lost
}

/// Whether someone held a row or a table for too long, or a statement took too long.
pub(crate) fn is_busy(error: &Error) -> bool {
    matches!(class(error), Class::Busy | Class::Slow)
}

/// Whether others' writes got in the way.
pub(crate) fn is_conflict(error: &Error) -> bool {
    class(error) == Class::Conflict
}

fn class(error: &Error) -> Class {
    match error {
        Error::PoolClosed => Class::Closed,
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::PoolTimedOut | Error::WorkerCrashed => Class::Lost,
        Error::Database(said) => class_of_state(said.code().as_deref().unwrap_or_default()),
        _ => Class::Other,
    }
}

fn class_of_state(state: &str) -> Class {
    match state {
        // Serialization failure, deadlock; two processes inserted the same key.
        "40001" | "40P01" | "23505" => Class::Conflict,
        // Lock not available.
        "55P03" => Class::Busy,
        // Statement timeout.
        "57014" => Class::Slow,
        "53100" => Class::DiskFull,
        "XX001" | "XX002" => Class::Damaged,
        // Shutting down, crashed, starting, database dropped, idle for too long; a standby takes no writes.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" => Class::Lost,
        // Connection exceptions; out of memory or of connections.
        _ if state.starts_with("08") || state.starts_with("53") => Class::Lost,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(states: &[&str], expected: Class) {
        for state in states {
            assert_eq!(class_of_state(state), expected, "{state}");
        }
    }

    #[test]
    fn a_server_that_is_away_or_full_of_others_comes_back() {
        check(&["57P01", "57P03", "08006", "08001", "53300", "53200", "25006"], Class::Lost);
        check(&["53100"], Class::DiskFull);
    }

    #[test]
    fn what_others_did_is_tried_again() {
        check(&["40001", "40P01", "23505"], Class::Conflict);
        check(&["55P03"], Class::Busy);
        check(&["57014"], Class::Slow);
    }

    #[test]
    fn what_no_waiting_mends_is_said_as_it_is() {
        check(&["42P01", "28P01", "3D000", "23502"], Class::Other);
        check(&["XX001"], Class::Damaged);
    }

    #[test]
    fn a_way_that_is_cut_is_an_unavailable_store() {
        let cut = Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let error = Faults::new("db:5432/talon".to_owned()).during("accept tasks", cut);
        assert!(matches!(error, StoreError::Unavailable { .. }) && error.is_passing());
        assert!(error.to_string().starts_with("db:5432/talon cannot be reached"));
    }
}
