//! The contract of [`Store`](store::Store), as claims about any implementation. A claim is given a maker of empty stores.

pub mod accept;
pub mod cancel;
pub mod dead_letters;
pub mod documents;
pub mod history;
pub mod leases;
pub mod lists;
pub mod outcomes;
pub mod sweeps;
