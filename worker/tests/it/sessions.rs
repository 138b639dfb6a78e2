//! What a worker carries from task to task, and when it is thrown away.

use std::sync::Arc;
use std::time::Duration;

use config::{AgentSpec, SessionMode};
use inference::{Message, ReplyError};
use types::{StopReason, TaskState};

use crate::model::{Model, Scripted, Turn, answer};
use crate::world::{Setup, assert_ended, talker, task, until};

const GAUGE: &str = r#"openclaw_session_context_tokens{agent="helper"}"#;

fn keeper() -> AgentSpec {
    let mut agent = talker();
    agent.session.mode = SessionMode::Worker;
    agent
}

fn resets(reason: &str) -> String {
    format!(r#"openclaw_session_resets_total{{agent="helper",reason="{reason}"}}"#)
}

/// Messages of earlier tasks in the nth request: all but the instructions and the question.
fn carried(model: &Model, request: usize) -> usize {
    model.messages(request).len() - 2
}

#[tokio::test]
async fn mode_task_forgets_the_messages_of_a_task_with_its_end() {
    let model = Arc::new(Scripted::new([]));
    let world = Setup::new(talker(), &model).start().await;
    world.run(task("First")).await;
    world.run(task("Second")).await;
    let question = Message::User("Second".to_owned());
    assert_eq!(model.messages(1), [Message::System("You help.".to_owned()), question]);
    world.metric_is(GAUGE, 0.0).await;
}

#[tokio::test]
async fn mode_worker_keeps_questions_and_answers() {
    let model = Arc::new(Scripted::new([answer("one")]));
    let world = Setup::new(keeper(), &model).start().await;
    world.run(task("First")).await;
    world.run(task("Second")).await;
    let expected = [
        Message::System("You help.".to_owned()),
        Message::User("First".to_owned()),
        Message::Assistant("one".to_owned()),
        Message::User("Second".to_owned()),
    ];
    assert_eq!(model.messages(1), expected);
    world.metric_is(GAUGE, "You help.FirstoneSeconddone".len() as f64).await;
}

#[tokio::test]
async fn a_session_is_reset_before_the_task_that_would_pass_four_fifths_of_the_context() {
    let model = Arc::new(Scripted::new([]));
    let mut agent = keeper();
    agent.max_context_tokens = 1000;
    let world = Setup::new(agent, &model).start().await;
    let question = "x".repeat(300);
    for _ in 0..3 {
        assert_ended(&world.run(task(&question)).await, TaskState::Succeeded, StopReason::Completed);
    }
    // 313 after the first and 617 after the second: a third would make it more than 800.
    assert_eq!([carried(&model, 0), carried(&model, 1), carried(&model, 2)], [0, 2, 0]);
    assert_eq!(world.metric(&resets("context")), 1.0);
}

#[tokio::test]
async fn a_session_is_reset_after_its_tasks_up_to_a_fifth_early() {
    let model = Arc::new(Scripted::new([]));
    let mut setup = Setup::new(keeper(), &model);
    setup.settings.session_max_tasks = 10;
    let world = setup.start().await;
    for _ in 0..11 {
        world.run(task("Hello")).await;
    }
    let fresh: Vec<usize> = (1..11).filter(|request| carried(&model, *request) == 0).collect();
    assert_eq!(fresh.len(), 1, "{fresh:?}");
    assert!((8..=10).contains(&fresh[0]), "{fresh:?}");
    assert_eq!(world.metric(&resets("max_tasks")), 1.0);
}

#[tokio::test]
async fn a_task_without_an_answer_resets_the_session() {
    let failure = ReplyError::TooLong { tokens: 2, max: 1 };
    let model = Arc::new(Scripted::new([answer("one"), Turn::Fail(failure)]));
    let world = Setup::new(keeper(), &model).start().await;
    for question in ["First", "Second", "Third"] {
        world.run(task(question)).await;
    }
    assert_eq!([carried(&model, 1), carried(&model, 2)], [2, 0]);
    assert_eq!(world.metric(&resets("error")), 1.0);
}

#[tokio::test]
async fn an_idle_session_is_thrown_away_while_its_worker_waits() {
    let model = Arc::new(Scripted::new([]));
    let mut setup = Setup::new(keeper(), &model);
    setup.settings.idle_timeout = Duration::from_millis(200);
    let world = setup.start().await;
    world.run(task("First")).await;
    until("the session is kept", || world.metric(GAUGE) > 0.0).await;
    world.metric_is(&resets("idle"), 1.0).await;
    assert_eq!(world.metric(GAUGE), 0.0);
    world.run(task("Second")).await;
    assert_eq!(carried(&model, 1), 0);
}

#[tokio::test]
async fn sessions_end_with_the_pool() {
    let model = Arc::new(Scripted::new([]));
    let world = Setup::new(keeper(), &model).start().await;
    world.run(task("First")).await;
    until("the session is kept", || world.metric(GAUGE) > 0.0).await;
    world.stop.cancel();
    world.metric_is(GAUGE, 0.0).await;
}
