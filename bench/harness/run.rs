//! Running an experiment: a broker of its own, inputs that are written before anything is measured,
//! trials one after another, and progress for whoever waits.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Instant, SystemTime};

use highwater::error::{Error, Result};
use highwater::runtime::wall_time;
use highwater::testing::{KafkaServer, PostgresServer, Scratch, Skip};

use super::experiment::{Experiment, Trial};
use super::folder::{Folder, RunRow, VerifyRow, read_table};
use super::latency::{Series, write_log};
use super::trial::{Bed, Outcome};
use super::verify::Answer;
use super::{limits, live, trial};
use crate::engines::{self, RowsWanted};
use crate::workloads::{SEED, Workload};

/// What of an experiment is run.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only these engines; all that it names if empty.
    pub engines: Vec<String>,
    /// Inputs are so much larger, and loads so much longer.
    pub scale: f64,
    /// How often, instead of what it says.
    pub rounds: Option<usize>,
    /// Whether an interrupted run is gone on with.
    pub resume: bool,
}

/// Runs an experiment.
///
/// # Errors
///
/// There is no broker, or the results cannot be written. What is wrong with an engine is a line of
/// `runs.csv` and no error.
pub fn run(experiment: &Experiment, choice: &Choice, results: &Path) -> Result<()> {
    for name in &choice.engines {
        engines::named(name)?;
    }
    let chosen =
        |trial: &Trial| choice.engines.is_empty() || choice.engines.contains(&trial.engine);
    let mut trials = experiment.trials(choice.scale, choice.rounds);
    let engines: BTreeSet<String> = trials.iter().map(|trial| trial.engine.clone()).collect();
    trials.retain(chosen);
    if trials.is_empty() {
        let why = format!("experiment {} has no trial of these engines", experiment.name);
        let engines: Vec<String> = engines.into_iter().collect();
        return Err(Error::usage(why).hint(format!("it has {}", engines.join(", "))));
    }
    let mut folder = match choice.resume {
        true => Folder::resume(results, experiment, choice.scale)?,
        false => Folder::create(results, experiment, choice.scale)?,
    };
    let done: Vec<RunRow> = read_table(folder.dir(), "runs.csv")?;
    let done: BTreeSet<usize> = done.iter().map(|row| row.trial).collect();
    trials.retain(|trial| !done.contains(&trial.number));
    say(&format!(
        "{}: {}\n{} trials, about {} minutes in all; results in {}",
        experiment.name,
        experiment.question,
        trials.len(),
        experiment.minutes,
        folder.dir().display(),
    ));
    let scratch = Scratch::new("bench-run");
    // Made while the broker starts, idle until its writers are tried, gone before the first trial.
    let postgres = Scratch::new("bench-postgres");
    let place = postgres.path().to_owned();
    let database = thread::spawn(move || PostgresServer::start_in(&place));
    let server = KafkaServer::start(&scratch.path().join("kafka"));
    let died = |_| Err(Skip { reason: "its start has panicked".into() });
    let database = database.join().unwrap_or_else(died);
    let server = server.map_err(no_broker)?;
    let logs = folder.dir().join("logs");
    fs::create_dir_all(&logs).map_err(Error::storage)?;
    let bed = Bed {
        brokers: server.brokers(),
        broker: server.id(),
        work: scratch.path().join("work"),
        logs,
    };
    let mut lines = limits::measure(scratch.path())?;
    for (query, events) in backlogs(&trials) {
        let of = match query {
            Workload::Windows(_) => query.to_string(),
            _ => query.source().into(),
        };
        say(&format!("writing a backlog of {} events of {of}", grouped(events)));
        let seconds = bed.backlog(query, events).fill(&*query.backlog(events)?)?;
        let what = format!("generator of {of}, backlog of {}", grouped(events));
        lines.push(limits::line(&what, "M events/s", events as f64 / seconds / 1e6));
    }
    let topic = |topic: &str| bed.target(topic);
    lines.extend(limits::writers::measure(scratch.path(), &topic, &database)?);
    drop((database, postgres));
    folder.append("limits.csv", &lines)?;
    Trials { bed, answers: BTreeMap::new(), times: BTreeMap::new() }.run(&trials, &mut folder)?;
    folder.finish()?;
    say(&format!("done; see it: highwater-bench report {}", folder.dir().display()));
    Ok(())
}

