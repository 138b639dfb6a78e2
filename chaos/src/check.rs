//! Whether a history keeps what was promised. Pure; the words are those of Jepsen's queue checks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::engine::answer;
use crate::history::{Event, History, Record};
use crate::plan::{KEY_LIMIT, MAX_RETRIES};

/// How the tasks of a seed fared. A task may be in several words.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Verdict {
    /// Accepted, ended once, and as they should.
    pub(crate) ok: usize,
    /// Accepted and not ended, or gone.
    pub(crate) lost: usize,
    /// There or ended in a way that nobody asked for.
    pub(crate) unexpected: usize,
    /// Accepted, executed, ended or effective more than once without a recorded reason.
    pub(crate) duplicated: usize,
    /// Never answered with a 202, and accepted all the same.
    pub(crate) recovered: usize,
    /// What is wrong, in words.
    pub(crate) findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    pub(crate) word: Word,
    /// The check that failed.
    pub(crate) check: Check,
    pub(crate) task: Option<String>,
    pub(crate) what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    Lost,
    Unexpected,
    Duplicated,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Check {
    /// What was answered with 202 is in the store and has ended.
    AcceptedHasEnded,
    /// A submission is one task, under one id.
    OneTaskForOneKey,
    /// Every task was submitted by somebody.
    EveryTaskIsKnown,
    /// Events follow the states' chart: one end, and a second execution only after a recorded reason.
    EventsFollowTheChart,
    /// It ended in a state, with a reason and an output that its script allows.
    EndIsAllowed,
    /// The same call has the same idempotency key in every execution.
    EffectsOnce,
    /// No more tasks of a key than its limit run side by side.
    KeysWithinLimit,
    /// accepted = terminal + held, with nothing held.
    Conservation,
    /// Redis holds nothing when nothing waits.
    RedisIsEmpty,
    /// An answer is of those that a client has to expect.
    AnswersAreExpected,
}

struct Findings(BTreeSet<Finding>);

impl Findings {
    fn add(&mut self, word: Word, check: Check, task: Option<&Record>, what: impl Into<String>) {
        let name = |task: &Record| format!("{} ({})", task.id, task.number.map_or("?".to_owned(), |it| it.to_string()));
        self.0.insert(Finding { word, check, task: task.map(name), what: what.into() });
    }
}

/// Judges a history.
pub(crate) fn check(history: &History) -> Verdict {
    let mut findings = Findings(BTreeSet::new());
    let mut by_number: BTreeMap<usize, Vec<&Record>> = BTreeMap::new();
    for task in &history.tasks {
        match task.number.filter(|number| *number < history.planned.len()) {
            Some(number) => by_number.entry(number).or_default().push(task),
            None => findings.add(Word::Unexpected, Check::EveryTaskIsKnown, Some(task), "nobody submitted it"),
        }
    }
    let (mut ok, mut recovered) = (0, 0);
    for (number, known) in history.submissions.iter().enumerate() {
        let before = findings.0.len();
        let tasks = by_number.get(&number).map(Vec::as_slice).unwrap_or_default();
        if let Some(refused) = &known.refused {
            findings.add(Word::Unexpected, Check::AnswersAreExpected, None, format!("task {number}: {refused}"));
        }
        if 1 < tasks.len() {
            let what = format!("task {number} is there {} times", tasks.len());
            findings.add(Word::Duplicated, Check::OneTaskForOneKey, None, what);
        }
        match (&known.accepted, tasks.first()) {
            (Some(id), task) if task.is_none_or(|task| task.id != *id) => {
                let what = format!("task {number} was accepted as {id}, which the store does not have");
                findings.add(Word::Lost, Check::AcceptedHasEnded, None, what);
            }
            (None, Some(_)) => recovered += 1,
            _ => {}
        }
        for task in tasks {
            if !task.has_ended() {
                let what = format!("still {} when all was calm", task.state);
                findings.add(Word::Lost, Check::AcceptedHasEnded, Some(task), what);
                continue;
            }
            if let Err(what) = follows_the_chart(&task.events) {
                findings.add(Word::Duplicated, Check::EventsFollowTheChart, Some(task), what);
            }
            if let Err(what) = end_is_allowed(history, number, task) {
                findings.add(Word::Unexpected, Check::EndIsAllowed, Some(task), what);
            }
        }
        ok += usize::from(!tasks.is_empty() && findings.0.len() == before);
    }
    check_effects(history, &mut findings);
    check_keys(history, &by_number, &mut findings);
    check_conservation(history, &mut findings);
    for left in &history.left_in_redis {
        findings.add(Word::Unexpected, Check::RedisIsEmpty, None, format!("{left} left in Redis"));
    }
    let findings: Vec<Finding> = findings.0.into_iter().collect();
    let count = |word| findings.iter().filter(|finding| finding.word == word).count();
    let (lost, unexpected, duplicated) = (count(Word::Lost), count(Word::Unexpected), count(Word::Duplicated));
    Verdict { ok, lost, unexpected, duplicated, recovered, findings }
}

