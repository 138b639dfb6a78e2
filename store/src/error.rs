//! What can go wrong with the store, with what to do about it. A variant per decision of a caller.

use std::path::PathBuf;

use types::{AttemptNumber, TaskId};

/// Why the store did not do what was asked. Nothing is ever half done: what fails changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another attempt holds the task, or it ended. The worker drops what it has.
    #[error("attempt {attempt} no longer holds task {task}: it was cancelled, ended or given to another worker")]
    LeaseLost {
        /// The task.
        task: TaskId,
        /// The attempt that wrote.
        attempt: AttemptNumber,
    },
    /// No room left. Nothing was accepted or changed; what was accepted before is safe.
    #[error("{} has no room: the disk or the size limit is full; free space and try again", path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// The database was busy for longer than the busy timeout; trying again is safe.
    #[error("{} stayed busy: another program holds it; close it (a backup? a database browser?) and try again", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// The disk did not do its part: a device's fault, or a limit on the size of files. Trying again is safe.
    #[error("{} could not be read or written ({reason}); look at the disk and at limits on file sizes", path.display())]
    Disk {
        /// The database file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The database server cannot be reached, or is starting or stopping. Trying again is safe.
    #[error("{at} cannot be reached; see that the server runs and that the way to it is open, and try again")]
    Unavailable {
        /// The server and the database on it, without credentials.
        at: String,
        /// What was said.
        source: sqlx::Error,
    },
    /// The process is shutting down.
    #[error("the store is closed: the process is shutting down")]
    Closed,
    /// Another process owns the embedded database.
    #[error(
        "{} is in use by {}; an embedded database belongs to one process: stop that one, or give this one another data_dir",
        path.display(), holder.map_or("another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The database file.
        path: PathBuf,
        /// The process that owns it, where known.
        holder: Option<u32>,
    },
    /// The file or its folder cannot be written.
    #[error("{} cannot be written ({reason}); give the account that runs this process write access, or choose another data_dir", path.display())]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A later version of this program has changed the schema.
    #[error(
        "{} has schema version {found}, and this build knows versions up to {supported}; run the newer build, or restore a backup made by this one",
        path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that this build knows.
        supported: i64,
    },
    /// The file is something else.
    #[error("{} is not a database of this program; check the path, or move the file away to start empty", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{} is damaged ({reason}); stop the process and restore a backup", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Anything else that the database says.
    #[error("the database failed to {doing}")]
    Database {
        /// What was being done, such as `accept tasks`.
        doing: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same request may succeed a little later, with nothing changed by a person of this program.
    pub fn is_passing(&self) -> bool {
        match self {
            StoreError::DiskFull { .. }
            | StoreError::Busy { .. }
            | StoreError::Disk { .. }
            | StoreError::Unavailable { .. } => true,
            StoreError::LeaseLost { .. }
            | StoreError::Closed
            | StoreError::InUse { .. }
            | StoreError::NotWritable { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::Damaged { .. }
            | StoreError::Database { .. } => false,
        }
    }
}
