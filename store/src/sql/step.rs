//! Recording steps, behind the fence.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::{TaskId, TaskState};

use super::query::Given;
use super::request::Request;
use super::transaction::Transaction;
use crate::step::{EventKind, NewStep};
use crate::store::Fence;

pub(crate) struct RecordStep {
    pub(crate) fence: Fence,
    pub(crate) step: NewStep,
}

#[async_trait]
impl Request for RecordStep {
    /// `None`: the lease is lost.
    type Answer = Option<u32>;

    const DOING: &'static str = "record a step";

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.fence.task]
    }

    async fn apply(requests: &[&Self], tx: &mut Transaction<'_>) -> Result<Vec<Option<u32>>, Error> {
        let mut ordinals = count(requests, tx).await?;
        let mut steps =
            Given::new(&["task", "number", "fence", "what", "began", "took", "prompt", "completion", "more"]);
        let mut answers = Vec::with_capacity(requests.len());
        for RecordStep { fence, step } in requests.iter().copied() {
            let Some(last) = ordinals.get_mut(fence) else {
                answers.push(None);
                continue;
            };
            *last += 1;
            let ordinal = *last;
            let duration_ms = u64::try_from(step.duration.as_millis()).unwrap_or(u64::MAX);
            steps.push([
                fence.task.into(),
                ordinal.into(),
                fence.attempt.into(),
                step.kind.as_str().into(),
                step.started_at.into(),
                duration_ms.into(),
                step.prompt_tokens.into(),
                step.completion_tokens.into(),
                step.summary.to_string().into(),
            ]);
            let data = json!({
                "attempt": fence.attempt, "ordinal": ordinal, "kind": step.kind, "duration_ms": duration_ms,
                "summary": step.summary,
            });
            tx.event(fence.task, EventKind::Step, TaskState::Running, data);
            answers.push(Some(ordinal));
        }
        if !steps.is_empty() {
            let insert = "INSERT INTO steps (task_id, ordinal, attempt, kind, started_at, duration_ms, prompt_tokens,
                                             completion_tokens, summary)
                SELECT task, number, fence, what, began, took, prompt, completion, more FROM {given}";
            tx.execute(steps.query(insert)).await?;
        }
        Ok(answers)
    }
}

/// Adds up what the steps of each lease used, and says how many steps its task had before; lost leases are left out.
async fn count(requests: &[&RecordStep], tx: &mut Transaction<'_>) -> Result<HashMap<Fence, u32>, Error> {
    let mut sums: HashMap<Fence, (u32, u64, u64)> = HashMap::new();
    for RecordStep { fence, step } in requests.iter().copied() {
        let (steps, prompt, completion) = sums.entry(*fence).or_default();
        *steps += 1;
        *prompt += step.prompt_tokens;
        *completion += step.completion_tokens;
    }
    let mut given = Given::new(&["task", "fence", "number", "prompt", "completion"]);
    for (fence, (steps, prompt, completion)) in &sums {
        given.push([fence.task.into(), fence.attempt.into(), (*steps).into(), (*prompt).into(), (*completion).into()]);
    }
    let update = "UPDATE tasks SET steps = steps + given.number, prompt_tokens = prompt_tokens + given.prompt,
               completion_tokens = completion_tokens + given.completion
        FROM {given} WHERE id = given.task AND attempt = given.fence AND state = 'running'
        RETURNING id, attempt, steps";
    let mut before = HashMap::with_capacity(sums.len());
    for row in tx.rows(given.query(update)).await? {
        let fence = Fence { task: row.parse("id")?, attempt: types::AttemptNumber(row.get("attempt")?) };
        let after: u32 = row.get("steps")?;
        before.insert(fence, after - sums.get(&fence).map_or(0, |(steps, ..)| *steps));
    }
    Ok(before)
}
