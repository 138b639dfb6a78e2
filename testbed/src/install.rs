//! Programs that tests run, installed where they are missing and the process may.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of `program`, which the Debian `package` brings. Looks in PATH, where the system's programs lie and where
/// Debian hides PostgreSQL's. Installs the package when it is missing, once per machine; upgrades nothing.
#[track_caller]
pub fn installed(program: &str, package: &str) -> PathBuf {
    if let Some(path) = find(program) {
        return path;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "{program} is missing, and only root may install it: apt-get install {package}"
    );
    // Several test processes may miss it at the same moment.
    let lock = File::create(std::env::temp_dir().join("talon-testbed-install.lock")).unwrap();
    lock.lock().unwrap();
    if let Some(path) = find(program) {
        return path;
    }
    // Its scripts look for programs of the system in PATH.
    let install = format!(
        "export DEBIAN_FRONTEND=noninteractive PATH=\"$PATH:/usr/sbin:/sbin\"; apt-get update; \
         apt-get install --yes --no-install-recommends --no-upgrade -o DPkg::Lock::Timeout=300 {package}"
    );
    let tried = Command::new("sh").args(["-c", &install]).output().unwrap();
    find(program).unwrap_or_else(|| {
        let said = String::from_utf8_lossy(&tried.stderr);
        panic!("{program} is missing, and apt-get could not install {package}:\n{said}")
    })
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from));
    folders.extend(postgres_folders());
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Debian's folders of PostgreSQL's programs, the newest version first.
fn postgres_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, folder)| folder).collect()
}
