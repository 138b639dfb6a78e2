//! What operators see of their files: the messages, the defaults, the published schemas.
#![allow(missing_docs, clippy::unwrap_used)]

mod agents;
mod messages;

mod schemas;
mod talon;

use config::Diagnostics;

/// One line for each diagnostic, as logs have them.
fn lines(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|item| format!("{item}\n")).collect()
}
