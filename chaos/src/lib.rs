//! Crash tests of a whole installation, each decided by a seed.
//!
//! Real processes, a real Redis and a real PostgreSQL; clients submit, the model answers by script, and meanwhile
//! everything breaks. Then all is calm, and accepted = terminal + held, with nothing held. `chaos/README.md` says what is
//! broken and what is checked.
#![allow(clippy::unwrap_used)]

mod ambushes;
mod chance;
mod check;
mod client;
mod engine;
mod history;
mod load;
mod plan;
mod process;
mod report;
mod run;
mod site;

use std::path::PathBuf;

use testbed::{Postgres, PostgresOptions};
use tokio::sync::Mutex;

use crate::plan::Plan;
use crate::report::Report;

/// Which seeds are run, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In this order.
    pub seeds: Vec<u64>,
    /// `embedded` or `split` in place of what each seed chooses.
    pub layout: Option<String>,
    /// Seeds that run side by side.
    pub lanes: usize,
    /// Keeps the logs and the history of seeds that went well, too.
    pub keeps: bool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// Whether every check held in every seed.
    pub is_good: bool,
    /// The sum, for people; it names the file with everything as JSON.
    pub summary: String,
}

/// Runs seeds and prints a line for each.
pub async fn run(settings: Settings) -> Ran {
    let program = talon();
    let seeds = Mutex::new(settings.seeds.into_iter());
    let report = Mutex::new(Report::default());
    let lane = || async {
        let postgres = Mutex::new(Postgres::start(PostgresOptions::default()).await);
        loop {
            let Some(seed) = seeds.lock().await.next() else { return };
            let plan = Plan::of(seed, settings.layout.as_deref());
            let outcome = run::run(&plan, &program, &postgres, settings.keeps).await;
            println!("{}", outcome.line());
            report.lock().await.seeds.push(outcome);
        }
    };
    futures::future::join_all((0..settings.lanes).map(|_| lane())).await;
    let report = report.into_inner();
    let file = evidence_folder().join("report.json");
    std::fs::create_dir_all(evidence_folder()).unwrap();
    std::fs::write(&file, serde_json::to_string_pretty(&report).unwrap()).unwrap();
    let summary = format!("{}\nreport: {}", report.summary(), file.display());
    Ran { is_good: report.seeds.iter().all(report::Outcome::is_good), summary }
}

/// The binary, beside this one.
fn talon() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let mut folders = own.ancestors().skip(1).map(|folder| folder.join("talon"));
    let found = folders.by_ref().take(2).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("there is no talon beside {}; build it first: cargo build", own.display()))
}

/// Where the report and the evidence of failed seeds are kept: in the target folder.
fn evidence_folder() -> PathBuf {
    let talon = talon();
    talon.ancestors().nth(2).unwrap_or(&talon).join("chaos")
}
