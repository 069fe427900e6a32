//! `highwater-bench`: experiments, comparisons of their results, and reports.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Parser, Subcommand};
use highwater::error::{Error, Kind, Result};
use highwater_bench::harness::experiment::{self, Experiment};
use highwater_bench::harness::run::{self, Choice};
use highwater_bench::report::{self, bars};
use highwater_bench::workloads::system::System;
use highwater_bench::{engines, load, micro, recovery};

/// As the product: one thread is to have no worse one.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Highwater beside the limits of the machine, one thread, and other engines.
#[derive(Parser)]
#[command(name = "highwater-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Lists experiments and engines, and what is installed of them.
    List,
    /// Runs an experiment: verifies all rows, writes a run folder.
    Run(RunArguments),
    /// Writes the report of a run into its folder: a page, a text, plots.
    Report(ReportArguments),
    /// Compares two runs of one machine, the second with the first.
    Compare(CompareArguments),
    /// Judges the bars by the newest finished run of each experiment.
    Bars(BarArguments),
    /// Measures within this process: the engine beside a plain loop over the same input.
    Cases(CaseArguments),
    /// Kills processes of a cluster again and again: how long until it is where it would be.
    Recovery(RecoveryArguments),
    /// A part of the harness, in a process of its own.
    #[command(hide = true)]
    Part(PartArguments),
}

#[derive(clap::Args)]
struct RunArguments {
    /// Name of an experiment, or a file of one.
    experiment: String,
    /// Only these engines.
    #[arg(long = "engine")]
    engines: Vec<String>,
    /// How much larger or smaller the inputs are, and how much longer the load lasts.
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// How often each trial is run, instead of what the experiment says.
    #[arg(long)]
    rounds: Option<usize>,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Goes on with the newest unfinished run of this experiment.
    #[arg(long)]
    resume: bool,
}

#[derive(clap::Args)]
struct ReportArguments {
    /// A folder of a run, or its name; the newest if it is left out.
    run: Option<PathBuf>,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

#[derive(clap::Args)]
struct CompareArguments {
    /// The earlier run: a folder, or its name.
    first: PathBuf,
    /// The later run.
    second: PathBuf,
    /// Compares this column of `runs.csv` instead of what trials cost.
    #[arg(long)]
    column: Option<String>,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Compares also what was measured on two machines, or with uncommitted changes.
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
struct BarArguments {
    /// Folders of runs, or their names, instead of the newest ones.
    runs: Vec<PathBuf>,
    /// Writes the table into this file, between `<!-- bars -->` and `<!-- /bars -->`.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Writes nothing: fails if the table in the file is another one.
    #[arg(long)]
    check: bool,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

#[derive(clap::Args)]
struct CaseArguments {
    /// Cases: a types in memory, b chat from files, c Kafka, d two workers, e idle, f memory, g the
    /// cost of latency histograms, h all views of a system, i replay files.
    #[arg(default_value = "all")]
    #[arg(value_parser = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "all"])]
    cases: Vec<String>,
    /// How much larger or smaller the inputs are than the usual ones.
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// How many pairs are sampled.
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

#[derive(clap::Args)]
struct RecoveryArguments {
    /// Systems; all of them if none is named.
    #[arg(value_parser = ["campus", "chat", "elearning", "market", "shop"])]
    systems: Vec<String>,
    /// How often each is killed.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    kills: u16,
    /// Events, as a part of what a system can read.
    #[arg(long, default_value_t = 0.5, value_parser = scale)]
    load: f64,
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

#[derive(clap::Args)]
struct PartArguments {
    /// Which part.
    #[arg(value_parser = ["open-loop", "single-thread"])]
    part: String,
    /// What it is told, as JSON.
    file: PathBuf,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version are no errors. Nobody reads a closed pipe.
            let _ = answer.print();
            let code = if answer.use_stderr() { Kind::Usage.exit_code() } else { 0 };
            return ExitCode::from(code as u8);
        }
    };
    match work(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.kind().exit_code() as u8)
        }
    }
}

/// How much larger inputs are.
fn scale(text: &str) -> std::result::Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let scale = number.filter(|scale| 0.0 < *scale && scale.is_finite());
    scale.ok_or_else(|| "it must be a number above 0, such as 0.1".into())
}

fn work(arguments: Arguments) -> Result<()> {
    match arguments.command.unwrap_or(Command::List) {
        Command::List => list(),
        Command::Run(arguments) => {
            // What is wrong in a file is no mistake of the command line.
            let is_file = arguments.experiment.ends_with(".toml");
            let of_file = |error: Error| if is_file { error.of_kind(Kind::Config) } else { error };
            let experiment = Experiment::named(&arguments.experiment).map_err(of_file)?;
            let RunArguments { engines, scale, rounds, results, resume, .. } = arguments;
            run::run(&experiment, &Choice { engines, scale, rounds, resume }, &results)
        }
        Command::Report(ReportArguments { run, results }) => {
            let paths = report::write(&report::run(run.as_deref(), &results)?)?;
            paths.iter().try_for_each(|path| say(&path.display().to_string()))
        }
        Command::Compare(CompareArguments { first, second, column, results, force }) => {
            let [first, second] = [first, second].map(|run| report::run(Some(&run), &results));
            let text = report::compare::compare(&first?, &second?, column.as_deref(), force)?;
            say(text.trim_end())
        }
        Command::Bars(arguments) => bars(&arguments),
        Command::Cases(CaseArguments { cases, scale, repetitions, results }) => {
            micro::run(&cases, scale, repetitions, &results)
        }
        Command::Recovery(RecoveryArguments { systems, kills, load, results }) => {
            let named = |of: &System| systems.is_empty() || systems.iter().any(|s| s == of.name());
            let systems = System::ALL.into_iter().filter(named).collect();
            let kills = usize::from(kills);
            recovery::run(&recovery::Choice { systems, kills, load }, &results)
        }
        Command::Part(PartArguments { part, file }) => do_part(&part, &file),
    }
}

fn bars(BarArguments { runs, write, check, results }: &BarArguments) -> Result<()> {
    let block = bars::block::text(&bars::Runs::read(runs, results)?)?;
    match (write, check) {
        (None, false) => say(block.trim_end()),
        (Some(file), false) => bars::block::write(file, &block),
        (file, true) => {
            bars::block::check(file.as_deref().unwrap_or(Path::new("docs/performance.md")), &block)
        }
    }
}

fn do_part(part: &str, file: &Path) -> Result<()> {
    if part == "open-loop" {
        let sent = load::open_loop(&load::told(file)?)?;
        return say(&serde_json::to_string(&sent).map_err(Error::bug)?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = signal_hook::flag::register(signal_hook::consts::SIGTERM, stop.clone());
    asked.map_err(Error::storage)?;
    engines::run_single_thread(file, &stop)
}

fn list() -> Result<()> {
    for (name, _) in experiment::ALL {
        let experiment = Experiment::named(name)?;
        say(&format!("{name:<12} {} ({} min)", experiment.question, experiment.minutes))?;
    }
    say("")?;
    for engine in engines::all() {
        let version = engine.version().unwrap_or_else(|why| format!("not here: {why}"));
        say(&format!("{:<20} {version}", engine.name()))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}").map_err(Error::storage)
}
