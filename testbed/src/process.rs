//! Processes that end with the test process, however that ends.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

use crate::installed;

pub use rustix::process::Signal;

/// How long a process may take to do what it was started or signalled for, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program; killed when dropped, and by the kernel when this process is gone.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// A command that runs `program` until this process ends.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        Process::command_with(program, &["--pdeathsig=KILL"])
    }

    /// The same, with these arguments of `setpriv`.
    pub(crate) fn command_with(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(installed("setpriv", "util-linux"));
        command.args(arguments).arg("--").arg(program).stdin(Stdio::null());
        command
    }

    /// Starts a command that [`Process::command`] made.
    #[track_caller]
    pub fn start(command: Command) -> Self {
        // A child's death signal follows the thread that started it, so that is one that never ends.
        static STARTER: OnceLock<Sender<(Command, Sender<std::io::Result<Child>>)>> = OnceLock::new();
        let starter = STARTER.get_or_init(|| {
            let (sender, commands) = channel::<(Command, Sender<_>)>();
            thread::spawn(move || {
                for (mut command, started) in commands {
                    let _ = started.send(command.spawn());
                }
            });
            sender
        });
        let (sender, started) = channel();
        let name = format!("{command:?}");
        starter.send((command, sender)).unwrap();
        Process { child: started.recv().unwrap().unwrap_or_else(|error| panic!("{name}: {error}")) }
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// How it ended, unless it still runs.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.ended();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `probe` finds something: at most [`PATIENCE`].
#[track_caller]
pub(crate) fn awaited<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Standard output and error of a command go to the end of a file.
pub(crate) fn log_to(command: &mut Command, file: &Path) {
    let log = File::options().create(true).append(true).open(file).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
}

/// Runs a command that has to succeed and gives what it printed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
    String::from_utf8(output.stdout).unwrap()
}
