//! `talon completions`: a shell's completion script.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::print;

pub(crate) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "talon", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}
