//! No room: what cannot be kept is not accepted, and what was accepted is not lost.

use std::process::Command;

use crate::api::{Api, routing};
use crate::home::Home;
use crate::server::Server;

/// A server whose files cannot grow beyond `blocks` of 512 bytes. A write beyond it fails as on a full disk, once the
/// signal that comes with it is ignored.
fn start_limited(home: &Home, blocks: u64) -> Server {
    let script =
        format!("trap '' XFSZ; ulimit -f {blocks}; exec '{}' serve --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_talon"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    home.settle(&mut command);
    Server::spawn(command)
}

#[tokio::test]
async fn a_full_disk_refuses_with_a_reason_and_loses_nothing() {
    let home = Home::new();
    // The first start writes the model, which is larger than the room that is left later.
    Server::start(&home).stop();
    let server = start_limited(&home, 1000);
    let api = Api::new(&server.url);
    let message = "Please refund me. ".repeat(60);
    let (mut accepted, mut refused) = (Vec::new(), None);
    for number in 0..1000 {
        let (status, body) = api.submit(&routing(&message), &format!("task-{number}")).await.unwrap();
        if status != 202 {
            refused = Some((status.as_u16(), body));
            break;
        }
        accepted.push(body["id"].as_str().unwrap().to_owned());
    }
    let (status, problem) = refused.expect("the room never ended");
    assert!(matches!(status, 503 | 507), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{problem}");
    assert!(!accepted.is_empty());
    server.kill();

    let server = Server::start(&home);
    let api = Api::new(&server.url);
    for id in &accepted {
        api.ended(id).await;
    }
    assert_eq!(api.get("/v1/tasks?limit=1000").await["tasks"].as_array().unwrap().len(), accepted.len());
    server.stop();
}
