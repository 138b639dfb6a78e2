//! What there is to know when all is over: the store's side of every task, beside the clients'.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::Rest;
use crate::load::Submission;
use crate::plan::PlannedTask;

/// States after which nothing follows.
pub(crate) const TERMINAL: [&str; 4] = ["succeeded", "failed", "cancelled", "dead"];

/// Everything that is checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// By number of the task.
    pub(crate) planned: Vec<PlannedTask>,
    pub(crate) submissions: Vec<Submission>,
    /// Every task that the store has.
    pub(crate) tasks: Vec<Record>,
    /// `/v1/queue`'s account, where there is one.
    pub(crate) conservation: Option<Value>,
    /// Calls of the tool by task and number, with their idempotency keys.
    pub(crate) effects: BTreeMap<(usize, u64), BTreeSet<String>>,
    /// What Redis still holds.
    pub(crate) left_in_redis: Vec<String>,
}

/// A task as the store has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// From its text.
    pub(crate) number: Option<usize>,
    pub(crate) state: String,
    pub(crate) stop_reason: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) losses: u64,
    /// In order.
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    pub(crate) seq: i64,
    pub(crate) kind: String,
}

impl Record {
    fn read(task: &Value) -> Self {
        let text = |key: &str| task[key].as_str().map(str::to_owned);
        Record {
            id: text("id").unwrap_or_default(),
            number: text("input").and_then(|input| input.strip_prefix("task ")?.parse().ok()),
            state: text("state").unwrap_or_default(),
            stop_reason: text("stop_reason"),
            output: text("output"),
            losses: task["losses"].as_u64().unwrap_or_default(),
            events: Vec::new(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        TERMINAL.contains(&self.state.as_str())
    }
}

/// Every task of the store, without events.
pub(crate) async fn tasks(rest: &Rest) -> Vec<Record> {
    let mut tasks = Vec::new();
    let mut before = String::new();
    loop {
        let page = rest.get(&format!("/v1/tasks?limit=1000{before}")).await;
        tasks.extend(page["tasks"].as_array().into_iter().flatten().map(Record::read));
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return tasks,
        }
    }
}

/// The events of a task that has ended.
pub(crate) async fn events(rest: &Rest, task: &str) -> Vec<Event> {
    let read = |event: &Value| Event {
        seq: event["seq"].as_i64().unwrap_or_default(),
        kind: event["kind"].as_str().unwrap_or_default().to_owned(),
    };
    rest.events(task).await.iter().map(read).collect()
}
