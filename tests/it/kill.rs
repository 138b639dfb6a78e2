//! kill -9 at random moments: what was answered with 202 exists, ends once, and is not lost.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use types::Timestamp;

use crate::api::{Api, TERMINAL, routing, sum};
use crate::home::Home;
use crate::server::Server;
use crate::silent_tool::{SilentTool, calling};

const TASKS: usize = 60;
/// A lease no test waits for: the next process must know by itself that the one before is gone.
const LEASE: &str = "lease:\n  timeout_seconds: 600\n";
const NOT_EXPIRED: Duration = Duration::from_secs(600);
/// Set to the seed that a failed test has printed, it has the same choices again.
const SEED: &str = "TALON_TEST_SEED";

/// A small generator of choices.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var(SEED).map_or_else(|_| now(), |seed| seed.parse().unwrap());
        println!("{SEED}={seed}");
        Chance(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Submits what has no answer yet, under the same keys as before, until the server is gone.
async fn submit_rest(api: &Api, answered: &mut BTreeMap<usize, String>, stop_after: Option<usize>) {
    for number in 0..TASKS {
        if answered.contains_key(&number) {
            continue;
        }
        if stop_after.is_some_and(|enough| enough <= answered.len()) {
            return;
        }
        let task = routing(&format!("Message {number}: I was charged twice. Please refund me."));
        let (status, task) = api.submit(&task, &format!("task-{number}")).await.unwrap();
        assert_eq!(status, 202, "{task}");
        answered.insert(number, task["id"].as_str().unwrap().to_owned());
    }
}

#[tokio::test]
async fn accepted_tasks_survive_kill_9_and_end_exactly_once() {
    let mut chance = Chance::new();
    let (home, tool) = (Home::new(), SilentTool::new());
    let mut answered = BTreeMap::new();

    // While tasks come in.
    let server = Server::start_with(&home, LEASE);
    let enough = TASKS / 3 + chance.below(TASKS / 3);
    submit_rest(&Api::new(&server.url), &mut answered, Some(enough)).await;
    server.kill();
    let mut kills = vec![Timestamp::now()];
    // While they are worked on, when some have ended.
    let server = Server::start_with(&home, LEASE);
    let api = Api::new(&server.url);
    submit_rest(&api, &mut answered, None).await;
    api.ended(&answered[&(TASKS / 6 + chance.below(TASKS / 6))]).await;
    server.kill();
    kills.push(Timestamp::now());
    // While one of them is certain to run.
    let server = tool.start_server_with(&home, LEASE);
    let api = Api::new(&server.url);
    api.ended(&answered[&(TASKS / 3 + chance.below(TASKS / 6))]).await;
    let mut hung = calling(&api.stored("Invoice 1").await);
    hung["class"] = "interactive".into();
    let hung = api.accepted(&hung).await;
    answered.insert(TASKS, hung.clone());
    let _call = tool.called();
    server.kill();
    kills.push(Timestamp::now());

    let server = Server::start_with(&home, LEASE);
    let api = Api::new(&server.url);
    for id in answered.values() {
        let task = api.ended(id).await;
        assert!(matches!(task["state"].as_str(), Some("succeeded" | "failed")), "{task}");
        assert!(*id != hung || task["losses"] == 1, "{task}");
        let events = api.events(id).await;
        let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds.iter().filter(|kind| TERMINAL.contains(kind)).count(), 1, "{kinds:?}");
        for lost in events.iter().filter(|event| event["kind"] == "worker_lost") {
            let at: Timestamp = serde_json::from_value(lost["at"].clone()).unwrap();
            assert!(kills.iter().any(|killed| at.since(*killed) < NOT_EXPIRED && *killed <= at), "{lost}");
        }
    }
    let metrics = api.metrics().await;
    assert_eq!(sum(&metrics, "openclaw_tasks"), (TASKS + 1) as f64, "{metrics}");
    let list = api.get("/v1/tasks?limit=1000").await;
    let mut listed: Vec<&str> =
        list["tasks"].as_array().unwrap().iter().map(|it: &Value| it["id"].as_str().unwrap()).collect();
    let mut expected: Vec<&str> = answered.values().map(String::as_str).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    server.stop();
}
