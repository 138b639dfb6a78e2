//! A server as a process of its own, with the model loaded.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::ask::{Answer, ask};
use crate::{Error, Options};

/// Sequences at once, of either server.
pub(crate) const SLOTS: usize = 16;
/// Tokens that a slot of llama-server holds.
const SLOT_TOKENS: usize = 2048;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Talon,
    Llama,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    peer: Peer,
    child: Child,
    url: String,
    http: reqwest::Client,
    /// Its state and its log.
    _folder: TempDir,
}

impl Server {
    /// Starts a fresh one, and waits until it is ready.
    pub(crate) async fn start(peer: Peer, options: &Options) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        // Free at this moment; nobody else starts servers while measuring.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (mut command, ready) = match peer {
            Peer::Talon => (talon(options, folder.path(), &address.to_string())?, "readyz"),
            Peer::Llama => (llama(options, &address.port().to_string())?, "health"),
        };
        let log = folder.path().join("log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log)?);
        // Another server may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A connection for each request: llama-server closes those that it has answered on at its own time.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0).build()?;
        let (child, url) = (command.spawn()?, format!("http://{address}"));
        let mut server = Server { peer, child, url, http, _folder: folder };
        let is_ready = |url: String| server.http.get(url).send();
        while !is_ready(format!("{}/{ready}", server.url)).await.is_ok_and(|answer| answer.status().is_success()) {
            if server.child.try_wait()?.is_some() {
                return Err(format!("the server ended: {}", std::fs::read_to_string(log)?).into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(server)
    }

    pub(crate) async fn ask(&self, chat: &Value) -> Result<Answer, Error> {
        ask(&self.http, &self.url, chat).await
    }

    /// Asks for exactly so many new tokens, whatever the model wants.
    pub(crate) async fn ask_for(&self, mut chat: Value, new_tokens: usize) -> Result<Answer, Error> {
        chat["max_tokens"] = new_tokens.into();
        match self.peer {
            Peer::Talon => chat["min_tokens"] = new_tokens.into(),
            Peer::Llama => chat["ignore_eos"] = true.into(),
        }
        let answer = self.ask(&chat).await?;
        match answer.new_tokens == new_tokens as u64 {
            true => Ok(answer),
            false => Err(format!("{} new tokens in place of {new_tokens}", answer.new_tokens).into()),
        }
    }

    /// The value of one of Talon's metrics without further labels.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64, Error> {
        let metrics = self.http.get(format!("{}/metrics", self.url)).send().await?.text().await?;
        let line =
            metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let value =
            line.and_then(|line| line.rsplit(' ').next()).ok_or_else(|| format!("there is no metric {name}"))?;
        Ok(value.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn talon(options: &Options, folder: &Path, address: &str) -> Result<Command, Error> {
    let model = serde_json::to_string(&std::fs::canonicalize(&options.model)?)?;
    let settings = format!(
        "version: 1\nlog: {{level: warn}}\nmodels:\n  - {{name: pocket, path: {model}}}\nopenclaw_core:\n  inference:\n    \
         {{threads: {}, max_batch_size: {SLOTS}, kv_cache_bytes: 1 GiB, request_timeout: 3600}}\n",
        options.threads
    );
    let file = folder.join("talon.yml");
    std::fs::write(&file, settings)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_talon"));
    command.args(["serve", "--listen", address, "--config"]).arg(file).env("TALON_DATA_DIR", folder);
    Ok(command)
}

fn llama(options: &Options, port: &str) -> Result<Command, Error> {
    let folder =
        options.llama.as_ref().ok_or("--llama FOLDER is missing: benches/peers/llama.sh builds and prints it")?;
    let (threads, slots) = (options.threads.to_string(), SLOTS.to_string());
    let context = (SLOTS * SLOT_TOKENS).to_string();
    let mut command = Command::new(folder.join("llama-server"));
    command.arg("-m").arg(&options.model).args(["--host", "127.0.0.1", "--port", port, "--alias", "pocket", "--no-ui"]);
    command.args(["-t", &threads, "-tb", &threads, "-np", &slots, "-c", &context]);
    command.args(["--no-jinja", "--chat-template", "mistral-v3"]);
    Ok(command)
}
