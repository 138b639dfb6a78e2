//! What tests need around the product, for real: Redis, PostgreSQL, connections that break, a disk that fills.
//!
//! A server that is missing is installed by apt-get where the process may, and fails the test where not. Every server
//! has a free port and a folder of its own and ends with the test process, however that ends. All of it panics
//! with a reason: it serves tests alone.
#![allow(clippy::unwrap_used)]

mod folder;
mod install;
mod port;
mod postgres;
mod process;
mod proxy;
mod redis;
mod small_disk;
mod tls;

pub use folder::new as new_folder;
pub use install::installed;
pub use port::free as free_port;
pub use postgres::{Postgres, PostgresOptions, Shutdown};
pub use process::{Process, Signal};
pub use proxy::Proxy;
pub use redis::{Redis, RedisOptions};
pub use small_disk::SmallDisk;

/// Runs what blocks beside the test's runtime, whose other tasks go on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
