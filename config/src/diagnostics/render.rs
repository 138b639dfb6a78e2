//! Diagnostics as a compiler prints them: the message, the source line, a caret, the hint.

use std::fmt;

use super::{Diagnostic, Diagnostics};

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|item| writeln!(f, "{item}"))
    }
}
