//! What breaks around Redis, for real. Ids may come late or twice; they do not stay away.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use task_queue::{Classes, Delivery, Queue, QueueError, RedisQueue, RedisSettings};
use testbed::{Proxy, Redis, RedisOptions};
use types::TaskClass::{Batch, Interactive, Normal};
use types::{ProcessId, TaskClass, TaskId, WorkerId};

use crate::server::{LINES, VISIBILITY_TIMEOUT, age, connect, count, counted, counted_for, settings, start};

fn worker() -> WorkerId {
    WorkerId { process: ProcessId::new(), slot: 0 }
}

async fn push(queue: &RedisQueue, class: TaskClass) -> TaskId {
    let task = TaskId::new();
    queue.push(&[(task, class)]).await.unwrap();
    task
}

/// Pushes until the queue has it.
async fn push_at_last(queue: &RedisQueue, task: TaskId) {
    while let Err(error) = queue.push(&[(task, Normal)]).await {
        assert!(matches!(error, QueueError::Unavailable { .. }), "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn take(queue: &RedisQueue) -> Delivery {
    let worker = worker();
    let taken = tokio::time::timeout(Duration::from_secs(30), queue.take(&worker, Classes::All));
    taken.await.expect("an id comes within half a minute").unwrap()
}

async fn take_and_acknowledge(queue: &RedisQueue) -> TaskId {
    let delivery = take(queue).await;
    let task = delivery.task();
    queue.acknowledge(delivery).await.unwrap();
    task
}

fn errors(registry: &prometheus::Registry, kind: &str) -> f64 {
    count(registry, "openclaw_redis_errors_total", Some(kind))
}

#[tokio::test]
async fn a_wiped_server_is_used_on() {
    let redis = start().await;
    let (queue, registry) = counted(&redis.url()).await;
    let queue = Arc::new(queue);
    let lost = push(&queue, Normal).await;
    assert_eq!(redis.cli(&["FLUSHALL"]).await, "OK");
    assert_eq!(queue.holds(&[lost]).await.unwrap(), [false]);
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { take_and_acknowledge(&queue).await }
    });
    let tasks = [push(&queue, Batch).await, push(&queue, Batch).await];
    let taken = [waiting.await.unwrap(), take_and_acknowledge(&queue).await];
    assert_eq!(HashSet::from(taken), HashSet::from(tasks));
    assert!(1.0 <= errors(&registry, "nogroup"));
    assert_eq!(queue.depth().await.unwrap(), task_queue::Depth::default());
}