/// Where a task stands, as its events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    New,
    Waiting,
    Running,
    Ended,
}

/// The chart of a task's states. Steps, ends and losses only of what runs; nothing but a requeue after an end.
fn follows_the_chart(events: &[Event]) -> Result<(), String> {
    let mut stand = Stand::New;
    for event in events {
        stand = match (stand, event.kind.as_str()) {
            (Stand::New, "accepted") => Stand::Waiting,
            (Stand::Waiting, "due") => Stand::Waiting,
            (Stand::Waiting, "started") => Stand::Running,
            (Stand::Running, "step" | "cancel_requested") => Stand::Running,
            (Stand::Running, "retrying" | "released" | "worker_lost") => Stand::Waiting,
            (Stand::Running, "succeeded") => Stand::Ended,
            (Stand::Waiting | Stand::Running, "failed" | "cancelled" | "dead") => Stand::Ended,
            (Stand::Ended, "requeued") => Stand::Waiting,
            (stand, kind) => return Err(format!("{kind} of a task that is {stand:?}: {}", told(events))),
        };
    }
    if stand == Stand::Ended { Ok(()) } else { Err(format!("its events do not end: {}", told(events))) }
}

fn told(events: &[Event]) -> String {
    events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>().join(" ")
}

fn end_is_allowed(history: &History, number: usize, task: &Record) -> Result<(), String> {
    let (planned, known) = (&history.planned[number], &history.submissions[number]);
    let reason = task.stop_reason.as_deref().unwrap_or_default();
    let had = |kind: &str| task.events.iter().any(|event| event.kind == kind);
    let allowed = match task.state.as_str() {
        "succeeded" => task.output.as_deref() == Some(&answer(number)),
        "cancelled" => known.cancels,
        "failed" => reason == "timeout" && planned.deadline.is_some(),
        "dead" => match reason {
            "model_error" => MAX_RETRIES < planned.script.failures,
            "poison" => had("worker_lost"),
            _ => false,
        },
        _ => false,
    };
    match allowed {
        true => Ok(()),
        false => Err(format!("{} ({reason}) with {:?}: {}", task.state, task.output, told(&task.events))),
    }
}

fn check_effects(history: &History, findings: &mut Findings) {
    for ((number, call), keys) in &history.effects {
        if 1 < keys.len() || keys.contains("none") {
            let what = format!("call {call} of task {number} came under the keys {keys:?}");
            findings.add(Word::Duplicated, Check::EffectsOnce, None, what);
        }
    }
}

/// Goes through the events of each key's tasks in the store's order.
fn check_keys(history: &History, by_number: &BTreeMap<usize, Vec<&Record>>, findings: &mut Findings) {
    let mut by_key: BTreeMap<u64, Vec<(i64, &str, &Record)>> = BTreeMap::new();
    for (number, tasks) in by_number {
        let Some(key) = history.planned[*number].key else { continue };
        let events = tasks.iter().flat_map(|task| task.events.iter().map(|it| (it.seq, it.kind.as_str(), *task)));
        by_key.entry(key).or_default().extend(events);
    }
    for (key, mut events) in by_key {
        events.sort_by_key(|(seq, ..)| *seq);
        let mut running = BTreeSet::new();
        for (seq, kind, task) in events {
            match kind {
                "started" => _ = running.insert(&task.id),
                "retrying" | "released" | "worker_lost" | "succeeded" | "failed" | "cancelled" | "dead" => {
                    running.remove(&task.id);
                }
                _ => {}
            }
            if KEY_LIMIT < running.len() as u32 {
                let what = format!("{} tasks of key-{key} run at event {seq}: {running:?}", running.len());
                findings.add(Word::Unexpected, Check::KeysWithinLimit, Some(task), what);
            }
        }
    }
}

