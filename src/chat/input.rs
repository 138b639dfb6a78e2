//! Where turns come from: a line editor on a terminal, elsewhere plain lines.

use std::io::{BufRead, IsTerminal};
use std::sync::mpsc;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::sync::mpsc as replies;

use crate::failure::Failure;

const PROMPT: &str = "> ";

/// What a person or a pipe has given.
#[derive(Debug)]
pub(super) enum Line {
    Text(String),
    /// Ctrl-C in the editor.
    Interrupted,
    /// Ctrl-D, or nothing more.
    End,
}

/// Lines, read one by one as they are asked for: while a reply comes, the terminal is nobody's but its.
pub(super) struct Input {
    is_terminal: bool,
    wanted: mpsc::Sender<()>,
    lines: replies::Receiver<Result<Line, Failure>>,
    is_waiting: bool,
}

impl Input {
    pub(super) fn open() -> Result<Self, Failure> {
        let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (wanted, wishes) = mpsc::channel();
        let (sender, lines) = replies::channel(1);
        let mut read = if is_terminal { edited()? } else { Box::new(plain) };
        // A thread of its own: it may wait for ever, and the process ends without it.
        std::thread::spawn(move || while wishes.recv().is_ok() && sender.blocking_send(read()).is_ok() {});
        Ok(Input { is_terminal, wanted, lines, is_waiting: false })
    }

    /// Whether a person sits there.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The next line. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Result<Line, Failure> {
        if !self.is_waiting {
            self.is_waiting = self.wanted.send(()).is_ok();
        }
        let line = self.lines.recv().await;
        self.is_waiting = false;
        line.unwrap_or(Ok(Line::End))
    }
}

type Read = Box<dyn FnMut() -> Result<Line, Failure> + Send>;

fn edited() -> Result<Read, Failure> {
    let unusable = |error| Failure::unavailable(format!("the terminal cannot be read: {error}"));
    let mut editor = DefaultEditor::new().map_err(unusable)?;
    Ok(Box::new(move || match editor.readline(PROMPT) {
        Ok(text) => {
            // Fails for lines that history does not keep, such as empty ones.
            let _ = editor.add_history_entry(&text);
            Ok(Line::Text(text))
        }
        Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
        Err(ReadlineError::Eof) => Ok(Line::End),
        Err(error) => Err(unusable(error)),
    }))
}

fn plain() -> Result<Line, Failure> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => Ok(Line::End),
        Ok(_) => Ok(Line::Text(line)),
        Err(error) => Err(Failure::usage(format!("standard input cannot be read: {error}"))),
    }
}
