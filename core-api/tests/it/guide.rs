//! `docs/rest.md`: its examples run as they stand.

use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;
use types::{AgentName, TaskState};

use crate::world::{ADMIN_KEY, World, keyed_world};

const GUIDE: &str = include_str!("../../../docs/rest.md");

/// What stands between fences of a language, in order.
fn examples(language: &str) -> String {
    let blocks = GUIDE.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(language)).map(|block| format!("{block}\n")).collect()
}

/// Completes whatever `agent` has to do.
async fn work(world: Arc<World>, agent: AgentName) {
    let mut changes = world.store.changes();
    loop {
        for waiting in world.store.queued(None, 100).await.unwrap() {
            if waiting.agent == agent {
                world.complete(waiting.task).await;
            }
        }
        let _ = changes.recv().await;
    }
}

#[tokio::test]
async fn the_guides_examples_run() {
    for program in ["bash", "curl", "jq"] {
        testbed::installed(program, program);
    }
    let world = Arc::new(keyed_world().await);
    for _ in 0..4 {
        let id = world.accept_for("triage").await;
        world.bury(id).await;
    }
    let worker = tokio::spawn(work(world.clone(), "summary".parse().unwrap()));

    // Names of agents that ship, and those of this world.
    let script = examples("sh").replace("document-summarization", "summary").replace("data-extraction", "triage");
    let script = script.replace("http://127.0.0.1:8400", &world.url);
    let folder = tempfile::tempdir().unwrap();
    let bash = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .env("TALON_ADMIN_KEY", ADMIN_KEY)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    worker.abort();
    let (out, err) = (String::from_utf8_lossy(&bash.stdout), String::from_utf8_lossy(&bash.stderr));
    assert!(bash.status.success() && err.is_empty(), "{}\n{out}\n{err}", bash.status);
    for word in
        ["\"succeeded\"", "event: succeeded", "unknown_agent", "Two boxes went north.", "it is not to start before"]
    {
        assert!(out.contains(word), "{word:?} is not in\n{out}");
    }
    assert_eq!(world.store.figures().await.unwrap().in_state(TaskState::Dead), 0);
}

#[test]
fn the_guide_names_only_codes_that_exist() {
    let sources = [
        include_str!("../../src/authentication.rs"),
        include_str!("../../src/caller.rs"),
        include_str!("../../src/guard.rs"),
        include_str!("../../src/new_task.rs"),
        include_str!("../../src/problem.rs"),
        include_str!("../../src/router.rs"),
        include_str!("../../src/state.rs"),
        include_str!("../../src/routes/batch.rs"),
        include_str!("../../src/routes/events.rs"),
        include_str!("../../src/routes/outcome.rs"),
        include_str!("../../src/routes/queue.rs"),
        include_str!("../../src/routes/reject.rs"),
        include_str!("../../src/routes/retry.rs"),
        include_str!("../../src/routes/service.rs"),
        include_str!("../../src/routes/submit.rs"),
        include_str!("../../src/routes/tasks.rs"),
        include_str!("../../src/routes/upload.rs"),
        include_str!("../../src/routes/wait.rs"),
    ]
    .concat();
    let table = GUIDE.split_once("## Errors").unwrap().1;
    let codes = table.lines().filter(|line| line.starts_with("| ")).flat_map(|line| line.split('`').skip(1).step_by(2));
    for code in codes {
        assert!(sources.contains(&format!("\"{code}\"")), "{code}");
    }
}
