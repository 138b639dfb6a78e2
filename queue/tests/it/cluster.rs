//! A cluster: the queue lies in one slot of it, wherever that is.

use task_queue::{Classes, ConnectError, MirroredLetter, Queue, RedisQueue};
use testbed::{Redis, RedisOptions};
use types::{ProcessId, TaskClass, TaskId, Timestamp, WorkerId};

use crate::server::{connect, settings};

struct Cluster {
    nodes: Vec<Redis>,
    ids: Vec<String>,
    slot: String,
}

impl Cluster {
    async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let arguments = ["--cluster-enabled", "yes"].map(str::to_owned).into();
            nodes.push(Redis::start(RedisOptions { arguments, ..RedisOptions::default() }).await);
        }
        let mut ids = Vec::new();
        for (node, slots) in nodes.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
            node.cli(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port().to_string()]).await;
            assert_eq!(node.cli(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]).await, "OK");
            ids.push(node.cli(&["CLUSTER", "MYID"]).await);
        }
        for node in &nodes {
            while !node.cli(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {}
        }
        let slot = nodes[0].cli(&["CLUSTER", "KEYSLOT", "openclaw:tasks"]).await;
        Cluster { nodes, ids, slot }
    }

    fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The node that has the queue.
    fn home(&self) -> usize {
        self.slot.parse::<usize>().unwrap() / 5461
    }

    /// Moves the queue's slot to another node, as resharding does; `meanwhile` runs when half of the keys have moved.
    async fn move_home(&self, to: usize, meanwhile: impl AsyncFnOnce()) {
        let (from, slot) = (self.home(), self.slot.as_str());
        self.nodes[to].cli(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &self.ids[from]]).await;
        self.nodes[from].cli(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &self.ids[to]]).await;
        let port = self.nodes[to].port().to_string();
        let keys = self.nodes[from].cli(&["CLUSTER", "GETKEYSINSLOT", slot, "100"]).await;
        let keys: Vec<&str> = keys.lines().collect();
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        let (first, second) = keys.split_at(keys.len() / 2);
        assert_eq!(self.nodes[from].cli(&[&migrate[..], first].concat()).await, "OK");
        meanwhile().await;
        assert_eq!(self.nodes[from].cli(&[&migrate[..], second].concat()).await, "OK");
        for node in [to, from] {
            self.nodes[node].cli(&["CLUSTER", "SETSLOT", slot, "NODE", &self.ids[to]]).await;
        }
    }
}

async fn take_and_acknowledge(queue: &RedisQueue) -> TaskId {
    let worker = WorkerId { process: ProcessId::new(), slot: 0 };
    let delivery = queue.take(&worker, Classes::All).await.unwrap();
    let task = delivery.task();
    queue.acknowledge(delivery).await.unwrap();
    task
}

#[tokio::test]
async fn a_cluster_keeps_the_queue_wherever_its_slot_goes() {
    let cluster = Cluster::start().await;
    let queue = connect(&cluster.url()).await;
    let tasks = [TaskId::new(), TaskId::new(), TaskId::new()];
    queue.push(&tasks.map(|task| (task, TaskClass::Normal))).await.unwrap();
    assert_eq!(take_and_acknowledge(&queue).await, tasks[0]);
    let there = (cluster.home() + 1) % 3;
    let refused = async || {
        // Scripts need all of their keys in one place: half moved, none is served.
        queue.push(&[(TaskId::new(), TaskClass::Batch)]).await.unwrap_err();
    };
    cluster.move_home(there, refused).await;
    while queue.push(&[(tasks[0], TaskClass::Normal)]).await.is_err() {
        tokio::task::yield_now().await;
    }
    for expected in [tasks[1], tasks[2], tasks[0]] {
        assert_eq!(take_and_acknowledge(&queue).await, expected);
    }
    assert_eq!(queue.depth().await.unwrap(), task_queue::Depth::default());
    assert_eq!(queue.holds(&tasks).await.unwrap(), [false; 3]);
}

#[tokio::test]
async fn a_cluster_keeps_intake_and_dead_letters_in_the_slot_of_the_queue() {
    let cluster = Cluster::start().await;
    let queue = connect(&cluster.url()).await;
    let (mut intake, mut letters) = (queue.intake(), queue.dead_letters());
    let home = &cluster.nodes[cluster.home()];
    let id = home.cli(&["XADD", "openclaw:tasks", "*", "payload", "x"]).await;
    assert_eq!(intake.read(5).await.unwrap()[0].id, id);
    intake.refused(&id, "x", "no").await.unwrap();
    let letter = MirroredLetter {
        payload: "x".to_owned(),
        error: "no".to_owned(),
        original_id: TaskId::new(),
        attempts: 1,
        failures: 1,
        losses: 0,
        agent: "a".parse().unwrap(),
        team: "t".parse().unwrap(),
        died_at: Timestamp::now(),
    };
    letters.add(&[letter]).await.unwrap();
    assert_eq!(home.cli(&["XLEN", "{openclaw:tasks}:dlq"]).await, "2");
}

#[tokio::test]
async fn a_node_that_has_not_the_slot_is_told_from_a_server() {
    let cluster = Cluster::start().await;
    let wrong = &cluster.nodes[(cluster.home() + 1) % 3];
    let error = RedisQueue::connect(settings(&wrong.url())).await.unwrap_err();
    assert!(matches!(error, ConnectError::Address(_)), "{error}");
    assert!(error.to_string().ends_with(&format!("write redis+cluster://127.0.0.1:{}", wrong.port())), "{error}");
}
