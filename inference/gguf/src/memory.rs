//! Whether a model fits, asked before it is read: the system's answer to too much is to kill the process.

use std::path::Path;

use crate::error::Problem;

/// Systems that do not say what they have are taken at their word later.
pub(crate) fn check(needed: u64) -> Result<(), Problem> {
    check_under(Path::new("/"), needed)
}

fn check_under(root: &Path, needed: u64) -> Result<(), Problem> {
    match available(root) {
        Some(available) if available < needed => Err(Problem::Memory { needed, available }),
        _ => Ok(()),
    }
}

/// What the system can still give or what is left of the container's limit, whichever is less.
fn available(root: &Path) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_default();
    let system = of_system(&read("proc/meminfo"));
    let [limit, current, stat] =
        ["memory.max", "memory.current", "memory.stat"].map(|name| read(&format!("sys/fs/cgroup/{name}")));
    [system, of_container(&limit, &current, &stat)].into_iter().flatten().min()
}

/// `MemAvailable:   23456 kB`.
fn of_system(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Of control groups, version 2; `None` where the limit is `max`. Cached files count as used there, but are given back
/// when memory is needed.
fn of_container(limit: &str, current: &str, stat: &str) -> Option<u64> {
    let limit: u64 = limit.trim().parse().ok()?;
    let current: u64 = current.trim().parse().ok()?;
    let cached = ["inactive_file ", "active_file "]
        .iter()
        .filter_map(|name| stat.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()))
        .fold(0, u64::saturating_add);
    Some(limit.saturating_sub(current.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    2000 kB\n";

    /// Of a system whose folders have these files.
    fn available(files: &[(&str, &str)]) -> Option<u64> {
        let root = root(files);
        super::available(root.path())
    }

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        root
    }

    #[test]
    fn what_is_missing_is_said_in_bytes() {
        let root = root(&[("proc/meminfo", MEMINFO)]);
        assert!(check_under(root.path(), 2_048_000).is_ok());
        let error = check_under(root.path(), 2_048_007).unwrap_err().to_string();
        assert!(error.contains("needs 2048007 bytes of memory but 2048000 are free, 7 too few"), "{error}");
    }

    #[test]
    fn a_system_that_does_not_say_is_no_obstacle() {
        assert!(check_under(root(&[]).path(), u64::MAX).is_ok());
    }

    #[test]
    fn a_container_has_what_its_limit_leaves() {
        let container = |limit, current, stat| {
            let group = [("memory.max", limit), ("memory.current", current), ("memory.stat", stat)];
            let group = group.map(|(name, contents)| (format!("sys/fs/cgroup/{name}"), contents));
            let mut files: Vec<(&str, &str)> =
                group.iter().map(|(name, contents)| (name.as_str(), *contents)).collect();
            files.push(("proc/meminfo", MEMINFO));
            available(&files)
        };
        let cache = "anon 1\ninactive_file 200\nactive_file 50\n";
        assert_eq!(container("1000\n", "700\n", ""), Some(300));
        assert_eq!(container("1000\n", "700\n", cache), Some(550));
        assert_eq!(container("1000\n", "1200\n", ""), Some(0));
        assert_eq!(container("max\n", "700\n", cache), Some(2_048_000));
        assert_eq!(container("9000000\n", "700\n", cache), Some(2_048_000));
    }
}
