//! Waiting for an end that nobody tells of, as when another process has written it.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use store::{SqliteStore, Store, wait};
use tempfile::TempDir;
use types::TaskState;

use crate::world::{SECOND, actor, clock, new_task, settings};

#[tokio::test]
async fn an_end_that_is_not_told_is_found() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path(), &clock());
    let path = settings.path.clone();
    let store = SqliteStore::open(settings).await.unwrap();
    let task = store.accept(vec![new_task()], &actor()).await.unwrap().pop().unwrap().unwrap().id;
    let end = async {
        let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        other.execute("UPDATE tasks SET state = 'succeeded', finished_at = 1").await.unwrap();
    };
    let (waited, ()) = tokio::join!(wait(&store, task, SECOND * 600), end);
    assert_eq!(waited.unwrap().unwrap().state, TaskState::Succeeded);
}
