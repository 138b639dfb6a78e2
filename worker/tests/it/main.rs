//! Tasks from acceptance to their end: real store, queue, relay, leases, pool and tool servers. The model is a script
//! where the platform's behaviour is the claim, and the bundled one where the whole path is.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod cancel;
mod context;
mod errors;
mod extract;
mod limits;
mod model;
mod openai;
mod outcomes;
mod panics;
mod pocket;
mod pool;
mod remote;
mod sessions;
mod shutdown;
mod tool;
mod verbatim;
mod world;
