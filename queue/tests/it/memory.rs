//! The queue in memory keeps the contract.

use std::sync::Arc;

use task_queue::{MemoryQueue, MemoryQueueSettings};

use crate::conformance::{self, Subject};

fn subject() -> Subject {
    let settings = MemoryQueueSettings::default();
    Subject { queue: Arc::new(MemoryQueue::new(settings)), visibility_timeout: settings.visibility_timeout }
}

macro_rules! keeps {
    ($($claim:ident,)*) => { $(
        #[tokio::test(start_paused = true)]
        async fn $claim() {
            conformance::$claim(subject()).await;
        }
    )* };
}

keeps! {
    ids_of_a_class_come_in_the_order_they_were_pushed,
    a_delivery_names_its_class,
    a_waiting_id_waits_once_however_often_it_is_pushed,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_id_reaches_exactly_one_worker_on_many_threads() {
    conformance::every_id_reaches_exactly_one_of_many_workers(subject()).await;
}
