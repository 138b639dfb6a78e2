//! A PostgreSQL server of a test's own, or one that the tests of a process share.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::geteuid;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::{Process, Signal, awaited, log_to, output};
use crate::{blocking, folder, installed, port};

/// Its superuser, with the same word as password.
const USER: &str = "talon";

const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=16MB",
    "max_wal_size=64MB",
    "min_wal_size=4MB",
];

/// What the server is like. By default its folder is a temporary one.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// An existing folder, such as that of a small disk, to lie in.
    pub folder: Option<PathBuf>,
    /// Settings such as `max_connections=20`. By default `fsync` and `synchronous_commit` are on.
    pub settings: Vec<String>,
}

/// How a server is ended.
#[derive(Clone, Copy, Debug)]
pub enum Shutdown {
    /// Ends transactions and writes a checkpoint.
    Fast,
    /// Ends at once and recovers at the next start.
    Immediate,
    /// SIGKILL.
    Kill,
}

/// A running server; it ends when dropped, and by the kernel when this process is gone.
#[derive(Debug)]
pub struct Postgres {
    options: PostgresOptions,
    port: u16,
    process: Process,
    databases: AtomicU32,
    data: PathBuf,
    _folder: TempDir,
}

impl Postgres {
    /// The server that all tests of this process share; each takes a database of its own.
    pub async fn shared() -> &'static Postgres {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(|| Postgres::start(PostgresOptions::default())).await
    }

    /// Starts a server and waits until it serves.
    pub async fn start(options: PostgresOptions) -> Self {
        blocking(move || {
            let within = options.folder.clone().unwrap_or_else(std::env::temp_dir);
            let folder = folder::new(&within);
            let data = folder.path().join("data");
            initialize(folder.path(), &data);
            let (port, process) = loop {
                let port = port::free();
                if let Some(process) = serve(&options, port, &data) {
                    break (port, process);
                }
            };
            Postgres { options, port, process, databases: AtomicU32::new(0), data, _folder: folder }
        })
        .await
    }

    /// The URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// What `psql` prints for statements in a database: rows as lines, columns divided by `|`.
    pub async fn sql(&self, url: &str, statements: &str) -> String {
        let mut psql = Command::new(installed("psql", "postgresql-client"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname", url]);
        psql.args(["--command", statements]);
        blocking(move || output(&mut psql).trim_end().to_owned()).await
    }

    /// Where it listens on 127.0.0.1, now and after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a signal, such as STOP.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it; what was committed stays.
    pub async fn stop(&mut self, how: Shutdown) {
        let signal = match how {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
            Shutdown::Kill => Signal::KILL,
        };
        if self.process.has_ended().is_none() {
            self.signal(signal);
        }
        // The runtime's other tasks, such as a proxy before this server, go on meanwhile.
        while self.process.has_ended().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Ends it, if it still runs, and has it back on the same port.
    pub async fn restart(&mut self, how: Shutdown) {
        self.stop(how).await;
        let (options, port, data) = (self.options.clone(), self.port, self.data.clone());
        // The children of a server that was killed may live a moment longer and hold its memory.
        self.process = blocking(move || awaited("PostgreSQL starts again", || serve(&options, port, &data))).await;
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{USER}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.has_ended().is_none() {
            // In order, so that it leaves no memory behind; it may have been stopped.
            self.signal(Signal::QUIT);
            self.signal(Signal::CONT);
            self.process.ended();
        }
    }
}

/// The user and the group that the server runs as: it refuses to be root. `None`: as whoever runs the test.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |kind: &str, name: &str| {
        let output = Command::new("id").args([kind, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let ids = |name| Some((id("-u", name)?, id("-g", name)?));
    geteuid()
        .is_root()
        .then(|| ids("postgres").or_else(|| ids("nobody")).expect("neither postgres nor nobody is a user"))
}

/// A command that runs as that user, and shuts down at once when this process ends: SIGKILL would leave memory behind.
fn program(name: &str) -> Command {
    let mut arguments = vec!["--pdeathsig=QUIT".to_owned()];
    if let Some((user, group)) = unprivileged() {
        arguments.extend([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::command_with(installed(name, "postgresql"), &arguments)
}

fn initialize(folder: &Path, data: &Path) {
    let password = folder.join("password");
    fs::write(&password, USER).unwrap();
    if let Some((user, group)) = unprivileged() {
        for path in [folder, &password] {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }
    let mut initdb = program("initdb");
    initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--wal-segsize=1"]);
    initdb.args(["--username", USER, "--pwfile"]).arg(&password).arg("--pgdata").arg(data);
    output(initdb.current_dir(folder));
}

/// Starts a server and waits until it takes connections; `None` when its port, or the memory of the server before, was
/// taken.
fn serve(options: &PostgresOptions, port: u16, data: &Path) -> Option<Process> {
    let mut command = program("postgres");
    command.arg("-D").arg(data).args(["-p", &port.to_string()]).current_dir(data);
    for setting in SETTINGS.into_iter().chain(options.settings.iter().map(String::as_str)) {
        command.args(["-c", setting]);
    }
    let log = data.with_file_name("log");
    // What an earlier process said explains nothing now.
    let _ = fs::remove_file(&log);
    log_to(&mut command, &log);
    let mut process = Process::start(command);
    let ours = process.pid().to_string();
    awaited("PostgreSQL takes connections", || {
        if process.has_ended().is_some() {
            let said = fs::read_to_string(&log).unwrap();
            let may_pass = ["Address already in use", "shared memory block", "lock file"];
            assert!(may_pass.iter().any(|words| said.contains(words)), "PostgreSQL ended:\n{said}");
            return Some(false);
        }
        // What pg_ctl looks at: the first line is the server's process, the eighth what it does.
        let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        (lines.first() == Some(&ours.as_str()) && lines.get(7) == Some(&"ready")).then_some(true)
    })
    .then_some(process)
}
