//! What a queue says when it cannot begin.

use std::time::Duration;

use task_queue::{Classes, ConnectError, Queue, RedisQueue, RedisSettings};
use testbed::{Redis, RedisOptions};
use types::{ProcessId, TaskClass, TaskId, WorkerId};

use crate::server::{connect, settings, start};

async fn refusal(settings: RedisSettings) -> (ConnectError, String) {
    let error = RedisQueue::connect(settings).await.unwrap_err();
    let said = error.to_string();
    (error, said)
}

/// Whether an id goes through.
async fn carries(queue: &RedisQueue) -> bool {
    let task = TaskId::new();
    queue.push(&[(task, TaskClass::Normal)]).await.unwrap();
    let worker = WorkerId { process: ProcessId::new(), slot: 0 };
    queue.take(&worker, Classes::All).await.unwrap().task() == task
}

fn guarded(user: Option<&str>) -> RedisOptions {
    let user = user.map(str::to_owned);
    RedisOptions { user, password: Some("a secret".to_owned()), ..RedisOptions::default() }
}

#[tokio::test]
async fn an_absent_server_is_named_with_what_to_do() {
    let mut redis = start().await;
    redis.kill();
    let (error, said) = refusal(settings(&redis.url())).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }));
    let at = format!("127.0.0.1:{}", redis.port());
    let what = "start it, or correct the URL (queue.url or TALON_REDIS_URL)";
    assert_eq!(said, format!("Redis at {at} cannot be used (tried for 0 s); {what}"));
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("refused"));
}

#[tokio::test]
async fn a_server_that_comes_late_is_waited_for() {
    let mut redis = start().await;
    redis.kill();
    let patient = RedisSettings { patience: Duration::from_secs(60), ..settings(&redis.url()) };
    let connecting = tokio::spawn(RedisQueue::connect(patient));
    redis.restart().await;
    assert!(carries(&connecting.await.unwrap().unwrap()).await);
}

#[tokio::test]
async fn a_password_is_used_and_a_wrong_one_is_told_at_once() {
    let redis = Redis::start(guarded(None)).await;
    assert!(carries(&connect(&redis.url().replace(' ', "%20")).await).await);
    for url in [format!("redis://:wrong@127.0.0.1:{}", redis.port()), format!("redis://127.0.0.1:{}", redis.port())] {
        let patient = RedisSettings { patience: Duration::from_secs(3600), ..settings(&url) };
        let (error, said) = refusal(patient).await;
        assert!(matches!(error, ConnectError::Refused { .. }), "{said}");
        assert!(said.contains("check user and password in the URL") && !said.contains("wrong@"), "{said}");
    }
}

#[tokio::test]
async fn a_user_without_the_right_is_told_at_once() {
    let redis = Redis::start(guarded(Some("talon"))).await;
    assert!(carries(&connect(&redis.url().replace(' ', "%20")).await).await);
    redis.cli(&["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+@connection"]).await;
    let (error, said) = refusal(settings(&format!("redis://reader:secret@127.0.0.1:{}", redis.port()))).await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{said}");
}

#[tokio::test]
async fn the_rights_that_a_refusal_names_are_enough() {
    let redis = Redis::start(guarded(Some("admin"))).await;
    redis.cli(&["ACL", "SETUSER", "idle", "on", ">secret"]).await;
    let url = format!("redis://idle:secret@127.0.0.1:{}", redis.port());
    let (_, said) = refusal(settings(&url)).await;
    let rights = said.split_once("ACL SETUSER idle ").unwrap().1.trim_end_matches(')');
    let rights: Vec<&str> = rights.split(' ').collect();
    assert_eq!(redis.cli(&[&["ACL", "SETUSER", "idle"], &rights[..]].concat()).await, "OK");
    let queue = connect(&url).await;
    assert!(carries(&queue).await);
    queue.depth().await.unwrap();
    queue.holds(&[TaskId::new()]).await.unwrap();
    redis.cli(&["XADD", "openclaw:tasks", "*", "payload", "x"]).await;
    let mut intake = queue.intake();
    let id = intake.read(1).await.unwrap().remove(0).id;
    intake.refused(&id, "x", "no").await.unwrap();
}

#[tokio::test]
async fn a_server_with_tls_is_trusted_by_its_authority_alone() {
    let redis = Redis::start(RedisOptions { tls: true, ..RedisOptions::default() }).await;
    let authority = Some(std::fs::read(redis.authority().unwrap()).unwrap());
    let queue = RedisQueue::connect(RedisSettings { authority, ..settings(&redis.url()) }).await.unwrap();
    assert!(carries(&queue).await);
    let (error, said) = refusal(settings(&redis.url())).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{said}");
}

#[tokio::test]
async fn what_is_no_address_is_told_with_what_one_looks_like() {
    let (_, said) = refusal(settings("cache:6379")).await;
    assert!(said.contains("expected redis://HOST:PORT"), "{said}");
}
