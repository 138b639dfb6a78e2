//! `talon model`: what a model file is, whether it is sound, how fast this machine runs it, and files of random weights.

mod bench;
mod inspect;
mod synth;
mod verify;

use std::cell::{Cell, OnceCell};
use std::path::Path;

use gguf::{ModelFile, Problem};

use crate::cli::ModelCommand;
use crate::failure::{Failure, with_causes};
use crate::progress::Progress;

pub(crate) async fn run(command: ModelCommand, json: bool) -> Result<(), Failure> {
    match command {
        ModelCommand::Inspect(arguments) => apart(move || inspect::run(&arguments, json)).await,
        ModelCommand::Verify(arguments) => apart(move || verify::run(&arguments, json)).await,
        ModelCommand::Bench(arguments) => apart(move || bench::run(&arguments, json)).await,
        ModelCommand::Synth(arguments) => synth::run(arguments, json).await,
    }
}

/// On a thread that may compute and wait.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::unavailable(error.to_string()))?
}

fn open(path: &Path) -> Result<ModelFile, Failure> {
    ModelFile::open(path).map_err(|error| match error.problem {
        Problem::Unreadable(_) => Failure::usage(with_causes(&error)),
        _ => Failure::negative(with_causes(&error)),
    })
}

/// How many of a file's bytes are done, shown from the first ones on.
struct Bytes {
    doing: &'static str,
    progress: OnceCell<Progress>,
    mebibytes: Cell<u64>,
}

impl Bytes {
    fn new(doing: &'static str) -> Self {
        Bytes { doing, progress: OnceCell::new(), mebibytes: Cell::new(0) }
    }

    fn reach(&self, bytes: u64, total: u64) {
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
