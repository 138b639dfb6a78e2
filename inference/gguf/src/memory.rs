//! Whether a model fits, asked before it is read: the system's answer to too much is to kill the process.

use crate::error::Problem;

/// Systems that do not say what they have are taken at their word later.
pub(crate) fn check(needed: u64) -> Result<(), Problem> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    check_in(&meminfo, needed)
}

fn check_in(meminfo: &str, needed: u64) -> Result<(), Problem> {
    match available(meminfo) {
        Some(available) if available < needed => Err(Problem::Memory { needed, available }),
        _ => Ok(()),
    }
}

/// `MemAvailable:   23456 kB`.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    2000 kB\n";

    #[test]
    fn what_is_missing_is_said_in_bytes() {
        assert!(check_in(MEMINFO, 2_048_000).is_ok());
        let error = check_in(MEMINFO, 2_048_007).unwrap_err().to_string();
        assert!(error.contains("needs 2048007 bytes of memory but 2048000 are free, 7 too few"), "{error}");
    }

    #[test]
    fn a_system_that_does_not_say_is_no_obstacle() {
        assert!(check_in("", u64::MAX).is_ok());
    }
}
