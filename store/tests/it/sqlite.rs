//! The embedded store keeps the contract.

crate::conformance::keeps_the_contract!(crate::world::sqlite);
