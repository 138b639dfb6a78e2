//! The embedded store keeps the contract.

use crate::conformance;
use crate::world::sqlite;

macro_rules! keeps {
    ($($about:ident: $($claim:ident,)*;)*) => { $(
        mod $about {
            $(
                #[tokio::test]
                async fn $claim() {
                    super::conformance::$about::$claim(async |limits| super::sqlite(limits).await).await;
                }
            )*
        }
    )* };
}

keeps! {
    accept:
        an_accepted_task_is_there_with_all_that_was_asked,
        accepting_writes_task_event_audit_entry_and_outbox_row,
        each_line_of_a_bulk_call_is_answered_in_order,
        a_task_needs_input_or_documents,
        unknown_documents_are_named,
        another_teams_documents_are_unknown,
        the_same_key_gives_the_same_task_back,
        the_same_key_with_another_request_is_a_conflict,
        a_key_is_unique_only_in_its_team,
        a_delayed_task_is_scheduled_and_not_delivered,
        more_than_max_queued_is_refused_and_a_known_key_is_not,
        calls_at_the_same_time_are_all_kept,
    ;
    leases:
        opening_counts_an_attempt_and_names_the_worker,
        a_held_task_cannot_be_opened_again,
        a_task_that_is_not_due_cannot_be_opened,
        an_unknown_task_cannot_be_opened,
        a_renewed_lease_does_not_expire,
        an_expired_lease_is_recorded_as_a_loss_before_the_next_attempt,
        a_stale_attempt_changes_nothing,
        past_max_losses_the_task_is_dead_as_poison,
        renewal_answers_for_each_lease,
        a_task_past_its_deadline_fails_instead_of_opening,
    ;
    outcomes:
        a_completed_task_keeps_its_output,
        a_failed_task_keeps_its_reason,
        a_task_ends_once,
        a_retried_task_is_scheduled_by_the_policy,
        a_retry_is_not_before_the_moment_asked_for,
        a_task_whose_retries_are_spent_is_dead,
        the_tasks_own_max_retries_counts,
        a_released_task_waits_again_with_no_failure_counted,
        losses_and_failures_are_counted_apart,
        a_buried_task_is_dead,
        every_outcome_is_audited,
    ;
    cancel:
        a_waiting_task_is_cancelled_at_once,
        a_running_task_is_marked_and_its_renewal_says_so,
        a_task_whose_worker_is_lost_is_cancelled_at_once,
        an_ended_task_tells_its_state,
        a_marked_task_does_not_run_again,
        an_unknown_task_is_unknown,
        a_result_that_comes_first_counts,
    ;
    history:
        events_come_in_order_and_from_where_a_reader_left_off,
        steps_are_numbered_and_their_tokens_add_up,
        changes_are_told_after_the_commit,
        the_audit_log_says_who_did_what,
        waiting_for_a_task_ends_with_it,
        waiting_for_a_task_ends_with_patience,
    ;
    documents:
        a_document_comes_back_as_it_was_stored,
        the_same_document_is_stored_once,
        the_same_bytes_under_another_name_are_another_document,
        another_team_does_not_see_it,
    ;
    dead_letters:
        a_dead_letter_that_is_put_back_starts_afresh,
        only_dead_letters_are_put_back,
        a_deadline_that_has_passed_is_dropped,
        dead_letters_are_listed_by_state,
    ;
    lists:
        tasks_are_listed_newest_first_in_pages,
        lists_are_filtered,
        figures_count_by_state_and_class,
        the_oldest_queued_age_is_since_it_was_ready,
        every_queued_task_can_be_read_in_pages,
    ;
    sweeps:
        a_due_task_is_queued_and_delivered,
        an_expired_lease_is_put_back_and_delivered,
        a_waiting_task_fails_at_its_deadline,
        a_sweep_with_nothing_due_does_nothing,
        the_outbox_gives_each_task_once_and_in_order,
    an_expired_lease_can_be_spared,
    ;
}
