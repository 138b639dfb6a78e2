//! What an agent may do next. Pure: no model, no tool, no clock; the driver in `run.rs` does the I/O.

use std::collections::HashMap;

use inference::{ReplyContent, ToolCall, ToolChoice};
use serde_json::Value;
use types::StopReason;

/// The limits of one task; from `guardrails` in the agent's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopLimits {
    /// Model turns.
    pub max_steps: u32,
    /// Tool calls.
    pub max_tool_calls: u32,
    /// Times the same call may give the same result.
    pub max_repeats: u32,
}

/// What the platform does with the model's reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// The answer; the task is complete.
    Answer(String),
    /// Make these calls, in order, and ask again.
    Call(Vec<ToolCall>),
    /// End the task.
    Stop(StopReason),
}

/// How far a task has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    num_steps: u32,
    num_tool_calls: u32,
    seen: HashMap<String, u32>,
}

impl Progress {
    /// Model turns so far.
    pub(crate) fn num_steps(&self) -> u32 {
        self.num_steps
    }

    /// Tool calls so far.
    pub(crate) fn num_tool_calls(&self) -> u32 {
        self.num_tool_calls
    }

    /// Whether tools may be called in the next turn. The last turn asks for the answer.
    pub(crate) fn tool_choice(&self, limits: &LoopLimits) -> ToolChoice {
        let last_turn = self.num_steps + 1 >= limits.max_steps;
        if last_turn || self.num_tool_calls >= limits.max_tool_calls { ToolChoice::None } else { ToolChoice::Auto }
    }

    /// Counts a turn and decides on its reply. `offered` is what the turn allowed: a decoder that enforces it never
    /// calls past the limits, but a model behind HTTP may.
    pub(crate) fn next_step(&mut self, reply: ReplyContent, offered: ToolChoice, limits: &LoopLimits) -> Step {
        self.num_steps += 1;
        match reply {
            ReplyContent::Answer(text) => Step::Answer(text),
            ReplyContent::ToolCalls(_) if offered == ToolChoice::None => {
                Step::Stop(if self.num_steps >= limits.max_steps {
                    StopReason::StepLimit
                } else {
                    StopReason::ToolLimit
                })
            }
            ReplyContent::ToolCalls(calls)
                if self.num_tool_calls + u32::try_from(calls.len()).unwrap_or(u32::MAX) > limits.max_tool_calls =>
            {
                Step::Stop(StopReason::ToolLimit)
            }
            ReplyContent::ToolCalls(calls) => Step::Call(calls),
        }
    }

    /// Counts a call and its result. The same call with the same result, over and over, is a loop.
    pub(crate) fn record_call(&mut self, call: &ToolCall, result: &Value, limits: &LoopLimits) -> Option<StopReason> {
        self.num_tool_calls += 1;
        let times = self.seen.entry(signature(call, result)).or_default();
        *times += 1;
        (*times > limits.max_repeats).then_some(StopReason::LoopDetected)
    }
}

/// Equal for calls of one tool with equal arguments and an equal result, whatever the order of their keys.
fn signature(call: &ToolCall, result: &Value) -> String {
    let mut arguments = Value::Object(call.arguments.clone());
    arguments.sort_all_objects();
    let mut result = result.clone();
    result.sort_all_objects();
    format!("{}\u{0}{arguments}\u{0}{result}", call.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIMITS: LoopLimits = LoopLimits { max_steps: 4, max_tool_calls: 2, max_repeats: 1 };

    fn call(name: &str, arguments: Value) -> ToolCall {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        ToolCall { id: "call00001".into(), name: name.into(), arguments }
    }

    #[test]
    fn an_answer_ends_the_task() {
        let step = Progress::default().next_step(ReplyContent::Answer("42".into()), ToolChoice::Auto, &LIMITS);
        assert_eq!(step, Step::Answer("42".into()));
    }

    #[test]
    fn the_last_turn_forbids_tools() {
        let mut progress = Progress::default();
        for _ in 0..3 {
            assert_eq!(progress.tool_choice(&LIMITS), ToolChoice::Auto);
            progress.next_step(ReplyContent::ToolCalls(vec![]), ToolChoice::Auto, &LIMITS);
        }
        assert_eq!(progress.tool_choice(&LIMITS), ToolChoice::None);
    }

    #[test]
    fn spent_tool_calls_forbid_tools() {
        let mut progress = Progress::default();
        progress.record_call(&call("a", json!({})), &json!(1), &LIMITS);
        assert_eq!(progress.tool_choice(&LIMITS), ToolChoice::Auto);
        progress.record_call(&call("b", json!({})), &json!(1), &LIMITS);
        assert_eq!(progress.tool_choice(&LIMITS), ToolChoice::None);
    }

    #[test]
    fn a_model_that_calls_past_a_limit_is_stopped_with_the_limit() {
        let calls = || ReplyContent::ToolCalls(vec![call("a", json!({}))]);
        let mut progress = Progress::default();
        assert_eq!(progress.next_step(calls(), ToolChoice::None, &LIMITS), Step::Stop(StopReason::ToolLimit));
        let mut progress = Progress { num_steps: 3, ..Progress::default() };
        assert_eq!(progress.next_step(calls(), ToolChoice::None, &LIMITS), Step::Stop(StopReason::StepLimit));
    }

    #[test]
    fn more_parallel_calls_than_are_left_are_refused() {
        let calls = ReplyContent::ToolCalls(vec![call("a", json!({})); 3]);
        assert_eq!(Progress::default().next_step(calls, ToolChoice::Auto, &LIMITS), Step::Stop(StopReason::ToolLimit));
    }

    #[test]
    fn the_same_call_with_the_same_result_is_a_loop() {
        let mut progress = Progress::default();
        let first = call("a", json!({"x": 1, "y": 2}));
        let again = call("a", json!({"y": 2, "x": 1}));
        assert_eq!(progress.record_call(&first, &json!({"ok": true}), &LIMITS), None);
        assert_eq!(progress.record_call(&again, &json!({"ok": false}), &LIMITS), None, "another result is progress");
        assert_eq!(progress.record_call(&again, &json!({"ok": true}), &LIMITS), Some(StopReason::LoopDetected));
    }
}
