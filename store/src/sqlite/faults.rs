//! Turns what SQLite says into what a caller or an operator can act on.

use std::path::{Path, PathBuf};

use sqlx::Error;

use crate::error::StoreError;

// Primary result codes, https://www.sqlite.org/rescode.html; the low byte of the extended ones.
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
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

fn primary_code(error: &Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
