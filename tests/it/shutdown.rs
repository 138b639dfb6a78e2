//! The orderly end, and the impatient one.

use std::time::Duration;

use crate::api::{Api, routing};
use crate::home::Home;
use crate::server::Server;
use crate::silent_tool::{SilentTool, calling};

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
async fn a_task_that_does_not_end_in_time_is_given_back_at_no_cost() {
    let (home, tool) = (Home::new(), SilentTool::new());
    let server = tool.start_server(&home);
    let api = Api::new(&server.url);
    let id = api.accepted(&calling(&api.stored("Invoice 1").await)).await;
    let _call = tool.called();
    server.stop();

    let server = Server::start(&home);
    let api = Api::new(&server.url);
    let task = api.ended(&id).await;
    assert_eq!((&task["losses"], &task["failures"], &task["attempt"]), (&0.into(), &0.into(), &2.into()), "{task}");
    assert!(api.events(&id).await.iter().any(|event| event["kind"] == "released"));
    server.stop();
}

#[tokio::test]
async fn the_second_ctrl_c_ends_at_once_and_loses_nothing() {
    let (home, tool) = (Home::new(), SilentTool::new());
    let mut server = tool.start_server(&home);
    let api = Api::new(&server.url);
    let id = api.accepted(&calling(&api.stored("Invoice 1").await)).await;
    let _call = tool.called();
    server.signal("INT");
    server.hears("once more to end at once");
    // A person's second thought; two signals at the same moment are one request.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("INT");
    assert_eq!(server.ended().code(), Some(130));

    let server = Server::start(&home);
    let task = Api::new(&server.url).ended(&id).await;
    assert_eq!((&task["losses"], &task["attempt"]), (&1.into(), &2.into()), "{task}");
    server.stop();
}
