//! What a run tells: a line for each seed, a sum, and JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ambushes::{Passing, Passings};
use crate::check::Verdict;
use crate::plan::Layout;
use crate::process::Ends;

/// Findings of one check that a seed's line shows; the JSON has all.
const SHOWN: usize = 3;

/// How a seed went.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) layout: Layout,
    pub(crate) lease_seconds: u64,
    pub(crate) tasks: usize,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    pub(crate) faults: Vec<String>,
    pub(crate) passings: Passings,
    pub(crate) ends: BTreeMap<String, Ends>,
    /// Executions whose worker was lost.
    pub(crate) losses: u64,
    /// From calm until nothing was held.
    pub(crate) recovery_seconds: f64,
    pub(crate) seconds: f64,
    /// Where its logs are, when it failed.
    pub(crate) evidence: Option<String>,
}

/// All seeds of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) seeds: Vec<Outcome>,
}

impl Outcome {
    pub(crate) fn is_good(&self) -> bool {
        self.verdict.findings.is_empty()
    }

    /// One line; more when something is wrong.
    pub(crate) fn line(&self) -> String {
        let Verdict { ok, lost, unexpected, duplicated, recovered, findings } = &self.verdict;
        let layout = match self.layout {
            Layout::Embedded => "embedded".to_owned(),
            Layout::Split { workers, appendonly } => {
                format!("split, {workers} workers, redis {}", if appendonly { "kept" } else { "not kept" })
            }
        };
        let killed: u32 = self.ends.values().map(|ends| ends.killed).sum();
        let mut line = format!(
            "seed {}: {ok} ok, {lost} lost, {unexpected} unexpected, {duplicated} duplicated, {recovered} recovered \
             ({layout}; {killed} killed, {} faults, {} executions lost; calm to done {:.1} s, all {:.1} s)",
            self.seed,
            self.faults.len(),
            self.losses,
            self.recovery_seconds,
            self.seconds
        );
        let nth = |at: usize| findings[..at].iter().filter(|before| before.check == findings[at].check).count();
        for (_, finding) in findings.iter().enumerate().filter(|(at, _)| nth(*at) < SHOWN) {
            let task = finding.task.as_deref().unwrap_or_default();
            line += &format!("\n  {:?} [{:?}] {task} {}", finding.word, finding.check, finding.what);
        }
        if let Some(evidence) = &self.evidence {
            line += &format!("\n  logs and history: {evidence}; again: make chaos SEED={}", self.seed);
        }
        line
    }
}

impl Report {
    /// The sum over all seeds.
    pub(crate) fn summary(&self) -> String {
        let sum = |of: fn(&Verdict) -> usize| self.seeds.iter().map(|seed| of(&seed.verdict)).sum::<usize>();
        let bad: Vec<String> =
            self.seeds.iter().filter(|seed| !seed.is_good()).map(|seed| seed.seed.to_string()).collect();
        let mut passings: BTreeMap<&str, Passing> = BTreeMap::new();
        for (point, passing) in self.seeds.iter().flat_map(|seed| &seed.passings) {
            let sum = passings.entry(point).or_default();
            sum.passed += passing.passed;
            sum.killed += passing.killed;
            sum.stopped += passing.stopped;
        }
        let points =
            passings.iter().map(|(point, sum)| format!("{point} {}/{}/{}", sum.passed, sum.killed, sum.stopped));
        let points = points.collect::<Vec<_>>().join(", ");
        format!(
            "{} seeds, {} tasks: {} ok, {} lost, {} unexpected, {} duplicated, {} recovered; {}\nfault points \
             (passed/killed/stopped): {}",
            self.seeds.len(),
            self.seeds.iter().map(|seed| seed.tasks).sum::<usize>(),
            sum(|it| it.ok),
            sum(|it| it.lost),
            sum(|it| it.unexpected),
            sum(|it| it.duplicated),
            sum(|it| it.recovered),
            if bad.is_empty() { "all good".to_owned() } else { format!("failed: {}", bad.join(" ")) },
            if points.is_empty() { "none passed" } else { &points },
        )
    }
}
