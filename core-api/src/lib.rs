//! The REST interface: documents and tasks in, results and events out. Talks to the store and to nothing behind it;
//! knows no model and no worker.
//!
//! Reading order: [`router`] in `router.rs`, `authentication.rs`, `routes/`, `problem.rs`.

mod authentication;
mod caller;
mod description;
mod drain;
mod dto;
mod guard;
mod key;
mod metrics;
mod new_task;
mod patience;
mod problem;
mod router;
mod routes;
mod state;
mod uploads;

pub use authentication::{AdminKey, Authentication};
pub use caller::Caller;
pub use dto::*;
pub use guard::loopback_only;
pub use key::KeySecret;
pub use problem::Problem;
pub use router::{openapi, router, router_beside, service_router};
pub use state::{ApiRuntime, ApiSettings, ApiState, Gather, Health, Readiness};
