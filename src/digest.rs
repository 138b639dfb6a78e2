//! SHA-256 of files, with progress where that takes a while.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::progress::Bytes;

/// Bytes that one read takes.
const PART: usize = 1 << 20;

/// A file's SHA-256 as 64 hexadecimal digits, on a thread that may compute and wait.
pub(crate) async fn sha256(path: PathBuf) -> Result<String, Failure> {
    let hashed = tokio::task::spawn_blocking(move || sha256_here(&path)).await;
    hashed.map_err(|error| Failure::unavailable(error.to_string()))?
}

/// A file's SHA-256, quietly.
pub(crate) async fn sha256_of(path: PathBuf) -> Result<[u8; 32], Failure> {
    let hashed = tokio::task::spawn_blocking(move || read(&path, |_, _| {})).await;
    hashed.map_err(|error| Failure::unavailable(error.to_string()))?
}

/// The same as [`sha256`] on this thread.
pub(crate) fn sha256_here(path: &Path) -> Result<String, Failure> {
    let progress = Bytes::new("hashed");
    let digest = read(path, |done, total| progress.reach(done, total))?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read(path: &Path, on_progress: impl Fn(u64, u64)) -> Result<[u8; 32], Failure> {
    let cannot = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    let mut file = File::open(path).map_err(cannot)?;
    let total = file.metadata().map_err(cannot)?.len();
    let (mut hasher, mut done) = (Sha256::new(), 0);
    let mut part = vec![0; PART];
    loop {
        let length = file.read(&mut part).map_err(cannot)?;
        if length == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&part[..length]);
        done += length as u64;
        on_progress(done, total);
    }
}
