//! The report: a table for people, and `results/<run_id>/runs.csv` with every sample.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use highwater::error::{Error, Result};
use highwater::runtime::wall_time;
use serde::Serialize;

use crate::harness::host::{self, Host};
use crate::harness::stats::median;
use crate::micro::measure::{Pairs, Sample};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Nothing in particular.
    None,
}

/// The report of one run.
pub struct Report {
    run_id: String,
    host: Host,
    csv: csv::Writer<std::fs::File>,
    path: PathBuf,
}

/// A line of `runs.csv`: a sample, or a figure that is no pair.
#[derive(Serialize)]
struct Line<'a> {
    run_id: &'a str,
    utc: String,
    commit: &'a str,
    dirty: bool,
    rustc: &'a str,
    cores: usize,
    load1: f64,
    case: &'a str,
    arm: &'a str,
    round: usize,
    events: u64,
    cpu_s: f64,
    wall_s: f64,
    what: &'a str,
    value: f64,
    status: &'a str,
}

/// Two contenders and their samples.
pub struct Compared<'a> {
    /// Letter of the case.
    pub case: &'a str,
    /// What was measured, in a few words.
    pub question: &'a str,
    /// Events of the input.
    pub events: u64,
    /// Names of the two.
    pub arms: (&'a str, &'a str),
    /// Their samples.
    pub pairs: &'a Pairs,
    /// Whether the figure is the second one's cost over the first one's, or the inverse.
    pub inverse: bool,
    /// What the ratio should be.
    pub target: Target,
}

impl Report {
    /// Begins a run below `results`.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn new(results: &Path) -> Result<Report> {
        let host = Host::look();
        let utc = wall_time().to_string().replace([':', '-'], "");
        let dirty = if host.dirty { "-dirty" } else { "" };
        let run_id = format!("{}-bench-{}{dirty}", &utc[..15], host.commit);
        let dir = results.join(&run_id);
        let failed = |error: &dyn std::fmt::Display| {
            Error::config(format!("cannot write {}: {error}", dir.display()))
        };
        std::fs::create_dir_all(&dir).map_err(|error| failed(&error))?;
        let path = dir.join("runs.csv");
        let csv = csv::Writer::from_path(&path).map_err(|error| failed(&error))?;
        let mut report = Report { run_id, host, csv, path };
        let Host { cores, rustc, commit, dirty, .. } = report.host.clone();
        report.say(&format!(
            "{rustc}, commit {commit}{}, {cores} cores, load average {:.2}\n\
             M/CPU-s: millions of events per second of processor time of the whole process, \
             medians.\n\n{:<52} {:>9} {:>9}  {:>6} {:>15}  {:>8} {:>5}",
            if dirty { " with changes" } else { "" },
            host::load(),
            "case",
            "M/CPU-s",
            "against",
            "ratio",
            "min to max",
            "target",
            "load",
        ))?;
        Ok(report)
    }

    /// Reports a comparison; its rows have been found equal before.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn compared(&mut self, compared: &Compared<'_>) -> Result<()> {
        let Compared { case, question, events, arms, pairs, inverse, target } = *compared;
        let million = events as f64 / 1e6;
        let rate = |samples: &mut dyn Iterator<Item = Sample>| {
            let rates: Vec<f64> = samples.map(|sample| million / sample.cpu_s).collect();
            median(&rates).unwrap_or(f64::NAN)
        };
        let first = rate(&mut pairs.samples.iter().map(|pair| pair.0));
        let second = rate(&mut pairs.samples.iter().map(|pair| pair.1));
        let mut ratio = pairs.ratio();
        if inverse {
            ratio = ratio.inverse();
        }
        let name = format!("({case}) {question}");
        let range = format!("{:.3} to {:.3}", ratio.min, ratio.max);
        self.say(&format!(
            "{name:<52} {first:>9.2} {second:>9.2}  {:>6.3} {range:>15}  {:>8} {:>5.1}",
            ratio.median,
            verdict(target, ratio.median),
            host::load(),
        ))?;
        for (round, (first, second)) in pairs.samples.iter().enumerate() {
            for (arm, sample) in [(arms.0, first), (arms.1, second)] {
                self.line(case, arm, (round, events), Some(*sample), (question, f64::NAN))?;
            }
        }
        self.line(case, arms.0, (pairs.samples.len(), events), None, ("ratio_median", ratio.median))
    }

    /// Reports a figure that is no comparison.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn figure(
        &mut self,
        case: &str,
        question: &str,
        value: f64,
        unit: &str,
        target: Target,
    ) -> Result<()> {
        let name = format!("({case}) {question}");
        let figure = format!("{value:.2} {unit}");
        let load = host::load();
        let verdict = verdict(target, value);
        self.say(&format!("{name:<52} {figure:>44}  {verdict:>8} {load:>5.1}"))?;
        self.line(case, question, (0, 0), None, (unit, value))
    }

    /// Says that something was not measured, and why.
    ///
    /// # Errors
    ///
    /// It cannot be printed.
    pub fn skipped(&mut self, case: &str, question: &str, reason: &str) -> Result<()> {
        let name = format!("({case}) {question}");
        self.say(&format!("{name:<52} {reason:>44}"))
    }

    /// Where the samples are, at the end of the run.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        let failed = |error| Error::storage(format!("{}: {error}", self.path.display()));
        self.csv.flush().map_err(failed)?;
        self.say(&format!("\n{}", self.path.display()))
    }

    fn line(
        &mut self,
        case: &str,
        arm: &str,
        (round, events): (usize, u64),
        sample: Option<Sample>,
        (what, value): (&str, f64),
    ) -> Result<()> {
        let Sample { cpu_s, wall_s } =
            sample.unwrap_or(Sample { cpu_s: f64::NAN, wall_s: f64::NAN });
        let line = Line {
            run_id: &self.run_id,
            utc: wall_time().to_string(),
            commit: &self.host.commit,
            dirty: self.host.dirty,
            rustc: &self.host.rustc,
            cores: self.host.cores,
            load1: host::load(),
            case,
            arm,
            round,
            events,
            cpu_s,
            wall_s,
            what,
            value,
            status: "ok",
        };
        let failed = |error| Error::storage(format!("{}: {error}", self.path.display()));
        self.csv.serialize(line).map_err(failed)
    }

    fn say(&mut self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::storage)
    }
}

fn verdict(target: Target, value: f64) -> String {
    match target {
        Target::AtLeast(least) if least <= value => format!("≥ {least} ok"),
        Target::AtLeast(least) => format!("≥ {least} NO"),
        Target::AtMost(most) if value <= most => format!("≤ {most} ok"),
        Target::AtMost(most) => format!("≤ {most} NO"),
        Target::None => String::new(),
    }
}
