//! A file system of its own for a test, small enough to fill.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::process::output;
use crate::{folder, installed};

const BALLAST: &str = "ballast";

/// A mounted tmpfs, gone when dropped. Only root may mount; others are told so.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one with this much room.
    #[track_caller]
    pub fn of(bytes: u64) -> Self {
        assert!(geteuid().is_root(), "a test with a small disk mounts a tmpfs, which only root may do");
        let folder = folder::new(&std::env::temp_dir());
        let mut mount = Command::new(installed("mount", "mount"));
        output(mount.args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0755"), "testbed"]).arg(folder.path()));
        SmallDisk { folder }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves no room at all.
    pub fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.path().join(BALLAST)).unwrap();
        for piece in [64 << 10, 1 << 10, 1] {
            while ballast.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    /// Gives back the room that [`SmallDisk::fill`] took.
    pub fn clear(&self) {
        let _ = std::fs::remove_file(self.path().join(BALLAST));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}
