//! What was measured, for people and for machines.

use serde_json::json;

use crate::Options;

/// A figure beside the one it is compared with.
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) measure: &'static str,
    /// Names and figures; the ratio is of the first to the second.
    pub(crate) figures: [(&'static str, f64); 2],
}

impl Row {
    /// Medians of the rounds of two things.
    pub(crate) fn of_medians(
        work: impl Into<String>,
        measure: &'static str,
        names: [&'static str; 2],
        rounds: [Vec<f64>; 2],
    ) -> Self {
        let [first, second] = rounds.map(|rounds| percentile(rounds, 50));
        Row { work: work.into(), measure, figures: [(names[0], first), (names[1], second)] }
    }

    fn ratio(&self) -> f64 {
        self.figures[0].1 / self.figures[1].1
    }
}

/// The smallest figure that so many percent of all are not above.
pub(crate) fn percentile(mut figures: Vec<f64>, percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    let rank = (figures.len() * percent).div_ceil(100).max(1);
    figures[rank - 1]
}

pub(crate) fn print(rows: &[Row], options: &Options) {
    let model = options.model.file_stem().unwrap_or_default().to_string_lossy();
    let (threads, rounds) = (options.threads, options.rounds);
    println!("\n{model}, {threads} threads, median of {rounds} rounds");
    for row in rows {
        let [(first, ours), (second, theirs)] = row.figures;
        let (ours, theirs) = (format!("{first} {ours:.3}"), format!("{second} {theirs:.3}"));
        println!("{:<38} {:<15} {ours:>18} {theirs:>18} {:>8.2}", row.work, row.measure, row.ratio());
    }
    for row in rows {
        let [(first, ours), (second, theirs)] = row.figures;
        let mut line = json!({
            "bench": "server", "work": row.work, "measure": row.measure, "model": model, "threads": threads,
            "rounds": rounds, "ratio": row.ratio(),
        });
        line[first] = ours.into();
        line[second] = theirs.into();
        println!("{line}");
    }
}
