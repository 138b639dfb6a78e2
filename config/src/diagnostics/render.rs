//! Diagnostics as a compiler prints them: the message, the source line, a caret, the hint.

use std::fmt;

use super::{Diagnostic, Diagnostics, Severity};

/// Longer source lines are shown in part.
const MAX_EXCERPT: usize = 120;

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One line for logs: `file:line:column: error: what is wrong; what to do`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        write!(f, ": {}: {}", self.severity.as_str(), self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// For terminals without colours, and files.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|item| render(item, &PLAIN, f))
    }
}

impl Diagnostics {
    /// As `Display`, with the colours of a terminal.
    pub fn colored(&self) -> impl fmt::Display + '_ {
        struct Colored<'a>(&'a Diagnostics);
        impl fmt::Display for Colored<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|item| render(item, &ANSI, f))
            }
        }
        Colored(self)
    }
}

/// Escape sequences by what they mark.
struct Colors {
    error: &'static str,
    warning: &'static str,
    bold: &'static str,
    frame: &'static str,
    reset: &'static str,
}

const PLAIN: Colors = Colors { error: "", warning: "", bold: "", frame: "", reset: "" };
const ANSI: Colors = Colors {
    error: "\u{1b}[1;31m",
    warning: "\u{1b}[1;33m",
    bold: "\u{1b}[1m",
    frame: "\u{1b}[1;34m",
    reset: "\u{1b}[0m",
};

fn render(item: &Diagnostic, colors: &Colors, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Colors { bold, frame, reset, .. } = colors;
    let mark = match item.severity {
        Severity::Error => colors.error,
        Severity::Warning => colors.warning,
    };
    writeln!(f, "{mark}{}{reset}{bold}: {}{reset}", item.severity.as_str(), item.message)?;
    let number = item.position.map(|position| position.line.to_string()).unwrap_or_default();
    let margin = " ".repeat(number.len().max(1));
    match item.position {
        Some(position) => writeln!(f, "{margin}{frame}-->{reset} {}:{}:{}", item.file, position.line, position.column)?,
        None => writeln!(f, "{margin}{frame}-->{reset} {}", item.file)?,
    }
    if let (Some(position), Some((line, width))) = (item.position, &item.excerpt) {
        let (shown, indent) = window(line, position.column - 1);
        let width = (*width).min(shown.chars().count().saturating_sub(indent).max(1));
        writeln!(f, "{margin} {frame}|{reset}")?;
        writeln!(f, "{frame}{number} |{reset} {shown}")?;
        writeln!(f, "{margin} {frame}|{reset} {}{mark}{}{reset}", " ".repeat(indent), "^".repeat(width))?;
    }
    if let Some(hint) = &item.hint {
        writeln!(f, "{margin} {frame}={reset} {bold}help{reset}: {hint}")?;
    }
    writeln!(f)
}

/// The part of a long line around a column, and where the column is in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let start = if line.chars().count() <= MAX_EXCERPT { 0 } else { column.saturating_sub(MAX_EXCERPT / 3) };
    let mut shown: String = line.trim_end().chars().skip(start).take(MAX_EXCERPT).collect();
    if start == 0 {
        return (shown, column);
    }
    shown.insert(0, '…');
    (shown, column - start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_shown_around_the_column() {
        let line = format!("{}X{}", "a".repeat(200), "b".repeat(200));
        let (shown, column) = window(&line, 200);
        assert_eq!(shown.chars().nth(column), Some('X'));
        assert_eq!(shown.chars().count(), MAX_EXCERPT + 1);
        assert_eq!(window("short", 2), ("short".to_owned(), 2));
    }
}
