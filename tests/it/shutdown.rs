//! The orderly end, and the impatient one.

use std::time::Duration;

use crate::api::{Api, long, routing};
use crate::home::Home;
use crate::server::Server;

#[tokio::test]
async fn sigterm_finishes_or_gives_back_and_the_next_start_goes_on() {
    let home = Home::new();
    let server = Server::start(&home);
    let api = Api::new(&server.url);
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(api.accepted(&routing(&format!("Message {number}: the app crashes."))).await);
    }
    api.ended(&ids[0]).await;
    server.stop();

    let server = Server::start(&home);
    let api = Api::new(&server.url);
    for id in &ids {
        let task = api.ended(id).await;
        assert_eq!((&task["losses"], &task["failures"]), (&0.into(), &0.into()), "{task}");
    }
    server.stop();
}

#[tokio::test]
async fn the_second_ctrl_c_ends_at_once_and_loses_nothing() {
    let home = Home::new();
    let mut server = Server::start(&home);
    let api = Api::new(&server.url);
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(api.accepted(&long()).await);
    }
    api.events_until(&ids[0], "started").await;
    server.signal("INT");
    server.hears("once more to end at once");
    // A person's second thought; two signals at the same moment are one request.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("INT");
    assert_eq!(server.ended().code(), Some(130));

    let server = Server::start(&home);
    let api = Api::new(&server.url);
    for id in &ids {
        let state = api.get(&format!("/v1/tasks/{id}")).await["state"].clone();
        assert!(state != "dead" && state != "cancelled", "{state}");
    }
    server.kill();
}
