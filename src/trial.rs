//! Runs cases with known answers through a server, the way any client would, and scores what comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use comfy_table::Table;
use core_api::{SubmitTask, TaskView};
use futures::StreamExt;
use serde::Serialize;
use types::{AgentName, DocumentId, TaskClass};

use crate::client::Client;
use crate::enqueue::progress_bar;
use crate::expected::{Expected, Score};
use crate::failure::Failure;
use crate::show;

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
    let bar = progress_bar(cases.len());
    let mut first_result = None;
    let mut work = futures::stream::iter(cases.into_iter().map(|case| through(client, case))).buffered(CONCURRENCY);
    let mut outcomes = Vec::new();
    while let Some(outcome) = work.next().await {
        let outcome = outcome?;
        first_result.get_or_insert_with(|| started.elapsed());
        bar.inc(1);
        bar.set_message(format!("{} {}", outcome.case.agent, outcome.task.state));
        outcomes.push(outcome);
    }
    bar.finish_and_clear();
    Ok(Trial { outcomes, elapsed: started.elapsed(), first_result })
}

async fn through(client: &Client, case: Case) -> Result<Outcome, Failure> {
    let mut documents: Vec<DocumentId> = Vec::new();
    for file in &case.documents {
        documents.push(client.store(&file.name, file.bytes.clone()).await?.id);
    }
    let request = SubmitTask {
        agent: case.agent.clone(),
        input: case.input.clone(),
        documents,
        class: TaskClass::Batch,
        due_at: None,
        deadline_seconds: None,
        max_retries: None,
    };
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

/// How one agent did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) cases: usize,
    pub(crate) succeeded: usize,
    pub(crate) exact: usize,
    pub(crate) parts_right: usize,
    pub(crate) parts: usize,
    pub(crate) invented_numbers: usize,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.cases += 1;
        self.succeeded += usize::from(outcome.task.state == types::TaskState::Succeeded);
        self.exact += usize::from(outcome.score.exact);
        self.parts_right += outcome.score.right;
        self.parts += outcome.score.parts;
        self.invented_numbers += usize::from(outcome.score.invented_number);
        self.prompt_tokens += outcome.task.prompt_tokens;
        self.completion_tokens += outcome.task.completion_tokens;
    }
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
        let succeeded = self.outcomes.iter().filter(|outcome| outcome.task.state == types::TaskState::Succeeded);
        succeeded.count() as f64 * 60.0 / self.elapsed.as_secs_f64()
    }

    /// Cases without a result.
    pub(crate) fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.task.state != types::TaskState::Succeeded).count()
    }
}

/// Tallies as a table.
pub(crate) fn tally_table<'a>(header: &str, tallies: impl Iterator<Item = (String, &'a Tally)>) -> Table {
    let mut table = show::table([header, "cases", "with a result", "exactly right", "parts right", "invented numbers"]);
    for (name, tally) in tallies {
        table.add_row([
            name,
            tally.cases.to_string(),
            tally.succeeded.to_string(),
            percent(tally.exact, tally.cases),
            percent(tally.parts_right, tally.parts),
            tally.invented_numbers.to_string(),
        ]);
    }
    table
}

fn percent(count: usize, of: usize) -> String {
    if of == 0 { "–".to_owned() } else { format!("{:.0} %", 100.0 * count as f64 / of as f64) }
}