#[tokio::test]
async fn a_line_that_was_deleted_alone_keeps_no_id_of_the_others() {
    let redis = start().await;
    let queue = connect(&redis.url()).await;
    redis.cli(&["DEL", LINES[1]]).await;
    let tasks = [push(&queue, Interactive).await, push(&queue, Normal).await, push(&queue, Batch).await];
    let mut taken = HashSet::new();
    for _ in tasks {
        taken.insert(take_and_acknowledge(&queue).await);
    }
    assert_eq!(taken, HashSet::from(tasks));
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_given_again() {
    let redis = start().await;
    let (queue, registry) = counted(&redis.url()).await;
    for _ in 0..2 {
        redis.cli(&["SCRIPT", "FLUSH"]).await;
        let task = push(&queue, Normal).await;
        redis.cli(&["SCRIPT", "FLUSH"]).await;
        let delivery = take(&queue).await;
        redis.cli(&["SCRIPT", "FLUSH"]).await;
        assert_eq!(queue.holds(&[task]).await.unwrap(), [true]);
        redis.cli(&["SCRIPT", "FLUSH"]).await;
        queue.acknowledge(delivery).await.unwrap();
        assert_eq!(queue.depth().await.unwrap().delivered, 0);
    }
    assert!(8.0 <= errors(&registry, "noscript"));
    assert_eq!(count(&registry, "openclaw_redis_reconnects_total", None), 0.0);
}

#[tokio::test]
async fn entries_removed_by_hand_are_noticed() {
    let redis = start().await;
    let queue = connect(&redis.url()).await;
    let (delivered, waiting, kept) =
        (push(&queue, Normal).await, push(&queue, Normal).await, push(&queue, Batch).await);
    let forgotten = take(&queue).await;
    assert_eq!(forgotten.task(), delivered);
    assert_eq!(redis.cli(&["XTRIM", LINES[1], "MAXLEN", "0"]).await, "2");
    // Known without being asked for …
    queue.push(&[(waiting, Normal)]).await.unwrap();
    // … and when asked for.
    assert_eq!(queue.holds(&[delivered, waiting, kept]).await.unwrap(), [false, true, true]);
    assert_eq!(redis.cli(&["HEXISTS", "{openclaw:tasks}:held", &delivered.to_string()]).await, "0");
    queue.push(&[(delivered, Normal)]).await.unwrap();
    let taken: HashSet<TaskId> =
        [take_and_acknowledge(&queue).await, take_and_acknowledge(&queue).await, take_and_acknowledge(&queue).await]
            .into();
    assert_eq!(taken, HashSet::from([delivered, waiting, kept]));
}

#[tokio::test]
async fn entries_that_name_no_task_are_removed() {
    let redis = start().await;
    let queue = connect(&redis.url()).await;
    redis.cli(&["XADD", LINES[1], "*", "id", "five"]).await;
    redis.cli(&["XADD", LINES[1], "*", "hello", "there"]).await;
    let task = push(&queue, Normal).await;
    assert_eq!(take_and_acknowledge(&queue).await, task);
    while queue.depth().await.unwrap() != task_queue::Depth::default() {}
    assert_eq!(redis.cli(&["XLEN", LINES[1]]).await, "0");
}

#[tokio::test]
async fn a_server_without_memory_refuses_ids_and_delivers_on() {
    let redis = start().await;
    let (queue, registry) = counted(&redis.url()).await;
    let (first, second) = (push(&queue, Normal).await, push(&queue, Normal).await);
    let delivery = take(&queue).await;
    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory", "1"]).await, "OK");
    let refused = queue.push(&[(TaskId::new(), Normal)]).await.unwrap_err();
    assert!(matches!(refused, QueueError::Unavailable { .. }), "{refused}");
    assert_eq!(errors(&registry, "oom"), 1.0);
    assert_eq!(delivery.task(), first);
    queue.acknowledge(delivery).await.unwrap();
    assert_eq!(take_and_acknowledge(&queue).await, second);
    assert_eq!(queue.holds(&[first, second]).await.unwrap(), [false, false]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    push(&queue, Normal).await;
    assert_eq!(count(&registry, "openclaw_redis_reconnects_total", None), 0.0);
}

#[tokio::test]
async fn a_server_that_comes_back_empty_is_used_on() {
    let mut redis = start().await;
    let (queue, registry) = counted(&redis.url()).await;
    let queue = Arc::new(queue);
    let lost = push(&queue, Normal).await;
    let forgotten = take(&queue).await;
    assert_eq!(forgotten.task(), lost);
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { take_and_acknowledge(&queue).await }
    });
    redis.kill();
    let refused = queue.push(&[(lost, Normal)]).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("127.0.0.1:{}", redis.port())), "{refused}");
    // Sent when the server is back, where it changes nothing.
    queue.acknowledge(forgotten).await.unwrap();
    redis.restart().await;
    push_at_last(&queue, lost).await;
    assert_eq!(waiting.await.unwrap(), lost);
    assert!(1.0 <= errors(&registry, "connection"));
    assert!(1.0 <= count(&registry, "openclaw_redis_reconnects_total", None));
}

#[tokio::test]
async fn a_server_that_comes_back_with_its_data_goes_on_where_it_was() {
    let mut redis = Redis::start(RedisOptions { appendonly: true, ..RedisOptions::default() }).await;
    let (queue, registry) = counted(&redis.url()).await;
    let done = push(&queue, Normal).await;
    let tasks = [push(&queue, Normal).await, push(&queue, Normal).await, push(&queue, Normal).await];
    let (acknowledged, forgotten) = (take(&queue).await, take(&queue).await);
    redis.kill();
    queue.acknowledge(acknowledged).await.unwrap();
    redis.restart().await;
    let restarted = Instant::now();
    // The time that the server was away counts as idle there.
    age(&redis).await;
    assert_eq!([take_and_acknowledge(&queue).await, take_and_acknowledge(&queue).await], [tasks[1], tasks[2]]);
    assert_eq!(queue.holds(&[done, tasks[0], tasks[1], tasks[2]]).await.unwrap(), [false, true, false, false]);
    assert_eq!(take_and_acknowledge(&queue).await, forgotten.task());
    assert!(VISIBILITY_TIMEOUT < restarted.elapsed(), "it was taken for forgotten too soon");
    assert_eq!(count(&registry, "openclaw_queue_claimed_total", None), 1.0);
}

