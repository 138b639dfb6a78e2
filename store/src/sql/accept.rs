//! Accepting: task, event, audit entry and outbox row in one transaction.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Error};
use types::{DocumentId, TaskId, TaskState, TeamName, Timestamp};

use super::query::{Given, query};
use super::request::Request;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::task::{AcceptError, Accepted, NewTask};

pub(crate) struct Accept {
    tasks: Vec<(TaskId, NewTask)>,
    actor: Actor,
}

impl Accept {
    /// The ids are chosen here: tasks that are there already are not accepted again.
    pub(crate) fn new(tasks: Vec<NewTask>, actor: Actor) -> Self {
        Accept { tasks: tasks.into_iter().map(|task| (TaskId::new(), task)).collect(), actor }
    }
}

#[async_trait]
impl Request for Accept {
    type Answer = Vec<Result<Accepted, AcceptError>>;

    const DOING: &'static str = "accept tasks";

    fn weight(&self) -> usize {
        self.tasks.len()
    }

    async fn apply(requests: &[&Self], tx: &mut Transaction<'_>) -> Result<Vec<Self::Answer>, Error> {
        let mut acceptance = Acceptance::look(requests, tx).await?;
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let accepted = request.tasks.iter().map(|(id, task)| acceptance.accept(*id, task, &request.actor, tx));
            answers.push(accepted.collect());
        }
        if !acceptance.rows.is_empty() {
            tx.execute(acceptance.rows.query(INSERT)).await?;
        }
        if !acceptance.references.is_empty() {
            tx.execute(acceptance.references.query(REFER)).await?;
        }
        Ok(answers)
    }
}

const INSERT: &str = "INSERT INTO tasks (id, team, agent, class, state, input, documents, idempotency_key,
        request_sha256, accepted_at, queued_at, due_at, deadline_at, max_retries, concurrency_key, concurrency_limit,
        callback_url, cost)
    SELECT task, owner, worked_by, line, stands, asked, with_documents, request_key, request, accepted, queued, due,
           deadline, retries, shared_key, at_once, calls_back, tokens FROM {given}";
// A task may name a document twice.
const REFER: &str = "INSERT INTO task_documents (task_id, document_id)
    SELECT DISTINCT task, document FROM {given}";

/// What is there already, and what is accepted beside it.
struct Acceptance<'r> {
    waiting: u64,
    keys: HashMap<(&'r TeamName, &'r str), Known>,
    documents: HashSet<(TeamName, DocumentId)>,
    rows: Given,
    references: Given,
}

/// A task that has a key.
struct Known {
    id: TaskId,
    state: TaskState,
    accepted_at: Timestamp,
    fingerprint: String,
}

