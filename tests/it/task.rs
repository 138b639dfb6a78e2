//! `talon task`: submit, follow, list, cancel and retry, and what is refused.

use serde_json::Value;

use crate::api::{Api, TERMINAL};
use crate::home::{Home, shipped_arg};
use crate::server::Server;
use crate::silent_tool::{SilentTool, calling};

const ROUTING: [&str; 4] = ["task", "submit", "--agent", "customer-query-routing"];
const MESSAGE: &str = "I was charged twice for invoice INV-2024-0113. Please refund me.";
/// The names that dashboards and alerts rely on.
const METRICS: [&str; 5] = [
    "openclaw_agent_tasks_total",
    "openclaw_agent_latency_seconds",
    "openclaw_gpu_memory_bytes",
    "openclaw_agent_errors_total",
    "openclaw_session_context_tokens",
];

#[tokio::test]
async fn a_task_is_submitted_watched_shown_listed_and_counted() {
    let home = Home::new();
    let server = Server::start(&home);
    let ended = server.run(&home, &[&ROUTING[..], &["--wait", "--json", MESSAGE]].concat()).ok().json();
    assert_eq!((&ended["state"], &ended["stop_reason"]), (&"succeeded".into(), &"completed".into()));
    assert!(ended["output"]["queue"].is_string() && ended["output"]["priority"].is_string(), "{ended}");

    let submitted = server.run(&home, &[&ROUTING[..], &[MESSAGE]].concat()).ok();
    let id = submitted.stdout.trim();
    let watched = server.run(&home, &["task", "watch", id]).ok().stdout;
    for word in ["accepted", "started", "step", "model", "succeeded", "tokens"] {
        assert!(watched.contains(word), "{word:?} is not in: {watched}");
    }
    let shown = server.run(&home, &["task", "get", id]).ok().stdout;
    assert!(shown.contains("state     succeeded (completed)"), "{shown}");

    let list = server.run(&home, &["task", "list"]).ok().stdout;
    assert!(list.contains(id), "{list}");
    let page = server.run(&home, &["task", "list", "--json", "--state", "succeeded", "--limit", "1"]).ok().json();
    assert_eq!((&page["tasks"][0]["id"], page["next"].is_string()), (&Value::from(id), true));

    let metrics = Api::new(&server.url).metrics().await;
    for name in METRICS {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is not in: {metrics}");
    }
    server.stop();
}

#[test]
fn a_document_and_standard_input_are_sent() {
    let home = Home::new();
    let server = Server::start(&home);
    let invoice = shipped_arg("examples/invoices/inv-001.pdf");
    let submit = ["task", "submit", "--agent", "data-extraction", "--document", &invoice, "--wait", "--json"];
    let task = server.run(&home, &submit).json();
    assert!(TERMINAL.contains(&task["state"].as_str().unwrap()), "{task}");
    assert_eq!(task["documents"].as_array().unwrap().len(), 1);

    let piped = home.run_with(&[&ROUTING[..], &["-", "--json", "--url", &server.url]].concat(), "from a pipe").ok();
    assert_eq!(piped.json()["input"], "from a pipe");
    server.stop();
}

#[test]
fn the_same_key_gives_the_same_task() {
    let home = Home::new();
    let server = Server::start(&home);
    let submit = |message: &str| {
        server.run(&home, &[&ROUTING[..], &["--idempotency-key", "inv-0113", "--json", message]].concat())
    };
    assert_eq!(submit(MESSAGE).ok().json()["id"], submit(MESSAGE).ok().json()["id"]);
    submit("something else").says(4, &["idempotency_conflict"]);
    server.stop();
}

#[test]
fn what_the_server_refuses_ends_with_4_and_says_why() {
    let home = Home::new();
    let server = Server::start(&home);
    let ran = server.run(&home, &["task", "submit", "--agent", "nobody", "text"]);
    ran.says(4, &["there is no agent nobody", "code-review-triage", "report-generation", "unknown_agent"]);
    let absent = "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55";
    server.run(&home, &["task", "get", absent]).says(4, &[absent, "not_found"]);
    server.run(&home, &["task", "watch", absent]).says(4, &[absent, "not_found"]);
    server.stop();
}

#[tokio::test]
async fn a_task_is_cancelled_while_it_runs() {
    let (home, tool) = (Home::new(), SilentTool::new());
    let server = tool.start_server(&home);
    let api = Api::new(&server.url);
    let id = api.accepted(&calling(&api.stored("Invoice 1").await)).await;
    let _call = tool.called();
    let ran = server.run(&home, &["task", "cancel", &id]).ok();
    assert!(ran.stdout.contains("its worker was told to stop"), "{ran:?}");
    server.run(&home, &["task", "watch", &id]).says(1, &["ended as cancelled"]);
    let again = server.run(&home, &["task", "cancel", &id]).ok();
    assert!(again.stdout.contains("cancelled"), "{again:?}");
    server.stop();
}

#[tokio::test]
async fn a_dead_task_is_retried_when_its_cause_is_mended() {
    let home = Home::new();
    let tools = Server::spawn(home.command(&["toolserver", "--listen", "127.0.0.1:0"]));
    let absent = format!("tools:\n  pdf_parser:\n    endpoint: {}/absent\n", tools.url);
    let server = Server::start_with(&home, &absent);
    let api = Api::new(&server.url);
    let id = api.accepted(&calling(&api.stored("Invoice 1").await)).await;
    assert_eq!(api.ended(&id).await["state"], "dead");
    server.stop();

    let server = Server::start(&home);
    let retried = server.run(&home, &["task", "retry", &id]).ok();
    assert!(retried.stdout.contains(&format!("{id}: queued again")), "{retried:?}");
    let api = Api::new(&server.url);
    let task = api.ended(&id).await;
    assert_eq!(task["attempt"], 2, "{task}");
    assert!(api.events(&id).await.iter().any(|event| event["kind"] == "requeued"));
    server.run(&home, &["task", "retry", &id]).says(4, &[task["state"].as_str().unwrap(), "task_not_dead"]);
    server.stop();
}

#[test]
fn a_text_beyond_the_context_fails_with_both_numbers() {
    let home = Home::new();
    let server = Server::start(&home);
    let text = home.write("long.txt", "The meeting is on 3 May in the new building. ".repeat(2000));
    let text = std::fs::read_to_string(text).unwrap();
    let submit = ["task", "submit", "--agent", "document-summarization", "-", "--wait", "--json", "--url", &server.url];
    let ran = home.run_with(&submit, &text);
    assert_eq!(ran.code, Some(1));
    let task = ran.json();
    assert_eq!((&task["state"], &task["stop_reason"]), (&"failed".into(), &"context_overflow".into()), "{task}");
    let error = task["error"].as_str().unwrap();
    let numbers: Vec<usize> = error
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .filter(|number| 1000 < *number)
        .collect();
    assert!(2 <= numbers.len() && numbers[1] < numbers[0], "{error}");
    server.stop();
}
