//! Answers that are to be extracts, from a model that nothing holds to it while it writes.

use std::sync::Arc;

use axum::Json;
use config::AgentSpec;
use inference::AnswerForm;
use serde_json::json;
use types::{StopReason, TaskState};

use crate::model::{Scripted, answer, lookup};
use crate::tool::Tool;
use crate::world::{Setup, agent, assert_ended, assert_says, task};

async fn knowing(text: &'static str) -> Tool {
    Tool::start(move |_| Json(json!({ "text": text }))).await
}

fn summarizer(tool: &Tool) -> AgentSpec {
    let mut agent = agent(&tool.endpoint());
    agent.output.extractive = true;
    agent
}

#[tokio::test]
async fn an_extract_of_what_a_tool_found_is_taken() {
    let tool = knowing("Our move\n\nHi all,\nwe move to Bonn. It rains. We pay €5.").await;
    let text = "Our move\n- Hi all, we move to Bonn.\n- We pay €5.";
    let model = Arc::new(Scripted::new([lookup("move"), answer(text)]));
    let world = Setup::new(summarizer(&tool), &model).start().await;

    let done = world.run(task("Sum it up.")).await;

    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(done.output, Some(json!(text)));
    assert_eq!(model.requests()[0].answer, AnswerForm::Extract);
}

#[tokio::test]
async fn any_other_answer_is_the_models_failure() {
    let tool = knowing("nothing").await;
    let model = Arc::new(Scripted::always(answer("Our move\n- We move to Bern.")));
    let world = Setup::new(summarizer(&tool), &model).start().await;

    let done = world.run(task("Our move\nWe move to Bonn.")).await;

    assert_ended(&done, TaskState::Dead, StopReason::ModelError);
    assert_says(&done, &["is no extract", r#"the line "- We move to Bern." is not"#]);
    assert_eq!(done.failures, 3);
}
