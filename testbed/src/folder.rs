//! Folders of servers and processes, which outlive the test processes that were killed only until the next test.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const PREFIX: &str = "testbed-";

/// A new folder within `place`, after those of processes that are no more have been removed.
pub fn new(place: &Path) -> TempDir {
    for entry in std::fs::read_dir(place).unwrap().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if owner.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // A small disk may still be mounted there; another test may do the same at this moment.
            let _ = Command::new("umount").arg("--lazy").arg(entry.path()).stderr(Stdio::null()).status();
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let prefix = format!("{PREFIX}{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(place).unwrap()
}
