//! Places at which a test may stop or kill this process. In release builds there are none.

/// Every place, in the order in which a task comes by.
pub const POINTS: &[&str] = &[
    "accepting",
    "committing",
    "committed",
    "accepted",
    "outbox-taken",
    "pushing",
    "pushed",
    "opening",
    "opened",
    "acknowledged",
    "stepping",
    "stepped",
    "ending",
    "ended",
    "renewing",
    "renewed",
    "sweeping",
    "swept",
];

/// Tells whoever listens at the unix socket `TALON_FAULT_SOCKET` that this process has come to a place, as a line of
/// the place and the process's number, and waits for a line of answer. Without that variable it does nothing.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use tokio::runtime::{Handle, RuntimeFlavor};

    static SOCKET: OnceLock<Option<PathBuf>> = OnceLock::new();

    debug_assert!(POINTS.contains(&name), "{name} is not listed");
    let Some(socket) = SOCKET.get_or_init(|| std::env::var_os("TALON_FAULT_SOCKET").map(PathBuf::from)) else { return };
    let is_multi_thread = |handle: Handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread;
    if Handle::try_current().is_ok_and(is_multi_thread) {
        // Other tasks go on meanwhile.
        tokio::task::block_in_place(|| ask(socket, name));
    } else {
        ask(socket, name);
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_: &'static str) {}

/// Whoever listened may be gone: then nothing is asked.
#[cfg(debug_assertions)]
fn ask(socket: &std::path::Path, name: &str) {
    use std::io::{BufRead, BufReader, Write};

    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else { return };
    if writeln!(stream, "{name} {}", std::process::id()).is_ok() {
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
    }
}
