//! The ways out to people and scripts: results to standard output, everything else to standard error. A reader who has
//! left is no panic.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use config::Diagnostics;
use serde::Serialize;

use crate::failure::Failure;

/// A result, and a line's end.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::reader_left(),
        _ => Failure::usage(format!("standard output cannot be written: {error}")),
    })
}

/// A result as one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::unavailable(format!("the result is not JSON: {error}")))?;
    print(text)
}

/// A word to people, who may have left.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Mistakes, in colours where standard error is a terminal.
pub(crate) fn say_diagnostics(diagnostics: &Diagnostics) {
    let mut stderr = std::io::stderr();
    let _ = match stderr.is_terminal() {
        true => write!(stderr, "{}", diagnostics.colored()),
        false => write!(stderr, "{diagnostics}"),
    };
}
