//! Room in the context: what is forgotten first, and what is said when nothing is left to forget.

use std::sync::Arc;

use config::SessionMode;
use inference::Message;
use serde_json::json;
use types::{StopReason, TaskState};

use crate::model::{Scripted, answer, lookup, text_of};
use crate::tool::Tool;
use crate::world::{Setup, agent, assert_ended, assert_says, talker, task};

const ELIDED: &str = "(removed to make room)";

fn results(messages: &[Message]) -> Vec<String> {
    messages.iter().filter(|message| matches!(message, Message::ToolResult { .. })).map(text_of).collect()
}

#[tokio::test]
async fn a_conversation_beyond_the_context_fails_with_both_numbers() {
    let model = Arc::new(Scripted::new([]));
    let mut agent = talker();
    agent.max_context_tokens = 1000;
    let world = Setup::new(agent, &model).start().await;
    let ended = world.run(task(&"x".repeat(1500))).await;
    assert_ended(&ended, TaskState::Failed, StopReason::ContextOverflow);
    assert_says(&ended, &["1509 tokens", "1000 tokens", "max_context_tokens"]);
    assert!(model.requests().is_empty(), "the model is never asked");
}

#[tokio::test]
async fn the_models_own_limit_is_named_when_it_decides() {
    let model = Arc::new(Scripted::of_context(500));
    let mut agent = talker();
    agent.max_context_tokens = 1000;
    let world = Setup::new(agent, &model).start().await;
    let ended = world.run(task(&"x".repeat(600))).await;
    assert_ended(&ended, TaskState::Failed, StopReason::ContextOverflow);
    assert_says(&ended, &["609 tokens", "500 tokens", "the model's limit"]);
}

#[tokio::test]
async fn an_answer_that_the_conversation_left_no_room_for_is_an_overflow_and_not_an_output_limit() {
    let model = Arc::new(Scripted::new([answer(&"y".repeat(100))]));
    let mut agent = talker();
    agent.max_context_tokens = 1000;
    let world = Setup::new(agent, &model).start().await;
    let ended = world.run(task(&"x".repeat(950))).await;
    assert_ended(&ended, TaskState::Failed, StopReason::ContextOverflow);
    assert_says(&ended, &["959 tokens", "41", "1000 tokens"]);
}

#[tokio::test]
async fn inside_a_task_old_tool_results_make_room_and_the_last_one_stays() {
    let tool = Tool::start(|number| ["a", "b", "c"][number].repeat(300)).await;
    let model = Arc::new(Scripted::new([lookup("a"), lookup("b"), lookup("c")]));
    let mut agent = agent(&tool.endpoint());
    agent.max_context_tokens = 1000;
    let world = Setup::new(agent, &model).start().await;
    assert_ended(&world.run(task("Find all.")).await, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(results(&model.messages(2)), ["a".repeat(300), "b".repeat(300)], "600 of 800 fit");
    assert_eq!(results(&model.messages(3)), [ELIDED.to_owned(), "b".repeat(300), "c".repeat(300)]);
}

#[tokio::test]
async fn earlier_tasks_are_forgotten_before_any_tool_result_of_this_one() {
    let tool = Tool::start(|_| "r".repeat(250)).await;
    let model = Arc::new(Scripted::new([answer("first"), lookup("a"), lookup("b"), answer("second"), answer("third")]));
    let mut agent = agent(&tool.endpoint());
    agent.max_context_tokens = 1000;
    agent.session.mode = SessionMode::Worker;
    let world = Setup::new(agent, &model).start().await;
    world.run(task(&"x".repeat(300))).await;
    world.run(task("Find both.")).await;

    assert_eq!(model.messages(1).len(), 4, "instructions, the first task's two messages, the second's question");
    let before_the_answer = model.messages(3);
    assert!(!before_the_answer.iter().any(|message| text_of(message).starts_with('x')), "{before_the_answer:?}");
    assert_eq!(results(&before_the_answer), ["r".repeat(250), "r".repeat(250)]);
    assert_eq!(model.requests()[3].messages[0], Message::System("You help.".to_owned()));
}

#[tokio::test]
async fn the_gauge_shows_the_context_while_a_task_runs_and_nothing_after_it() {
    let model = Arc::new(Scripted::always(crate::model::Turn::Gated("done")));
    let world = Setup::new(talker(), &model).start().await;
    let gauge = r#"openclaw_session_context_tokens{agent="helper"}"#;
    let id = world.accept(task("Hello")).await;
    model.generating(1).await;
    assert_eq!(world.metric(gauge), "You help.Hello".len() as f64);
    model.gate.add_permits(1);
    assert_eq!(world.end_of(id).await.output, Some(json!("done")));
    world.metric_is(gauge, 0.0).await;
}
