//! The contract of [`Store`](store::Store), as claims about any implementation. A claim is given a maker of empty stores.

pub mod accept;
pub mod access;
pub mod cancel;
pub mod concurrency;
pub mod dead_letters;
pub mod documents;
pub mod history;
pub mod hostile;
pub mod leases;
pub mod lists;
pub mod mirror;
pub mod outcomes;
pub mod pauses;
pub mod places;
pub mod processes;
pub mod retention;
pub mod sweeps;
pub mod webhooks;

/// A test of every claim, about the stores that `$make` makes.
macro_rules! keeps_the_contract {
    ($make:path) => {
        $crate::conformance::tests_of_claims! { $make;
            accept {
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
            }
            documents {
                a_document_comes_back_as_it_was_stored,
                the_same_document_is_stored_once,
                the_same_bytes_under_another_name_are_another_document,
                another_team_does_not_see_it,
            }
            leases {
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
            }
            outcomes {
                a_completed_task_keeps_its_output,
                a_failed_task_keeps_its_reason,
                a_task_ends_once,
                an_outcome_written_again_by_its_attempt_is_the_same_outcome,
                a_retried_task_is_scheduled_by_the_policy,
                a_retry_is_not_before_the_moment_asked_for,
                a_task_whose_retries_are_spent_is_dead,
                the_tasks_own_max_retries_counts,
                a_released_task_waits_again_with_no_failure_counted,
                losses_and_failures_are_counted_apart,
                a_buried_task_is_dead,
                every_outcome_is_audited,
            }
            cancel {
                a_waiting_task_is_cancelled_at_once,
                a_running_task_is_marked_and_its_renewal_says_so,
                a_task_whose_worker_is_lost_is_cancelled_at_once,
                an_ended_task_tells_its_state,
                a_marked_task_does_not_run_again,
                an_unknown_task_is_unknown,
                a_result_that_comes_first_counts,
            }
            sweeps {
                a_due_task_is_queued_and_delivered,
                an_expired_lease_is_put_back_and_delivered,
                a_waiting_task_fails_at_its_deadline,
                a_sweep_with_nothing_due_does_nothing,
                the_outbox_gives_each_task_once_and_in_order,
                an_expired_lease_can_be_spared,
            }
            lists {
                tasks_are_listed_newest_first_in_pages,
                lists_are_filtered,
                figures_count_by_state_and_class,
                the_oldest_queued_age_is_since_it_was_ready,
                every_queued_task_can_be_read_in_pages,
                those_that_are_still_queued_are_told,
            }
            history {
                events_come_in_order_and_from_where_a_reader_left_off,
                steps_are_numbered_and_their_tokens_add_up,
                changes_are_told_after_the_commit,
                the_audit_log_says_who_did_what,
                waiting_for_a_task_ends_with_it,
                waiting_for_a_task_ends_with_patience,
            }
            dead_letters {
                a_dead_letter_that_is_put_back_starts_afresh,
                only_dead_letters_are_put_back,
                a_deadline_that_has_passed_is_dropped,
                dead_letters_are_listed_by_state,
                dead_letters_are_found_by_reason_and_by_when_they_died,
                a_dead_letter_can_be_edited_as_it_is_put_back,
                a_purged_dead_letter_is_gone_and_accounted_for,
                only_dead_letters_are_purged,
            }
            pauses {
                nothing_that_a_pause_covers_is_opened,
                what_runs_goes_on_through_a_pause,
                a_covered_task_can_be_accepted_cancelled_and_time_out,
                pauses_are_listed_with_who_why_and_since_when,
                resuming_says_whether_there_was_a_pause,
            }
            concurrency {
                no_more_tasks_of_a_key_run_than_may,
                every_way_to_stop_frees_the_key,
                each_team_and_key_has_its_own_count,
                each_task_is_held_to_its_own_limit,
                opens_at_the_same_time_do_not_pass_the_limit,
                a_task_keeps_its_key_and_cost,
            }
            places {
                a_task_waits_for_those_of_its_class_that_waited_longer,
                its_pauses_and_its_key_are_told,
                the_last_minutes_ends_of_its_class_are_counted,
                one_that_does_not_wait_has_no_place,
            }
            processes {
                a_process_is_known_by_its_last_beat,
                a_silent_process_is_forgotten,
                a_leader_stays_leader_over_the_same_connection,
            }
            access {
                a_key_is_found_by_its_digest_alone,
                every_key_is_listed_oldest_first,
                a_digest_belongs_to_one_key,
                a_revoked_key_stays_as_it_is,
                a_key_makes_its_team_and_leaves_a_known_one,
                a_team_can_be_weighed_anew,
            }
            webhooks {
                a_task_that_ends_leaves_one_message,
                every_end_leaves_a_message_and_nothing_else_does,
                a_delivered_message_is_not_due_again,
                a_failed_message_is_due_at_its_time_and_dead_without_one,
                a_dead_message_can_be_sent_again_by_its_team,
                a_team_sees_its_own_messages_newest_first,
                nobody_is_told_of_an_end_that_was_taken_back,
                a_message_on_its_way_keeps_its_task,
            }
            mirror {
                every_death_is_told_until_it_is_heard,
                a_task_that_dies_again_is_told_again,
                one_that_was_put_back_or_purged_is_not_told,
            }
            retention {
                an_ended_task_is_forgotten_after_its_time,
                each_end_has_its_own_time,
                no_more_than_the_limit_goes_at_once_the_oldest_first,
                a_forgotten_tasks_idempotency_key_is_free_again,
                documents_that_no_task_refers_to_are_forgotten,
                a_document_that_is_stored_again_stays,
                bytes_go_with_their_last_name,
            }
            hostile {
                strange_texts_come_back_as_they_were,
                a_nul_does_no_harm,
                durations_without_end_are_held_at_the_last_moment,
                moments_at_the_ends_of_time_are_kept,
                the_largest_counts_are_taken,
                nothing_counts_as_one,
                an_edit_can_be_as_strange_as_a_task,
            }
        }
    };
}

macro_rules! tests_of_claims {
    ($make:path; $($about:ident { $($claim:ident,)* })*) => { $(
        mod $about {
            $(
                #[tokio::test]
                async fn $claim() {
                    $crate::conformance::$about::$claim($make).await;
                }
            )*
        }
    )* };
}

pub(crate) use {keeps_the_contract, tests_of_claims};
