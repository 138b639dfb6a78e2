//! A database that cannot be used says so, and what to do; nothing is lost or half-written by finding out.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use store::{NewTask, SqliteSettings, SqliteStore, Store, StoreError};
use tempfile::TempDir;
use tokio::task::JoinSet;
use types::{AttemptNumber, TaskId};

use crate::world::{LEASE, actor, complete, new_task, worker};

/// Runs a test of this binary as a user without rights in a folder.
const FOLDER_TO_OPEN: &str = "STORE_TEST_FOLDER_TO_OPEN";

fn settings(folder: &Path) -> SqliteSettings {
    SqliteSettings { busy_timeout: Duration::from_millis(50), ..SqliteSettings::new(folder.join("talon.db")) }
}

async fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(settings(folder)).await
}

async fn raw(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(settings(folder).path).create_if_missing(true);
    options.connect().await.unwrap()
}

async fn refused(folder: &Path) -> StoreError {
    match open(folder).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

async fn accept(store: &SqliteStore, task: NewTask) -> Result<TaskId, StoreError> {
    Ok(store.accept(vec![task], &actor()).await?.pop().unwrap().unwrap().id)
}

#[tokio::test]
async fn a_database_has_one_owner() {
    let folder = TempDir::new().unwrap();
    let owner = open(folder.path()).await.unwrap();
    let error = refused(folder.path()).await;
    let StoreError::InUse { path, holder } = &error else { panic!("{error:?}") };
    assert_eq!((path, *holder), (&settings(folder.path()).path, Some(std::process::id())));
    owner.close().await;
    open(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    store.close().await;
    assert!(matches!(accept(&store, new_task()).await, Err(StoreError::Closed)));
    assert!(matches!(store.figures().await, Err(StoreError::Closed)));
    store.close().await;
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_refused() {
    // Not even root makes files there.
    let error = refused(Path::new("/proc/self/talon")).await;
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_read_only_folder_or_file_is_refused() {
    if let Some(folder) = std::env::var_os(FOLDER_TO_OPEN) {
        println!("refused with: {}", refused(Path::new(&folder)).await);
        return;
    }
    let folder = TempDir::new().unwrap();
    open(folder.path()).await.unwrap().close().await;
    let database = settings(folder.path()).path;

    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&database, Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(database.with_file_name("talon.db.lock"), Permissions::from_mode(0o666)).unwrap();
    let said = open_without_rights(folder.path());
    assert!(said.contains(&format!("refused with: {} cannot be written", database.display())), "{said}");

    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(&database, Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(database.with_file_name("talon.db.lock")).ok();
    let said = open_without_rights(folder.path());
    assert!(said.contains("cannot be written"), "{said}");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
}

/// Opens the folder's database in a process whom permissions bind; root's they do not.
fn open_without_rights(folder: &Path) -> String {
    let program = TempDir::new().unwrap();
    let binary = program.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    fs::set_permissions(program.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(binary);
    command.args(["--exact", "bad_database::a_read_only_folder_or_file_is_refused", "--nocapture"]);
    command.env(FOLDER_TO_OPEN, folder).current_dir("/");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let folder = TempDir::new().unwrap();
    open(folder.path()).await.unwrap().close().await;
    let mut later = raw(folder.path()).await;
    later
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (999, 'later', TRUE, x'00', 0)",
        )
        .await
        .unwrap();
    later.close().await.unwrap();
    let error = refused(folder.path()).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 999, supported: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = settings(folder.path()).path;
    let text = "Not a database, but somebody's notes. ".repeat(1000);
    fs::write(&path, &text).unwrap();
    let error = refused(folder.path()).await;
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let mut theirs = raw(folder.path()).await;
    theirs.execute("CREATE TABLE bookmarks (url TEXT)").await.unwrap();
    theirs.close().await.unwrap();
    let before = fs::read(settings(folder.path()).path).unwrap();
    let error = refused(folder.path()).await;
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
    assert_eq!(fs::read(settings(folder.path()).path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_recognised() {
    let folder = TempDir::new().unwrap();
    open(folder.path()).await.unwrap().close().await;
    let path = settings(folder.path()).path;
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error = refused(folder.path()).await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_start_that_was_killed_half_way_is_carried_on() {
    let folder = TempDir::new().unwrap();
    let mut killed = raw(folder.path()).await;
    killed.execute("PRAGMA journal_mode = WAL; PRAGMA application_id = 0x54616c6e").await.unwrap();
    drop(killed);
    let store = open(folder.path()).await.unwrap();
    accept(&store, new_task()).await.unwrap();
}

#[tokio::test]
async fn a_database_that_another_program_holds_is_busy_and_then_not() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    let mut backup = raw(folder.path()).await;
    backup.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = accept(&store, new_task()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }) && error.is_passing(), "{error:?}");
    backup.execute("ROLLBACK").await.unwrap();
    accept(&store, new_task()).await.unwrap();
    assert_eq!(store.conservation().await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_full_disk_accepts_nothing_that_it_cannot_keep() {
    let folder = TempDir::new().unwrap();
    let small = SqliteSettings { max_size_bytes: Some(400 * 1024), ..settings(folder.path()) };
    let large = NewTask { input: Some("x".repeat(20_000)), ..new_task() };
    let store = SqliteStore::open(small).await.unwrap();
    let mut accepted = Vec::new();
    let error = loop {
        match accept(&store, large.clone()).await {
            Ok(task) => accepted.push(task),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull { .. }) && error.is_passing(), "{error:?}");
    assert!(!accepted.is_empty());
    // In bulk it is all or nothing.
    assert!(matches!(store.accept(vec![large; 3], &actor()).await, Err(StoreError::DiskFull { .. })));
    let conservation = store.conservation().await.unwrap();
    assert!(conservation.holds(), "{conservation:?}");
    assert_eq!(conservation.accepted, accepted.len() as u64);
    store.close().await;

    // With room again everything goes on.
    let store = open(folder.path()).await.unwrap();
    for task in accepted {
        let opened = store.open(task, &worker(0), LEASE).await.unwrap();
        assert!(matches!(opened, store::Opened::Held(_)), "{opened:?}");
        store.end(store::Fence { task, attempt: AttemptNumber(1) }, complete()).await.unwrap();
    }
    assert!(store.conservation().await.unwrap().holds());
}

#[tokio::test]
async fn one_write_that_does_not_fit_does_not_fail_those_beside_it() {
    let folder = TempDir::new().unwrap();
    let small = SqliteSettings { max_size_bytes: Some(600 * 1024), ..settings(folder.path()) };
    let store = Arc::new(SqliteStore::open(small).await.unwrap());
    let mut calls = JoinSet::new();
    for number in 0..40 {
        let store = Arc::clone(&store);
        let is_large = number % 8 == 3;
        let input = if is_large { "x".repeat(2_000_000) } else { "small".to_owned() };
        calls.spawn(async move { (is_large, accept(&store, NewTask { input: Some(input), ..new_task() }).await) });
    }
    for (is_large, result) in calls.join_all().await {
        match result {
            Ok(_) => assert!(!is_large),
            Err(error) => assert!(is_large && matches!(error, StoreError::DiskFull { .. }), "{error:?}"),
        }
    }
    let conservation = store.conservation().await.unwrap();
    assert!(conservation.holds() && conservation.accepted == 35, "{conservation:?}");
}

#[test]
fn errors_say_what_where_why_and_what_to_do() {
    let path = || "data/talon.db".into();
    let task: TaskId = "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55".parse().unwrap();
    for (error, expected) in [
        (
            StoreError::LeaseLost { task, attempt: AttemptNumber(2) },
            "attempt 2 no longer holds task 01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55: it was cancelled, ended or given to \
             another worker",
        ),
        (
            StoreError::DiskFull { path: path() },
            "data/talon.db has no room: the disk or the size limit is full; free space and try again",
        ),
        (
            StoreError::Busy { path: path() },
            "data/talon.db stayed busy: another program holds it; close it (a backup? a database browser?) and try again",
        ),
        (StoreError::Closed, "the store is closed: the process is shutting down"),
        (
            StoreError::InUse { path: path(), holder: Some(4711) },
            "data/talon.db is in use by process 4711; an embedded database belongs to one process: stop that one, or \
             give this one another data_dir",
        ),
        (
            StoreError::NotWritable { path: path(), reason: "Permission denied (os error 13)".to_owned() },
            "data/talon.db cannot be written (Permission denied (os error 13)); give the account that runs this process \
             write access, or choose another data_dir",
        ),
        (
            StoreError::NewerSchema { path: path(), found: 9, supported: 1 },
            "data/talon.db has schema version 9, and this build knows versions up to 1; run the newer build, or restore \
             a backup made by this one",
        ),
        (
            StoreError::NotADatabase { path: path() },
            "data/talon.db is not a database of this program; check the path, or move the file away to start empty",
        ),
        (
            StoreError::Damaged { path: path(), reason: "(code: 11) malformed".to_owned() },
            "data/talon.db is damaged ((code: 11) malformed); stop the process and restore a backup",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}
