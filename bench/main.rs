//! `highwater-bench`: experiments, comparisons of their results, and reports.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Parser, Subcommand};
use highwater::error::{Error, Result};
use highwater_bench::harness::experiment::{self, Experiment};
use highwater_bench::harness::run::{self, Choice};
use highwater_bench::{engines, load, micro, report};

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
    /// Measures within this process: the engine beside a plain loop over the same input.
    Cases(CaseArguments),
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
    #[arg(long, default_value_t = 1.0)]
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
    /// Folder of the results.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Compares also what was measured on two machines, or with uncommitted changes.
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
struct CaseArguments {
    /// Cases: a types in memory, b chat from files, c Kafka, d two workers, e idle, f memory, g the
    /// cost of latency histograms, h all views of a system, i replay files.
    #[arg(default_value = "all")]
    #[arg(value_parser = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "all"])]
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

#[derive(clap::Args)]
struct PartArguments {
    /// Which part.
    #[arg(value_parser = ["open-loop", "single-thread"])]
    part: String,
    /// What it is told, as JSON.
    file: PathBuf,
}

fn main() -> ExitCode {
    match work(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.kind().exit_code() as u8)
        }
    }
}

fn work(arguments: Arguments) -> Result<()> {
    match arguments.command.unwrap_or(Command::List) {
        Command::List => list(),
        Command::Run(arguments) => {
            let experiment = Experiment::named(&arguments.experiment)?;
            let RunArguments { engines, scale, rounds, results, resume, .. } = arguments;
            run::run(&experiment, &Choice { engines, scale, rounds, resume }, &results)
        }
        Command::Report(ReportArguments { run, results }) => {
            let paths = report::write(&report::run(run.as_deref(), &results)?)?;
            paths.iter().try_for_each(|path| say(&path.display().to_string()))
        }
        Command::Compare(CompareArguments { first, second, results, force }) => {
            let [first, second] = [first, second].map(|run| report::run(Some(&run), &results));
            say(report::compare::compare(&first?, &second?, force)?.trim_end())
        }
        Command::Cases(CaseArguments { cases, scale, repetitions, results }) => {
            micro::run(&cases, scale, repetitions, &results)
        }
        Command::Part(PartArguments { part, file }) => do_part(&part, &file),
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
