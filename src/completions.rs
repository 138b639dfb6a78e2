//! `talon completions`: a shell's completion script.

use clap::CommandFactory;

use crate::cli::Cli;

pub(crate) fn run(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "talon", &mut std::io::stdout());
}
