//! A file of an earlier version is brought up to date, and nothing in it is lost.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqlStr};
use store::{Controls, Opened, Pruned, Retention, SqliteStore, Store};
use tempfile::TempDir;
use types::{TaskId, TaskState};

use crate::world::{LEASE, SECOND, clock, new_document, settings, worker};

const FIRST: &str = include_str!("../../migrations/sqlite/0001_tasks.sql");

/// A queued task with a document, a dead one, and one whose worker is gone.
const ROWS: &str = "
    PRAGMA application_id = 1415670894;
    INSERT INTO document_contents (team, sha256, bytes) VALUES ('sales', 'ab', x'00'), ('sales', 'cd', x'01');
    INSERT INTO documents (id, team, sha256, name, media_type, size_bytes, stored_at)
    VALUES ('doc_000000000001', 'sales', 'ab', 'a', 'b', 1, 5), ('doc_000000000002', 'sales', 'cd', 'a', 'b', 1, 5);
    INSERT INTO tasks (id, team, agent, class, state, documents, accepted_at, queued_at, finished_at, lease_until)
    VALUES ('01980c9e-8f4b-7d1e-a1b0-000000000001', 'sales', 'summary', 'batch', 'queued',
            '[\"doc_000000000001\",\"doc_000000000001\"]', 5, 5, NULL, NULL),
           ('01980c9e-8f4b-7d1e-a1b0-000000000002', 'sales', 'summary', 'normal', 'dead', '[]', 5, NULL, 6, NULL),
           ('01980c9e-8f4b-7d1e-a1b0-000000000003', 'sales', 'summary', 'normal', 'running', '[]', 5, NULL, NULL, 7);
    INSERT INTO outbox (task_id, class) VALUES ('01980c9e-8f4b-7d1e-a1b0-000000000001', 'batch');
    INSERT INTO audit (at, actor, action, target, details)
    VALUES (5, 'a', 'task.accept', '1', '{}'), (5, 'a', 'task.accept', '2', '{}'), (5, 'a', 'task.accept', '3', '{}');
";

#[tokio::test]
async fn a_file_of_the_first_version_keeps_its_tasks_and_documents() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path(), &clock());
    let options = SqliteConnectOptions::new().filename(&settings.path).create_if_missing(true);
    let mut file = options.clone().connect().await.unwrap();
    let first = Migration::new(1, Cow::Borrowed("tasks"), MigrationType::Simple, SqlStr::from_static(FIRST), false);
    Migrator::with_migrations(vec![first]).run(&mut file).await.unwrap();
    file.execute(ROWS).await.unwrap();
    file.close().await.unwrap();

    let store = SqliteStore::open(settings).await.unwrap();
    let [queued, dead, lost]: [TaskId; 3] =
        [1, 2, 3].map(|number| format!("01980c9e-8f4b-7d1e-a1b0-00000000000{number}").parse().unwrap());
    assert!(store.conservation().await.unwrap().holds());
    let waiting: Vec<TaskId> = store.queued(None, 10).await.unwrap().into_iter().map(|waiting| waiting.task).collect();
    assert_eq!(waiting, [queued, lost]);
    assert_eq!(store.unmirrored(10).await.unwrap()[0].task.id, dead);
    let Opened::Held(task) = store.open(queued, &worker(0), LEASE).await.unwrap() else { panic!("not free") };
    assert_eq!((task.cost, task.concurrency, task.callback_url), (1, None, None));
    assert_eq!(store.task(lost).await.unwrap().unwrap().state, TaskState::Queued);
    // The document that a task refers to stays, the other goes, and new ones come.
    let all = Retention { documents: Some(SECOND), ..Retention::default() };
    assert_eq!(store.prune(&all, 10).await.unwrap(), Pruned { tasks: 0, documents: 1 });
    let bytes = store.document_bytes(&"sales".parse().unwrap(), &task.documents[0]).await.unwrap();
    assert_eq!(bytes, Some(vec![0]));
    store.put_document(new_document(b"new"), &crate::world::actor()).await.unwrap();
    store.close().await;
    let mut file = options.connect().await.unwrap();
    let contents = sqlx::query_scalar("SELECT COUNT(*) FROM document_contents").fetch_one(&mut file).await;
    let contents: i64 = contents.unwrap();
    assert_eq!(contents, 2, "its bytes are gone as well");
}
