//! How far long work is: a bar on a terminal, elsewhere a line now and then.

use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::say;

/// Between two lines.
const LINE_PAUSE: Duration = Duration::from_secs(10);

/// How far a number of like things is; on standard error.
pub(crate) struct Progress {
    bar: ProgressBar,
    said_at: Cell<Instant>,
}

impl Progress {
    pub(crate) fn new(len: usize) -> Self {
        let style = "{bar:40} {pos}/{len} {per_sec} {elapsed}, {eta} left {msg}";
        Progress::shown(ProgressBar::new(len as u64), style)
    }

    /// Of a number that nobody knows.
    pub(crate) fn endless() -> Self {
        Progress::shown(ProgressBar::no_length(), "{spinner} {pos} {per_sec} {elapsed} {msg}")
    }

    fn shown(bar: ProgressBar, style: &str) -> Self {
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, said_at: Cell::new(Instant::now()) }
    }

    /// One more is done; `message` says which.
    pub(crate) fn step(&self, message: String) {
        self.bar.inc(1);
        if !self.bar.is_hidden() {
            self.bar.set_message(message);
        } else if LINE_PAUSE <= self.said_at.get().elapsed() {
            self.said_at.set(Instant::now());
            let of = self.bar.length().map_or_else(String::new, |length| format!(" of {length}"));
            say(format_args!("{}{of} done, {:.1} a second", self.bar.position(), self.bar.per_sec()));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// How many of a file's bytes are done, shown from the first ones on.
pub(crate) struct Bytes {
    doing: &'static str,
    progress: OnceCell<Progress>,
    mebibytes: Cell<u64>,
}

impl Bytes {
    pub(crate) fn new(doing: &'static str) -> Self {
        Bytes { doing, progress: OnceCell::new(), mebibytes: Cell::new(0) }
    }

    pub(crate) fn reach(&self, bytes: u64, total: u64) {
        let progress = self.progress.get_or_init(|| Progress::new((total >> 20) as usize));
        let mebibytes = bytes >> 20;
        for _ in self.mebibytes.replace(mebibytes)..mebibytes {
            progress.step(format!("MiB {}", self.doing));
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some(progress) = self.progress.get() {
            progress.finish();
        }
    }
}
