//! What is compiled into the binary, so that it runs from anywhere: the pocket model and the sample documents.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

const POCKET: &[u8] = include_bytes!("../models/pocket/pocket.gguf");

/// Puts the bundled model into `data_dir/models` if it is not there yet, and says where.
pub(crate) fn pocket_model(data_dir: &Path) -> Result<PathBuf, Failure> {
    let folder = data_dir.join("models");
    let path = folder.join("pocket.gguf");
    let written = std::fs::read(&path).is_ok_and(|bytes| bytes == POCKET);
    if !written {
        unpack(&folder, &path).map_err(|error| {
            Failure::unavailable(format!(
                "the bundled model cannot be written to {} ({error}); free space, or choose another data_dir",
                path.display()
            ))
        })?;
    }
    Ok(path)
}

/// Through a temporary file, so that a model is there whole or not at all.
fn unpack(folder: &Path, path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    part.write_all(POCKET)?;
    part.as_file().sync_all()?;
    part.persist(path)?;
    Ok(())
}
