//! Runs cases with known answers through a server, the way any client would, and scores what comes back.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use core_api::TaskView;
use futures::{StreamExt, TryStreamExt};
use types::{AgentName, DocumentId, TaskClass, TaskState};

use crate::client::{Client, new_task};
use crate::expected::{Expected, Score};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::show;
use crate::tally::Tally;

/// Cases on their way at the same time: enough to keep every worker busy.
const CONCURRENCY: usize = 64;

/// A task with a known answer.
pub(crate) struct Case {
    /// What it is called in tables.
    pub(crate) name: String,
    pub(crate) agent: AgentName,
    pub(crate) input: Option<String>,
    pub(crate) documents: Vec<File>,
    pub(crate) expected: Expected,
}

/// A document of a case.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A case and what became of it.
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) task: TaskView,
    pub(crate) score: Score,
}

/// All outcomes and how long they took together.
pub(crate) struct Trial {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) elapsed: Duration,
    /// From the start to the first result.
    pub(crate) first_result: Option<Duration>,
}

/// Submits every case and waits for all of them.
pub(crate) async fn run(client: &Client, cases: Vec<Case>) -> Result<Trial, Failure> {
    let started = Instant::now();
    let progress = Progress::new(cases.len());
    let first_result = OnceCell::new();
    let work = futures::stream::iter(cases.into_iter().map(async |case| {
        let outcome = through(client, case).await?;
        first_result.get_or_init(|| started.elapsed());
        progress.step(format!("{} {}", outcome.case.agent, outcome.task.state));
        Ok(outcome)
    }));
    // In the order of the cases, whatever order they end in.
    let outcomes = work.buffered(CONCURRENCY).try_collect().await?;
    progress.finish();
    Ok(Trial { outcomes, elapsed: started.elapsed(), first_result: first_result.into_inner() })
}

async fn through(client: &Client, case: Case) -> Result<Outcome, Failure> {
    let mut documents: Vec<DocumentId> = Vec::new();
    for file in &case.documents {
        documents.push(client.store(&file.name, file.bytes.clone()).await?.id);
    }
    let request = new_task(case.agent.clone(), case.input.clone(), documents, TaskClass::Batch);
    let task = client.submit(&request, None).await?;
    let task = client.wait(task.id).await?;
    let score = case.expected.score(task.output.as_ref().unwrap_or_default(), source(&case).as_deref());
    Ok(Outcome { case, task, score })
}

/// The text a case's answer is made from; unknown when it is in a PDF.
fn source(case: &Case) -> Option<String> {
    let documents =
        case.documents.iter().map(|file| std::str::from_utf8(&file.bytes).ok()).collect::<Option<Vec<_>>>()?;
    Some(case.input.iter().map(String::as_str).chain(documents).collect::<Vec<_>>().join("\n"))
}

impl Trial {
    /// A tally for each key.
    pub(crate) fn tallies<K: Ord>(&self, key: impl Fn(&Outcome) -> K) -> BTreeMap<K, Tally> {
        let mut tallies: BTreeMap<K, Tally> = BTreeMap::new();
        for outcome in &self.outcomes {
            tallies.entry(key(outcome)).or_default().add(outcome);
        }
        tallies
    }

    /// Tasks that ended with a result, for each minute of the whole run.
    pub(crate) fn tasks_per_minute(&self) -> f64 {
        (self.outcomes.len() - self.failed()) as f64 * 60.0 / self.elapsed.as_secs_f64()
    }

    /// Cases without a result.
    pub(crate) fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.has_result()).count()
    }
}

impl Outcome {
    /// Whether the task ended with a result, right or wrong.
    pub(crate) fn has_result(&self) -> bool {
        self.task.state == TaskState::Succeeded
    }

    /// The result, or why there is none, on one line.
    pub(crate) fn one_line(&self) -> String {
        match &self.task.output {
            Some(output) => show::one_line(output),
            None => self.task.error.clone().unwrap_or_default(),
        }
    }
}
