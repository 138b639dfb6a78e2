//! `/v1/keys` and `/v1/teams`.

use reqwest::{Method, StatusCode};
use serde_json::json;
use types::Timestamp;

use core_api::KeySecret;

use crate::world::{ADMIN_KEY, keyed_world, world};

#[tokio::test]
async fn a_key_is_shown_once_and_lets_its_holder_in() {
    let world = keyed_world().await;
    let admin = KeySecret::given(ADMIN_KEY);
    let asked =
        json!({ "team": "sales", "role": "operator", "name": "night shift", "expires_at": "2999-01-01T00:00:00Z" });
    let answer = world.send_as(&admin, world.request(Method::POST, "/v1/keys").json(&asked)).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::CREATED, Some("no-store")));
    let mut created = answer.json();
    let secret = created.as_object_mut().unwrap().shift_remove("key").unwrap().as_str().unwrap().to_owned();
    assert!(secret.starts_with("talon_") && secret.len() == 49, "{secret}");
    assert_eq!(
        (&created["team"], &created["role"], &created["name"]),
        (&json!("sales"), &json!("operator"), &json!("night shift"))
    );

    assert_eq!(world.get_as(&KeySecret::given(&secret), "/v1/dlq").await.status, StatusCode::OK);
    let listed = world.get_as(&admin, "/v1/keys").await;
    assert_eq!(listed.json(), json!([created]));
    assert!(!listed.text().contains(&secret));
    let teams = world.get_as(&admin, "/v1/teams").await.json();
    assert!(teams.as_array().unwrap().contains(&json!({ "name": "sales", "weight": 1 })), "{teams}");
}

#[tokio::test]
async fn a_key_is_of_the_callers_team_unless_another_is_named() {
    let world = world().await;
    let created = world.post("/v1/keys", &json!({ "role": "submitter", "name": "nightly" })).await.json();
    assert_eq!((&created["team"], &created["expires_at"]), (&json!("default"), &json!(null)));
}

#[tokio::test]
async fn a_key_that_could_not_be_used_is_not_made() {
    let world = world().await;
    let past = Timestamp::from_millis(Timestamp::now().as_millis() - 1000);
    for (asked, code) in [
        (json!({ "role": "owner", "name": "x" }), "bad_body"),
        (json!({ "role": "admin" }), "bad_body"),
        (json!({ "role": "admin", "name": " " }), "bad_name"),
        (json!({ "role": "admin", "name": "x".repeat(101) }), "bad_name"),
        (json!({ "role": "admin", "name": "x", "team": "Not A Team" }), "bad_body"),
        (json!({ "role": "admin", "name": "x", "expires_at": past }), "bad_expiry"),
    ] {
        world.post("/v1/keys", &asked).await.assert_problem(422, code);
    }
    assert_eq!(world.get("/v1/keys").await.json(), json!([]));
}

#[tokio::test]
async fn a_key_is_revoked_once() {
    let world = world().await;
    let created = world.post("/v1/keys", &json!({ "role": "submitter", "name": "nightly" })).await.json();
    let path = format!("/v1/keys/{}", created["id"].as_str().unwrap());
    let revoke = async || world.send(world.request(Method::DELETE, &path)).await.json();
    let revoked = revoke().await;
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    assert_eq!(revoke().await, revoked);
    for id in ["key_000000000000", "1"] {
        let unknown = world.send(world.request(Method::DELETE, &format!("/v1/keys/{id}"))).await;
        unknown.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_team_has_the_weight_it_was_given_last() {
    let world = world().await;
    let put =
        async |name: &str, body| world.send(world.request(Method::PUT, &format!("/v1/teams/{name}")).json(&body)).await;
    for weight in [3, 1000] {
        assert_eq!(
            put("sales", json!({ "weight": weight })).await.json(),
            json!({ "name": "sales", "weight": weight })
        );
    }
    let teams = world.get("/v1/teams").await.json();
    assert!(teams.as_array().unwrap().contains(&json!({ "name": "sales", "weight": 1000 })), "{teams}");
    for weight in [0, 1001] {
        put("sales", json!({ "weight": weight })).await.assert_problem(422, "bad_weight");
    }
    put("sales", json!({})).await.assert_problem(422, "bad_body");
    put("Not%20A%20Team", json!({ "weight": 1 })).await.assert_problem(404, "not_found");
}
