//! What goes wrong outside, and what the platform makes of it: retry, fail or dead letter.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use inference::ReplyError;
use serde_json::json;
use store::EventKind;
use types::{StopReason, TaskState, Timestamp};

use crate::model::{Scripted, Turn, answer, lookup};
use crate::tool::{Tool, reference};
use crate::world::{
    Setup, agent, assert_ended, assert_says, manual_clock, reading, reference_agent, sample, talker, task,
};

/// A tool that asks once to be left alone for half a minute is called again after that, and not before.
async fn check_retry_after(status: StatusCode) {
    let tool = Tool::start(move |number| match number {
        0 => Err((status, [(RETRY_AFTER, "30")])),
        _ => Ok("found"),
    })
    .await;
    let model = Arc::new(Scripted::new([lookup("a"), lookup("a")]));
    let before = Timestamp::now();
    let world = Setup { clock: manual_clock(), ..Setup::new(agent(&tool.endpoint()), &model) }.start().await;

    let id = world.accept(task("Find.")).await;
    let scheduled = world.reaches(id, TaskState::Scheduled).await;

    assert!(before.after(Duration::from_secs(30)) <= scheduled.due_at.unwrap(), "{scheduled:?}");
    assert_eq!((scheduled.failures, tool.calls().len()), (1, 1));
    world.clock.advance(Duration::from_secs(40));
    let ended = world.end_of(id).await;
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!((ended.attempt.0, tool.calls().len()), (2, 2));
}

#[tokio::test]
async fn a_busy_tool_is_called_again_and_not_before_it_asked_to_be() {
    check_retry_after(StatusCode::SERVICE_UNAVAILABLE).await;
    check_retry_after(StatusCode::TOO_MANY_REQUESTS).await;
}

#[tokio::test]
async fn a_tool_cannot_put_a_task_off_for_longer_than_an_hour() {
    let tool =
        Tool::start(|_| Err::<&str, _>((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "99999999999999")]))).await;
    let model = Arc::new(Scripted::always(lookup("a")));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;
    let id = world.accept(task("Find.")).await;
    let scheduled = world.reaches(id, TaskState::Scheduled).await;
    let due_at = scheduled.due_at.unwrap();
    let (soon, hour) =
        (Timestamp::now().after(Duration::from_secs(3000)), Timestamp::now().after(Duration::from_secs(3600)));
    assert!(soon < due_at && due_at <= hour, "{scheduled:?}");
}

#[tokio::test]
async fn a_tool_that_keeps_failing_makes_a_dead_letter_when_the_retries_are_spent() {
    let tool = Tool::refusing(StatusCode::INTERNAL_SERVER_ERROR).await;
    let model = Arc::new(Scripted::always(lookup("a")));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;

    let ended = world.run(task("Find.")).await;

    assert_ended(&ended, TaskState::Dead, StopReason::ToolError);
    assert_says(&ended, &["lookup", "500"]);
    assert_eq!((ended.failures, tool.calls().len()), (3, 3), "one execution and two retries");
    assert!(tool.keys().iter().all(|key| *key == tool.keys()[0]), "by its name it is one call: {:?}", tool.keys());
    let retries = world.events(ended.id).await.into_iter().filter(|kind| *kind == EventKind::Retrying).count();
    assert_eq!(retries, 2);
    world.metric_is(r#"openclaw_tool_calls_total{agent="helper",outcome="error",tool="lookup"}"#, 3.0).await;
}

#[tokio::test]
async fn an_unreachable_tool_is_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/lookup", listener.local_addr().unwrap());
    drop(listener);
    let model = Arc::new(Scripted::always(lookup("a")));
    let world = Setup::new(agent(&endpoint), &model).start().await;
    let ended = world.run(task("Find.")).await;
    assert_ended(&ended, TaskState::Dead, StopReason::ToolError);
    assert_eq!(ended.failures, 3);
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_the_operators_to_mend_and_not_retried() {
    let tool = Tool::refusing(StatusCode::NOT_FOUND).await;
    let model = Arc::new(Scripted::always(lookup("a")));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;
    let ended = world.run(task("Find.")).await;
    assert_ended(&ended, TaskState::Dead, StopReason::ToolError);
    assert_says(&ended, &["404", &tool.endpoint()]);
    assert_eq!((ended.attempt.0, tool.calls().len()), (1, 1));
}

#[tokio::test]
async fn a_call_that_would_leave_the_perimeter_is_denied_and_the_task_fails() {
    // TEST-NET-3: an address of the internet that belongs to nobody.
    let model = Arc::new(Scripted::always(lookup("a")));
    let world = Setup::new(agent("http://203.0.113.7/lookup"), &model).start().await;
    let ended = world.run(task("Find.")).await;
    assert_ended(&ended, TaskState::Failed, StopReason::GuardrailDenied);
    assert_says(&ended, &["lookup", "203.0.113.7"]);
    assert_eq!(ended.attempt.0, 1);
}

#[tokio::test]
async fn a_redirect_is_denied_and_not_followed() {
    let target = Tool::willing().await;
    let location = target.endpoint();
    let tool = Tool::start(move |_| (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location.clone())])).await;
    let model = Arc::new(Scripted::always(lookup("a")));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;
    assert_ended(&world.run(task("Find.")).await, TaskState::Failed, StopReason::GuardrailDenied);
    assert!(target.calls().is_empty());
}

