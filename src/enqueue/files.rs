//! Which files are meant: those that were named, and in folders all that can be documents.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::output::say;

/// What a folder's files must end in to be taken.
const ENDINGS: [&str; 11] = ["pdf", "txt", "md", "csv", "tsv", "eml", "log", "json", "html", "diff", "patch"];

/// Files as they were named; folders with everything below them, sorted. Hidden ones and links to folders are left out.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut left = 0;
        walk(path, &mut files, &mut left)?;
        if left > 0 {
            let endings = ENDINGS.join(", ");
            say(format_args!("{}: {left} files are left out; taken are {endings}", path.display()));
        }
    }
    if files.is_empty() {
        return Err(Failure::usage(format!("no files: the folders have none that end in {}", ENDINGS.join(", "))));
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, left: &mut usize) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|error| unreadable(folder, &error))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files, left)?;
        } else if path.is_file() && is_document(&path) {
            files.push(path);
        } else if path.is_file() {
            *left += 1;
        }
    }
    Ok(())
}

fn is_document(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_taken_with_everything_below_them() {
        let home = tempfile::tempdir().expect("a folder");
        for name in ["b.txt", "a/2.pdf", "a/1.CSV", "a/.hidden/x.txt", "a/image.png", ".x.txt"] {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, "x").expect("written");
        }
        std::os::unix::fs::symlink(home.path(), home.path().join("a/loop")).expect("linked");
        let found = files(&[home.path().to_owned()]).expect("files");
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(home.path()).expect("below")).collect();
        assert_eq!(names, [Path::new("a/1.CSV"), Path::new("a/2.pdf"), Path::new("b.txt")]);
    }
}
