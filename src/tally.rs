//! Sums up how agents did.

use comfy_table::Table;
use serde::Serialize;

use crate::show;
use crate::trial::Outcome;

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
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.cases += 1;
        self.succeeded += usize::from(outcome.has_result());
        self.exact += usize::from(outcome.score.exact);
        self.parts_right += outcome.score.right;
        self.parts += outcome.score.parts;
        self.invented_numbers += usize::from(outcome.score.invented_number);
        self.prompt_tokens += outcome.task.prompt_tokens;
        self.completion_tokens += outcome.task.completion_tokens;
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