#[tokio::test]
async fn an_unusable_document_fails_the_task_with_the_tools_code() {
    let tools = reference().await;
    for (file, code) in [("encrypted", "encrypted"), ("image-only", "no_text")] {
        let model = Arc::new(Scripted::new([]));
        let world = Setup::new(reference_agent("document-summarization", tools), &model).start().await;
        let document = world.upload(&format!("{file}.pdf"), sample(&format!("examples/bad/{file}.pdf"))).await;
        model.push(Turn::Call("pdf_parser", json!({ "document": document })));
        let ended = world.run(reading("document-summarization", document)).await;
        assert_ended(&ended, TaskState::Failed, StopReason::UnusableInput);
        assert_says(&ended, &["pdf_parser", &format!("({code})")]);
        assert_eq!(ended.attempt.0, 1, "the same document fails again");
    }
}

#[tokio::test]
async fn a_document_of_another_task_is_denied() {
    let model = Arc::new(Scripted::new([]));
    let world = Setup::new(reference_agent("document-summarization", reference().await), &model).start().await;
    let mine = world.upload("mine.pdf", sample("examples/invoices/inv-001.pdf")).await;
    let other = world.upload("other.pdf", sample("examples/invoices/inv-002.pdf")).await;
    model.push(Turn::Call("pdf_parser", json!({ "document": other })));
    let ended = world.run(reading("document-summarization", mine)).await;
    assert_ended(&ended, TaskState::Failed, StopReason::GuardrailDenied);
    assert_says(&ended, &[other.as_str(), "not a document of this task"]);
}

#[tokio::test]
async fn a_task_for_an_agent_that_is_not_installed_becomes_a_dead_letter_that_says_so() {
    let model = Arc::new(Scripted::new([]));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(store::NewTask { agent: "nobody".parse().unwrap(), ..task("Hello") }).await;
    assert_ended(&ended, TaskState::Dead, StopReason::UnusableInput);
    assert_says(&ended, &["nobody", "talon task retry"]);
}

#[tokio::test]
async fn a_model_that_failed_is_asked_again() {
    let failures = ["a step failed", "another step failed"].map(|why| ReplyError::Failed(why.to_owned()));
    let model = Arc::new(Scripted::new(failures.map(Turn::Fail)));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(task("Hello")).await;
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!((ended.failures, ended.attempt.0), (2, 3));
}

#[tokio::test]
async fn an_overloaded_engine_costs_the_task_no_retry() {
    let model = Arc::new(Scripted::new([Turn::Fail(ReplyError::Overloaded { waiting: 9 })]));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(store::NewTask { max_retries: Some(0), ..task("Hello") }).await;
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!((ended.failures, ended.attempt.0), (0, 2));
    let errors: Vec<_> = world.steps(ended.id).await.into_iter().map(|step| step.summary).collect();
    assert_eq!(errors[0], json!({"error": "the engine is overloaded (9 requests wait); try again later"}));
}

#[tokio::test]
async fn a_schema_that_cannot_be_enforced_is_the_operators_to_mend() {
    let model = Arc::new(Scripted::new([Turn::Fail(ReplyError::BadSchema("no such thing".to_owned()))]));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(task("Hello")).await;
    assert_ended(&ended, TaskState::Dead, StopReason::ModelError);
    assert_says(&ended, &["no such thing"]);
    assert_eq!(ended.attempt.0, 1);
}

#[tokio::test]
async fn a_prompt_that_the_model_refuses_as_too_long_fails_with_both_numbers() {
    let model = Arc::new(Scripted::new([Turn::Fail(ReplyError::TooLong { tokens: 3000, max: 2047 })]));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(task("Hello")).await;
    assert_ended(&ended, TaskState::Failed, StopReason::ContextOverflow);
    assert_says(&ended, &["3000", "2047"]);
}

#[tokio::test]
async fn an_operator_who_requeues_a_dead_letter_gets_it_done() {
    let failed = || Turn::Fail(ReplyError::BadSchema("not yet".to_owned()));
    let model = Arc::new(Scripted::new([failed(), answer("now")]));
    let world = Setup::new(talker(), &model).start().await;
    let dead = world.run(task("Hello")).await;
    world.store.requeue(dead.id, &store::Edit::default(), &crate::world::actor()).await.unwrap();
    assert_eq!(world.reaches(dead.id, TaskState::Succeeded).await.output, Some(json!("now")));
}
