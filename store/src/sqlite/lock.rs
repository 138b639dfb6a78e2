//! One process owns an embedded database: a lock on a file beside it, released by the system when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Ownership of a database, until dropped.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    _file: File,
}

impl OwnerLock {
    pub(crate) fn acquire(database: &Path) -> Result<Self, StoreError> {
        let path = beside(database);
        let not_writable =
            |error: std::io::Error| StoreError::NotWritable { path: path.clone(), reason: error.to_string() };
        // Not truncated before it is ours: it names the owner.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(not_writable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // An owner that cannot be read is an unknown one.
                let _ = file.read_to_string(&mut owner);
                return Err(StoreError::InUse { path: database.to_owned(), holder: owner.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        let write_owner = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write_owner(&mut file).map_err(not_writable)?;
        Ok(OwnerLock { _file: file })
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    database.with_file_name(name)
}
