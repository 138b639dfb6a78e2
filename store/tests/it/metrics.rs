//! The vocabulary that operators see.

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};
use store::{SqliteSettings, SqliteStore, Store, StoreMetrics};
use tempfile::TempDir;

use crate::world::{LEASE, actor, complete, new_task, worker};

#[tokio::test]
async fn the_store_counts_what_it_does() {
    let registry = Registry::new();
    let metrics = StoreMetrics::new(&registry).unwrap();
    let folder = TempDir::new().unwrap();
    let settings =
        SqliteSettings { metrics: Some(metrics.clone()), ..SqliteSettings::new(folder.path().join("talon.db")) };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(settings).await.unwrap());
    let accepted = store.accept(vec![new_task(); 3], &actor()).await.unwrap();
    let task = accepted[0].as_ref().unwrap().id;
    let store::Opened::Held(task) = store.open(task, &worker(0), LEASE).await.unwrap() else { panic!("not free") };
    store.end(store::Fence { task: task.id, attempt: task.attempt }, complete()).await.unwrap();
    metrics.show(&store.figures().await.unwrap());

    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    for line in [
        "openclaw_tasks{state=\"queued\"} 2",
        "openclaw_tasks{state=\"succeeded\"} 1",
        "openclaw_queue_depth{class=\"normal\"} 2",
        "openclaw_queue_depth{class=\"interactive\"} 0",
        "openclaw_tasks_accepted_total 3",
        "openclaw_tasks_finished_total{state=\"succeeded\"} 1",
        "openclaw_tasks_finished_total{state=\"dead\"} 0",
        "openclaw_store_write_seconds_count 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("openclaw_queue_oldest_age_seconds{class=\"normal\"}"));
}

#[test]
fn the_vocabulary_is_fixed() {
    let registry = Registry::new();
    StoreMetrics::new(&registry).unwrap();
    let mut names: Vec<String> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "openclaw_queue_depth",
            "openclaw_queue_oldest_age_seconds",
            "openclaw_store_write_seconds",
            "openclaw_tasks",
            "openclaw_tasks_accepted_total",
            "openclaw_tasks_finished_total",
        ]
    );
}
