//! A Redis server of a test's own.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, Signal, awaited, log_to, output};
use crate::tls::Certificates;
use crate::{blocking, folder, installed, port};

/// What the server is like; the default keeps nothing and asks nobody who he is.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// Keeps what it holds on disk (`appendonly yes`, `appendfsync everysec`).
    pub appendonly: bool,
    /// Of the default user, or of `user`.
    pub password: Option<String>,
    /// The only user that may come in, by ACL; needs a password.
    pub user: Option<String>,
    /// Speaks TLS alone, with a certificate of [`Redis::authority`].
    pub tls: bool,
    /// Further arguments of `redis-server`, such as `--maxmemory`, `1mb`.
    pub arguments: Vec<String>,
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Redis {
    options: RedisOptions,
    certificates: Option<Certificates>,
    port: u16,
    process: Process,
    folder: TempDir,
}

impl Redis {
    /// Starts a server and waits until it serves.
    pub async fn start(options: RedisOptions) -> Self {
        blocking(move || {
            let folder = folder::new(&std::env::temp_dir());
            let certificates = options.tls.then(|| Certificates::make(folder.path()));
            let (port, process) = loop {
                let port = port::free();
                if let Some(process) = serve(&options, certificates.as_ref(), port, folder.path()) {
                    break (port, process);
                }
            };
            Redis { options, certificates, port, process, folder }
        })
        .await
    }

    /// `redis://`, or `rediss://` with TLS, with who may come in.
    pub fn url(&self) -> String {
        url(&self.options, self.port)
    }

    /// The certificate (PEM) of the authority that its clients have to trust.
    pub fn authority(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|certificates| certificates.authority.as_path())
    }

    /// Where it listens on 127.0.0.1, now and after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a signal, such as STOP.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGKILL. What it held is gone unless it is `appendonly`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it if it still runs, and has it back on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        let (options, certificates) = (self.options.clone(), self.certificates.clone());
        let (port, folder) = (self.port, self.folder.path().to_owned());
        self.process = blocking(move || {
            awaited("the port of Redis is free again", || serve(&options, certificates.as_ref(), port, &folder))
        })
        .await;
    }

    /// What `redis-cli` answers to a command, such as `["FLUSHALL"]`, without the last line break.
    pub async fn cli(&self, arguments: &[&str]) -> String {
        let mut cli = cli(&self.options, self.certificates.as_ref(), self.port);
        cli.args(arguments);
        blocking(move || output(&mut cli).trim_end().to_owned()).await
    }
}

/// Starts a server and waits until it answers; `None` when the port was taken.
fn serve(options: &RedisOptions, certificates: Option<&Certificates>, port: u16, folder: &Path) -> Option<Process> {
    let (plain, tls) = if options.tls { (0, port) } else { (port, 0) };
    let mut command = Process::command(installed("redis-server", "redis-server"));
    command.args(["--bind", "127.0.0.1", "--port", &plain.to_string(), "--tls-port", &tls.to_string()]);
    command.args(["--appendonly", if options.appendonly { "yes" } else { "no" }, "--save", ""]);
    command.args(["--maxmemory-policy", "noeviction", "--dir"]).arg(folder);
    if let Some(certificates) = certificates {
        command.arg("--tls-cert-file").arg(&certificates.certificate).arg("--tls-key-file").arg(&certificates.key);
        command.arg("--tls-ca-cert-file").arg(&certificates.authority).args(["--tls-auth-clients", "no"]);
    }
    match (&options.user, &options.password) {
        (Some(user), password) => {
            let password = password.as_ref().expect("a user of Redis needs a password");
            command.args(["--user", user, "on", &format!(">{password}"), "~*", "&*", "+@all"]);
            command.args(["--user", "default", "off"]);
        }
        (None, Some(password)) => {
            command.args(["--requirepass", password]);
        }
        (None, None) => {}
    }
    command.args(&options.arguments);
    let log = folder.join("log");
    // What an earlier process said explains nothing now.
    let _ = std::fs::remove_file(&log);
    log_to(&mut command, &log);
    let mut process = Process::start(command);
    let is_ours = format!("process_id:{}\r", process.pid());
    awaited("Redis answers", || {
        if process.has_ended().is_some() {
            let said = std::fs::read_to_string(&log).unwrap();
            assert!(said.contains("Address already in use"), "redis-server ended:\n{said}");
            return Some(false);
        }
        let mut info = cli(options, certificates, port);
        let info = info.args(["INFO", "server"]).output().ok()?;
        String::from_utf8_lossy(&info.stdout).contains(&is_ours).then_some(true)
    })
    .then_some(process)
}

fn cli(options: &RedisOptions, certificates: Option<&Certificates>, port: u16) -> Command {
    let mut cli = Command::new(installed("redis-cli", "redis-tools"));
    cli.args(["--no-auth-warning", "-p", &port.to_string()]);
    if let Some(user) = &options.user {
        cli.args(["--user", user]);
    }
    if let Some(password) = &options.password {
        cli.args(["--pass", password]);
    }
    if let Some(certificates) = certificates {
        cli.arg("--tls").arg("--cacert").arg(&certificates.authority);
    }
    cli
}

fn url(options: &RedisOptions, port: u16) -> String {
    let scheme = if options.tls { "rediss" } else { "redis" };
    let who = match (&options.user, &options.password) {
        (None, None) => String::new(),
        (user, password) => {
            format!("{}:{}@", user.as_deref().unwrap_or_default(), password.as_deref().unwrap_or_default())
        }
    };
    format!("{scheme}://{who}127.0.0.1:{port}")
}