#[tokio::test]
async fn a_server_that_still_loads_is_waited_for() {
    let slow = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
    let arguments = slow.into_iter().chain(["--enable-debug-command", "yes"]).map(str::to_owned).collect();
    let mut redis = Redis::start(RedisOptions { arguments, ..RedisOptions::default() }).await;
    let (queue, registry) = counted(&redis.url()).await;
    redis.cli(&["DEBUG", "POPULATE", "1000", "key", "1024"]).await;
    assert_eq!(redis.cli(&["SAVE"]).await, "OK");
    redis.restart().await;
    assert!(redis.cli(&["PING"]).await.contains("LOADING"));
    let task = TaskId::new();
    push_at_last(&queue, task).await;
    assert_eq!(take_and_acknowledge(&queue).await, task);
    assert!(1.0 <= errors(&registry, "loading"));
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_left_alone_until_it_leads_again() {
    let redis = start().await;
    let (queue, registry) = counted(&redis.url()).await;
    let task = push(&queue, Normal).await;
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    queue.push(&[(TaskId::new(), Normal)]).await.unwrap_err();
    assert!(1.0 <= errors(&registry, "readonly"));
    redis.cli(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(take_and_acknowledge(&queue).await, task);
}

#[tokio::test]
async fn a_connection_that_carries_nothing_is_given_up() {
    let redis = start().await;
    let proxy = Proxy::to(&redis.url()).await;
    let (queue, registry) = counted(proxy.url()).await;
    let queue = Arc::new(queue);
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { take_and_acknowledge(&queue).await }
    });
    queue.depth().await.unwrap();
    proxy.half_open();
    queue.push(&[(TaskId::new(), Normal)]).await.unwrap_err();
    assert!(1.0 <= errors(&registry, "timeout"));
    proxy.pass();
    let task = TaskId::new();
    // By another process, so that the bell has to be heard on a connection that works.
    let other = connect(&redis.url()).await;
    push_at_last(&queue, TaskId::new()).await;
    other.push(&[(task, Interactive)]).await.unwrap();
    waiting.await.unwrap();
    take_and_acknowledge(&queue).await;
    assert_eq!(queue.depth().await.unwrap().waiting(), 0);
}

#[tokio::test]
async fn what_was_delivered_into_a_broken_connection_comes_at_once() {
    let redis = start().await;
    let (queue, registry) = counted_for(&redis.url(), Duration::from_secs(3600)).await;
    let (kept, lost) = (push(&queue, Normal).await, push(&queue, Normal).await);
    let in_work = take(&queue).await;
    redis.signal(testbed::Signal::STOP);
    let queue = Arc::new(queue);
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { take_and_acknowledge(&queue).await }
    });
    while errors(&registry, "timeout") == 0.0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Now it does what it was asked for, and there is nobody to answer.
    redis.signal(testbed::Signal::CONT);
    assert_eq!(waiting.await.unwrap(), lost);
    assert_eq!(in_work.task(), kept);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting(), depth.delivered), (0, 1), "what a worker has stays with it");
}

#[tokio::test]
async fn no_id_stays_away_while_connections_break_again_and_again() {
    let redis = start().await;
    let proxy = Proxy::to(&redis.url()).await;
    let queue = Arc::new(connect(proxy.url()).await);
    let taken = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move {
            let mut taken = HashSet::new();
            while taken.len() < 200 {
                taken.insert(take_and_acknowledge(&queue).await);
            }
            taken
        }
    });
    let mut pushed = HashSet::new();
    for number in 0..200 {
        if number % 20 == 10 {
            proxy.drop_all();
        }
        let task = TaskId::new();
        push_at_last(&queue, task).await;
        pushed.insert(task);
    }
    assert_eq!(taken.await.unwrap(), pushed);
}

