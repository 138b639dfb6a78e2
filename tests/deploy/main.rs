//! The files of the deployment, held to what they promise: no container runs here, but a real Prometheus scrapes a real
//! `talon`.
#![allow(clippy::unwrap_used)]

mod yaml;

mod compose;
mod promtool;
mod scraped;
