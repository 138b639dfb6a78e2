//! What a task comes to when nothing goes wrong.

use std::sync::Arc;

use serde_json::json;
use store::{EventKind, StepKind};
use types::{StopReason, TaskState};

use crate::model::{Scripted, answer, lookup};
use crate::tool::{Tool, reference};
use crate::world::{Setup, agent, assert_ended, reference_agent, talker, task};

#[tokio::test]
async fn a_task_goes_from_acceptance_to_its_answer_with_every_step_recorded() {
    let tool = Tool::willing().await;
    let model = Arc::new(Scripted::new([lookup("rust"), answer("Found it.")]));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;

    let done = world.run(task("Find rust.")).await;

    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(done.output, Some(json!("Found it.")));
    assert_eq!(tool.calls(), [json!({"query": "rust"})]);
    let steps = world.steps(done.id).await;
    assert_eq!(
        steps.iter().map(|step| step.kind).collect::<Vec<_>>(),
        [StepKind::Model, StepKind::Tool, StepKind::Model]
    );
    assert_eq!(steps[1].summary["tool"], json!("lookup"));
    assert_eq!(steps[1].summary["arguments"], json!({"query": "rust"}));
    assert_eq!(steps[1].summary["result"], json!(r#"{"found":0}"#));
    assert_eq!(steps[2].summary["answer"], json!("Found it."));
    // Instructions, input, arguments and result, by the script's measure of one token a character.
    let first = "You help.Find rust.".len() as u64;
    let second = first + r#"{"query":"rust"}{"found":0}"#.len() as u64;
    assert_eq!((done.prompt_tokens, done.completion_tokens), (first + second, 10 + "Found it.".len() as u64));
    let kinds = world.events(done.id).await;
    assert_eq!(kinds.first(), Some(&EventKind::Accepted));
    assert_eq!(kinds.last(), Some(&EventKind::Succeeded));
    assert!(world.store.conservation().await.unwrap().holds());
}

#[tokio::test]
async fn the_platform_adds_the_derived_fields_to_an_answer_by_schema() {
    let rated = |severity: &str| json!({"severity": severity, "area": "docs"}).to_string();
    let model = Arc::new(Scripted::new([answer(&rated("high")), answer(&rated("low"))]));
    let agent = reference_agent("code-review-triage", reference().await);
    let schema = agent.output.schema.clone();
    let world = Setup::new(agent, &model).start().await;
    let rate = || store::NewTask { agent: "code-review-triage".parse().unwrap(), ..task("Rate this.") };

    assert_eq!(world.run(rate()).await.output, Some(json!({"severity": "high", "area": "docs", "needs_human": true})));
    assert_eq!(world.run(rate()).await.output, Some(json!({"severity": "low", "area": "docs", "needs_human": false})));
    assert_eq!(
        model.requests()[0].answer,
        schema.as_ref().into(),
        "the model is held to the schema without the derived fields"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_the_models_failure_and_tried_again() {
    let fine = json!({"severity": "low", "area": "docs"}).to_string();
    let model = Arc::new(Scripted::new([answer("It is fine."), answer(&fine)]));
    let mut agent = reference_agent("code-review-triage", reference().await);
    agent.retry.initial_delay = std::time::Duration::from_millis(1);
    let world = Setup::new(agent, &model).start().await;
    let done = world.run(store::NewTask { agent: "code-review-triage".parse().unwrap(), ..task("Rate this.") }).await;
    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(done.failures, 1);
}

#[tokio::test]
async fn executions_are_counted_by_how_they_ended_and_timed() {
    let failed = crate::model::Turn::Fail(inference::ReplyError::Failed("a step failed".to_owned()));
    let model = Arc::new(Scripted::new([failed]));
    let world = Setup::new(talker(), &model).start().await;
    world.run(task("Hello")).await;
    world.metric_is(r#"openclaw_agent_tasks_total{agent="helper",status="succeeded"}"#, 1.0).await;
    assert_eq!(world.metric(r#"openclaw_agent_tasks_total{agent="helper",status="retried"}"#), 1.0);
    assert_eq!(world.metric(r#"openclaw_task_wait_seconds_count{class="normal"}"#), 2.0);
    assert_eq!(world.metric(r#"openclaw_agent_errors_total{agent="helper",reason="model_error"}"#), 1.0);
    assert_eq!(world.metric(r#"openclaw_agent_latency_seconds_count{agent="helper"}"#), 2.0);
}

#[tokio::test]
async fn names_that_callers_or_models_make_up_never_become_labels() {
    let made_up = crate::model::Turn::Call("made_up", json!({}));
    let model = Arc::new(Scripted::new([made_up]));
    let world = Setup::new(talker(), &model).start().await;
    world.run(task("Hello")).await;
    world.run(store::NewTask { agent: "nobody".parse().unwrap(), ..task("Hello") }).await;
    world.metric_is(r#"openclaw_agent_tasks_total{agent="unknown",status="dead"}"#, 1.0).await;
    let samples = world.samples();
    assert!(samples.iter().any(|(name, _)| name.contains(r#"tool="unknown""#)), "{samples:?}");
    for (name, _) in &samples {
        assert!(!name.contains("made_up") && !name.contains("nobody"), "{name}");
    }
}
