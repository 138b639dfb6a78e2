//! Completion messages.

use std::time::Duration;

use store::{Edit, Ending, NewTask, Pruned, Retention, Webhook, WebhookState};
use types::{TaskId, WebhookId};

use crate::world::{LEASE, Limits, SECOND, World, actor, complete, failure, new_task, retry};

fn calling_back() -> NewTask {
    NewTask { callback_url: Some("https://hooks.example/x?a=1".to_owned()), ..new_task() }
}

/// A task with a callback that has ended, and its message.
async fn ended(world: &World) -> (TaskId, Webhook) {
    let task = world.accept(calling_back()).await.id;
    let fence = world.open(task).await;
    world.end(fence, complete()).await;
    (task, due(world).await.remove(0))
}

async fn due(world: &World) -> Vec<Webhook> {
    world.store.webhooks_due(10).await.unwrap()
}

pub async fn a_task_that_ends_leaves_one_message(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (task, message) = ended(&world).await;
    let expected = Webhook {
        id: message.id.clone(),
        task,
        team: "sales".parse().unwrap(),
        url: "https://hooks.example/x?a=1".to_owned(),
        state: WebhookState::Pending,
        attempts: 0,
        next_at: Some(world.now()),
        error: None,
        created_at: world.now(),
    };
    assert_eq!(message, expected);
    assert_eq!(due(&world).await, [expected]);
}

pub async fn every_end_leaves_a_message_and_nothing_else_does(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits { max_losses: 0, ..Limits::default() }).await;
    for ending in [retry(), Ending::Release] {
        let task = world.accept(calling_back()).await.id;
        let fence = world.open(task).await;
        world.end(fence, ending).await;
    }
    let without = world.held().await;
    world.end(without, complete()).await;
    assert!(due(&world).await.is_empty());
    let mut expected = Vec::new();
    for ending in [complete(), Ending::Fail(failure()), Ending::Cancelled, Ending::Bury(failure())] {
        let task = world.accept(calling_back()).await.id;
        let fence = world.open(task).await;
        world.end(fence, ending).await;
        expected.push(task);
    }
    let cancelled = world.accept(calling_back()).await.id;
    world.store.cancel(cancelled, &actor()).await.unwrap();
    let late = world.accept(NewTask { deadline_at: Some(world.now().after(SECOND)), ..calling_back() }).await.id;
    let poison = world.accept(calling_back()).await.id;
    world.open(poison).await;
    world.pass(LEASE).await;
    expected.extend([cancelled, late, poison]);
    let mut told: Vec<TaskId> = due(&world).await.into_iter().map(|message| message.task).collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

pub async fn a_delivered_message_is_not_due_again(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (_, message) = ended(&world).await;
    world.store.webhook_delivered(&message.id).await.unwrap();
    // What another process says of it later changes nothing.
    world.store.webhook_failed(&message.id, "late", Some(Duration::ZERO)).await.unwrap();
    assert!(due(&world).await.is_empty());
    let listed = world.store.webhooks(&message.team, None, 10).await.unwrap();
    assert_eq!(listed, [Webhook { state: WebhookState::Delivered, next_at: None, ..message }]);
}

pub async fn a_failed_message_is_due_at_its_time_and_dead_without_one(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (_, message) = ended(&world).await;
    world.store.webhook_failed(&message.id, "503", Some(SECOND)).await.unwrap();
    assert!(due(&world).await.is_empty());
    world.clock.advance(SECOND);
    let again = due(&world).await.remove(0);
    assert_eq!((again.attempts, again.error.as_deref()), (1, Some("503")));
    world.store.webhook_failed(&message.id, "410", None).await.unwrap();
    world.store.webhook_failed(&message.id, "404", None).await.unwrap();
    assert!(due(&world).await.is_empty());
    let given_up = world.audit_actions().await.iter().filter(|action| *action == "webhook.give_up").count();
    assert_eq!(given_up, 1, "what is dead stays as it is");
    let dead = world.store.webhooks(&message.team, Some(WebhookState::Dead), 10).await.unwrap().remove(0);
    assert_eq!(
        (dead.state, dead.attempts, dead.next_at, dead.error.as_deref()),
        (WebhookState::Dead, 2, None, Some("410"))
    );
}

pub async fn a_dead_message_can_be_sent_again_by_its_team(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (_, message) = ended(&world).await;
    let retried = async |team: &str, id: &WebhookId| {
        world.store.retry_webhook(&team.parse().unwrap(), id, &actor()).await.unwrap()
    };
    assert!(!retried("sales", &message.id).await, "it is pending");
    world.store.webhook_failed(&message.id, "410", None).await.unwrap();
    assert!(!retried("legal", &message.id).await);
    assert!(!retried("sales", &WebhookId::random()).await);
    assert!(retried("sales", &message.id).await);
    let again = due(&world).await.remove(0);
    assert_eq!((again.id, again.attempts), (message.id, 0));
    assert_eq!(world.audit_actions().await.last().unwrap(), "webhook.retry");
}

pub async fn a_team_sees_its_own_messages_newest_first(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (first, message) = ended(&world).await;
    world.store.webhook_delivered(&message.id).await.unwrap();
    world.clock.advance(SECOND);
    let (second, _) = ended(&world).await;
    let listed = async |team: &str, state, limit| {
        let listed = world.store.webhooks(&team.parse().unwrap(), state, limit).await.unwrap();
        listed.into_iter().map(|message| message.task).collect::<Vec<_>>()
    };
    assert_eq!(listed("sales", None, 10).await, [second, first]);
    assert_eq!(listed("sales", None, 1).await, [second]);
    assert_eq!(listed("sales", Some(WebhookState::Pending), 10).await, [second]);
    assert_eq!(listed("sales", Some(WebhookState::Dead), 10).await, []);
    assert_eq!(listed("legal", None, 10).await, []);
}

pub async fn nobody_is_told_of_an_end_that_was_taken_back(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.accept(calling_back()).await.id;
    let fence = world.open(task).await;
    world.end(fence, Ending::Bury(failure())).await;
    let untold = due(&world).await.remove(0);
    world.store.requeue(task, &Edit::default(), &actor()).await.unwrap();
    assert!(due(&world).await.is_empty());
    // Who was about to send it.
    world.store.webhook_failed(&untold.id, "503", Some(Duration::ZERO)).await.unwrap();
    let fence = world.open(task).await;
    world.end(fence, complete()).await;
    let told = due(&world).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_ne!(told[0].id, untold.id);
}

pub async fn a_message_on_its_way_keeps_its_task(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (_, message) = ended(&world).await;
    let at_once = Retention { succeeded: Some(Duration::ZERO), ..Retention::default() };
    assert_eq!(world.store.prune(&at_once, 10).await.unwrap(), Pruned::default());
    world.store.webhook_delivered(&message.id).await.unwrap();
    assert_eq!(world.store.prune(&at_once, 10).await.unwrap().tasks, 1);
    assert!(world.store.webhooks(&message.team, None, 10).await.unwrap().is_empty());
}
