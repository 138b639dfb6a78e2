//! `talon serve` as a process: started, signalled, killed, and asked how it ended.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::home::{Home, Ran};

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Its standard error, line by line; ends with it.
    said: Receiver<String>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(home: &Home) -> Self {
        Server::spawn(home.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Starts with these settings.
    pub(crate) fn start_with(home: &Home, settings: &str) -> Self {
        let file = home.write("talon.yml", format!("version: 1\n{settings}"));
        Server::spawn(home.command(&["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]))
    }

    /// Starts where another has listened.
    pub(crate) fn start_at(home: &Home, url: &str) -> Self {
        Server::spawn(home.command(&["serve", "--listen", url.strip_prefix("http://").unwrap()]))
    }

    /// Spawns a command that serves, and waits until it says where.
    pub(crate) fn spawn(command: Command) -> Self {
        let mut server = Server::launch(command);
        let line = server.hears(" on http://");
        server.url = line.split(" on ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        server
    }

    /// Spawns a command that serves, and waits only until its port is open.
    pub(crate) fn spawn_starting(command: Command) -> Self {
        let mut server = Server::launch(command);
        let line = server.hears("models are loading");
        server.url = format!("http://{}", line.split("address=").nth(1).unwrap());
        server
    }

    fn launch(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = lines(child.stderr.take().unwrap());
        Server { child, said, url: String::new() }
    }

    /// Waits for a line with these words.
    pub(crate) fn hears(&self, words: &str) -> String {
        let mut said = Vec::new();
        while let Ok(line) = self.said.recv() {
            if line.contains(words) {
                return line;
            }
            said.push(line);
        }
        panic!("it ended and never said {words:?}, but:\n{}", said.join("\n"));
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends a signal until it has ended; signals close together count as one.
    pub(crate) fn insist(&mut self, name: &str) -> ExitStatus {
        loop {
            self.signal(name);
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
        }
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{:?}", self.said.iter().collect::<Vec<_>>());
    }

    /// Ends it as a loss of power does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.ended();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a command against it.
    pub(crate) fn run(&self, home: &Home, arguments: &[&str]) -> Ran {
        Ran::of(home.command(arguments).env("TALON_URL", &self.url))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal, such as `INT`.
pub(crate) fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Read to the end even when nobody listens: a full pipe would stop the server.
            let _ = sender.send(line);
        }
    });
    receiver
}
