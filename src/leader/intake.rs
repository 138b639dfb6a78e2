//! Takes tasks from the stream that plain Redis producers add to. One entry is one task, however often it is read.

use std::time::Duration;

use core_api::{ApiState, SubmitTask};
use serde_json::{Map, Value};
use store::{AcceptError, Actor, NewTask};
use task_queue::{Intake, IntakeEntry};
use types::{TaskClass, TeamName};

use super::{Duty, Progress, Trouble};

/// Entries accepted in one transaction.
const BATCH: usize = 100;
/// A payload is a task as `POST /v1/tasks` takes it, and no longer.
const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The duty.
pub(crate) struct TakeIn {
    intake: Intake,
    api: ApiState,
    team: TeamName,
}

impl TakeIn {
    /// Tasks become those of `team`: a producer has no key that would say whose they are.
    pub(crate) fn new(intake: Intake, api: ApiState, team: TeamName) -> Self {
        TakeIn { intake, api, team }
    }

    fn task(&self, entry: &IntakeEntry) -> Result<NewTask, String> {
        let request = request(&entry.payload, entry.priority.as_deref())?;
        let task = self.api.task(&self.team, request, Some(key(&entry.id))).map_err(|problem| problem.detail)?;
        // Whatever the payload says: an entry that is read again is the same task.
        Ok(NewTask { idempotency_key: Some(key(&entry.id)), ..task })
    }
}

fn key(entry: &str) -> String {
    format!("intake:{entry}")
}

/// The task that an entry asks for. Its priority counts more than the payload's class.
fn request(payload: &str, priority: Option<&str>) -> Result<SubmitTask, String> {
    if MAX_PAYLOAD_BYTES < payload.len() {
        return Err(format!("the payload has {} bytes; more than {MAX_PAYLOAD_BYTES} are not taken", payload.len()));
    }
    let mut fields: Map<String, Value> =
        serde_json::from_str(payload).map_err(|error| format!("the payload is no JSON object: {error}"))?;
    if let Some(priority) = priority {
        fields.shift_remove("priority");
        fields.insert("class".to_owned(), class(priority)?.as_str().into());
    }
    serde_json::from_value(fields.into())
        .map_err(|error| format!("the payload is no task as POST /v1/tasks takes it: {error}"))
}

fn class(priority: &str) -> Result<TaskClass, String> {
    match priority.to_ascii_lowercase().as_str() {
        "high" => Ok(TaskClass::Interactive),
        "low" => Ok(TaskClass::Batch),
        other => other.parse().map_err(|_| {
            format!("priority is {priority:?} but must be high, normal or low, or interactive, normal or batch")
        }),
    }
}

impl Duty for TakeIn {
    const NAME: &'static str = "intake";
    /// While the queue is full; else reading itself waits.
    const PAUSE: Duration = Duration::from_secs(1);

    async fn once(&mut self) -> Result<Progress, Trouble> {
        let (mut entries, mut tasks) = (Vec::new(), Vec::new());
        for entry in self.intake.read(BATCH).await? {
            match self.task(&entry) {
                Ok(task) => {
                    entries.push(entry);
                    tasks.push(task);
                }
                Err(why) => self.intake.refused(&entry.id, &entry.payload, &why).await?,
            }
        }
        if tasks.is_empty() {
            return Ok(Progress::More);
        }
        let answers = self.api.store.accept(tasks, &Actor::new("intake")).await?;
        let (mut accepted, mut progress) = (Vec::new(), Progress::More);
        for (entry, answer) in entries.into_iter().zip(answers) {
            match answer {
                Ok(_) => accepted.push(entry.id),
                // It stays in the stream, and is read again.
                Err(AcceptError::QueueFull { .. }) => progress = Progress::Done,
                Err(
                    why @ (AcceptError::Empty | AcceptError::UnknownDocuments { .. } | AcceptError::KeyConflict { .. }),
                ) => self.intake.refused(&entry.id, &entry.payload, &why.to_string()).await?,
            }
        }
        self.intake.accepted(&accepted).await?;
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, priority: Option<&str>, expected: Result<TaskClass, &str>) {
        match (request(payload, priority), expected) {
            (Ok(task), Ok(class)) => assert_eq!(task.class, class),
            (Err(said), Err(words)) => assert!(said.contains(words), "{said}"),
            (said, expected) => panic!("{said:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_task_has_the_priority_of_its_entry() {
        const TASK: &str = r#"{"agent": "a", "input": "x", "priority": "batch"}"#;
        check(TASK, None, Ok(TaskClass::Batch));
        check(TASK, Some("high"), Ok(TaskClass::Interactive));
        check(TASK, Some("NORMAL"), Ok(TaskClass::Normal));
        check(TASK, Some("low"), Ok(TaskClass::Batch));
        check(TASK, Some("interactive"), Ok(TaskClass::Interactive));
    }

    #[test]
    fn what_is_no_task_is_refused_with_the_reason() {
        check("review this", None, Err("no JSON object"));
        check("[]", None, Err("no JSON object"));
        check("{}", None, Err("agent"));
        check(r#"{"agent": "a", "colour": 1}"#, None, Err("colour"));
        check(r#"{"agent": "a"}"#, Some("urgent"), Err("high, normal or low"));
        check(&" ".repeat(MAX_PAYLOAD_BYTES + 1), None, Err("bytes"));
    }
}
