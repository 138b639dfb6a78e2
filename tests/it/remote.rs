//! One Talon works with the model of another: agents here, engine there.

use serde_json::json;

use crate::api::Api;
use crate::home::{Home, shipped_arg};
use crate::server::Server;

fn settings(url: &str, more: &str) -> String {
    format!("models: [{{name: pocket, url: \"{url}/v1\"{more}}}]\n")
}

#[tokio::test]
async fn agents_work_with_a_model_behind_http() {
    let (engine_home, home) = (Home::new(), Home::new());
    let engine = Server::start(&engine_home);
    for kind in [", kind: talon", ", kind: openai, context_tokens: 2048"] {
        let server = Server::start_with(&home, &settings(&engine.url, kind));
        let api = Api::new(&server.url);
        assert_eq!(api.get("/v1/models").await["data"], json!([]), "no model is loaded here");
        let submit =
            ["task", "submit", "--agent", "customer-query-routing", "--wait", "--json", "I was charged twice."];
        let ended = server.run(&home, &submit).ok().json();
        assert!(ended["output"]["queue"].is_string() && ended["output"]["priority"].is_string(), "{ended}");
        assert!(ended["prompt_tokens"].as_u64().unwrap() > 100, "{ended}");

        let invoice = shipped_arg("examples/invoices/inv-001.pdf");
        let submit = ["task", "submit", "--agent", "data-extraction", "--document", &invoice, "--wait", "--json"];
        let read = server.run(&home, &submit).json();
        let steps = api.get(&format!("/v1/tasks/{}/steps", read["id"].as_str().unwrap())).await;
        // The document's id reached the model over there, and its call came back.
        assert_eq!(steps[1]["summary"]["tool"], "pdf_parser", "{steps:#}");
        assert!(steps[1]["summary"]["result_bytes"].is_number(), "{steps:#}");
        server.stop();
    }
    engine.stop();
}

#[test]
fn a_server_that_does_not_tell_its_context_is_asked_for_in_the_configuration() {
    let home = Home::new();
    let file = home.write("talon.yml", settings("http://127.0.0.1:1", ""));
    let ran = home.run(&["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--wait", "0"]);
    ran.says(3, &["model pocket", "http://127.0.0.1:1/v1", "context_tokens", "--wait"]);
}

#[test]
fn a_key_that_is_not_there_is_named() {
    let home = Home::new();
    let file = home.write("talon.yml", settings("http://127.0.0.1:1", ", api_key_env: GPU_KEY"));
    let arguments = ["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    home.run(&arguments).says(2, &["model pocket", "GPU_KEY"]);
}
