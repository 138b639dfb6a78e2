//! The whole path with the bundled model: form, order and bookkeeping, never what the model makes of a document.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use inference::{ChatModel, EngineConfig, EngineMetrics, Model};
use prometheus::Registry;
use serde_json::{Value, json};
use store::StepKind;
use types::{StopReason, TaskState};

use crate::tool::{Tool, reference};
use crate::world::{Setup, assert_ended, reading, reference_agent, repository, sample, until};

fn pocket() -> ChatModel {
    let model = Model::load(repository().join("models/pocket/pocket.gguf")).unwrap();
    let metrics = EngineMetrics::register(&Registry::new()).unwrap();
    ChatModel::start(model, EngineConfig::default(), metrics).unwrap()
}

async fn assert_idle(model: &ChatModel) {
    let stats = || model.handle().stats();
    until("the engine holds nothing", || stats().kv_tokens_used == 0 && stats().running == 0 && stats().waiting == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_becomes_a_record_of_the_agents_schema() {
    let model = pocket();
    let agent = reference_agent("data-extraction", reference().await);
    let schema = agent.output.schema.clone().unwrap();
    let world = Setup::with(vec![agent], Arc::new(model.clone())).start().await;
    let document = world.upload("inv-001.pdf", sample("examples/invoices/inv-001.pdf")).await;

    let done = world.run(reading("data-extraction", document.clone())).await;

    assert_ended(&done, TaskState::Succeeded, StopReason::Completed);
    let output = done.output.clone().unwrap();
    assert!(jsonschema::is_valid(&schema, &output), "{output}");
    let steps = world.steps(done.id).await;
    let kinds: Vec<StepKind> = steps.iter().map(|step| step.kind).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&StepKind::Model), Some(&StepKind::Model)));
    let tools: Vec<&Value> =
        steps.iter().filter(|step| step.kind == StepKind::Tool).map(|step| &step.summary["tool"]).collect();
    assert_eq!(tools, ["pdf_parser", "schema_validator"]);
    assert_eq!(steps[1].summary["arguments"]["document"], document.as_str());
    let sums =
        steps.iter().fold((0, 0), |(read, wrote), step| (read + step.prompt_tokens, wrote + step.completion_tokens));
    assert_eq!((done.prompt_tokens, done.completion_tokens), sums);
    assert!(steps.iter().filter(|step| step.kind == StepKind::Model).all(|step| step.completion_tokens > 0));
    assert_idle(&model).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_tools_over_many_tasks_leave_nothing_behind() {
    let model = pocket();
    let tool = Tool::refusing(StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut agent = reference_agent("data-extraction", reference().await);
    agent.retry.max_retries = 1;
    agent.retry.initial_delay = Duration::from_millis(1);
    for granted in &mut agent.tools {
        granted.endpoint = tool.endpoint();
    }
    let mut setup = Setup::with(vec![agent], Arc::new(model.clone()));
    (setup.limits.warm, setup.limits.max) = (3, 3);
    let world = setup.start().await;
    let document = world.upload("inv-001.pdf", sample("examples/invoices/inv-001.pdf")).await;
    let tasks = vec![reading("data-extraction", document); 8];

    let accepted = world.store.accept(tasks, &crate::world::actor()).await.unwrap();
    for id in accepted.into_iter().map(|accepted| accepted.unwrap().id) {
        assert_ended(&world.end_of(id).await, TaskState::Dead, StopReason::ToolError);
    }

    assert_eq!(tool.calls().len(), 16);
    assert_idle(&model).await;
    until("no lease is held", || world.leases.count() == 0).await;
    world.metric_is(r#"openclaw_session_context_tokens{agent="data-extraction"}"#, 0.0).await;
    assert!(world.store.conservation().await.unwrap().holds());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_generation_gives_its_keys_and_values_back() {
    let model = pocket();
    let mut agent = reference_agent("document-summarization", reference().await);
    // An answer that takes hundreds of steps: nobody who looks at the engine now and then misses it.
    agent.output.extractive = false;
    let digit = json!({"type": "integer", "minimum": 0, "maximum": 9});
    agent.output.schema = Some(json!({"type": "array", "items": digit, "minItems": 400}));
    agent.guardrails.max_output_tokens = 1500;
    let world = Setup::with(vec![agent], Arc::new(model.clone())).start().await;
    let document = world.upload("inv-001.pdf", sample("examples/invoices/inv-001.pdf")).await;
    let id = world.accept(reading("document-summarization", document)).await;
    until("the engine works on it", || model.handle().stats().running == 1).await;
    world.store.cancel(id, &crate::world::actor()).await.unwrap();
    assert_ended(&world.end_of(id).await, TaskState::Cancelled, StopReason::Cancelled);
    assert_idle(&model).await;
}
