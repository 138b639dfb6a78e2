//! Redis as tests find it.

use testbed::{Redis, RedisOptions};

#[tokio::test]
async fn what_is_kept_survives_a_kill_and_what_is_not_does_not() {
    for (appendonly, left) in [(true, "1"), (false, "")] {
        let mut redis = Redis::start(RedisOptions { appendonly, ..RedisOptions::default() }).await;
        redis.cli(&["SET", "a", "1"]).await;
        redis.kill();
        redis.restart().await;
        assert_eq!(redis.cli(&["GET", "a"]).await, left, "appendonly: {appendonly}");
    }
}

#[tokio::test]
async fn a_password_a_user_and_tls_are_asked_for() {
    let password = Some("secret".to_owned());
    let user = Some("talon".to_owned());
    for options in [
        RedisOptions { password: password.clone(), ..RedisOptions::default() },
        RedisOptions { password: password.clone(), user: user.clone(), ..RedisOptions::default() },
        RedisOptions { password, user, tls: true, ..RedisOptions::default() },
    ] {
        let redis = Redis::start(options).await;
        let expected = if redis.authority().is_some() { "rediss" } else { "redis" };
        assert!(redis.url().starts_with(&format!("{expected}://")), "{}", redis.url());
        assert_eq!(redis.cli(&["PING"]).await, "PONG", "{}", redis.url());
    }
}

#[tokio::test]
async fn several_run_side_by_side() {
    let (one, other) = tokio::join!(Redis::start(RedisOptions::default()), Redis::start(RedisOptions::default()));
    one.cli(&["SET", "a", "1"]).await;
    assert_eq!(other.cli(&["GET", "a"]).await, "");
}
