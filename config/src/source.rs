//! A file's text, and what is to be said about it while it is read.

use std::fmt;

use crate::diagnostics::{Diagnostic, Diagnostics, Position, Severity};
use crate::secrets;

/// A stretch of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Position,
    /// In characters; cut at the end of the line.
    pub(crate) width: usize,
}

impl Span {
    pub(crate) fn new(line: usize, column: usize, width: usize) -> Self {
        Span { start: Position { line, column }, width }
    }
}

/// A file's name and text.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Source { name: name.into(), text: text.into() }
    }

    /// The line of `span` as diagnostics show it, without anything key-shaped.
    fn excerpt(&self, span: Span) -> Option<(String, usize)> {
        let line = secrets::mask(self.text.lines().nth(span.start.line - 1)?).replace('\t', " ");
        let rest = line.trim_end().chars().count().saturating_sub(span.start.column - 1);
        Some((line, span.width.clamp(1, rest.max(1))))
    }

    /// One diagnostic about this file.
    pub(crate) fn diagnostic(
        &self,
        severity: Severity,
        span: Option<Span>,
        message: impl fmt::Display,
        hint: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            file: self.name.clone(),
            position: span.map(|span| span.start),
            message: message.to_string(),
            hint,
            excerpt: span.and_then(|span| self.excerpt(span)),
        }
    }
}

/// Collects what is wrong with one source; knows the path of the value that is being read.
pub(crate) struct Report<'s> {
    source: &'s Source,
    path: Vec<String>,
    items: Vec<Diagnostic>,
}

impl<'s> Report<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        Report { source, path: Vec::new(), items: Vec::new() }
    }

    pub(crate) fn source(&self) -> &'s Source {
        self.source
    }

    /// Runs `read` one level deeper, at a key or at `[index]`.
    pub(crate) fn within<T>(&mut self, segment: impl Into<String>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment.into());
        let result = read(self);
        self.path.pop();
        result
    }

    /// Where the reader is, such as `agent.tools[0].endpoint`; `this file` at the top.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for segment in &self.path {
            if !path.is_empty() && !segment.starts_with('[') {
                path.push('.');
            }
            path.push_str(segment);
        }
        if path.is_empty() { "this file".to_owned() } else { path }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl fmt::Display, hint: impl Into<String>) {
        self.push(Severity::Error, span, message, hint.into());
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl fmt::Display, hint: impl Into<String>) {
        self.push(Severity::Warning, span, message, hint.into());
    }

    fn push(&mut self, severity: Severity, span: Span, message: impl fmt::Display, hint: String) {
        let hint = Some(hint).filter(|hint| !hint.is_empty());
        let item = self.source.diagnostic(severity, Some(span), message, hint);
        // What an anchor holds is read once for every alias.
        if !self.items.contains(&item) {
            self.items.push(item);
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Everything that was said, in the order of lines.
    pub(crate) fn finish(mut self) -> Diagnostics {
        self.items.sort_by_key(|item| item.position);
        self.items.into_iter().collect()
    }
}
