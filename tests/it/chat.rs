//! `talon chat` through pipes: history, commands, figures and limits, with the bundled model and with a server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::home::{Home, Ran};
use crate::server::{Server, signal};

const CHAT: [&str; 5] = ["chat", "--temperature", "0", "--max-tokens", "12"];

fn chat(home: &Home, arguments: &[&str], lines: &str) -> Ran {
    home.run_with(&[&CHAT, arguments].concat(), lines)
}

/// The lines of `--json`, one a reply.
fn replies(ran: &Ran) -> Vec<Value> {
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn number(reply: &Value, field: &str) -> u64 {
    reply[field].as_u64().unwrap_or_else(|| panic!("no {field} in {reply}"))
}

#[test]
fn each_line_is_a_turn_and_the_replies_are_all_that_comes_out() {
    let home = Home::new();
    let ran = chat(&home, &[], "Hello\n\nWho are you?\n").ok();
    let told = replies(&chat(&home, &["--json"], "Hello\n\nWho are you?\n").ok());
    let expected: String = told.iter().map(|reply| format!("{}\n", reply["reply"].as_str().unwrap())).collect();
    assert_eq!((ran.stdout, told.len()), (expected, 2));
}

#[test]
fn a_conversation_grows_is_found_in_the_cache_and_is_forgotten() {
    let home = Home::new();
    let lines = "Hello there, how are you doing on this fine day?\nAnd you?\n/reset\nAnd you?\n";
    let told = replies(&chat(&home, &["--json"], lines).ok());
    assert_eq!(told.len(), 3);
    assert!(
        number(&told[1], "prompt_tokens") > number(&told[0], "prompt_tokens") + number(&told[0], "completion_tokens")
    );
    assert!(number(&told[1], "cached_tokens") >= 16, "{told:?}");
    assert!(number(&told[2], "prompt_tokens") < number(&told[0], "prompt_tokens"), "{told:?}");
    assert_eq!(number(&told[0], "context_tokens"), 2048);
}

#[test]
fn system_texts_and_limits_reach_the_model() {
    let home = Home::new();
    let plain = replies(&chat(&home, &["--json"], "Hello\n").ok()).remove(0);
    let told =
        replies(&chat(&home, &["--json", "--system", "Answer in French."], "Hello\n/reset\n/system\nHello\n").ok());
    assert!(number(&told[0], "prompt_tokens") > number(&plain, "prompt_tokens"));
    assert_eq!(number(&told[1], "prompt_tokens"), number(&plain, "prompt_tokens"));
    let cut = home.run_with(&["chat", "--json", "--max-tokens", "1"], "Tell me of the sea.\n").ok();
    let cut = replies(&cut).remove(0);
    assert_eq!((&cut["finish"], number(&cut, "completion_tokens")), (&"length".into(), 1));
}

#[test]
fn figures_help_and_mistakes_are_told_beside_the_replies() {
    let home = Home::new();
    let ran = chat(&home, &[], "/stats\n/help\n/nonsense\nHello\n/stats\n/quit\nnever said\n").ok();
    ran.says(
        0,
        &["nothing has been said yet", "/system TEXT", "there is no /nonsense", "first token after", "of 2048"],
    );
    let reply = replies(&chat(&home, &["--json"], "Hello\n").ok()).remove(0);
    assert_eq!(ran.stdout, format!("{}\n", reply["reply"].as_str().unwrap()));
}

#[test]
fn a_conversation_that_is_too_long_ends_it() {
    let home = Home::new();
    let long = "word ".repeat(4000);
    chat(&home, &[], &format!("{long}\nnever asked\n")).says(1, &["2047", "/reset"]);
}

#[test]
fn a_model_is_named_or_is_a_file_or_is_unknown() {
    let home = Home::new();
    let file = crate::home::shipped_arg("models/pocket/pocket.gguf");
    let of_file = chat(&home, &[&file], "Hello\n").ok();
    assert_eq!(of_file.stdout, chat(&home, &["pocket"], "Hello\n").ok().stdout);
    chat(&home, &["absent"], "Hello\n").says(2, &["absent", "pocket"]);
    home.run(&["chat", "--temperature", "3"]).says(2, &["from 0 to 2"]);
    let keyed = home.write("talon.yml", "models: [{name: far, url: 'http://127.0.0.1:1/v1', api_key_env: FAR_KEY}]");
    home.run(&["chat", "--config", keyed.to_str().unwrap()]).says(2, &["model far", "FAR_KEY"]);
}

#[test]
fn an_interrupt_ends_a_piped_chat() {
    let home = Home::new();
    let mut command = home.command(&["chat", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"Hello\n").unwrap();
    // It has answered, and waits for the next line.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("\"reply\""));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A server whose reply begins and never ends; each of its connections takes one request.
fn endless_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let request = BufReader::new(connection.try_clone().unwrap()).lines().next().unwrap().unwrap();
            let answer = if request.contains("/v1/models ") {
                let list = r#"{"data": [{"id": "endless"}]}"#;
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{list}", list.len())
            } else {
                let piece = r#"data: {"choices": [{"delta": {"content": "Once upon"}}]}"#;
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{piece}\n\n")
            };
            connection.write_all(answer.as_bytes()).unwrap();
            open.push(connection);
        }
    });
    url
}

#[test]
fn an_interrupt_stops_a_reply_and_keeps_what_was_said() {
    let home = Home::new();
    let mut command = home.command(&["chat", "--url", &endless_server()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Tell me a story.\n").unwrap();
    let mut said = [0; 9];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    signal(&child, "INT");
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.says(130, &["interrupted"]);
    assert_eq!((&said, ran.stdout.as_str()), (b"Once upon", "\n"));
}

#[test]
fn a_server_answers_as_the_model_in_the_process_does() {
    let home = Home::new();
    let server = Server::start(&home);
    let lines = "Hello\nWho are you?\n";
    let here = replies(&chat(&home, &["--json"], lines).ok());
    let there = replies(&chat(&home, &["--json", "--url", &server.url], lines).ok());
    for field in ["reply", "finish", "prompt_tokens", "completion_tokens", "context_tokens"] {
        let of = |replies: &[Value]| replies.iter().map(|reply| reply[field].clone()).collect::<Vec<_>>();
        assert_eq!(of(&here), of(&there), "{field}");
    }
    let long = "word ".repeat(4000);
    chat(&home, &["--url", &server.url], &format!("{long}\n")).says(4, &["400", "tokens"]);
    chat(&home, &["absent", "--url", &server.url], "Hello\n").says(2, &["absent", "pocket"]);
    server.stop();
    let gone = chat(&home, &["--url", "http://127.0.0.1:1"], "Hello\n");
    gone.says(3, &["http://127.0.0.1:1/v1"]);
}
