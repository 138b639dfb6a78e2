//! kill -9 at random moments: what was answered with 202 exists, ends once, and is not lost.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use types::Timestamp;

use crate::api::{Api, TERMINAL, routing, sum};
use crate::home::Home;
use crate::server::Server;

const TASKS: usize = 60;
/// Far below the 30 s of a lease: the next process knows that the one before is gone.
const PROMPTLY: Duration = Duration::from_secs(10);

/// A small generator of moments; its seed is printed with the test.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("seed {seed}");
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
    let home = Home::new();
    let mut answered = BTreeMap::new();

    // While tasks come in.
    let server = Server::start(&home);
    let enough = TASKS / 3 + chance.below(TASKS / 3);
    submit_rest(&Api::new(&server.url), &mut answered, Some(enough)).await;
    server.kill();
    // While they are worked on: after one task has ended, and a moment.
    let mut restarts = vec![Timestamp::now()];
    for share in [TASKS / 6, TASKS / 3] {
        let server = Server::start(&home);
        let api = Api::new(&server.url);
        submit_rest(&api, &mut answered, None).await;
        api.ended(&answered[&(share + chance.below(TASKS / 6))]).await;
        tokio::time::sleep(Duration::from_millis(chance.below(100) as u64)).await;
        server.kill();
        restarts.push(Timestamp::now());
    }

    let server = Server::start(&home);
    let api = Api::new(&server.url);
    let mut losses = 0;
    for id in answered.values() {
        let task = api.ended(id).await;
        assert!(matches!(task["state"].as_str(), Some("succeeded" | "failed")), "{task}");
        let events = api.events(id).await;
        let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds.iter().filter(|kind| TERMINAL.contains(kind)).count(), 1, "{kinds:?}");
        for lost in events.iter().filter(|event| event["kind"] == "worker_lost") {
            losses += 1;
            let at: Timestamp = serde_json::from_value(lost["at"].clone()).unwrap();
            assert!(restarts.iter().any(|killed| at.since(*killed) < PROMPTLY && *killed <= at), "{lost}");
        }
    }
    assert!(0 < losses, "no kill hit a running task");
    let metrics = api.metrics().await;
    assert_eq!(sum(&metrics, "openclaw_tasks"), TASKS as f64, "{metrics}");
    let list = api.get("/v1/tasks?limit=1000").await;
    let mut listed: Vec<&str> =
        list["tasks"].as_array().unwrap().iter().map(|it: &Value| it["id"].as_str().unwrap()).collect();
    let mut expected: Vec<&str> = answered.values().map(String::as_str).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    server.stop();
}
