//! `highwater-bench`: what the engine costs beside a plain single-threaded loop.
//!
//! Each case runs the engine and a loop over the same input, with the same wire types and decoder,
//! in alternating order, and compares all rows before any time is printed; a difference prints no
//! number and ends with exit code 70. The primary figure is events per processor second of the
//! whole process; ratios are of pairs of the same run. Figures are printed, never asserted.

mod cases;
mod events;
mod job;
mod loops;
mod measure;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use highwater::error::Result;

use cases::Run;
use report::Report;

/// Measures Highwater beside plain loops over the same input.
#[derive(Parser)]
#[command(name = "highwater-bench")]
struct Arguments {
    /// Cases: a types in memory, b chat from files, c Kafka, d two workers, e idle, f memory, g the
    /// cost of latency histograms, h all views of a system.
    #[arg(default_value = "all", value_parser = ["a", "b", "c", "d", "e", "f", "g", "h", "all"])]
    cases: Vec<String>,
    /// How much larger or smaller the inputs are than the usual ones.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// How many pairs are sampled.
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

type Case = fn(&mut Run<'_>) -> Result<()>;

const CASES: [(&str, Case); 8] = [
    ("a", cases::types::run),
    ("b", cases::chat::run),
    ("c", cases::kafka::run),
    ("d", cases::workers::run),
    ("e", cases::idle::run),
    ("f", cases::memory::run),
    ("g", cases::latency::run),
    ("h", cases::systems::run),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.kind().exit_code() as u8)
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let mut report = Report::new(&arguments.results)?;
    let wanted = |name: &str| arguments.cases.iter().any(|case| case == name || case == "all");
    for (_, case) in CASES.iter().filter(|(name, _)| wanted(name)) {
        let Arguments { scale, repetitions, .. } = *arguments;
        case(&mut Run { report: &mut report, scale, repetitions })?;
    }
    report.finish()
}
