//! Whole systems, from generated events to the rows of all of their views.
//!
//! | file | holds |
//! |---|---|
//! | `generated.rs` | the systems, and events for them |
//! | `kafka.rs` | from real Kafka in two processes: the rows and ledgers that files give |
//! | `late.rs` | late events: counts and rows are those of the model in `model.rs` |
//! | `views.rs` | what late events meet: logs, and the windows of every view |
//! | `runs.rs` | runs over these logs |
//!
//! A job is bound as it is from the command line: the job file of its system, with something laid
//! over it.

pub(crate) mod generated;
mod kafka;
mod late;
mod model;
mod runs;
mod views;

use std::sync::Arc;

use highwater::config::{Config, Kinds};
use highwater::runtime::{Dataflow, Job, Surroundings, bind, wall_time};
use highwater::sink::kinds::SINK_NAMES;
use highwater::source::kinds::SOURCE_NAMES;
use highwater_dataflows::DATAFLOWS;

/// Columns that a sink appends, if its binding asks for one.
const STAMPS: [&str; 3] = ["processed_at", "processing_time", "detected_at"];

/// The dataflows of a system, but for those that run only when they are named.
pub(crate) fn dataflows(system: &str) -> impl Iterator<Item = &'static Dataflow> {
    let of_system = DATAFLOWS.iter().filter(move |dataflow| dataflow.system == system);
    of_system.filter(|dataflow| !dataflow.by_name)
}

/// The job file of a dataflow with others laid over it; no variable of the environment is set.
pub(crate) fn config(dataflow: &Dataflow, overlays: &[(&'static str, &str)]) -> Config {
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: SINK_NAMES };
    let files: Vec<(&str, &str)> = [&[dataflow.file], overlays].concat();
    Config::load(kinds, &files, &[], &[], &|_| None).unwrap()
}

/// What turns off the alerts of a system, which have tests of their own; campus has none.
pub(crate) fn without_alerts(system: &str) -> Option<&'static str> {
    (system != "campus").then_some("parameters.alerts.enabled = false")
}

/// The jobs of a system, without alerts.
pub(crate) fn jobs(system: &str, overlays: &[(&'static str, &str)]) -> Vec<Arc<Job>> {
    let around = Surroundings {
        generators: highwater_datasets::GENERATORS,
        dataflows: DATAFLOWS,
        now: Arc::new(wall_time),
        threads: 1,
        latency: false,
        from: None,
    };
    let jobs = dataflows(system).map(|dataflow| {
        let quiet = without_alerts(system).map(|quiet| ("quiet.toml", quiet));
        let overlays: Vec<_> = quiet.into_iter().chain(overlays.iter().copied()).collect();
        let config = config(dataflow, &overlays);
        Arc::new(bind(dataflow, &config, &around).unwrap())
    });
    jobs.collect()
}

/// The lines of a CSV file but for the column that a sink has appended.
pub(crate) fn unstamped(csv: &str) -> Vec<&str> {
    let cut = |line| str::rsplit_once(line, ',').map_or(line, |(line, _)| line);
    let header = csv.lines().next().unwrap_or_default();
    let is_stamped = header.rsplit_once(',').is_some_and(|(_, last)| STAMPS.contains(&last));
    csv.lines().map(|line| if is_stamped { cut(line) } else { line }).collect()
}

/// A row of Parquet, as `{name: value, …}`, up to the column that a sink has appended.
pub(crate) fn unstamped_row(row: &str) -> &str {
    let stamps = STAMPS.map(|stamp| row.rfind(&format!(", {stamp}: ")));
    stamps.iter().flatten().min().map_or(row, |at| &row[..*at])
}
