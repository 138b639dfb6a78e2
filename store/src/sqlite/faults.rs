//! Turns what SQLite says into what a caller or an operator can act on.

use std::path::{Path, PathBuf};

use sqlx::Error;

use crate::error::StoreError;

// Primary result codes, https://www.sqlite.org/rescode.html; the low byte of the extended ones.
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

/// Knows which file the faults are about.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    path: PathBuf,
}

impl Faults {
    pub(crate) fn new(path: &Path) -> Self {
        Faults { path: path.to_owned() }
    }

    /// For `map_err`, where `doing` completes "the database failed to …".
    pub(crate) fn during(&self, doing: &'static str) -> impl FnOnce(Error) -> StoreError {
        let path = self.path.clone();
        move |source| {
            if matches!(source, Error::PoolClosed | Error::WorkerCrashed) {
                return StoreError::Closed;
            }
            let reason = source.to_string();
            match primary_code(&source) {
                Some(FULL) => StoreError::DiskFull { path },
                Some(BUSY | LOCKED) => StoreError::Busy { path },
                // SQLite says FULL where the system says that there is no space, and this where it says anything else.
                Some(IOERR) => StoreError::Disk { path, reason },
                Some(PERM | READONLY | CANTOPEN) => StoreError::NotWritable { path, reason },
                Some(NOTADB) => StoreError::NotADatabase { path },
                Some(CORRUPT) => StoreError::Damaged { path, reason },
                _ => StoreError::Database { doing, source },
            }
        }
    }

    pub(crate) fn not_a_database(&self) -> StoreError {
        StoreError::NotADatabase { path: self.path.clone() }
    }

    pub(crate) fn newer_schema(&self, found: i64, supported: i64) -> StoreError {
        StoreError::NewerSchema { path: self.path.clone(), found, supported }
    }

    pub(crate) fn not_writable(&self, error: &std::io::Error) -> StoreError {
        StoreError::NotWritable { path: self.path.clone(), reason: error.to_string() }
    }
}

/// Whether another program holds the file.
pub(crate) fn is_busy(error: &Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

fn primary_code(error: &Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// What SQLite says, as sqlx hands it on.
    #[derive(Debug, thiserror::Error)]
    #[error("(code: {0})")]
    struct Said(i32);

    impl DatabaseError for Said {
        fn message(&self) -> &str {
            "said"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }
    }

    #[track_caller]
    fn check(codes: &[i32], is_expected: impl Fn(&StoreError) -> bool, is_passing: bool) {
        for &code in codes {
            let error = Faults::new(Path::new("talon.db")).during("test")(Error::Database(Box::new(Said(code))));
            assert!(is_expected(&error), "{code}: {error:?}");
            assert_eq!(error.is_passing(), is_passing, "{code}");
        }
    }

    #[test]
    fn what_a_disk_does_not_take_now_it_may_take_later() {
        check(&[FULL], |error| matches!(error, StoreError::DiskFull { .. }), true);
        // 778: a write refused, as beyond a limit on the size of files; 1034: a sync that failed.
        check(&[IOERR, 778, 1034], |error| matches!(error, StoreError::Disk { .. }), true);
        check(&[BUSY, LOCKED, 261], |error| matches!(error, StoreError::Busy { .. }), true);
    }

    #[test]
    fn what_no_waiting_mends_is_not_passing() {
        check(&[CORRUPT, 267], |error| matches!(error, StoreError::Damaged { .. }), false);
        check(&[READONLY, 1032], |error| matches!(error, StoreError::NotWritable { .. }), false);
        check(&[1, 19], |error| matches!(error, StoreError::Database { .. }), false);
    }
}