#[tokio::test]
async fn a_push_wakes_one_process_of_many() {
    let redis = start().await;
    let quiet = || RedisSettings { visibility_timeout: Duration::from_secs(3600), ..settings(&redis.url()) };
    let mut idle = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let queue = RedisQueue::connect(quiet()).await.unwrap();
        idle.spawn(async move {
            let delivery = queue.take(&worker(), Classes::All).await.unwrap();
            queue.acknowledge(delivery).await.unwrap();
            queue.close().await;
        });
    }
    // Each has one connection for calls and one for each bell.
    while redis.cli(&["INFO", "clients"]).await.matches("blocked_clients:16").count() == 0 {
        tokio::task::yield_now().await;
    }
    let pusher = RedisQueue::connect(quiet()).await.unwrap();
    redis.cli(&["CONFIG", "RESETSTAT"]).await;
    push(&pusher, Normal).await;
    idle.join_next().await.unwrap().unwrap();
    // One look: it finds no interactive id, and the other. A second would find all three lines empty.
    let calls = redis.cli(&["INFO", "commandstats"]).await;
    assert!(calls.contains("cmdstat_xreadgroup:calls=2,"), "{calls}");
}

#[tokio::test]
async fn no_more_is_taken_than_there_are_free_workers() {
    let redis = start().await;
    let queue = Arc::new(connect(&redis.url()).await);
    let mut reserved = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let queue = Arc::clone(&queue);
        reserved.spawn(async move { queue.take(&worker(), Classes::Interactive).await.unwrap().task() });
    }
    tokio::task::yield_now().await;
    let tasks = [TaskId::new(), TaskId::new(), TaskId::new()];
    queue.push(&tasks.map(|task| (task, Batch))).await.unwrap();
    assert_eq!(take(&queue).await.task(), tasks[0]);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.delivered), ([0, 0, 2], 1));
    // Nothing was taken and put back.
    assert!(redis.cli(&["INFO", "commandstats"]).await.contains("cmdstat_xadd:calls=3,"));
}

#[tokio::test]
async fn a_process_that_leaves_an_id_rings_for_the_others() {
    let redis = start().await;
    let queue = Arc::new(connect(&redis.url()).await);
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { take_and_acknowledge(&queue).await }
    });
    while !redis.cli(&["INFO", "clients"]).await.contains("blocked_clients:2") {
        tokio::task::yield_now().await;
    }
    let tasks = [TaskId::new(), TaskId::new()];
    let other = connect(&redis.url()).await;
    other.push(&tasks.map(|task| (task, Batch))).await.unwrap();
    assert_eq!(waiting.await.unwrap(), tasks[0]);
    assert_eq!(redis.cli(&["EXISTS", "{openclaw:tasks}:bell:other"]).await, "1");
    assert_eq!(take_and_acknowledge(&other).await, tasks[1]);
}

#[tokio::test]
async fn consumers_that_are_gone_are_removed_unless_they_have_deliveries() {
    let redis = start().await;
    let queue = connect(&redis.url()).await;
    let (task, other) = (push(&queue, Normal).await, push(&queue, Normal).await);
    let read = ["XREADGROUP", "GROUP", "agent-pool"];
    redis.cli(&[&read[..], &["dead", "COUNT", "1", "STREAMS", LINES[1], ">"]].concat()).await;
    redis.cli(&["XGROUP", "CREATECONSUMER", LINES[1], "agent-pool", "gone"]).await;
    let forget = include_str!("../../src/redis/lua/forget_consumers.lua");
    let keys = [&["EVAL", forget, "3"][..], &LINES].concat();
    assert_eq!(redis.cli(&[&keys[..], &["agent-pool", "3600000"]].concat()).await, "0");
    assert_ne!(redis.cli(&[&keys[..], &["agent-pool", "-1"]].concat()).await, "0");
    let left = redis.cli(&["XINFO", "CONSUMERS", LINES[1], "agent-pool"]).await;
    assert!(left.contains("dead") && !left.contains("gone"), "{left}");
    assert_eq!(take_and_acknowledge(&queue).await, other);
    age(&redis).await;
    assert_eq!(take_and_acknowledge(&queue).await, task);
}
