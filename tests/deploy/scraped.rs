//! A real Prometheus that scrapes a real `talon`: what the dashboard and the rules ask has an answer.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Process, Redis, RedisOptions, free_port, installed};

use crate::promtool::expressions;
use crate::yaml;

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Until a query has data: several scrapes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);

/// A `talon` with an API key, a Redis, and a Prometheus that reads the shipped files; all end when dropped.
struct Scraped {
    http: reqwest::Client,
    talon: String,
    prometheus: String,
    _processes: [Process; 2],
    _redis: Redis,
    _folder: TempDir,
}

impl Scraped {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let redis = Redis::start(RedisOptions::default()).await;
        let (talon, prometheus) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let mut serve = Process::command(env!("CARGO_BIN_EXE_talon"));
        std::fs::write(folder.path().join("talon.yml"), "version: 1\nserver: {authentication: keys}\n").unwrap();
        serve.args(["serve", "--listen", &talon, "--config"]).arg(folder.path().join("talon.yml"));
        serve
            .env("TALON_DATA_DIR", folder.path().join("data"))
            .env("TALON_ADMIN_KEY", KEY)
            .env("TALON_REDIS_URL", redis.url());
        let config = scrape(folder.path(), &talon);
        let mut watch = Process::command(installed("prometheus", "prometheus"));
        watch.arg(format!("--config.file={}", config.display())).arg(format!("--web.listen-address={prometheus}"));
        watch.arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let processes = [Process::start(serve), Process::start(watch)];
        let (talon, prometheus) = (format!("http://{talon}"), format!("http://{prometheus}"));
        Scraped { http, talon, prometheus, _processes: processes, _redis: redis, _folder: folder }
    }

    /// Waits until a query has data, and gives its samples.
    async fn asked(&self, name: &str, query: &str) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let data = self.evaluated(name, query).await;
            if !data.is_empty() {
                return data;
            }
            assert!(started.elapsed() < PATIENCE, "{name} has no data: {query}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The samples that a query has now, those left out that are no number.
    async fn evaluated(&self, name: &str, query: &str) -> Vec<Value> {
        let request = self.http.get(format!("{}/api/v1/query", self.prometheus)).query(&[("query", query)]);
        // Not there yet.
        let Ok(response) = request.send().await else { return Vec::new() };
        let answer: Value = match response.status().as_u16() {
            503 => return Vec::new(),
            _ => response.json().await.unwrap(),
        };
        assert_eq!(answer["status"], "success", "{name}: {query}: {answer}");
        let samples = answer["data"]["result"].as_array().unwrap().iter();
        samples.filter(|sample| sample["value"][1] != "NaN").cloned().collect()
    }

    /// Runs a task to its end.
    async fn run(&self, agent: &str, input: &str) {
        let task = json!({"agent": agent, "input": input});
        let request = self.http.post(format!("{}/v1/tasks?wait=120", self.talon)).bearer_auth(KEY).json(&task);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    }
}

/// The shipped configuration with other addresses and a faster beat. JSON is YAML.
fn scrape(folder: &Path, talon: &str) -> std::path::PathBuf {
    let mut config = yaml::read("deploy/prometheus/prometheus.yml");
    config["global"] = json!({"scrape_interval": "500ms", "evaluation_interval": "500ms"});
    for file in config["rule_files"].as_array_mut().unwrap() {
        *file = yaml::shipped("deploy/prometheus").join(file.as_str().unwrap()).to_str().unwrap().into();
    }
    let key = folder.join("key");
    std::fs::write(&key, KEY).unwrap();
    let jobs = config["scrape_configs"].as_array_mut().unwrap();
    jobs.truncate(1);
    let job = jobs[0].as_object_mut().unwrap();
    job["authorization"]["credentials_file"] = key.to_str().unwrap().into();
    job.remove("dns_sd_configs");
    job.insert("static_configs".to_owned(), json!([{"targets": [talon], "labels": {"service": "talon"}}]));
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// Every query of the dashboard with the title of its panel.
fn dashboard() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(yaml::shipped("deploy/grafana/dashboards/talon.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (title.clone(), target["expr"].as_str().unwrap().replace("$__rate_interval", "1m")))
    });
    queries.collect()
}

#[tokio::test]
async fn every_query_of_the_dashboard_and_every_rule_has_an_answer() {
    let scraped = Scraped::start().await;
    // A counter is seen to rise only from a scrape before; those of an agent are there after its first task.
    for scraped_before in ["openclaw_engine_generation_tokens_total", "openclaw_tool_calls_total"] {
        scraped.asked("a scrape", scraped_before).await;
        scraped.run("data-extraction", "Invoice 17 of ACME Ltd, 2026-03-01, total 118.00 EUR").await;
        scraped.run("customer-query-routing", "My parcel has not arrived.").await;
    }
    for (panel, query) in dashboard() {
        scraped.asked(&panel, &query).await;
    }
    for (name, expression) in expressions() {
        scraped.evaluated(&name, &expression).await;
    }
    // A system that is well rings nobody.
    let firing = scraped.evaluated("alerts", r#"ALERTS{alertstate="firing"}"#).await;
    assert_eq!(firing, Vec::<Value>::new());
}
