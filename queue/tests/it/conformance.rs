//! The contract of [`Queue`], as claims about any implementation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use task_queue::{ClassOrder, Classes, Queue, QueueError};
use tokio::task::JoinSet;
use tokio::time::timeout;
use types::TaskClass::{Batch, Interactive, Normal};
use types::{ProcessId, TaskClass, TaskId, WorkerId};

/// A queue that is empty.
pub struct Subject {
    pub queue: Arc<dyn Queue>,
    pub world: Box<dyn World>,
}

/// What a queue lives in.
#[async_trait]
pub trait World: Send + Sync {
    /// Lets the visibility timeout pass for everything that is delivered.
    async fn age(&self);
}

/// Longer than anything takes that comes.
const SOON: Duration = Duration::from_secs(30);

/// Gives every claim to a macro that makes a test of each.
macro_rules! every_claim {
    ($keeps:ident) => {
        $keeps! {
            ids_of_a_class_come_in_the_order_they_were_pushed,
            a_delivery_names_its_class,
            a_waiting_id_waits_once_however_often_it_is_pushed,
            an_id_waits_once_however_often_it_is_in_one_push,
            a_delivered_id_is_not_pushed_again,
            an_acknowledged_id_can_be_pushed_again,
            an_unacknowledged_id_is_handed_out_again,
            a_worker_that_waits_already_gets_what_another_forgot,
            a_late_acknowledgement_does_not_forget_the_later_delivery,
            a_take_that_is_given_up_loses_nothing,
            every_id_reaches_exactly_one_of_many_workers,
            a_slot_kept_for_interactive_work_takes_nothing_else,
            holds_tells_what_waits_and_what_is_delivered,
            no_class_starves_under_a_flood_of_a_more_urgent_one,
            urgent_classes_get_the_larger_share,
            the_depth_counts_what_waits_and_what_is_delivered,
            closing_ends_every_take_and_push_now_and_later,
        }
    };
}
pub(crate) use every_claim;

fn worker(slot: u32) -> WorkerId {
    WorkerId { process: ProcessId::new(), slot }
}

impl Subject {
    async fn push(&self, class: TaskClass) -> TaskId {
        let task = TaskId::new();
        self.queue.push(&[(task, class)]).await.unwrap();
        task
    }

    async fn take(&self) -> task_queue::Delivery {
        self.queue.take(&worker(0), Classes::All).await.unwrap()
    }

    async fn take_and_acknowledge(&self) -> TaskId {
        let delivery = self.take().await;
        let task = delivery.task();
        self.queue.acknowledge(delivery).await.unwrap();
        task
    }

    async fn is_empty(&self) -> bool {
        self.queue.depth().await.unwrap().waiting() == 0
    }
}

pub async fn ids_of_a_class_come_in_the_order_they_were_pushed(subject: Subject) {
    let pushed = [subject.push(Normal).await, subject.push(Normal).await, subject.push(Normal).await];
    for expected in pushed {
        assert_eq!(subject.take_and_acknowledge().await, expected);
    }
}

pub async fn a_delivery_names_its_class(subject: Subject) {
    subject.push(Batch).await;
    assert_eq!(subject.take().await.class(), Batch);
}

pub async fn a_waiting_id_waits_once_however_often_it_is_pushed(subject: Subject) {
    let task = subject.push(Normal).await;
    subject.queue.push(&[(task, Normal)]).await.unwrap();
    assert_eq!(subject.queue.depth().await.unwrap().waiting(), 1);
    assert_eq!(subject.take_and_acknowledge().await, task);
    assert!(subject.is_empty().await);
}

pub async fn an_id_waits_once_however_often_it_is_in_one_push(subject: Subject) {
    let (task, other) = (TaskId::new(), TaskId::new());
    subject.queue.push(&[(task, Normal), (other, Normal), (task, Batch)]).await.unwrap();
    assert_eq!(subject.queue.depth().await.unwrap().waiting, [0, 2, 0]);
    assert_eq!([subject.take_and_acknowledge().await, subject.take_and_acknowledge().await], [task, other]);
}

pub async fn a_delivered_id_is_not_pushed_again(subject: Subject) {
    let task = subject.push(Normal).await;
    let delivery = subject.take().await;
    subject.queue.push(&[(task, Normal)]).await.unwrap();
    assert!(subject.is_empty().await);
    subject.queue.acknowledge(delivery).await.unwrap();
}

pub async fn an_acknowledged_id_can_be_pushed_again(subject: Subject) {
    let task = subject.push(Normal).await;
    subject.take_and_acknowledge().await;
    subject.queue.push(&[(task, Normal)]).await.unwrap();
    assert_eq!(subject.take_and_acknowledge().await, task);
}

pub async fn an_unacknowledged_id_is_handed_out_again(subject: Subject) {
    let task = subject.push(Normal).await;
    let _forgotten = subject.take().await;
    assert!(subject.is_empty().await);
    subject.world.age().await;
    assert_eq!(subject.take_and_acknowledge().await, task);
}

pub async fn a_worker_that_waits_already_gets_what_another_forgot(subject: Subject) {
    let waiting = {
        let queue = Arc::clone(&subject.queue);
        tokio::spawn(async move { queue.take(&worker(1), Classes::All).await.unwrap().task() })
    };
    // The first of the two is served first; the other keeps waiting.
    let second = {
        let queue = Arc::clone(&subject.queue);
        tokio::spawn(async move { queue.take(&worker(2), Classes::All).await.unwrap().task() })
    };
    let task = subject.push(Normal).await;
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap(), task);
    subject.world.age().await;
    assert_eq!(timeout(SOON, second).await.unwrap().unwrap(), task);
}

