//! The store in PostgreSQL keeps the contract.

crate::conformance::keeps_the_contract!(crate::world::postgres);
