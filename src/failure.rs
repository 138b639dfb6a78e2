//! How a command ends when it does not end well: a message for people and an exit code for scripts.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// What a command that failed says, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    message: String,
    retry_after: Option<Duration>,
}

/// The classes of failure that a script can tell apart by the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureKind {
    Negative,
    Usage,
    Unavailable,
    Refused,
    Interrupted,
    ReaderLeft,
}

impl Failure {
    fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), retry_after: None }
    }

    /// The work was done, but a task failed or a file has errors.
    pub(crate) fn negative(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Negative, message)
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Usage, message)
    }

    /// The server cannot be reached or cannot start.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Unavailable, message)
    }

    /// The server refused the request.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Refused, message)
    }

    /// Ctrl-C.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Interrupted, message)
    }

    /// Whoever read the output has seen enough, as in `talon task list | head`: nothing is left to say.
    pub(crate) fn reader_left() -> Self {
        Failure::new(FailureKind::ReaderLeft, "the reader of the output has left")
    }

    /// The same failure, with what it is about in front.
    pub(crate) fn about(self, subject: &str) -> Self {
        Failure { message: format!("{subject}: {}", self.message), ..self }
    }

    /// Whether the server was not there: later it may be.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.kind == FailureKind::Unavailable
    }

    /// When the server, which cannot serve now, wants to be asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same failure; the server wants to be asked again after so long.
    pub(crate) fn after(self, retry_after: Option<Duration>) -> Self {
        Failure { retry_after, ..self }
    }

    /// Whether there is someone to tell.
    pub(crate) fn is_told(&self) -> bool {
        self.kind != FailureKind::ReaderLeft
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            FailureKind::ReaderLeft => 0,
            FailureKind::Negative => 1,
            FailureKind::Usage => 2,
            FailureKind::Unavailable => 3,
            FailureKind::Refused => 4,
            FailureKind::Interrupted => 130,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error and everything that caused it, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Transparent errors repeat their source's words.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
