//! Recording steps, behind the fence.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::TaskState;

use super::row::signed;
use super::transaction::Transaction;
use super::writer::Request;
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

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Option<u32>, Error> {
        let RecordStep { fence, step } = self;
        let task = fence.task.to_string();
        let duration_ms = u64::try_from(step.duration.as_millis()).unwrap_or(u64::MAX);
        let ordinal: Option<u32> = sqlx::query_scalar(
            "UPDATE tasks SET steps = steps + 1, prompt_tokens = prompt_tokens + $3,
                    completion_tokens = completion_tokens + $4
             WHERE id = $1 AND attempt = $2 AND state = 'running' RETURNING steps",
        )
        .bind(&task)
        .bind(fence.attempt.0)
        .bind(signed(step.prompt_tokens))
        .bind(signed(step.completion_tokens))
        .fetch_optional(&mut *tx.connection)
        .await?;
        let Some(ordinal) = ordinal else { return Ok(None) };
        sqlx::query(
            "INSERT INTO steps (task_id, ordinal, attempt, kind, started_at, duration_ms, prompt_tokens,
                                completion_tokens, summary)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&task)
        .bind(ordinal)
        .bind(fence.attempt.0)
        .bind(step.kind.as_str())
        .bind(step.started_at.as_millis())
        .bind(signed(duration_ms))
        .bind(signed(step.prompt_tokens))
        .bind(signed(step.completion_tokens))
        .bind(step.summary.to_string())
        .execute(&mut *tx.connection)
        .await?;
        let data = json!({
            "attempt": fence.attempt, "ordinal": ordinal, "kind": step.kind, "duration_ms": duration_ms,
            "summary": step.summary,
        });
        tx.event(fence.task, EventKind::Step, TaskState::Running, data).await?;
        Ok(Some(ordinal))
    }
}
