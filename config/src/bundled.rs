//! The files that are compiled into the binary, so that it runs from anywhere.

/// A file of `config/` as it was when the binary was built.
#[derive(Clone, Copy, Debug)]
pub struct BundledFile {
    /// Its name, as diagnostics show it.
    pub name: &'static str,
    /// Its content.
    pub text: &'static str,
}

macro_rules! bundled {
    ($($path:literal),* $(,)?) => {
        &[$(BundledFile { name: $path, text: include_str!(concat!("../", $path)) }),*]
    };
}

/// The five reference agents.
pub const AGENTS: &[BundledFile] = bundled![
    "agents/code-review-triage.yml",
    "agents/customer-query-routing.yml",
    "agents/data-extraction.yml",
    "agents/document-summarization.yml",
    "agents/report-generation.yml",
];