fn check_conservation(history: &History, findings: &mut Findings) {
    let Some(told) = &history.conservation else { return };
    let number = |key: &str| told[key].as_u64().unwrap_or(u64::MAX);
    let (accepted, terminal, held) = (number("accepted"), number("terminal"), number("held"));
    let listed = history.tasks.len() as u64;
    if accepted != terminal || held != 0 || accepted != listed {
        let what = format!("{told} with {listed} tasks listed");
        findings.add(Word::Lost, Check::Conservation, None, what);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::Submission;
    use crate::plan::{Client, PlannedTask, Script};

    const GOOD: &str = "accepted started step succeeded";

    fn planned() -> PlannedTask {
        PlannedTask {
            at: Duration::ZERO,
            script: Script::default(),
            class: "normal",
            delay: None,
            deadline: None,
            key: Some(0),
            cancelled_after: None,
            client: Client::Insists,
        }
    }

    fn events(kinds: &str, from: i64) -> Vec<Event> {
        let event = |(seq, kind): (usize, &str)| Event { seq: from + seq as i64, kind: kind.to_owned() };
        kinds.split(' ').enumerate().map(event).collect()
    }

    fn record(number: usize, kinds: &str) -> Record {
        Record {
            id: format!("id{number}"),
            number: Some(number),
            state: kinds.rsplit(' ').next().unwrap().to_owned(),
            output: Some(answer(number)),
            events: events(kinds, number as i64 * 100),
            ..Record::default()
        }
    }

    /// Two tasks of one key, one after the other, and all well.
    fn good() -> History {
        let submission = |number| Submission { accepted: Some(format!("id{number}")), ..Submission::default() };
        History {
            planned: vec![planned(), planned()],
            submissions: vec![submission(0), submission(1)],
            tasks: vec![record(0, GOOD), record(1, GOOD)],
            conservation: Some(serde_json::json!({"accepted": 2, "terminal": 2, "held": 0})),
            ..History::default()
        }
    }

    #[track_caller]
    fn finds(expected: &[(Word, Check)], change: impl FnOnce(&mut History)) {
        let mut history = good();
        change(&mut history);
        let found: Vec<(Word, Check)> = check(&history).findings.iter().map(|it| (it.word, it.check)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_good_history_is_ok() {
        finds(&[], |_| {});
        assert_eq!(check(&good()).ok, 2);
    }

    #[test]
    fn what_is_gone_or_does_not_end_is_lost() {
        let lost = [(Word::Lost, Check::AcceptedHasEnded), (Word::Lost, Check::Conservation)];
        finds(&lost, |history| drop(history.tasks.remove(0)));
        finds(&lost[..1], |history| history.tasks[0] = record(0, "accepted started worker_lost queued"));
    }

    #[test]
    fn a_second_execution_needs_a_recorded_reason() {
        let duplicated = [(Word::Duplicated, Check::EventsFollowTheChart)];
        finds(&duplicated, |history| history.tasks[0] = record(0, "accepted started started succeeded"));
        finds(&duplicated, |history| history.tasks[0] = record(0, "accepted started succeeded step succeeded"));
        finds(&duplicated, |history| history.tasks[0] = record(0, "accepted started succeeded succeeded"));
        for reason in ["worker_lost", "retrying", "released", "retrying due"] {
            let kinds = format!("accepted started {reason} started succeeded");
            finds(&[], |history| history.tasks[0] = record(0, &kinds));
        }
    }

    #[test]
    fn an_end_that_nobody_asked_for_is_unexpected() {
        let unexpected = [(Word::Unexpected, Check::EndIsAllowed)];
        for end in ["cancelled", "failed", "dead"] {
            finds(&unexpected, |history| history.tasks[0] = record(0, &format!("accepted started {end}")));
        }
        finds(&unexpected, |history| history.tasks[0].output = Some("else".to_owned()));
        finds(&[], |history| {
            history.tasks[0] = record(0, "accepted cancelled");
            history.submissions[0].cancels = true;
        });
    }

    #[test]
    fn one_key_is_one_task_and_one_effect() {
        finds(&[(Word::Duplicated, Check::OneTaskForOneKey)], |history| {
            history.tasks.push(Record { id: "other".to_owned(), ..record(1, GOOD) });
            history.conservation = None;
            history.planned[1].key = None;
        });
        let keys = |keys: &[&str]| BTreeMap::from([((0, 1), keys.iter().map(|key| (*key).to_owned()).collect())]);
        finds(&[], |history| history.effects = keys(&["a"]));
        finds(&[(Word::Duplicated, Check::EffectsOnce)], |history| history.effects = keys(&["a", "b"]));
    }

    #[test]
    fn tasks_of_a_key_do_not_run_side_by_side() {
        finds(&[(Word::Unexpected, Check::KeysWithinLimit)], |history| history.tasks[1].events = events(GOOD, 1));
    }

    #[test]
    fn a_submission_that_was_never_answered_may_be_there() {
        finds(&[], |history| history.submissions[0].accepted = None);
        let mut history = good();
        history.submissions[0].accepted = None;
        assert_eq!(check(&history).recovered, 1);
    }

    #[test]
    fn what_nobody_submitted_and_what_redis_keeps_are_unexpected() {
        finds(&[(Word::Unexpected, Check::EveryTaskIsKnown)], |history| {
            history.tasks.push(Record { number: None, ..record(0, GOOD) });
            history.conservation = None;
        });
        finds(&[(Word::Unexpected, Check::RedisIsEmpty)], |history| history.left_in_redis = vec!["x 1".to_owned()]);
    }
}
