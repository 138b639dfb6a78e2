//! The commands of those who operate an installation, against a real server.

use serde_json::Value;

use crate::api::{Api, routing};
use crate::home::{Home, Ran};
use crate::receiver::Receiver;
use crate::server::Server;
use crate::silent_tool::calling;

const ADMIN: &str = "0123456789abcdef0123456789abcdef";

/// Runs a command as the holder of a key.
fn run_as(home: &Home, server: &Server, key: &str, arguments: &[&str]) -> Ran {
    Ran::of(home.command(arguments).env("TALON_URL", &server.url).env("TALON_API_KEY", key))
}

#[test]
fn a_key_opens_what_its_role_may_until_it_is_revoked() {
    let home = Home::new();
    let file = home.write("talon.yml", "version: 1\nserver:\n  authentication: keys\n");
    let mut command = home.command(&["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    command.env("TALON_ADMIN_KEY", ADMIN);
    let server = Server::spawn(command);
    server.run(&home, &["task", "list"]).says(4, &["API key"]);

    let create = ["key", "create", "--team", "sales", "--role", "submitter", "--name", "nightly", "--expires-in", "1d"];
    let created = run_as(&home, &server, ADMIN, &create).ok();
    let key = created.stdout.trim();
    assert!(key.starts_with("talon_") && key.len() == 49 && created.stdout.lines().count() == 1, "{created:?}");
    assert!(!created.stderr.contains(key), "{created:?}");

    let submit = ["task", "submit", "--agent", "customer-query-routing", "Refund me.", "--wait", "--json"];
    assert_eq!(run_as(&home, &server, key, &submit).json()["team"], "sales");
    run_as(&home, &server, key, &["key", "list"]).says(4, &["admin"]);
    run_as(&home, &server, key, &["dlq", "list"]).says(4, &["operator"]);
    let theirs = run_as(&home, &server, ADMIN, &["task", "list", "--json"]).ok().json();
    assert_eq!(theirs["tasks"], Value::Array(Vec::new()), "the administrator's team has none");

    let keys = run_as(&home, &server, ADMIN, &["key", "list", "--json"]).ok().json();
    let id = keys[0]["id"].as_str().unwrap();
    assert_eq!((&keys[0]["team"], &keys[0]["role"]), (&"sales".into(), &"submitter".into()));
    let table = run_as(&home, &server, ADMIN, &["key", "list"]).ok().stdout;
    assert!(table.contains(id) && table.contains("nightly") && table.contains("until"), "{table}");
    assert!(!table.contains(&key[6..]), "{table}");
    run_as(&home, &server, ADMIN, &["key", "revoke", id]).ok();
    run_as(&home, &server, key, &["task", "list"]).says(4, &["revoked"]);
    run_as(&home, &server, ADMIN, &["key", "revoke", "key_0123456789ab"]).says(4, &["key_0123456789ab"]);

    run_as(&home, &server, ADMIN, &["team", "set", "sales", "--weight", "3"]).ok();
    let teams = run_as(&home, &server, ADMIN, &["team", "list", "--json"]).ok().json();
    assert!(teams.as_array().unwrap().iter().any(|team| team["name"] == "sales" && team["weight"] == 3), "{teams}");
    server.stop();
}

#[tokio::test]
async fn dead_letters_are_shown_queued_again_and_forgotten() {
    let home = Home::new();
    let tools = Server::spawn(home.command(&["toolserver", "--listen", "127.0.0.1:0"]));
    let absent = format!("tools:\n  pdf_parser:\n    endpoint: {}/absent\n", tools.url);
    let server = Server::start_with(&home, &absent);
    let api = Api::new(&server.url);
    let mut ids = Vec::new();
    for text in ["Invoice 1", "Invoice 2", "Invoice 3"] {
        ids.push(api.accepted(&calling(&api.stored(text).await)).await);
    }
    for id in &ids {
        assert_eq!(api.ended(id).await["state"], "dead");
    }
    let page = server.run(&home, &["dlq", "list", "--limit", "2", "--json"]).ok().json();
    let next = page["next"].as_str().unwrap();
    let rest = server.run(&home, &["dlq", "list", "--cursor", next]).ok().stdout;
    assert!(rest.contains(&ids[0]) && !rest.contains(&ids[2]), "{rest}");
    let shown = server.run(&home, &["dlq", "show", &ids[0]]).ok().stdout;
    assert!(shown.contains("attempt 1") && shown.contains("started") && shown.contains("absent"), "{shown}");

    let count = ["dlq", "requeue", "--of-agent", "data-extraction", "--dry-run"];
    assert!(server.run(&home, &count).ok().stdout.contains("3 dead letters fit"));
    server.run(&home, &["dlq", "requeue", "--all"]).says(2, &["3 dead letters", "--yes"]);
    server.run(&home, &["dlq", "purge"]).says(2, &["--all"]);
    server.run(&home, &["dlq", "purge", &ids[2]]).says(2, &["--yes"]);
    server.run(&home, &["dlq", "purge", &ids[2], "--yes"]).ok();
    server.run(&home, &["dlq", "show", &ids[2]]).says(4, &[&ids[2]]);

    let edited = ["dlq", "requeue", &ids[1], "--agent", "customer-query-routing", "--input", "Refund me.", "--json"];
    assert_eq!(server.run(&home, &edited).ok().json()["agent"], "customer-query-routing");
    let again = api.ended(&ids[1]).await;
    assert_eq!(again["input"], "Refund me.", "{again}");
    // Whether the model makes something of it is nobody's claim here.
    let dead = 1 + u64::from(again["state"] == "dead");
    let purged = server.run(&home, &["dlq", "purge", "--older-than", "1s", "--yes", "--json"]).ok().json();
    let left = server.run(&home, &["dlq", "purge", "--all", "--yes", "--json"]).ok().json();
    assert_eq!(purged["done"].as_u64().unwrap() + left["done"].as_u64().unwrap(), dead, "{purged} {left}");
    server.run(&home, &["dlq", "requeue", &ids[0]]).says(4, &[&ids[0]]);
    let status = server.run(&home, &["queue", "status", "--conservation", "--json"]).ok().json();
    assert_eq!(status["conservation"]["holds"], true, "{status}");
    assert_eq!(status["conservation"]["pruned"], dead + 1, "{status}");
    server.stop();
}

#[tokio::test]
async fn what_is_paused_waits_and_says_why() {
    let home = Home::new();
    let server = Server::start(&home);
    let api = Api::new(&server.url);
    let pause = ["queue", "pause", "agent:customer-query-routing", "--reason", "the prompt is being mended"];
    server.run(&home, &pause).ok();
    let id = api.accepted(&routing("Refund me.")).await;
    let why = server.run(&home, &["task", "explain", &id]).ok().stdout;
    assert!(why.contains("queued") && why.contains("the prompt is being mended"), "{why}");
    let status = server.run(&home, &["queue", "status"]).ok().stdout;
    assert!(status.contains("agent:customer-query-routing") && status.contains("normal"), "{status}");
    server.run(&home, &["queue", "pause", "agent:nobody", "--reason", "x"]).says(4, &["nobody"]);

    let resumed = server.run(&home, &["queue", "resume", "agent:customer-query-routing"]).ok().stdout;
    assert!(resumed.contains("goes on"), "{resumed}");
    api.ended(&id).await;
    let why = server.run(&home, &["task", "explain", &id, "--json"]).ok().json();
    assert_eq!(why["reasons"][0]["code"], "ended", "{why}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_it_is_told_that_a_task_has_ended() {
    let (home, receiver) = (Home::new(), Receiver::open().await);
    let file = home.write("talon.yml", format!("version: 1\nwebhooks:\n  allow: [\"{}/done\"]\n", receiver.url));
    let serve = ["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    home.run(&serve).says(2, &["TALON_WEBHOOK_SECRET", "openssl rand"]);
    let mut command = home.command(&serve);
    command.env("TALON_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let server = Server::spawn(command);
    let api = Api::new(&server.url);

    let told = |path: &str| {
        let mut task = routing("Refund me.");
        task["callback_url"] = format!("{}{path}", receiver.url).into();
        task
    };
    let (status, problem) = api.submit(&told("/elsewhere"), "elsewhere").await.unwrap();
    assert_eq!(status.as_u16(), 422, "{problem}");
    let id = api.accepted(&told("/done/1")).await;
    let first = receiver.gone().await;
    assert_eq!((&first.body["data"]["id"], &first.body["type"]), (&Value::from(id.as_str()), &"task.succeeded".into()));
    first.check_signature("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    // The receiver said that it is gone: the message is dead at once.
    let message = loop {
        let dead = server.run(&home, &["webhook", "list", "--state", "dead", "--json"]).ok().json();
        if let Some(message) = dead.as_array().unwrap().first() {
            break message.clone();
        }
    };
    assert_eq!(message["task"].as_str(), Some(id.as_str()), "{message}");
    server.run(&home, &["webhook", "retry", message["id"].as_str().unwrap()]).ok();
    let second = receiver.taken().await;
    assert_eq!(second.id, first.id);
    server.run(&home, &["webhook", "retry", "whk_0123456789ab"]).says(4, &["whk_0123456789ab"]);
    server.stop();
}
