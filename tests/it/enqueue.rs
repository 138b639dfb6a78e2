//! `talon enqueue`: a row for every file, whatever becomes of it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::flaky::Flaky;
use crate::home::{Home, Ran, shipped_arg};
use crate::server::{Server, signal};
use crate::silent_tool::SilentTool;

const TABLES: usize = 10;

fn enqueue<'a>(files: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["enqueue", "--agent", "report-generation"], files, more].concat()
}

#[test]
fn a_folder_becomes_a_csv_and_a_bad_file_is_a_row_of_it() {
    let home = Home::new();
    let server = Server::start(&home);
    let tables = shipped_arg("examples/tables");
    let empty = home.write("empty.csv", "").to_str().unwrap().to_owned();
    let ran = server.run(&home, &enqueue(&[&tables, &empty], &["--out", "results.csv"]));
    ran.says(1, &["of 11 files have no result", "11 rows are in results.csv"]);
    let mut csv = csv::Reader::from_path(home.path("results.csv")).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[..4], ["file", "task", "state", "error"]);
    let rows: Vec<csv::StringRecord> = csv.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), TABLES + 1);
    let last = &rows[TABLES];
    assert_eq!((&last[0], &last[1], &last[2]), (empty.as_str(), "", "not_submitted"));
    assert!(last[3].contains("empty"), "{last:?}");
    server.stop();
}

