//! The help and the README teach, and wrong usage is told from an absent server.

use crate::home::{Home, shipped};
use crate::server::Server;

#[test]
fn the_readmes_commands_work_as_they_stand() {
    let home = Home::new();
    std::os::unix::fs::symlink(shipped("examples"), home.path("examples")).unwrap();
    let server = Server::start(&home);
    let readme = std::fs::read_to_string(shipped("README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("talon ")).collect();
    assert!(!commands.is_empty());
    for command in commands {
        let ran = server.run(&home, &command.split_whitespace().collect::<Vec<_>>());
        // The model may fail at one: 1 is as good as 0 here.
        assert!(matches!(ran.code, Some(0 | 1)), "{command}: {ran:?}");
    }
    server.stop();
}

#[test]
fn every_command_has_help_and_the_important_ones_have_examples() {
    let home = Home::new();
    for (command, has_examples) in [
        ("", false),
        ("demo", true),
        ("serve", true),
        ("task", false),
        ("task submit", true),
        ("task get", false),
        ("task retry", false),
        ("task list", false),
        ("task watch", false),
        ("task cancel", false),
        ("enqueue", true),
        ("chat", true),
        ("agent", false),
        ("agent list", false),
        ("agent validate", true),
        ("eval", true),
        ("toolserver", false),
        ("completions", false),
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = home.run(&arguments).ok().stdout;
        assert!(help.contains("Usage: talon"), "{command}: {help}");
        assert_eq!(help.contains("Examples:"), has_examples, "{command}: {help}");
    }
}

#[test]
fn completions_know_the_commands() {
    let script = Home::new().run(&["completions", "bash"]).ok().stdout;
    assert!(script.contains("enqueue") && script.contains("--idempotency-key"));
}

#[test]
fn wrong_usage_ends_with_2() {
    let home = Home::new();
    home.run(&["task", "submit", "--agent", "Not A Name", "text"]).says(2, &["agent name"]);
    home.run(&["task", "submit", "--agent", "a"]).says(2, &["INPUT"]);
    home.run(&["task", "get", "17"]).says(2, &["task id"]);
    home.run(&["task", "list", "--url", "somewhere"]).says(2, &["somewhere", "http://127.0.0.1:8400"]);
    home.run(&["eval"]).says(2, &["there are no cases"]);
}

#[test]
fn an_absent_server_ends_with_3() {
    let home = Home::new();
    // A port that nobody listens on: it was free, and is given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    for command in [
        &["task", "list"][..],
        &["task", "submit", "--agent", "a", "text"],
        &["enqueue", "--agent", "a", "."],
        &["agent", "list"],
    ] {
        let arguments = [command, &["--url", &url]].concat();
        home.write("a.txt", "a file");
        home.run(&arguments).says(3, &[&url, "talon serve", "--url"]);
    }
}

#[test]
fn agents_are_listed_without_a_server_in_a_table_of_bounded_width() {
    let home = Home::new();
    let file = home.write("talon.yml", "version: 1\n");
    let list = ["agent", "list", "--config", file.to_str().unwrap()];
    let table = home.run(&list).ok().stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 140), "{table}");
    let agents = home.run(&[&list[..], &["--json"]].concat()).ok().json();
    assert_eq!(agents.as_array().unwrap().len(), 5);
}
