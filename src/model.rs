//! `talon model`: fetching models, what a model file is, whether it is sound, how fast this machine runs it, and files of
//! random weights.

mod bench;
mod inspect;
mod pull;
mod synth;
mod verify;

use std::path::Path;

use gguf::{ModelFile, Problem};

use crate::cli::ModelCommand;
use crate::failure::{Failure, with_causes};

pub(crate) async fn run(command: ModelCommand, json: bool) -> Result<(), Failure> {
    match command {
        ModelCommand::Pull(arguments) => pull::run(arguments, json).await,
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
