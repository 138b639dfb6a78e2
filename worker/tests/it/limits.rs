//! Limits end a task as failed and never as a success.

use std::sync::Arc;
use std::time::{Duration, Instant};

use inference::ToolChoice;
use serde_json::json;
use types::{StopReason, TaskState, Timestamp};

use crate::model::{Scripted, Turn, answer, lookup};
use crate::tool::Tool;
use crate::world::{Setup, agent, assert_ended, assert_says, talker, task};

#[tokio::test]
async fn the_last_turn_forbids_tools_and_a_model_that_insists_is_stopped_at_the_step_limit() {
    let tool = Tool::willing().await;
    let model = Arc::new(Scripted::always(lookup("more")));
    let mut agent = agent(&tool.endpoint());
    agent.guardrails.max_steps = 3;
    let world = Setup::new(agent, &model).start().await;

    let ended = world.run(task("Go on.")).await;

    assert_ended(&ended, TaskState::Failed, StopReason::StepLimit);
    let choices: Vec<ToolChoice> = model.requests().iter().map(|request| request.tool_choice).collect();
    assert_eq!(choices, [ToolChoice::Auto, ToolChoice::Auto, ToolChoice::None]);
    assert_eq!(tool.calls().len(), 2);
}

#[tokio::test]
async fn spent_tool_calls_forbid_tools_and_a_model_that_insists_is_stopped_at_the_tool_limit() {
    let tool = Tool::willing().await;
    let model = Arc::new(Scripted::always(lookup("more")));
    let mut agent = agent(&tool.endpoint());
    agent.guardrails.max_tool_calls_per_task = 2;
    let world = Setup::new(agent, &model).start().await;

    let ended = world.run(task("Go on.")).await;

    assert_ended(&ended, TaskState::Failed, StopReason::ToolLimit);
    assert_eq!(tool.calls().len(), 2, "the third call is never made");
}

#[tokio::test]
async fn the_same_call_with_the_same_result_over_and_over_is_a_loop() {
    let tool = Tool::start(|_| "nothing new").await;
    let model = Arc::new(Scripted::always(lookup("again")));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;
    let ended = world.run(task("Go on.")).await;
    assert_ended(&ended, TaskState::Failed, StopReason::LoopDetected);
    assert_eq!(tool.calls().len(), 4);
}

#[tokio::test]
async fn an_execution_beyond_the_agents_timeout_fails_with_timeout_and_its_generation_is_dropped() {
    let model = Arc::new(Scripted::always(Turn::Gated("late")));
    let mut agent = talker();
    agent.timeout = Duration::from_millis(150);
    let world = Setup::new(agent, &model).start().await;
    let ended = world.run(task("Hurry.")).await;
    assert_ended(&ended, TaskState::Failed, StopReason::Timeout);
    assert_says(&ended, &["helper", "0.1", "timeout_seconds"]);
    model.generating(0).await;
}

#[tokio::test]
async fn the_engine_is_given_the_request_timeout_and_cannot_mistake_the_executions_end_for_its_own() {
    let model = Arc::new(Scripted::always(Turn::UntilDeadline));
    let mut agent = talker();
    agent.timeout = Duration::from_millis(150);
    let world = Setup::new(agent, &model).start().await;
    let begun = Instant::now();
    let ended = world.run(task("Hurry.")).await;
    assert_ended(&ended, TaskState::Failed, StopReason::Timeout);
    assert!(begun + Duration::from_secs(30) <= model.requests()[0].deadline.unwrap());
}

#[tokio::test]
async fn a_generation_beyond_the_request_timeout_is_tried_again() {
    let model = Arc::new(Scripted::new([Turn::UntilDeadline]));
    let mut setup = Setup::new(talker(), &model);
    setup.settings.request_timeout = Duration::from_millis(50);
    let world = setup.start().await;
    let ended = world.run(task("Hurry.")).await;
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(ended.failures, 1);
}

#[tokio::test]
async fn an_execution_beyond_the_tasks_deadline_fails_with_timeout() {
    let model = Arc::new(Scripted::always(Turn::Gated("late")));
    let world = Setup::new(talker(), &model).start().await;
    let deadline_at = Some(Timestamp::now().after(Duration::from_millis(600)));
    let ended = world.run(store::NewTask { deadline_at, ..task("Hurry.") }).await;
    assert_ended(&ended, TaskState::Failed, StopReason::Timeout);
    assert_says(&ended, &["deadline"]);
}

#[tokio::test]
async fn a_tool_that_outlasts_the_execution_is_the_executions_timeout() {
    let hang = async || std::future::pending::<()>().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/lookup", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/lookup", axum::routing::post(hang));
    tokio::spawn(axum::serve(listener, router).into_future());
    let model = Arc::new(Scripted::new([lookup("slow")]));
    let mut agent = agent(&endpoint);
    agent.timeout = Duration::from_millis(200);
    let world = Setup::new(agent, &model).start().await;
    assert_ended(&world.run(task("Hurry.")).await, TaskState::Failed, StopReason::Timeout);
}

#[tokio::test]
async fn an_answer_beyond_the_output_limit_fails_and_its_tokens_are_counted() {
    let model = Arc::new(Scripted::new([answer(&"x".repeat(100))]));
    let mut agent = talker();
    agent.guardrails.max_output_tokens = 50;
    let world = Setup::new(agent, &model).start().await;
    let ended = world.run(task("Write.")).await;
    assert_ended(&ended, TaskState::Failed, StopReason::OutputLimit);
    assert_says(&ended, &["50 tokens", "max_output_tokens"]);
    assert_eq!((ended.prompt_tokens, ended.completion_tokens), ("You help.Write.".len() as u64, 50));
}

#[tokio::test]
async fn a_retry_limit_of_the_task_replaces_the_agents() {
    let model = Arc::new(Scripted::always(Turn::Fail(inference::ReplyError::Failed("no".to_owned()))));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(store::NewTask { max_retries: Some(0), ..task("Try.") }).await;
    assert_ended(&ended, TaskState::Dead, StopReason::ModelError);
    assert_eq!((ended.failures, ended.attempt.0), (1, 1));
}

#[tokio::test]
async fn bad_arguments_are_told_to_the_model_which_can_mend_them() {
    let tool = Tool::start(|number| {
        let refusal = axum::Json(json!({"code": "bad_arguments", "detail": "query must not be empty"}));
        match number {
            0 => Err((axum::http::StatusCode::BAD_REQUEST, refusal)),
            _ => Ok("found"),
        }
    })
    .await;
    let model = Arc::new(Scripted::new([lookup(""), lookup("rust")]));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;
    assert_ended(&world.run(task("Find.")).await, TaskState::Succeeded, StopReason::Completed);
    let told = model.messages(1).last().cloned().unwrap();
    assert_eq!(crate::model::text_of(&told), json!({"error": "query must not be empty"}).to_string());
}