fn no_broker(why: impl std::fmt::Display) -> Error {
    Error::unreachable(format!("there is no broker: {why}"))
        .hint("it needs Java and, once, Maven to fetch it; then --resume goes on")
}

/// Backlogs that must be there, each with the first of the queries over it.
fn backlogs(trials: &[Trial]) -> Vec<(Workload, u64)> {
    let mut known = BTreeSet::new();
    let trials = trials.iter().filter(|trial| trial.load.is_none());
    let backlogs = trials.map(|trial| (trial.query, trial.events));
    backlogs.filter(|(query, events)| known.insert(query.input(*events))).collect()
}

/// Trials in their order.
struct Trials {
    bed: Bed,
    /// What a backlog must give, computed once.
    answers: BTreeMap<(Workload, u64), Answer>,
    /// Seconds that the last trial of an engine and part took.
    times: BTreeMap<(String, String), f64>,
}

impl Trials {
    fn run(&mut self, trials: &[Trial], folder: &mut Folder) -> Result<()> {
        for (at, trial) in trials.iter().enumerate() {
            let start = Instant::now();
            let left = self.minutes_left(&trials[at..]);
            say_same_line(&format!("[{}/{}] {}{left} …", at + 1, trials.len(), title(trial)));
            let began = SystemTime::now();
            let outcome = self.one(trial)?;
            say(&format!(
                "\r\x1b[K[{}/{}] {}: {}",
                at + 1,
                trials.len(),
                title(trial),
                figures(&outcome.row)
            ));
            write(folder, trial, &outcome, began)?;
            let times = (trial.part.clone(), trial.engine.clone());
            self.times.insert(times, start.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn one(&mut self, trial: &Trial) -> Result<Outcome> {
        let utc = wall_time().to_string();
        let engine = engines::named(&trial.engine)?;
        let version = engine.version();
        let mut outcome = match (&version, &trial.load) {
            (Err(why), _) => {
                let mut outcome = Outcome::default();
                outcome.row.status = format!("skipped:{why}");
                outcome
            }
            (Ok(_), None) => {
                let Trial { query, events, .. } = trial;
                let answer = match self.answers.entry((*query, *events)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        place.insert(Answer::of(*query, *events, &self.bed.work)?)
                    }
                };
                trial::backlog(&self.bed, &*engine, trial, answer)?
            }
            (Ok(_), Some(load)) => live::live(&self.bed, &*engine, trial, load)?,
        };
        let row = &mut outcome.row;
        (row.utc, row.trial, row.part) = (utc, trial.number, trial.part.clone());
        row.engine = trial.engine.clone();
        row.engine_version = version.unwrap_or_default();
        row.query = trial.query.to_string();
        row.rows = match trial.rows {
            RowsWanted::Final => "final".into(),
            RowsWanted::Update => "update".into(),
        };
        (row.round, row.workers) = (trial.round, trial.workers);
        (row.events, row.seed) = (trial.events, SEED);
        row.rate_planned = trial.load.map(|load| load.rate);
        row.duration_s = trial.load.map(|load| load.seconds);
        row.warmup_s = trial.load.map(|load| load.warmup);
        Ok(outcome)
    }

    /// How long the rest takes, once each of its engines was timed.
    fn minutes_left(&self, rest: &[Trial]) -> String {
        let time = |trial: &Trial| self.times.get(&(trial.part.clone(), trial.engine.clone()));
        let known: Vec<f64> = rest.iter().filter_map(time).copied().collect();
        if known.len() < rest.len() {
            return String::new();
        }
        format!(", about {:.0} min left", (known.iter().sum::<f64>() / 60.0).ceil())
    }
}

fn write(folder: &mut Folder, trial: &Trial, outcome: &Outcome, began: SystemTime) -> Result<()> {
    let differences: Vec<VerifyRow> = outcome
        .verdict
        .differences
        .iter()
        .map(|difference| VerifyRow {
            trial: trial.number,
            window_start_ms: difference.start_ms,
            key: difference.key.clone(),
            column: difference.column.clone(),
            expected: difference.expected,
            got: difference.got,
            verdict: difference.verdict.into(),
        })
        .collect();
    folder.append("verify.csv", &differences)?;
    folder.append("throughput.csv", &outcome.throughput)?;
    folder.append("latency.csv", &outcome.latencies)?;
    if trial.load.is_some() {
        let path = folder.dir().join(format!("{:03}-{}.hlog", trial.number, trial.engine));
        let series: Vec<&Series> = outcome.series.iter().collect();
        write_log(&path, began, &series)?;
    }
    // The line of the trial last: with it the trial is over.
    let row = RunRow { run_id: folder.run_id().to_owned(), ..outcome.row.clone() };
    folder.append("runs.csv", &[row])
}

/// A trial in a few words.
fn title(trial: &Trial) -> String {
    let Trial { engine, query, events, round, .. } = trial;
    let input = match trial.load {
        None => format!("{} events", grouped(*events)),
        Some(load) => format!("{}/s for {} s", grouped(load.rate), load.seconds),
    };
    format!("{engine} {query}, {input}, round {}", round + 1)
}

/// The figures of a trial, if its rows were right.
fn figures(row: &RunRow) -> String {
    if row.status != "ok" {
        return format!("{} ({} of {} rows right)", row.status, row.rows_equal, row.rows_expected);
    }
    let mut parts = Vec::new();
    if let (Some(cpu_s), Some(wall_s)) = (row.cpu_s, row.wall_s) {
        let million = row.events as f64 / 1e6;
        parts.push(format!("{:.2} M events per CPU-second", million / cpu_s));
        parts.push(format!("{cpu_s:.2} CPU-s in {wall_s:.2} s"));
    }
    if let Some(percent) = row.cpu_percent {
        parts.push(format!("{percent:.1} % of a core"));
    }
    if let Some(first) = row.first_row_s {
        parts.push(format!("first row after {first:.2} s"));
    }
    parts.join(", ")
}

/// A number with commas.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn say(line: &str) {
    // Nobody reads a closed pipe.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn say_same_line(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_shown_of_a_trial_whose_rows_are_wrong() {
        let right = RunRow {
            events: 1_000_000,
            cpu_s: Some(2.0),
            wall_s: Some(3.0),
            status: "ok".into(),
            ..RunRow::default()
        };
        assert!(figures(&right).contains("0.50 M events per CPU-second"));
        let wrong = RunRow { status: "mismatch".into(), rows_expected: 9, ..right };
        assert_eq!(figures(&wrong), "mismatch (0 of 9 rows right)");
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn an_engine_that_is_not_there_is_a_row_with_the_reason() {
        let bed = Bed { brokers: String::new(), broker: 0, work: "".into(), logs: "".into() };
        let mut trials = Trials { bed, answers: BTreeMap::new(), times: BTreeMap::new() };
        let text = "question = 'q'\nminutes = 1\n[[backlog]]\nquery = 'count'\n\
                    events = [1]\nengines = ['highwater']";
        let trial = Experiment::parse("x", text).unwrap().trials(1.0, None).remove(0);
        // Its program does not lie beside that of the tests.
        let row = trials.one(&trial).unwrap().row;
        assert!(row.status.starts_with("skipped:"), "{}", row.status);
        assert!(row.status.ends_with("is not built"), "{}", row.status);
        assert_eq!((row.engine.as_str(), row.cpu_s), ("highwater", None));
    }
}
