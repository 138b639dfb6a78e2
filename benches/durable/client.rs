//! A server as a child process, and what a producer does with it over HTTP.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testbed::Process;

use crate::{Error, PAYLOAD, Place};

/// Lines of one batch, and batches under way together.
const LINES: usize = 1000;
const BATCHES: usize = 4;
/// Single submits under way together.
const CALLS: usize = 64;

/// A running server; killed when dropped.
pub(crate) struct Server {
    process: Process,
    client: Client,
    url: String,
}

impl Server {
    pub(crate) fn start(place: &Place) -> Result<Self, Error> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = Process::command(std::env::current_exe()?);
        command.arg("serve").args(["--workers", &place.workers.to_string()]);
        command.args(["--task-ms", &place.task_ms.to_string()]);
        for (name, value) in [("--postgres", &place.postgres), ("--redis", &place.redis)] {
            if let Some(value) = value {
                command.args([name, value]);
            }
        }
        if let Some(file) = &place.sqlite {
            command.arg("--sqlite").arg(file);
        }
        command.stdout(writer).stderr(Stdio::inherit());
        let process = Process::start(command);
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line)?;
        // The server speaks no TLS, but the client insists on a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().tls_certs_only([]).build()?;
        Ok(Server { process, client, url: line.trim().to_owned() })
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Tasks per second.
    pub(crate) async fn submit_batches(&self, count: usize) -> Result<f64, Error> {
        let begun = Instant::now();
        let batches = (0..count).step_by(LINES).map(|first| self.batch(LINES.min(count - first)));
        let mut batches = stream::iter(batches).buffer_unordered(BATCHES);
        while let Some(batch) = batches.next().await {
            batch?;
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }

    async fn batch(&self, count: usize) -> Result<(), Error> {
        let line = format!("{}\n", task());
        let request = self.client.post(format!("{}/v1/tasks:batch", self.url));
        let request = request.header("content-type", "application/x-ndjson").body(line.repeat(count));
        let answers = request.send().await?.error_for_status()?.text().await?;
        let accepted = answers.lines().filter(|line| line.contains("\"status\":202")).count();
        if accepted == count {
            Ok(())
        } else {
            Err(format!("{accepted} of {count} were accepted: {answers:.300}").into())
        }
    }

    /// Tasks per second.
    pub(crate) async fn submit_singly(&self, count: usize) -> Result<f64, Error> {
        let begun = Instant::now();
        let calls = (0..count).map(|_| async {
            let answer = self.client.post(format!("{}/v1/tasks", self.url)).json(&task()).send().await?;
            if answer.status() == StatusCode::ACCEPTED { Ok(()) } else { Err::<(), Error>(answer.text().await?.into()) }
        });
        let mut calls = stream::iter(calls).buffer_unordered(CALLS);
        while let Some(call) = calls.next().await {
            call?;
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }

    /// Tasks per second, from the first submit to the last end.
    pub(crate) async fn end_to_end(&self, count: usize) -> Result<f64, Error> {
        let begun = Instant::now();
        self.submit_batches(count).await?;
        self.ended(count).await?;
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }

    /// Waits until so many tasks have succeeded.
    pub(crate) async fn ended(&self, count: usize) -> Result<(), Error> {
        while self.succeeded().await? < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn succeeded(&self) -> Result<usize, Error> {
        let metrics = self.client.get(format!("{}/metrics", self.url)).send().await?.text().await?;
        let sample = metrics.lines().find_map(|line| line.strip_prefix("openclaw_tasks{state=\"succeeded\"} "));
        Ok(sample.ok_or("no figures")?.parse()?)
    }
}

/// 450 bytes of JSON.
fn task() -> Value {
    let bare = json!({"agent": "noop", "input": ""}).to_string().len();
    json!({"agent": "noop", "input": "x".repeat(PAYLOAD - bare)})
}
