//! How a command ends when it does not end well: a message for people and an exit code for scripts.

use std::fmt;
use std::process::ExitCode;

/// What a command that failed says, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    message: String,
}

/// The classes of failure that a script can tell apart by the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The work was done, but a task failed or a file has errors.
    Negative,
    /// Wrong usage or configuration.
    Usage,
    /// The server cannot be reached or cannot start.
    Unavailable,
    /// The server refused the request.
    Refused,
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into() }
    }

    pub(crate) fn negative(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Negative, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Usage, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Unavailable, message)
    }

    /// The same failure, with what it is about in front.
    pub(crate) fn about(self, subject: &str) -> Self {
        Failure { message: format!("{subject}: {}", self.message), ..self }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
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