impl<'r> Acceptance<'r> {
    async fn look(requests: &[&'r Accept], tx: &mut Transaction<'_>) -> Result<Self, Error> {
        let tasks: Vec<&'r NewTask> =
            requests.iter().flat_map(|request| &request.tasks).map(|(_, task)| task).collect();
        Ok(Acceptance {
            waiting: count_waiting(tx).await?,
            keys: find_keys(&tasks, tx).await?,
            documents: find_documents(&tasks, tx).await?,
            rows: Given::new(&[
                "task",
                "owner",
                "worked_by",
                "line",
                "stands",
                "asked",
                "with_documents",
                "request_key",
                "request",
                "accepted",
                "queued",
                "due",
                "deadline",
                "retries",
                "shared_key",
                "at_once",
                "calls_back",
                "tokens",
            ]),
            references: Given::new(&["task", "document"]),
        })
    }

    fn accept(
        &mut self,
        id: TaskId,
        task: &'r NewTask,
        actor: &Actor,
        tx: &mut Transaction<'_>,
    ) -> Result<Accepted, AcceptError> {
        if task.documents.is_empty() && task.input.as_ref().is_none_or(|input| input.trim().is_empty()) {
            return Err(AcceptError::Empty);
        }
        // Before the limit: asking again for what was promised must not be refused because others wait.
        if let Some(known) = key(task).and_then(|key| self.keys.get(&key)) {
            return known.answer(task);
        }
        let is_unknown = |document: &&DocumentId| !self.documents.contains(&(task.team.clone(), (*document).clone()));
        let documents: Vec<DocumentId> = task.documents.iter().filter(is_unknown).cloned().collect();
        if !documents.is_empty() {
            return Err(AcceptError::UnknownDocuments { team: task.team.clone(), documents });
        }
        let limit = tx.limits.max_queued;
        if limit <= self.waiting {
            return Err(AcceptError::QueueFull { limit });
        }
        self.waiting += 1;
        Ok(self.insert(id, task, actor, tx))
    }

    fn insert(&mut self, id: TaskId, task: &'r NewTask, actor: &Actor, tx: &mut Transaction<'_>) -> Accepted {
        let now = tx.now;
        let state = if task.due_at.is_some_and(|due| now < due) { TaskState::Scheduled } else { TaskState::Queued };
        let fingerprint = task.idempotency_key.is_some().then(|| fingerprint(task));
        self.rows.push([
            id.into(),
            (&task.team).into(),
            (&task.agent).into(),
            task.class.into(),
            state.into(),
            task.input.as_deref().into(),
            json!(task.documents).to_string().into(),
            task.idempotency_key.as_deref().into(),
            fingerprint.as_deref().into(),
            now.into(),
            (state == TaskState::Queued).then_some(now).into(),
            task.due_at.into(),
            task.deadline_at.into(),
            task.max_retries.into(),
            task.concurrency.as_ref().map(|concurrency| concurrency.key.as_str()).into(),
            // Nothing counts as one: no task waits for ever, and none is free.
            task.concurrency.as_ref().map(|concurrency| concurrency.limit.max(1)).into(),
            task.callback_url.as_deref().into(),
            task.cost.max(1).into(),
        ]);
        for document in &task.documents {
            self.references.push([id.into(), document.into()]);
        }
        let details = json!({ "team": task.team, "agent": task.agent, "class": task.class });
        tx.audit(actor, "task.accept", &id.to_string(), details);
        tx.event(id, EventKind::Accepted, state, json!({ "state": state, "due_at": task.due_at }));
        if state == TaskState::Queued {
            tx.outbound(id);
        }
        if let (Some(key), Some(fingerprint)) = (key(task), fingerprint) {
            self.keys.insert(key, Known { id, state, accepted_at: now, fingerprint });
        }
        Accepted { id, state, existing: false, accepted_at: now }
    }
}

impl Known {
    fn answer(&self, task: &NewTask) -> Result<Accepted, AcceptError> {
        if self.fingerprint != fingerprint(task) {
            let key = task.idempotency_key.clone().unwrap_or_default();
            return Err(AcceptError::KeyConflict { key, task: self.id });
        }
        Ok(Accepted { id: self.id, state: self.state, existing: true, accepted_at: self.accepted_at })
    }
}

fn key(task: &NewTask) -> Option<(&TeamName, &str)> {
    task.idempotency_key.as_deref().map(|key| (&task.team, key))
}

async fn count_waiting(tx: &mut Transaction<'_>) -> Result<u64, Error> {
    let sum = "SELECT CAST(SUM(count) AS BIGINT) AS waiting FROM task_figures WHERE state IN ('queued', 'scheduled')";
    let row = tx.row(query(sum)).await?;
    Ok(row.map(|row| row.get("waiting")).transpose()?.flatten().unwrap_or(0))
}

async fn find_keys<'r>(
    tasks: &[&'r NewTask],
    tx: &mut Transaction<'_>,
) -> Result<HashMap<(&'r TeamName, &'r str), Known>, Error> {
    let keys: Vec<(&TeamName, &str)> = tasks.iter().filter_map(|task| key(task)).collect();
    let mut given = Given::new(&["place", "owner", "request_key"]);
    for (place, (team, key)) in (0_i64..).zip(&keys) {
        given.push([place.into(), (*team).into(), (*key).into()]);
    }
    let mut known = HashMap::new();
    if given.is_empty() {
        return Ok(known);
    }
    let select = "SELECT place, id, state, accepted_at, request_sha256 FROM {given}
        JOIN tasks ON team = owner AND idempotency_key = request_key";
    for row in tx.rows(given.query(select)).await? {
        let place: u32 = row.get("place")?;
        let Some(&key) = keys.get(place as usize) else { continue };
        let task = Known {
            id: row.parse("id")?,
            state: row.parse("state")?,
            accepted_at: row.get("accepted_at")?,
            fingerprint: row.get("request_sha256")?,
        };
        known.insert(key, task);
    }
    Ok(known)
}

async fn find_documents(
    tasks: &[&NewTask],
    tx: &mut Transaction<'_>,
) -> Result<HashSet<(TeamName, DocumentId)>, Error> {
    let mut given = Given::new(&["owner", "document"]);
    for task in tasks {
        for document in &task.documents {
            given.push([(&task.team).into(), document.into()]);
        }
    }
    if given.is_empty() {
        return Ok(HashSet::new());
    }
    // Constants of ours.
    let select = AssertSqlSafe(format!(
        "SELECT team, id FROM {{given}} JOIN documents ON id = document AND team = owner{}",
        tx.dialect().for_reference_to_documents()
    ));
    let rows = tx.rows(given.query(select)).await?;
    rows.iter().map(|row| Ok((row.parse("team")?, row.parse("id")?))).collect()
}

/// What makes two requests the same. Moments are left out: callers work them out anew from "in ten minutes".
fn fingerprint(task: &NewTask) -> String {
    let mut asked = vec![json!(task.agent), json!(task.class), json!(task.input), json!(task.documents)];
    asked.push(json!(task.max_retries));
    // Only where they are asked for: requests of earlier versions keep their fingerprint.
    if task.concurrency.is_some() || task.callback_url.is_some() {
        asked.extend([json!(task.concurrency), json!(task.callback_url)]);
    }
    hex(&Sha256::digest(serde_json::Value::from(asked).to_string()))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
