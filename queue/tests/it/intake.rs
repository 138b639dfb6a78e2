//! Tasks from producers that know Redis alone, and dead letters for those who look there.

use task_queue::{Intake, IntakeEntry, MirroredLetter, RedisQueue};
use testbed::Redis;
use types::{TaskId, Timestamp};

use crate::server::{connect, counted, start};

const INTAKE: &str = "openclaw:tasks";
const DEAD: &str = "openclaw:tasks:dlq";

async fn add(redis: &Redis, fields: &[&str]) -> String {
    redis.cli(&[&["XADD", INTAKE, "*"], fields].concat()).await
}

async fn dead_letters(redis: &Redis) -> String {
    redis.cli(&["XRANGE", DEAD, "-", "+"]).await
}

fn ids(entries: &[IntakeEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.id.clone()).collect()
}

async fn begin() -> (Redis, RedisQueue, Intake) {
    let redis = start().await;
    let queue = connect(&redis.url()).await;
    let intake = queue.intake();
    (redis, queue, intake)
}

#[tokio::test]
async fn what_a_plain_producer_adds_is_read_and_leaves_when_it_is_accepted() {
    let (redis, _queue, mut intake) = begin().await;
    let reading = tokio::spawn(async move { (intake.read(10).await, intake) });
    let id = add(&redis, &["payload", "{\"agent\": \"x\"}", "retries", "2", "priority", "normal"]).await;
    let (read, mut intake) = reading.await.unwrap();
    let payload = "{\"agent\": \"x\"}".to_owned();
    assert_eq!(
        read.unwrap(),
        [IntakeEntry { id: id.clone(), payload, priority: Some("normal".to_owned()), retries: 2 }]
    );
    intake.accepted(&[id]).await.unwrap();
    assert_eq!(redis.cli(&["XLEN", INTAKE]).await, "0");
    assert!(redis.cli(&["XPENDING", INTAKE, "agent-pool"]).await.starts_with('0'));
}

#[tokio::test]
async fn what_stood_there_before_the_first_reader_is_read() {
    let redis = start().await;
    let id = add(&redis, &["payload", "early"]).await;
    let mut intake = connect(&redis.url()).await.intake();
    assert_eq!(ids(&intake.read(10).await.unwrap()), [id]);
}

#[tokio::test]
async fn what_was_neither_accepted_nor_refused_is_read_again() {
    let (redis, _queue, mut intake) = begin().await;
    let (first, second) = (add(&redis, &["payload", "1"]).await, add(&redis, &["payload", "2"]).await);
    assert_eq!(ids(&intake.read(1).await.unwrap()), [first.as_str()]);
    assert_eq!(ids(&intake.read(1).await.unwrap()), [first.as_str()]);
    intake.accepted(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(ids(&intake.read(1).await.unwrap()), [second.as_str()]);
    // Removed by hand, while it was read.
    redis.cli(&["XDEL", INTAKE, &second]).await;
    let third = add(&redis, &["payload", "3"]).await;
    assert_eq!(ids(&intake.read(1).await.unwrap()), [third]);
}

#[tokio::test]
async fn what_a_dead_process_had_read_is_taken_over() {
    let (redis, _queue, mut dead) = begin().await;
    let id = add(&redis, &["payload", "1"]).await;
    assert_eq!(ids(&dead.read(10).await.unwrap()), [id.as_str()]);
    redis.cli(&["XCLAIM", INTAKE, "agent-pool", "dead", "0", &id, "IDLE", "3600000", "JUSTID"]).await;
    let mut intake = connect(&redis.url()).await.intake();
    assert_eq!(ids(&intake.read(10).await.unwrap()), [id]);
}

#[tokio::test]
async fn what_can_never_be_accepted_becomes_a_dead_letter() {
    let (redis, _queue, mut intake) = begin().await;
    let id = add(&redis, &["payload", "no agent"]).await;
    intake.read(10).await.unwrap();
    for _ in 0..2 {
        intake.refused(&id, "no agent", "it names no agent").await.unwrap();
    }
    let letters = dead_letters(&redis).await;
    for part in ["payload\nno agent", "error\nit names no agent", &format!("original_id\n{id}")] {
        assert_eq!(letters.matches(part).count(), 1, "{letters}");
    }
    assert_eq!(redis.cli(&["XLEN", INTAKE]).await, "0");
}

#[tokio::test]
async fn what_cannot_be_read_becomes_a_dead_letter_and_holds_up_nothing() {
    let (redis, _queue, mut intake) = begin().await;
    add(&redis, &["text", "a payload by another name"]).await;
    add(&redis, &["payload", "fine", "retries", "many"]).await;
    let id = add(&redis, &["payload", "fine"]).await;
    assert_eq!(ids(&intake.read(10).await.unwrap()), [id]);
    let letters = dead_letters(&redis).await;
    assert!(letters.contains("the entry has no field `payload`"), "{letters}");
    assert!(letters.contains("`retries` is not a number"), "{letters}");
    // Nobody else has what was in them.
    assert!(letters.contains(r#"{"text":"a payload by another name"}"#), "{letters}");
    assert!(letters.contains(r#"{"payload":"fine","retries":"many"}"#), "{letters}");
}

#[tokio::test]
async fn a_wiped_or_restarted_server_is_read_on() {
    let mut redis = start().await;
    let (queue, _registry) = counted(&redis.url()).await;
    let mut intake = queue.intake();
    add(&redis, &["payload", "1"]).await;
    intake.read(10).await.unwrap();
    redis.cli(&["FLUSHALL"]).await;
    let id = add(&redis, &["payload", "2"]).await;
    assert_eq!(ids(&intake.read(10).await.unwrap()), [id]);
    redis.restart().await;
    intake.read(10).await.unwrap_err();
    let id = add(&redis, &["payload", "3"]).await;
    assert_eq!(ids(&intake.read(10).await.unwrap()), [id]);
}

#[tokio::test]
async fn dead_letters_are_shown_with_what_an_operator_asks_for() {
    let redis = start().await;
    let mut stream = connect(&redis.url()).await.dead_letters();
    let original_id = TaskId::new();
    let letter = MirroredLetter {
        payload: "read this".to_owned(),
        error: "the model is away".to_owned(),
        original_id,
        attempts: 4,
        failures: 3,
        losses: 1,
        agent: "reader".parse().unwrap(),
        team: "default".parse().unwrap(),
        died_at: Timestamp::now(),
    };
    stream.add(&[letter.clone(), letter]).await.unwrap();
    assert_eq!(redis.cli(&["XLEN", DEAD]).await, "2");
    let letters = dead_letters(&redis).await;
    let id = format!("original_id\n{original_id}");
    for part in ["payload\nread this", "error\nthe model is away", &id, "attempts\n4", "agent\nreader"] {
        assert!(letters.contains(part), "{letters}");
    }
}
