//! One installation of several processes on real PostgreSQL and Redis.

use std::process::Command;

use serde_json::{Value, json};
use testbed::{Postgres, Redis, RedisOptions};

use crate::api::{Api, routing, sum};
use crate::home::Home;
use crate::server::Server;

/// What the processes share.
struct Site {
    redis: Redis,
    database: String,
}

impl Site {
    async fn new() -> Self {
        let redis =
            Redis::start(RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() }).await;
        Site { redis, database: Postgres::shared().await.database().await }
    }

    fn command(&self, home: &Home, arguments: &[&str]) -> Command {
        let mut command = home.command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        command.env("TALON_DATABASE_URL", &self.database).env("TALON_REDIS_URL", self.redis.url());
        command
    }

    /// A process of a role, with the models of `engine`.
    fn start(&self, home: &Home, role: &str, engine: &Server) -> Server {
        let settings = format!("version: 1\nmodels: [{{name: pocket, url: \"{}/v1\", kind: talon}}]\n", engine.url);
        let file = home.write("talon.yml", settings);
        Server::spawn(self.command(home, &["--role", role, "--config", file.to_str().unwrap()]))
    }
}

async fn leads(server: &Server) -> bool {
    sum(&Api::new(&server.url).metrics().await, "openclaw_relay_leader") == 1.0
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_every_role_are_one_installation_and_outlive_their_leader() {
    let (site, home) = (Site::new().await, Home::new());
    let engine = Server::spawn(home.command(&["serve", "--role", "engine", "--listen", "127.0.0.1:0"]));
    let first = site.start(&home, "worker", &engine);
    while !leads(&first).await {}
    let second = site.start(&home, "worker", &engine);
    let front = site.start(&home, "api", &engine);
    let api = Api::new(&front.url);

    let task = api.ended(&api.accepted(&routing("I was charged twice.")).await).await;
    assert_eq!(task["state"], "succeeded", "{task}");
    let chat = json!({"model": "pocket", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]});
    let (status, answer) = api.post("/v1/chat/completions", &chat).await;
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() > 0, "{answer}");
    let streamed = json!({"stream": true, "model": "pocket", "max_tokens": 8, "messages": chat["messages"]});
    let (_, stream) = api.post("/v1/chat/completions", &streamed).await;
    assert!(stream.matches("data:").count() > 2 && stream.trim_end().ends_with("[DONE]"), "{stream}");
    let (status, refused) = api.post("/v1/chat/completions", &json!({"model": "large", "messages": []})).await;
    assert!(status == 404 && refused.contains("pocket"), "{refused}");
    let models = api.get("/v1/models").await;
    assert!(models["data"][0]["id"] == "pocket" && models["data"][0]["max_model_len"].is_number(), "{models}");
    assert!(api.get("/openapi.json").await["paths"]["/v1/chat/completions"].is_object());
    assert_eq!(Api::new(&second.url).get("/v1/tasks").await["status"], 404, "a worker shows no tasks");

    let queue = front.run(&home, &["queue", "status", "--json"]).ok().json();
    let mut roles: Vec<&str> =
        queue["processes"].as_array().unwrap().iter().map(|process| process["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["api", "worker", "worker"], "{queue}");

    first.kill();
    while !leads(&second).await && !leads(&front).await {}
    let task = api.ended(&api.accepted(&routing("The app crashes.")).await).await;
    assert_eq!(task["state"], "succeeded", "{task}");
    front.stop();
    second.stop();
    engine.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_producers_add_to_a_stream_and_dead_letters_are_shown_in_one() {
    // Over TLS, with an authority that only the configuration names.
    let (redis, home) = (Redis::start(RedisOptions { tls: true, ..RedisOptions::default() }).await, Home::new());
    let tools = Server::spawn(home.command(&["toolserver", "--listen", "127.0.0.1:0"]));
    let settings = format!(
        "queue:\n  url: {}\n  authority: {:?}\ntools:\n  pdf_parser:\n    endpoint: {}/absent\n",
        redis.url(),
        redis.authority().unwrap(),
        tools.url
    );
    let server = Server::start_with(&home, &settings);
    let api = Api::new(&server.url);
    let dead = api.accepted(&json!({"agent": "data-extraction", "documents": [api.stored("Invoice").await]})).await;
    let payload = routing("Refund me.").to_string();
    redis.cli(&["XADD", "openclaw:tasks", "*", "payload", &payload, "priority", "high"]).await;
    redis.cli(&["XADD", "openclaw:tasks", "*", "payload", "review this", "priority", "low"]).await;
    assert_eq!(api.ended(&dead).await["state"], "dead");
    let letters = loop {
        let letters = redis.cli(&["XRANGE", "openclaw:tasks:dlq", "-", "+"]).await;
        if letters.contains(&dead) && letters.contains("review this") {
            break letters;
        }
    };
    assert!(letters.contains("no JSON object"), "{letters}");
    let id = loop {
        let tasks = api.get("/v1/tasks?agent=customer-query-routing").await;
        if let Some(task) = tasks["tasks"].as_array().unwrap().first() {
            break task["id"].as_str().unwrap().to_owned();
        }
    };
    assert_eq!(api.ended(&id).await["class"], "interactive");
    while redis.cli(&["XLEN", "openclaw:tasks"]).await != "0" {}
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_at_the_start_is_waited_for_and_named() {
    let (mut site, home) = (Site::new().await, Home::new());
    site.redis.kill();
    let server = Server::spawn_starting(site.command(&home, &["--role", "api", "--wait", "300"]));
    let api = Api::new(&server.url);
    let problem = loop {
        let problem = api.get("/readyz").await;
        if problem["detail"].as_str().unwrap().contains("redis://") {
            break problem;
        }
    };
    assert!(problem["detail"].as_str().unwrap().contains("is waited for"), "{problem}");
    assert!(!problem.to_string().contains("hunter2"), "{problem}");
    site.redis.restart().await;
    server.hears("serves on");
    assert_eq!(api.text("/readyz").await, "ready\n");
    server.stop();

    let mut command = site.command(&home, &["--role", "worker", "--wait", "1"]);
    command.env("TALON_DATABASE_URL", "postgres://talon:hunter2@127.0.0.1:1/talon");
    let ran = crate::home::Ran::of(&mut command);
    ran.says(3, &["127.0.0.1:1"]);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);

    home.run(&["serve", "--role", "worker"]).says(2, &["PostgreSQL", "TALON_DATABASE_URL"]);
}