#[test]
fn a_folder_becomes_json_lines() {
    let home = Home::new();
    let server = Server::start(&home);
    let tables = shipped_arg("examples/tables");
    // The model may fail at one: 1 is as good as 0 here.
    let ran = server.run(&home, &enqueue(&[&tables], &["--out", "results.jsonl"]));
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    let text = std::fs::read_to_string(home.path("results.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), TABLES);
    assert!(rows.iter().all(|row| row["task"].is_string() && row["output"].is_string() != row["error"].is_string()));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_for_a_moment_is_no_fault_of_a_file() {
    let home = Home::new();
    let server = Server::start(&home);
    let flaky = Flaky::before(&server).await;
    for number in 0..3 {
        home.write(&format!("tables/{number}.csv"), format!("city,orders\nGhent,{number}\n"));
    }
    let ran = home.run(&[&enqueue(&["tables"], &[])[..], &["--json", "--url", &flaky.url]].concat());
    let rows = ran.json();
    let rows: BTreeSet<&str> = rows.as_array().unwrap().iter().map(|row| row["task"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), flaky.failed()), (3, 2), "{ran:?}");
    let tasks = server.run(&home, &["task", "list", "--json"]).ok().json();
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 3, "a task was submitted twice: {tasks}");
    server.stop();
}

#[test]
fn what_would_waste_the_work_is_found_before_it() {
    let home = Home::new();
    let server = Server::start(&home);
    let tables = shipped_arg("examples/tables");
    server.run(&home, &enqueue(&[&tables], &["--out", "absent/results.csv"])).says(2, &["absent/results.csv"]);
    server.run(&home, &enqueue(&[&tables], &["--out", "results.xls"])).says(2, &[".csv or .jsonl"]);
    server.run(&home, &["enqueue", "--agent", "nobody", &tables]).says(4, &["nobody", "report-generation"]);
    server.run(&home, &enqueue(&["absent"], &[])).says(2, &["absent"]);
    let tasks = server.run(&home, &["task", "list", "--json"]).ok().json();
    assert_eq!(tasks["tasks"], Value::Array(Vec::new()));
    server.stop();
}

#[test]
fn ctrl_c_leaves_the_tasks_on_the_server_and_says_how_to_find_them() {
    let (home, tool) = (Home::new(), SilentTool::new());
    let server = tool.start_server(&home);
    for number in 0..3 {
        home.write(&format!("invoices/{number}.txt"), format!("Invoice {number}"));
    }
    let mut command = home.command(&["enqueue", "--agent", "data-extraction", "invoices", "--out", "results.jsonl"]);
    let child = command.env("TALON_URL", &server.url).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let _calls = [tool.called(), tool.called(), tool.called()];
    signal(&child, "INT");
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.says(130, &["3 of 3 files are tasks on the server", "talon task list --agent data-extraction"]);
    let text = std::fs::read_to_string(home.path("results.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row["task"].is_string()), "{text}");
    server.kill();
}

#[test]
fn a_run_that_was_killed_goes_on_with_the_same_command_and_no_file_becomes_two_tasks() {
    let (home, tool) = (Home::new(), SilentTool::new());
    let server = tool.start_server(&home);
    for number in 0..3 {
        home.write(&format!("invoices/deep/{number}.txt"), format!("Invoice {number}"));
    }
    let arguments = ["enqueue", "--agent", "data-extraction", "invoices", "--out", "results.jsonl"];
    let spawn = || {
        let mut command = home.command(&arguments);
        command.env("TALON_URL", &server.url).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let tasks = || {
        let listed = server.run(&home, &["task", "list", "--json"]).ok().json();
        let tasks = listed["tasks"].as_array().unwrap().clone();
        tasks.into_iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    let cancel_all = || tasks().iter().for_each(|id| drop(server.run(&home, &["task", "cancel", id])));
    let mut child = spawn();
    let calls = [tool.called(), tool.called(), tool.called()];
    child.kill().unwrap();
    child.wait().unwrap();
    let before = tasks();
    assert_eq!(before.len(), 3);
    assert!(home.path("results.jsonl.run").exists());

    home.write("invoices/late.txt", "Invoice 3");
    let child = spawn();
    let _late = tool.called();
    cancel_all();
    drop(calls);
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.says(1, &["3 tasks of it are known", "4 of 4 files have no result"]);
    let text = std::fs::read_to_string(home.path("results.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: BTreeSet<String> = rows.iter().map(|row| row["task"].as_str().unwrap().to_owned()).collect();
    assert!(found.is_superset(&before) && found == tasks() && found.len() == 4, "{text}");
    assert!(rows.iter().all(|row| row["state"] == "cancelled"), "{text}");
    assert!(!home.path("results.jsonl.run").exists(), "all of it has ended");
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_no_fault_of_a_line_and_a_lost_answer_no_second_task() {
    let home = Home::new();
    let server = Server::start(&home);
    let flaky = Flaky::before(&server).await;
    let line = "{\"input\": \"The app crashes.\", \"idempotency_key\": null}\n";
    let arguments = ["enqueue", "--agent", "customer-query-routing", "--ndjson", "-", "--json", "--url", &flaky.url];
    let ran = home.run_with(&arguments, line);
    assert!(ran.json()[0]["task"].is_string(), "{ran:?}");
    let tasks = server.run(&home, &["task", "list", "--json"]).ok().json();
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1, "{tasks}");
    server.stop();
}

#[test]
fn a_run_of_lines_that_was_interrupted_is_kept_though_all_that_was_read_has_ended() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut command =
        home.command(&["enqueue", "--agent", "customer-query-routing", "--ndjson", "-", "--resume", "run"]);
    command.env("TALON_URL", &server.url).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = child.stdin.take().unwrap();
    // What is blank counts towards what is sent together; there may be more lines.
    writeln!(lines, "{{\"input\": \"The app crashes.\"}}\n{}", " ".repeat(2 << 20)).unwrap();
    let journal = || std::fs::read_to_string(home.path("run")).unwrap_or_default();
    while !journal().contains("\"succeeded\"") && !journal().contains("\"failed\"") {
        std::thread::yield_now();
    }
    signal(&child, "INT");
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.says(130, &["1 of 1 files are tasks"]);
    assert!(!journal().is_empty(), "the same command would begin anew: {ran:?}");
    server.stop();
}

#[test]
fn lines_become_tasks_and_a_bad_one_is_a_row_of_its_own() {
    let home = Home::new();
    let server = Server::start(&home);
    let lines = "{\"name\": \"first\", \"input\": \"I was charged twice.\"}\n\n[1]\n\
                 {\"agent\": \"nobody\", \"input\": \"x\"}\n{\"input\": \"\"}\n{\"input\": \"The app crashes.\"}\n";
    let arguments = ["enqueue", "--agent", "customer-query-routing", "--ndjson", "-", "--json", "--url", &server.url];
    let ran = home.run_with(&arguments, lines);
    ran.says(1, &["of 5 files have no result"]);
    let rows = ran.json();
    let column = |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Vec<Value>>();
    assert_eq!(column("file"), ["first", "line 3", "line 4", "line 5", "line 6"]);
    assert_eq!(column("task").iter().map(Value::is_string).collect::<Vec<_>>(), [true, false, false, false, true]);
    let errors = column("error");
    for (row, words) in [(1, "no JSON object"), (2, "nobody"), (3, "input")] {
        assert!(errors[row].as_str().unwrap().contains(words), "{errors:?}");
    }
    server.stop();
}

#[test]
fn a_reader_who_leaves_is_no_panic() {
    let home = Home::new();
    let mut command = home.command(&["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
