//! What travels over REST, both ways; the command line reads the same types back.

mod access;
mod agent;
mod batch;
mod dead_letter;
mod document;
mod explanation;
mod history;
mod queue;
mod task;
mod webhook;

pub use access::{CreateKey, CreatedKey, KeyView, PutTeam, TeamView};
pub use agent::AgentView;
pub use batch::BatchAnswer;
pub use dead_letter::{AttemptView, DeadLetterFilter, DeadLetterView, EditTask, ManyDone, PurgeMany, RequeueMany};
pub use document::DocumentView;
pub use explanation::{Explanation, KeyUse, Place, Reason};
pub use history::{EventView, StepView};
pub use queue::{ClassFigures, ConservationView, PauseQueue, PauseView, ProcessView, QueueView, ResumeQueue, Resumed};
pub use task::{Cancellation, ConcurrencyView, SubmitTask, TaskList, TaskView};
pub use webhook::WebhookView;
