//! Reading files and folders, with what goes wrong as diagnostics.

use std::path::{Path, PathBuf};

use crate::diagnostics::{Diagnostic, Severity};
use crate::secrets;
use crate::source::{Report, Source, Span};

/// Larger files are not ours.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The text of one file.
pub(crate) fn read(path: &Path) -> Result<Source, Box<Diagnostic>> {
    let size = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if MAX_FILE_BYTES < size {
        return Err(about(path, format!("the file has {size} bytes; more than {MAX_FILE_BYTES} are not read"), None));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map(|text| Source::new(path.display().to_string(), text)).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        about(path, format!("the file is not UTF-8 on line {line}"), Some("save it as UTF-8"))
    })
}

/// The `*.yml` and `*.yaml` files of a folder, by name. Hidden files and folders in it are left out.
pub(crate) fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let yaml = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if yaml && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// An error about a file as a whole.
pub(crate) fn about(path: &Path, message: String, hint: Option<&str>) -> Box<Diagnostic> {
    let source = Source::new(path.display().to_string(), "");
    Box::new(source.diagnostic(Severity::Error, None, message, hint.map(str::to_owned)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Box<Diagnostic> {
    about(path, format!("cannot be read: {error}"), None)
}

/// Reports every line that holds something key-shaped, comments included.
pub(crate) fn refuse_secrets(report: &mut Report<'_>) {
    for (index, line) in report.source().text.lines().enumerate() {
        for found in secrets::find(line) {
            let column = line[..found.range.start].chars().count() + 1;
            let span = Span::new(index + 1, column, line[found.range].chars().count());
            let hint =
                "secrets do not belong in these files, which are shared and versioned: revoke this one and take it out";
            report.error(span, format!("this looks like {}", found.what), hint);
        }
    }
}
