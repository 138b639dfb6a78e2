//! Ports for servers that come back to the same one after a restart.

use std::net::TcpListener;

use std::hash::{BuildHasher, RandomState};

/// Where the kernel does not look for the ports of outgoing connections, one of which could take the port while its
/// server is away.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// A port that was free just now. Another may take it before its server does: then the server says so and gets another.
pub fn free() -> u16 {
    let random = RandomState::new();
    (0u32..)
        .map(|attempt| RANGE.start + (random.hash_one(attempt) % RANGE.len() as u64) as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}
