//! How long a job takes to recover: processes of a cluster are killed while events come, again and
//! again.
//!
//! ```text
//! capacity   events that wait are read as fast as it goes
//! load       a part of that, paced by the clock
//! kill       one process, in turn; its supervisor begins the next generation
//! caught up  the first checkpoint that is as far as those before the kill said it would be
//! ```
//!
//! Everything is read from outside: what the supervisor says, and how far the checkpoints are. All
//! views are computed; their final rows go to files.

mod cluster;
mod positions;

use std::path::Path;
use std::time::{Duration, Instant};

use highwater::error::{Error, Result};
use highwater::hash;
use highwater::runtime::wall_time;
use highwater::testing::Scratch;
use highwater::time::Time;

use crate::micro::report::{Report, Target};
use crate::workloads::system::System;
use cluster::Cluster;
use positions::{Line, Positions};

/// How often a checkpoint is made; what is read from checkpoints is no finer.
const EVERY: Duration = Duration::from_millis(250);

/// How long events are read as fast as it goes; the second half of it is measured.
const CAPACITY: Duration = Duration::from_secs(10);

/// How many checkpoints say what is usual before a kill.
const USUAL: usize = 12;

/// Behind the usual by at most this is caught up, and near the line before a kill: a checkpoint
/// says no more, as large ones take longer to write than small ones.
const BEHIND_MAX_S: f64 = EVERY.as_millis() as f64 / 1e3;

/// The longest that anything is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// Processes of a cluster.
const PROCESSES: usize = 2;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The systems.
    pub systems: Vec<System>,
    /// Kills of each of them.
    pub kills: usize,
    /// Events as a part of what a system can read.
    pub load: f64,
}

/// What a kill has cost, in seconds since it.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// The supervisor says that it begins again.
    detected: f64,
    /// The first checkpoint of the new generation: rows that wait for one are seen.
    checkpoint: f64,
    /// The first checkpoint that is not behind.
    caught_up: f64,
    /// Events since the last checkpoint before the kill, about: they are read again.
    replayed: f64,
}

/// Measures, and writes a report.
///
/// # Errors
///
/// A cluster does not start, or does not recover.
pub fn run(choice: &Choice, results: &Path) -> Result<()> {
    let mut report = Report::new(results)?;
    for system in &choice.systems {
        let name = system.name();
        let capacity = capacity(*system)?;
        report.figure(name, "events it can read", capacity, "events/s", Target::None)?;
        let recoveries = kills(*system, choice.load * capacity, choice.kills)?;
        for (what, unit, of) in FIGURES {
            let mut values: Vec<f64> = recoveries.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            for (part, name_of_part) in [(0.5, "p50"), (0.99, "p99")] {
                let at = ((values.len() as f64 * part).ceil() as usize).clamp(1, values.len()) - 1;
                let question = format!("{what}, {name_of_part} of {} kills", values.len());
                report.figure(name, &question, values[at], unit, Target::None)?;
            }
        }
    }
    report.finish()
}

/// What it is, its unit, and where it is.
type Figure = (&'static str, &'static str, fn(&Recovery) -> f64);

const FIGURES: [Figure; 4] = [
    ("kill to a new generation", "s", |recovery| recovery.detected),
    ("kill to the next checkpoint", "s", |recovery| recovery.checkpoint),
    ("kill to caught up", "s", |recovery| recovery.caught_up),
    ("events read again", "events", |recovery| recovery.replayed),
];

/// Events a second that a system reads of those that wait.
fn capacity(system: System) -> Result<f64> {
    let dir = Scratch::new("recovery-capacity");
    // So many an hour ago that they last.
    let start = Time::from_micros(wall_time().micros() - 3_600 * 1_000_000);
    let cluster = Cluster::start(system, dir.path(), start, 100_000.0)?;
    let positions = Positions::new(system.name(), dir.path());
    let (mut line, begun) = (Line::default(), Instant::now());
    while begun.elapsed() < CAPACITY {
        cluster.alive()?;
        std::thread::sleep(LOOK);
        if let Some(point) = positions.newest()?.filter(|_| CAPACITY / 2 < begun.elapsed()) {
            line.add(point);
        }
    }
    let fit = line
        .fit()
        .ok_or_else(|| Error::bug(format!("{system} made no checkpoints")).hint(cluster.said()))?;
    Ok(fit.per_s)
}

/// What some kills under a load have cost.
fn kills(system: System, rate: f64, kills: usize) -> Result<Vec<Recovery>> {
    let dir = Scratch::new("recovery");
    let cluster = Cluster::start(system, dir.path(), wall_time(), rate)?;
    let positions = Positions::new(system.name(), dir.path());
    let mut recoveries = Vec::new();
    for kill in 0..kills {
        let mut line = Line::default();
        wait("the usual before a kill", &cluster, || {
            line.extend(positions.newest()?);
            Ok(line.is_usual(USUAL, rate).then_some(()))
        })?;
        // At any instant between two checkpoints.
        let pause = hash::of(&(system.name(), kill)) % EVERY.as_millis() as u64;
        std::thread::sleep(Duration::from_millis(pause));
        line.extend(positions.newest()?);
        let recovery = recover((&cluster, &positions), (&line, kill))?;
        eprintln!("{system}: kill {} of {kills}: {recovery:.3?}", kill + 1);
        recoveries.push(recovery);
    }
    Ok(recoveries)
}

/// Kills a process, and waits until the job is as far as it would be without.
fn recover(
    (cluster, positions): (&Cluster, &Positions),
    (line, kill): (&Line, usize),
) -> Result<Recovery> {
    let (Some(usual), Some(last)) = (line.fit(), line.last()) else {
        return Err(Error::bug("a line of no points"));
    };
    let generations = cluster.generations();
    let killed_s = wall_time().micros() as f64 / 1e6;
    let begun = Instant::now();
    let since = || begun.elapsed().as_secs_f64();
    cluster.kill(kill % PROCESSES)?;
    wait("the next generation", cluster, || {
        Ok((generations < cluster.generations()).then_some(()))
    })?;
    let detected = since();
    let mut checkpoint = None;
    let caught_up = wait("what would be usual without the kill", cluster, || {
        let newest = positions.newest()?.filter(|point| killed_s + detected < point.at_s);
        let Some(point) = newest else { return Ok(None) };
        checkpoint.get_or_insert_with(since);
        let behind_s = (usual.at(point.at_s) - point.read) / usual.per_s;
        Ok((behind_s <= BEHIND_MAX_S).then(since))
    })?;
    Ok(Recovery {
        detected,
        checkpoint: checkpoint.unwrap_or(f64::NAN),
        caught_up,
        replayed: usual.per_s * (killed_s - last.at_s).max(0.0),
    })
}

/// Looks until there is something.
fn wait<T>(
    what: &str,
    cluster: &Cluster,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        cluster.alive()?;
        if LIMIT < begun.elapsed() {
            let error = Error::unreachable(format!("{what} did not come within {LIMIT:?}"));
            return Err(error.hint(cluster.said()));
        }
        std::thread::sleep(LOOK);
    }
}