pub async fn a_late_acknowledgement_does_not_forget_the_later_delivery(subject: Subject) {
    let task = subject.push(Normal).await;
    let late = subject.take().await;
    subject.world.age().await;
    let second = subject.take().await;
    subject.queue.acknowledge(late).await.unwrap();
    // Still held for the second: not new, and handed out once more unless that one acknowledges.
    assert_eq!(subject.queue.holds(&[task]).await.unwrap(), [true]);
    drop(second);
    subject.world.age().await;
    assert_eq!(subject.take_and_acknowledge().await, task);
}

pub async fn a_take_that_is_given_up_loses_nothing(subject: Subject) {
    for _ in 0..100 {
        let queue = Arc::clone(&subject.queue);
        let given_up = tokio::spawn(async move { queue.take(&worker(1), Classes::All).await.unwrap() });
        tokio::task::yield_now().await;
        let task = subject.push(Normal).await;
        given_up.abort();
        // Either it came through before it was given up, or it is still there.
        match given_up.await {
            Ok(delivery) => {
                assert_eq!(delivery.task(), task);
                subject.queue.acknowledge(delivery).await.unwrap();
            }
            Err(_) => assert_eq!(subject.take_and_acknowledge().await, task),
        }
    }
}

pub async fn every_id_reaches_exactly_one_of_many_workers(subject: Subject) {
    const WORKERS: u32 = 8;
    const TASKS: usize = 400;
    let mut workers = JoinSet::new();
    for slot in 0..WORKERS {
        let queue = Arc::clone(&subject.queue);
        workers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                match queue.take(&worker(slot), Classes::All).await {
                    Ok(delivery) => {
                        taken.push(delivery.task());
                        queue.acknowledge(delivery).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    Err(QueueError::Closed(_)) => return taken,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let mut pushed = HashSet::new();
    for number in 0..TASKS {
        pushed.insert(subject.push(TaskClass::ALL[number % 3]).await);
    }
    while subject.queue.depth().await.unwrap() != task_queue::Depth::default() {
        tokio::task::yield_now().await;
    }
    subject.queue.close().await;
    let taken: Vec<TaskId> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), TASKS);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), pushed);
}

pub async fn a_slot_kept_for_interactive_work_takes_nothing_else(subject: Subject) {
    let kept = [1, 2].map(|slot| {
        let queue = Arc::clone(&subject.queue);
        tokio::spawn(async move { queue.take(&worker(slot), Classes::Interactive).await.unwrap().task() })
    });
    tokio::task::yield_now().await;
    let batch = subject.push(Batch).await;
    assert_eq!(subject.take_and_acknowledge().await, batch);
    let interactive = HashSet::from([subject.push(Interactive).await, subject.push(Interactive).await]);
    let mut taken = HashSet::new();
    for slot in kept {
        taken.insert(slot.await.unwrap());
    }
    assert_eq!(taken, interactive);
}

pub async fn holds_tells_what_waits_and_what_is_delivered(subject: Subject) {
    let delivered = subject.push(Normal).await;
    let delivery = subject.take().await;
    let (waiting, unknown) = (subject.push(Normal).await, TaskId::new());
    let holds = async || subject.queue.holds(&[unknown, waiting, delivered]).await.unwrap();
    assert_eq!(holds().await, [false, true, true]);
    subject.queue.acknowledge(delivery).await.unwrap();
    assert_eq!(holds().await, [false, true, false]);
}

pub async fn no_class_starves_under_a_flood_of_a_more_urgent_one(subject: Subject) {
    for _ in 0..20 {
        subject.push(Interactive).await;
    }
    let batch = subject.push(Batch).await;
    for _ in 0..=ClassOrder::STARVATION_BOUND {
        subject.push(Interactive).await;
        if subject.take_and_acknowledge().await == batch {
            return;
        }
    }
    panic!("batch was passed over more than {} times", ClassOrder::STARVATION_BOUND);
}

pub async fn urgent_classes_get_the_larger_share(subject: Subject) {
    let mut classes = HashMap::new();
    for class in TaskClass::ALL {
        for _ in 0..30 {
            classes.insert(subject.push(class).await, class);
        }
    }
    let mut served = [0; 3];
    for _ in 0..24 {
        let task = subject.take_and_acknowledge().await;
        served[classes[&task] as usize] += 1;
    }
    assert_eq!(served, [16, 6, 2]);
}

pub async fn the_depth_counts_what_waits_and_what_is_delivered(subject: Subject) {
    subject.push(Interactive).await;
    subject.push(Batch).await;
    subject.push(Batch).await;
    let depth = subject.queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.delivered), ([1, 0, 2], 0));
    let delivery = subject.take().await;
    let depth = subject.queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.delivered), ([0, 0, 2], 1));
    subject.queue.acknowledge(delivery).await.unwrap();
    assert_eq!(subject.queue.depth().await.unwrap().delivered, 0);
}

pub async fn closing_ends_every_take_and_push_now_and_later(subject: Subject) {
    let mut takers = JoinSet::new();
    for slot in 0..4 {
        let queue = Arc::clone(&subject.queue);
        takers.spawn(async move { queue.take(&worker(slot), Classes::All).await });
    }
    tokio::task::yield_now().await;
    subject.queue.close().await;
    for taken in takers.join_all().await {
        assert!(matches!(taken, Err(QueueError::Closed(_))));
    }
    assert!(matches!(subject.queue.take(&worker(9), Classes::All).await, Err(QueueError::Closed(_))));
    assert!(matches!(subject.queue.push(&[(TaskId::new(), Normal)]).await, Err(QueueError::Closed(_))));
}
