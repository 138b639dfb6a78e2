//! The orderly end, and the impatient one.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;

use crate::api::{Api, TERMINAL, routing};
use crate::home::{Home, Ran};
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
    assert_eq!(server.insist("INT").code(), Some(130));

    let server = Server::start(&home);
    let task = Api::new(&server.url).ended(&id).await;
    assert_eq!((&task["losses"], &task["attempt"]), (&1.into(), &2.into()), "{task}");
    server.stop();
}

#[test]
fn a_caller_who_stalls_does_not_hold_up_the_end() {
    let server = Server::start(&Home::new());
    let mut stalled = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    stalled.write_all(b"POST /v1/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{").unwrap();
    server.stop();
}

#[tokio::test]
async fn who_waits_for_a_task_waits_on_across_a_restart() {
    let (home, tool) = (Home::new(), SilentTool::new());
    let server = tool.start_server(&home);
    let invoice = home.write("invoice.txt", "Invoice 1");
    let submit = ["task", "submit", "--agent", "data-extraction", "--wait", "--json", "--document"];
    let mut waiting = home.command(&[&submit[..], &[invoice.to_str().unwrap(), "--url", &server.url]].concat());
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _call = tool.called();
    let url = server.url.clone();
    server.kill();

    let server = Server::start_at(&home, &url);
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert!(TERMINAL.contains(&ran.json()["state"].as_str().unwrap()), "{ran:?}");
    server.stop();
}
