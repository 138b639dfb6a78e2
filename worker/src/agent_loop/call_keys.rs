//! The name that a tool call carries, by which the tool can tell a repetition from a second wish.

use std::collections::HashMap;

use inference::ToolCall;
use sha2::{Digest, Sha256};
use types::TaskId;

/// Names the calls of one execution: by the task, by what is called with what, and by how often that was called before. So a
/// later execution of the task gives the same call the same name, whatever else its model chooses to do.
pub(crate) struct CallKeys {
    task: TaskId,
    /// Calls made so far, by what they are.
    made: HashMap<String, u32>,
}

impl CallKeys {
    pub(crate) fn new(task: TaskId) -> Self {
        CallKeys { task, made: HashMap::new() }
    }

    /// The name of the call that is made now.
    pub(crate) fn next(&mut self, call: &ToolCall) -> String {
        let what = format!("{} {}", call.name, serde_json::Value::Object(call.arguments.clone()));
        let digest: String = Sha256::digest(what).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let made = self.made.entry(digest.clone()).or_default();
        let key = format!("{}-{digest}-{made}", self.task);
        *made += 1;
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(name: &str, amount: u32) -> ToolCall {
        let arguments = json!({ "amount": amount }).as_object().cloned().unwrap();
        ToolCall { id: "call-1".to_owned(), name: name.to_owned(), arguments }
    }

    fn keys(task: TaskId, calls: &[ToolCall]) -> Vec<String> {
        let mut keys = CallKeys::new(task);
        calls.iter().map(|call| keys.next(call)).collect()
    }

    #[test]
    fn a_later_execution_names_the_same_call_the_same() {
        let task = TaskId::new();
        let first = keys(task, &[call("pay", 5), call("look", 1), call("pay", 7)]);
        assert_eq!(keys(task, &[call("look", 1), call("pay", 7), call("pay", 5)]), [&*first[1], &first[2], &first[0]]);
        assert!(first[0].starts_with(&format!("{task}-")) && first[0].ends_with("-0"), "{first:?}");
    }

    #[test]
    fn what_is_wished_twice_has_two_names() {
        let names = keys(TaskId::new(), &[call("pay", 5), call("pay", 5), call("pay", 6)]);
        assert!(names[0] != names[1] && names[0] != names[2], "{names:?}");
    }

    #[test]
    fn no_other_task_has_the_name() {
        assert_ne!(keys(TaskId::new(), &[call("pay", 5)]), keys(TaskId::new(), &[call("pay", 5)]));
    }
}
