//! Mistakes in files, collected instead of thrown, each with its place and a hint.

mod render;

use serde::Serialize;

/// What a reader made of its input, and everything it has to say about it.
#[derive(Clone, Debug, Default)]
pub struct Loaded<T> {
    /// As much as could be read. Do not use it as if all were well before asking `diagnostics.is_error()`.
    pub value: T,
    /// Mistakes and warnings, in the order of files and lines.
    pub diagnostics: Diagnostics,
}

impl<T> Loaded<T> {
    /// The value with its warnings, or the diagnostics when one of them is an error.
    pub fn into_result(self) -> Result<(T, Diagnostics), Diagnostics> {
        if self.diagnostics.is_error() { Err(self.diagnostics) } else { Ok((self.value, self.diagnostics)) }
    }
}

/// Whether a diagnostic stops the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used; someone should look.
    Warning,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// One thing to say about one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnostic {
    /// Whether it stops the load.
    pub severity: Severity,
    /// The file's name, or that of an environment variable.
    pub file: String,
    /// Where in the file; absent when it concerns the file as a whole, or a variable.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The source line, and how many characters from the position on are meant.
    #[serde(skip)]
    pub(crate) excerpt: Option<(String, usize)>,
}

/// Everything there is to say. `Display` prints it as a compiler would; serialized it is a list for `--json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Whether any is an error: what was read must not be used.
    pub fn is_error(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them, in the order of files and lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// Adds those of `other` behind these.
    pub fn extend(&mut self, other: Diagnostics) {
        self.items.extend(other.items);
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(items: I) -> Self {
        Diagnostics { items: items.into_iter().collect() }
    }
}

impl std::error::Error for Diagnostics {}
