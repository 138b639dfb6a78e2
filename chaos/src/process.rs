//! The processes of ours: started, and started again whenever they are gone, as a supervisor does.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Pid;
use testbed::{Process, Signal};
use tokio::task::JoinHandle;

use crate::ambushes::stop;

/// Before a process that is gone is started again.
const REST: Duration = Duration::from_millis(100);

/// One of our processes, through all its lives.
pub(crate) struct Kept {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    process: Mutex<Process>,
    ends: Mutex<Ends>,
}

/// How the lives of a process ended.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Ends {
    pub(crate) killed: u32,
    pub(crate) in_order: u32,
    /// Exit codes of those that ended by themselves, such as for want of a server at the start.
    pub(crate) by_themselves: Vec<i32>,
}

impl Kept {
    pub(crate) fn start(command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let process = Mutex::new(Process::start(command()));
        let shared = Arc::new(Shared { command: Box::new(command), process, ends: Mutex::default() });
        let kept = shared.clone();
        let keeper = tokio::spawn(async move { kept.keep().await });
        Kept { shared, keeper }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let mut process = lock(&self.shared.process);
        if process.has_ended().is_none() {
            process.signal(signal);
        }
    }

    /// Stops it for a while.
    pub(crate) fn pause(&self, pause: Duration) {
        let pid = lock(&self.shared.process).pid();
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            stop(pid, pause);
        }
    }

    pub(crate) fn ends(&self) -> Ends {
        lock(&self.shared.ends).clone()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    async fn keep(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let Some(status) = lock(&self.process).has_ended() else { continue };
            {
                let mut ends = lock(&self.ends);
                match (status.signal(), status.code()) {
                    (None, Some(0)) => ends.in_order += 1,
                    (None, Some(code)) => ends.by_themselves.push(code),
                    _ => ends.killed += 1,
                }
            }
            tokio::time::sleep(REST).await;
            *lock(&self.process) = Process::start((self.command)());
        }
    }
}

/// A `talon serve`, which writes to a log of its own.
pub(crate) fn talon(program: &Path, arguments: &[String], home: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Process::command(program);
    command.arg("serve").args(arguments).env_clear().current_dir(home);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.env("RUST_BACKTRACE", "1").envs(environment.iter().cloned());
    let log = File::options().create(true).append(true).open(log_of(home)).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    command
}

pub(crate) fn log_of(home: &Path) -> PathBuf {
    home.join("log")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
