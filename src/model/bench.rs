//! `talon model bench`: how fast a model runs on this machine, and how fast the machine could run it at most.

mod limit;

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Instant;

use indicatif::BinaryBytes;
use inference::measure::{MeasureError, Meter, Work};
use inference::{BackendChoice, LoadError, LoadOptions, Model};
use serde_json::{Value, json};

use crate::bundled;
use crate::cli::{BACKENDS, BenchArgs, KV_KINDS, name_of};
use crate::failure::{Failure, with_causes};
use crate::output::{print, print_json};
use crate::progress::{Bytes, Progress};
use crate::show;
use limit::{Cost, Limit, Machine};

/// What was measured.
struct Report {
    model: String,
    backend: BackendChoice,
    threads: NonZeroUsize,
    machine: Machine,
    cost: Cost,
    load_seconds: f64,
    weight_bytes: u64,
    resident_bytes: Option<u64>,
    rows: Vec<Row>,
}

struct Row {
    work: Work,
    tokens_per_second: f64,
    limit: Limit,
}

impl Row {
    /// Of what the machine could do.
    fn share(&self) -> f64 {
        self.tokens_per_second / self.limit.tokens_per_second
    }
}

pub(super) fn run(arguments: &BenchArgs, json: bool) -> Result<(), Failure> {
    let report = match &arguments.file {
        Some(path) => measure(path, arguments)?,
        None => {
            let no_folder = |error| Failure::unavailable(format!("there is no temporary folder: {error}"));
            let folder = tempfile::tempdir().map_err(no_folder)?;
            measure(&bundled::pocket_model(folder.path())?, arguments)?
        }
    };
    if json {
        print_json(&told(&report, arguments))
    } else {
        print(text(&report, arguments))?;
        print(table(&report))
    }
}

fn measure(path: &Path, arguments: &BenchArgs) -> Result<Report, Failure> {
    let file = super::open(path)?;
    let threads = threads(arguments);
    let machine = Machine::measure(threads)?;
    let began = Instant::now();
    let (model, choice) = load(path, arguments).map_err(|error| Failure::negative(with_causes(&error)))?;
    let load_seconds = began.elapsed().as_secs_f64();
    let info = model.info().clone();
    let backend = model.into_backend();
    let weight_bytes = backend.memory().weights;
    let cost = Cost::new(&file, weight_bytes, info.kv_bytes_per_token);
    let usual = Work::USUAL.into_iter().chain(arguments.long.then_some(Work::LONG));
    let works: Vec<Work> = usual.map(|work| work.within(info.context_len)).collect();
    let not_measured = |error: MeasureError| Failure::unavailable(with_causes(&error));
    let mut meter = Meter::start(backend, &works).map_err(not_measured)?;
    let progress = Progress::new(works.len() * arguments.runs as usize);
    let mut rows = Vec::new();
    for work in works {
        let mut figures = Vec::new();
        for _ in 0..arguments.runs {
            figures.push(meter.run(work).map_err(not_measured)?);
            progress.step(work.name());
        }
        figures.sort_by(f64::total_cmp);
        let tokens_per_second = figures[figures.len() / 2];
        rows.push(Row { work, tokens_per_second, limit: cost.limit(&machine, work) });
    }
    progress.finish();
    let resident_bytes = resident_bytes();
    let (model, backend) = (info.name, choice);
    Ok(Report { model, backend, threads, machine, cost, load_seconds, weight_bytes, resident_bytes, rows })
}

/// Those that compute: of candle, what the environment says.
fn threads(arguments: &BenchArgs) -> NonZeroUsize {
    let of_candle = || std::env::var("CANDLE_NUM_THREADS").ok()?.parse().ok();
    let asked = match arguments.backend {
        BackendChoice::Candle => of_candle(),
        BackendChoice::Auto | BackendChoice::Packed => arguments.threads,
    };
    asked.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// The model, and which backend it came to.
fn load(path: &Path, arguments: &BenchArgs) -> Result<(Model, BackendChoice), LoadError> {
    let load = |backend| {
        let packed = Bytes::new("packed");
        let progress = |bytes, total| packed.reach(bytes, total);
        let (threads, kv) = (arguments.threads, arguments.kv);
        let options = LoadOptions { backend, threads, kv, progress: Some(&progress), ..LoadOptions::default() };
        Ok((Model::load_with(path, options)?, backend))
    };
    match arguments.backend {
        BackendChoice::Auto => match load(BackendChoice::Packed) {
            Err(LoadError::NotPackable { .. }) => load(BackendChoice::Candle),
            loaded => loaded,
        },
        backend => load(backend),
    }
}

/// Memory of this process, where the system says.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

fn text(report: &Report, arguments: &BenchArgs) -> String {
    let Report { model, machine, cost, threads, .. } = report;
    let backend = match report.backend {
        BackendChoice::Candle => "candle".to_owned(),
        _ => format!("packed, {}, keys and values {}", machine.level.name(), name_of(&KV_KINDS, arguments.kv)),
    };
    let resident = report.resident_bytes.map_or("unknown".to_owned(), |bytes| BinaryBytes(bytes).to_string());
    format!(
        "model    {model}, on {threads} threads ({backend})\n\
         load     {:.2} s, {} of weights, {resident} of memory after all\n\
         machine  {:.2} T operations of 8-bit integers per second, {:.1} GB per second from memory\n\
         a token  {:.0} M operations; a step reads {} of matrices",
        report.load_seconds,
        BinaryBytes(report.weight_bytes),
        machine.operations / 1e12,
        machine.bytes / 1e9,
        cost.operations() / 1e6,
        BinaryBytes(cost.matrix_bytes),
    )
}

fn table(report: &Report) -> comfy_table::Table {
    let mut table = show::table(["work", "tokens/s", "limit", "limited by", "reached"]);
    for row in &report.rows {
        table.add_row([
            row.work.name(),
            format!("{:.1}", row.tokens_per_second),
            format!("{:.1}", row.limit.tokens_per_second),
            row.limit.by.to_owned(),
            format!("{:.0} %", 100.0 * row.share()),
        ]);
    }
    table
}

fn told(report: &Report, arguments: &BenchArgs) -> Value {
    let rows: Vec<_> = report
        .rows
        .iter()
        .map(|row| {
            json!({
                "work": row.work.name(), "tokens_per_second": row.tokens_per_second,
                "limit_tokens_per_second": row.limit.tokens_per_second, "limited_by": row.limit.by,
                "share": row.share(),
            })
        })
        .collect();
    json!({
        "model": report.model,
        "file": arguments.file,
        "backend": name_of(&BACKENDS, report.backend),
        "threads": report.threads,
        "level": report.machine.level.name(),
        "kv_bytes_per_token": report.cost.kv_bytes_per_token,
        "runs": arguments.runs,
        "load_seconds": report.load_seconds,
        "weight_bytes": report.weight_bytes,
        "resident_bytes": report.resident_bytes,
        "machine": {"int8_ops_per_second": report.machine.operations, "bytes_per_second": report.machine.bytes},
        "ops_per_token": report.cost.operations(),
        "bytes_per_step": report.cost.matrix_bytes,
        "rows": rows,
    })
}
