//! Strings that are to be copied, from a model that nothing holds to it while it writes.

use std::sync::Arc;

use axum::Json;
use config::AgentSpec;
use serde_json::json;
use types::{StopReason, TaskState};

use crate::model::{Scripted, answer, lookup, text_of};
use crate::tool::Tool;
use crate::world::{Setup, agent, assert_ended, assert_says, task};

/// Its tool's query and its answer's name are to be copied.
fn copyist(tool: &Tool) -> AgentSpec {
    let copied = json!({"type": "string", "format": "verbatim"});
    let mut agent = agent(&tool.endpoint());
    agent.tools[0].parameters["properties"]["query"] = copied.clone();
    agent.output.schema = Some(json!({"type": "object", "properties": {"name": copied}, "required": ["name"]}));
    agent
}

async fn knowing(text: &'static str) -> Tool {
    Tool::start(move |_| Json(json!({ "text": text }))).await
}

#[tokio::test]
async fn a_copy_from_the_input_or_from_a_result_is_taken() {
    let tool = knowing("Sold by Swift & Sons.").await;
    let model = Arc::new(Scripted::new([lookup("F-1378"), answer(r#"{"name": "Swift & Sons"}"#)]));
    let world = Setup::new(copyist(&tool), &model).start().await;

    let done = world.run(task("Who sold no. F-1378?")).await;

    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(done.output, Some(json!({"name": "Swift & Sons"})));
    let requests = model.requests();
    assert!(!requests[0].material.has("Swift") && requests[1].material.has("Swift"));
    assert_eq!(requests[0].callable[0].parameters["properties"]["query"]["format"], "verbatim");
}

#[tokio::test]
async fn an_invented_argument_is_told_to_the_model_and_never_sent() {
    let tool = knowing("nothing").await;
    let model = Arc::new(Scripted::new([lookup("F-1379"), lookup("F-1378"), answer(r#"{"name": "sold"}"#)]));
    let world = Setup::new(copyist(&tool), &model).start().await;

    let done = world.run(task("Who sold F-1378?")).await;

    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(tool.calls(), [json!({"query": "F-1378"})]);
    let told = text_of(model.messages(1).last().unwrap());
    assert!(told.contains(r#"\"F-1379\" at /query does not stand so"#), "{told}");
    assert!(!model.requests()[1].material.has("F-1379"), "what the model made up is no material");
}

#[tokio::test]
async fn an_invented_answer_is_the_models_failure() {
    let tool = knowing("nothing").await;
    let model = Arc::new(Scripted::always(answer(r#"{"name": "Swret"}"#)));
    let world = Setup::new(copyist(&tool), &model).start().await;

    let done = world.run(task("Sold by Swift.")).await;

    assert_ended(&done, TaskState::Dead, StopReason::ModelError);
    assert_says(&done, &["is not copied where it must be", r#""Swret" at /name does not stand so"#]);
    assert_eq!(done.failures, 3);
}
