//! Which requests are let in when nobody can be told apart.

use core_api::Authentication;
use reqwest::{Method, StatusCode};

use crate::world::{Limits, World, task, team, world};

#[tokio::test]
async fn a_page_of_another_site_is_kept_out() {
    let world = world().await;
    let post = || world.request(Method::POST, "/v1/tasks").json(&task());
    world.send(post().header("Host", "evil.example")).await.assert_problem(403, "foreign_host");
    world.send(post().header("Origin", "https://evil.example")).await.assert_problem(403, "foreign_origin");
    world.send(post().header("Origin", "null")).await.assert_problem(403, "foreign_origin");
    assert_eq!(world.send(post().header("Origin", "http://localhost:8400")).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.send(post().header("Host", "localhost:8400")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_guard_stands_before_unknown_routes_too() {
    let world = world().await;
    let request = world.request(Method::GET, "/nothing").header("Host", "evil.example");
    world.send(request).await.assert_problem(403, "foreign_host");
}

#[tokio::test]
async fn the_guard_stands_before_routes_of_other_crates() {
    let world = world().await;
    assert_eq!(world.get("/beside").await.text(), "beside default");
    let request = world.request(Method::GET, "/beside").header("Host", "evil.example");
    world.send(request).await.assert_problem(403, "foreign_host");
    world.send(world.request(Method::POST, "/beside")).await.assert_problem(405, "wrong_method");
}

#[tokio::test]
async fn who_chose_to_listen_beyond_loopback_is_not_guarded() {
    let authentication = Authentication::Open { team: team(), loopback_only: false };
    let world = World::new(Limits { authentication, ..Limits::default() }).await;
    let request = world.request(Method::GET, "/v1/tasks").header("Host", "talon.internal");
    assert_eq!(world.send(request.header("Origin", "https://talon.internal")).await.status, StatusCode::OK);
}
