//! A server that Sentinels watch: when it is lost another leads, and the queue follows.

use std::io::Write;
use std::net::TcpListener;

use task_queue::{Classes, Queue};
use testbed::{Process, Redis, RedisOptions, installed};
use types::{ProcessId, TaskClass, TaskId, WorkerId};

use crate::server::{connect, start};

/// A Sentinel that alone decides whether a server is down.
async fn watch(name: &str, leader: &Redis) -> (u16, Process, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = folder.path().join("sentinel.conf");
    let mut file = std::fs::File::create(&settings).unwrap();
    writeln!(file, "port {port}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {} 1", leader.port()).unwrap();
    writeln!(file, "sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 2000").unwrap();
    let server = installed("redis-server", "redis-server");
    let mut command = Process::command(server);
    command.arg(&settings).arg("--sentinel").stdout(std::process::Stdio::null());
    (port, Process::start(command), folder)
}

#[tokio::test]
async fn a_failover_is_followed_and_what_was_copied_is_there() {
    let mut leader = start().await;
    let arguments = ["--replicaof", "127.0.0.1", &leader.port().to_string()].map(str::to_owned).into();
    let replica = Redis::start(RedisOptions { arguments, ..RedisOptions::default() }).await;
    // A Sentinel learns of the replica from the leader.
    while !leader.cli(&["INFO", "replication"]).await.contains("state=online") {}
    let (port, _sentinel, _folder) = watch("pool", &leader).await;
    let sentinel = format!("redis+sentinel://127.0.0.1:{port},127.0.0.1:1/pool");
    let queue = loop {
        // Until the Sentinel is up.
        match task_queue::RedisQueue::connect(crate::server::settings(&sentinel)).await {
            Ok(queue) => break queue,
            Err(error) => assert!(error.to_string().contains("pool (Sentinels"), "{error}"),
        }
    };
    let (copied, late) = (TaskId::new(), TaskId::new());
    queue.push(&[(copied, TaskClass::Normal)]).await.unwrap();
    while replica.cli(&["XLEN", crate::server::LINES[1]]).await != "1" {}
    let knows_replica = async || {
        let mut asks = tokio::process::Command::new(installed("redis-cli", "redis-tools"));
        let said = asks.args(["-p", &port.to_string(), "SENTINEL", "REPLICAS", "pool"]).output().await.unwrap();
        String::from_utf8_lossy(&said.stdout).contains(&replica.port().to_string())
    };
    while !knows_replica().await {}
    leader.kill();
    while queue.push(&[(late, TaskClass::Normal)]).await.is_err() {
        tokio::task::yield_now().await;
    }
    let worker = WorkerId { process: ProcessId::new(), slot: 0 };
    for expected in [copied, late] {
        let delivery = queue.take(&worker, Classes::All).await.unwrap();
        assert_eq!(delivery.task(), expected);
        queue.acknowledge(delivery).await.unwrap();
    }
    // By the new leader.
    assert!(replica.cli(&["INFO", "replication"]).await.contains("role:master"));
    assert_eq!(connect(&replica.url()).await.depth().await.unwrap(), queue.depth().await.unwrap());
}
