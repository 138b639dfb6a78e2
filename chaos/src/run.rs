//! One seed: storm, calm, account.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use reqwest::Method;
use testbed::Postgres;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::check::check;
use crate::client::Rest;
use crate::history::{self, History, Record};
use crate::load;
use crate::plan::{Plan, STORM};
use crate::report::Outcome;
use crate::site::Site;

/// The longest that a calm installation may take to finish everything.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// Runs a plan against the binary `program`. The evidence of a plan that goes well is kept if `keeps`.
pub(crate) async fn run(plan: &Plan, program: &Path, postgres: &Mutex<Postgres>, keeps: bool) -> Outcome {
    let begun = Instant::now();
    let site = Site::start(plan, program, postgres).await;
    let rest = Rest::of(&site.url);
    let ready = timeout(PATIENCE, rest.get("/readyz")).await;
    ready.unwrap_or_else(|_| panic!("seed {}: not ready within {PATIENCE:?}; {}", plan.seed, site.last_words()));
    let storm = async {
        let begun = Instant::now();
        join_all(plan.faults.iter().map(|(at, fault)| async {
            sleep_until(begun + *at).await;
            site.suffer(*fault).await;
        }))
        .await;
        sleep_until(begun + STORM).await;
        site.calm();
    };
    let clients = load::submit_all(&rest, &plan.tasks, plan.seed, STORM + PATIENCE);
    let (submissions, ()) = tokio::join!(clients, storm);
    let calm = Instant::now();
    let mut history = History { planned: plan.tasks.clone(), submissions, ..History::default() };
    if nothing_is_held(&rest).await {
        requeue_dead_letters(&rest).await;
        nothing_is_held(&rest).await;
    }
    let recovery = calm.elapsed();
    // What is cancelled while it waits leaves Redis when its turn comes.
    let empty = async {
        while !site.left_in_redis().await.is_empty() {
            sleep(LOOK).await;
        }
    };
    let _ = timeout(Duration::from_secs(15), empty).await;
    look_back(&mut history, &rest, &site).await;
    let verdict = check(&history);
    let kept = (keeps || !verdict.findings.is_empty()).then(|| keep_evidence(plan, &history, &site));
    Outcome {
        seed: plan.seed,
        layout: plan.layout,
        lease_seconds: plan.lease.as_secs(),
        tasks: plan.tasks.len(),
        verdict,
        faults: plan.faults.iter().map(|(at, fault)| format!("{} ms {fault:?}", at.as_millis())).collect(),
        passings: site.ambushes.passings(),
        ends: site.ends(),
        losses: history.tasks.iter().map(|task| task.losses).sum(),
        recovery_seconds: recovery.as_secs_f64(),
        seconds: begun.elapsed().as_secs_f64(),
        evidence: kept,
    }
}

/// Waits until every task has ended; `false` when patience ends first.
async fn nothing_is_held(rest: &Rest) -> bool {
    let ended = async {
        while !history::tasks(rest).await.iter().all(Record::has_ended) {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, ended).await.is_ok()
}

/// An operator puts dead letters back, half of them.
async fn requeue_dead_letters(rest: &Rest) {
    let tasks = history::tasks(rest).await;
    for task in tasks.iter().filter(|task| task.state == "dead" && task.number.is_some_and(|it| it % 2 == 0)) {
        rest.insist(Method::POST, &format!("/v1/tasks/{}/retry", task.id), None, None).await;
    }
}

async fn look_back(history: &mut History, rest: &Rest, site: &Site<'_>) {
    let tasks = history::tasks(rest).await;
    let with_events = |mut task: Record| async {
        if task.has_ended() {
            task.events = history::events(rest, &task.id).await;
        }
        task
    };
    history.tasks = stream::iter(tasks).map(with_events).buffered(8).collect().await;
    let queue = rest.get("/v1/queue?conservation=true").await;
    history.conservation = queue.get("conservation").cloned();
    history.effects = site.engine.effects();
    history.left_in_redis = site.left_in_redis().await;
}

/// Copies logs and the history of a seed that failed to where the next run does not remove them.
fn keep_evidence(plan: &Plan, history: &History, site: &Site<'_>) -> String {
    let folder = crate::evidence_folder().join(format!("seed-{}", plan.seed));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plan.txt"), format!("{plan:#?}")).unwrap();
    std::fs::write(folder.join("history.txt"), format!("{:#?}\n{:#?}", history.submissions, history.tasks)).unwrap();
    for party in std::fs::read_dir(site.folder()).unwrap().flatten() {
        let log = crate::process::log_of(&party.path());
        if log.is_file() {
            let mut name = party.file_name();
            name.push(".log");
            std::fs::copy(log, folder.join(name)).unwrap();
        }
    }
    folder.display().to_string()
}
