//! The other end of `store::fault::point`: processes say which point they pass and wait; some do not live to go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::plan::{Ambush, Blow};

/// How often each point was passed, and how often something happened there.
pub(crate) type Passings = BTreeMap<String, Passing>;

#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Passing {
    pub(crate) passed: u32,
    pub(crate) killed: u32,
    pub(crate) stopped: u32,
}

/// Waits for processes at the fault points.
pub(crate) struct Ambushes {
    pub(crate) socket: PathBuf,
    state: Arc<State>,
}

struct State {
    laid: Vec<Ambush>,
    passings: Mutex<Passings>,
    /// No blows fall once the storm is over.
    over: std::sync::atomic::AtomicBool,
}

impl Ambushes {
    pub(crate) fn lay(ambushes: Vec<Ambush>, folder: &Path) -> Self {
        let socket = folder.join("faults");
        let listener = UnixListener::bind(&socket).unwrap();
        let state = Arc::new(State { laid: ambushes, passings: Mutex::default(), over: false.into() });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((passer, _)) = listener.accept().await {
                let state = shared.clone();
                // One that is killed meanwhile does not answer.
                tokio::spawn(async move { state.meet(passer).await });
            }
        });
        Ambushes { socket, state }
    }

    /// From now on all pass.
    pub(crate) fn lift(&self) {
        self.state.over.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn passings(&self) -> Passings {
        self.state.passings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    async fn meet(&self, mut passer: UnixStream) -> Option<()> {
        let (reads, mut writes) = passer.split();
        let mut reads = BufReader::new(reads);
        let mut line = String::new();
        // A process may keep its connection for all the points that it passes.
        while reads.read_line(&mut line).await.ok()? > 0 {
            let (point, pid) = line.trim().split_once(' ')?;
            let pid = Pid::from_raw(pid.parse().ok()?)?;
            let blow = self.blow(point);
            match blow {
                None => {}
                Some(Blow::Kill) => {
                    let _ = kill_process(pid, Signal::KILL);
                    return None;
                }
                Some(Blow::Stop(pause)) => stop(pid, pause),
            }
            writes.write_all(b"go\n").await.ok()?;
            line.clear();
        }
        Some(())
    }

    fn blow(&self, point: &str) -> Option<Blow> {
        let mut passings = self.passings.lock().unwrap_or_else(PoisonError::into_inner);
        let passing = passings.entry(point.to_owned()).or_default();
        passing.passed += 1;
        if self.over.load(std::sync::atomic::Ordering::Relaxed) {
            return None;
        }
        let laid = self.laid.iter().find(|ambush| ambush.point == point && ambush.passing == passing.passed)?;
        match laid.blow {
            Blow::Kill => passing.killed += 1,
            Blow::Stop(_) => passing.stopped += 1,
        }
        Some(laid.blow)
    }
}

/// Stops a process for a while.
pub(crate) fn stop(pid: Pid, pause: Duration) {
    let _ = kill_process(pid, Signal::STOP);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        let _ = kill_process(pid, Signal::CONT);
    });
}
