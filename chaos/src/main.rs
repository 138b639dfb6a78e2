//! `make chaos`: seeds by number, by count or by chance.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use chaos::{Settings, run};
use clap::Parser;

/// Breaks an installation in every way that a seed decides, and checks that nothing accepted is lost.
#[derive(Parser)]
struct Arguments {
    /// This seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// So many seeds.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The first of them; by chance when left out.
    #[arg(long)]
    from: Option<u64>,
    /// `embedded` or `split` instead of what each seed chooses.
    #[arg(long, value_parser = ["embedded", "split"])]
    layout: Option<String>,
    /// Seeds that run side by side.
    #[arg(long, default_value_t = 1)]
    lanes: usize,
    /// Keeps the logs and the history of seeds that went well, too.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let by_chance = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_millis() as u64);
    let seeds = match arguments.seed {
        Some(seed) => vec![seed],
        None => {
            let from = arguments.from.unwrap_or_else(by_chance);
            (from..from + arguments.seeds).collect()
        }
    };
    let ran =
        run(Settings { seeds, layout: arguments.layout, lanes: arguments.lanes.max(1), keeps: arguments.keep }).await;
    println!("{}", ran.summary);
    if ran.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
