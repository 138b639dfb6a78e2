//! What keeps a server from starting is said with its place and what to do, and told apart by the exit code.

use std::net::TcpListener;

use crate::api::{Api, routing};
use crate::home::{Home, Ran};
use crate::server::Server;

fn serve(home: &Home) -> Ran {
    home.run(&["serve", "--listen", "127.0.0.1:0"])
}

#[test]
fn a_port_in_use_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    Home::new().run(&["serve", "--listen", &address]).says(3, &[&address, "in use", "--listen", "server.listen"]);
}

#[test]
fn a_data_dir_has_one_owner_and_it_is_named() {
    let home = Home::new();
    let owner = Server::start(&home);
    serve(&home).says(3, &[&format!("in use by process {}", owner.pid()), "another data_dir"]);
    owner.stop();
    Server::start(&home).stop();
}

#[test]
fn a_data_dir_that_cannot_be_written_is_named() {
    let home = Home::new();
    // Not even root makes files there.
    let ran = Ran::of(home.command(&["serve", "--listen", "127.0.0.1:0"]).env("TALON_DATA_DIR", "/proc/talon"));
    ran.says(3, &["/proc/talon", "cannot be written", "data_dir"]);
}

#[test]
fn every_mistake_in_talon_yml_is_shown_with_its_place() {
    let home = Home::new();
    let file = home.write(
        "talon.yml",
        "version: 1\nserver:\n  listen: nowhere\nqueue:\n  max_queue: 5\nlease:\n  timeout_seconds: soon\n",
    );
    let ran = home.run(&["serve", "--config", file.to_str().unwrap()]);
    ran.says(2, &["talon.yml:3:11", "talon.yml:5:3", "max_queued", "talon.yml:7:20", "cannot be used"]);
}

#[test]
fn a_configuration_that_was_asked_for_must_be_there() {
    Home::new().run(&["serve", "--config", "absent.yml"]).says(2, &["absent.yml"]);
}

#[test]
fn other_machines_are_let_in_only_by_the_dangerous_key() {
    let home = Home::new();
    home.run(&["serve", "--listen", "0.0.0.0:0"])
        .says(2, &["--listen", "0.0.0.0:0", "dangerously_listen_beyond_loopback"]);
    let file = home.write("talon.yml", "version: 1\nserver:\n  dangerously_listen_beyond_loopback: true\n");
    let command = home.command(&["serve", "--config", file.to_str().unwrap(), "--listen", "0.0.0.0:0"]);
    Server::spawn(command).stop();
}

#[test]
fn an_agent_without_its_model_is_found_before_anything_is_loaded() {
    let home = Home::new();
    let file = home.write("talon.yml", "version: 1\nmodels:\n  - {name: large, path: large.gguf}\n");
    home.run(&["serve", "--config", file.to_str().unwrap()]).says(2, &["there is no model \"pocket\"", "large"]);
}

#[tokio::test]
async fn a_caller_hears_at_once_that_models_are_loading() {
    let home = Home::new();
    // Whoever opens it for reading waits until someone writes.
    let model = home.path("model.gguf");
    assert!(std::process::Command::new("mkfifo").arg(&model).status().unwrap().success());
    let file = home.write("talon.yml", format!("version: 1\nmodels:\n  - {{name: pocket, path: {model:?}}}\n"));
    let serve = home.command(&["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let mut server = Server::spawn_starting(serve);
    let api = Api::new(&server.url);
    let (status, problem) = api.submit(&routing("Refund me."), "key").await.unwrap();
    assert_eq!((status.as_u16(), &problem["code"], &problem["retry_after"]), (503, &"starting".into(), &1.into()));
    assert_eq!(api.get("/readyz").await["code"], "starting");
    assert_eq!(api.text("/healthz").await, "ok\n");
    server.run(&home, &["task", "list"]).says(3, &["models are loading"]);

    drop(std::fs::OpenOptions::new().write(true).open(&model).unwrap());
    assert_eq!(server.ended().code(), Some(3), "a model that is none");
}

#[test]
fn the_tool_server_says_where_it_is_and_ends_when_told() {
    let home = Home::new();
    let server = Server::spawn(home.command(&["toolserver", "--listen", "127.0.0.1:0"]));
    let address = server.url.strip_prefix("http://").unwrap();
    home.run(&["toolserver", "--listen", address]).says(3, &[address, "in use", "--listen"]);
    server.stop();
}
