//! The REST interface: documents and tasks in, results and events out. Talks to the store and to nothing behind it;
//! knows no model and no worker.
//!
//! Reading order: [`router`] in `router.rs`, `routes/`, `problem.rs`.

mod description;
mod dto;
mod guard;
mod problem;
mod router;
mod routes;
mod state;

pub use dto::{AgentView, Cancellation, DocumentView, EventView, StepView, SubmitTask, TaskList, TaskView};
pub use guard::loopback_only;
pub use problem::Problem;
pub use router::{openapi, router, router_beside};
pub use state::{ApiSettings, ApiState, Gather, Health, Readiness};
