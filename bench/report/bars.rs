//! The bars: what Highwater must reach, as data in `bars/rules.toml`, judged by the trials of run
//! folders. Judging is pure.
//!
//! ```text
//! rules, run folders ─► of each rule its run, place, engines ─► figure ─► met, missed, unknown
//! ```
//!
//! A figure is of one run: the median of its pairs of a round. Trials that are not `ok` have none,
//! and wrong rows of one trial take it from all trials of its group.

pub mod block;
mod cases;
mod judge;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use highwater::error::{Error, Result};
use serde::Deserialize;

use crate::harness::folder::Results;
use crate::harness::stats::Estimate;

use cases::{Case, CaseRun};

pub(super) use cases::is_of_cases;

const RULES: &str = include_str!("bars/rules.toml");

/// All rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Those about run folders.
    #[serde(rename = "bar")]
    pub bars: Vec<Bar>,
    /// Those about cases within one process.
    #[serde(rename = "case", default)]
    cases: Vec<Case>,
}

/// A rule about trials of an experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    /// In words.
    pub what: String,
    /// The experiment that measures it.
    pub experiment: String,
    /// What was computed.
    pub query: String,
    /// Which rows.
    #[serde(default = "last")]
    pub rows: String,
    /// Events a second, of a load.
    pub rate: Option<u64>,
    /// What is judged.
    pub figure: Figure,
    /// The engines of which the best one counts; none, if the figure stands for itself.
    #[serde(default)]
    pub against: Vec<String>,
    /// What is to be reached.
    pub bound: Bound,
    /// Whether the hiccups of the machine are the bound where they are longer.
    #[serde(default)]
    pub or_hiccup: bool,
}

fn last() -> String {
    "final".into()
}

/// What of a trial is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Million events per processor second, start included.
    Rate,
    /// The same; of the other engine, between two sizes.
    Marginal,
    /// Half of all events showed so soon.
    EventP50,
    /// All but one of a hundred.
    EventP99,
    /// From the event that lets a window close to its row.
    CloseDelayP99,
    /// Processor time under load.
    CpuPercent,
    /// Processor time with nothing to do.
    IdlePercent,
    /// Greatest memory.
    PeakMib,
    /// From start to first row.
    FirstRowS,
}

impl Figure {
    /// What stands behind the number, if it is no ratio.
    fn unit(self) -> &'static str {
        match self {
            Figure::Rate | Figure::Marginal => " M events per CPU-s",
            Figure::EventP50 | Figure::EventP99 | Figure::CloseDelayP99 => " ms",
            Figure::CpuPercent | Figure::IdlePercent => " % of a core",
            Figure::PeakMib => " MiB",
            Figure::FirstRowS => " s",
        }
    }
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Bound::AtLeast(least) => least <= value,
            Bound::AtMost(most) => value <= most,
        }
    }

    /// Which of two values is the harder one for us.
    fn harder(self, a: f64, b: f64) -> std::cmp::Ordering {
        match self {
            Bound::AtLeast(_) => a.total_cmp(&b),
            Bound::AtMost(_) => b.total_cmp(&a),
        }
    }
}

/// What is known of a bar.
#[derive(Clone, Debug)]
pub struct Judged {
    /// In words.
    pub what: String,
    /// What was to be reached, in this run.
    pub bound: Bound,
    /// Behind figure and bound.
    pub unit: String,
    /// The figure; else why there is none.
    pub figure: Result<Measured, String>,
    /// More to be said, such as an engine without a figure.
    pub notes: Vec<String>,
    /// The run, in a word: its experiment, and what keeps its figures from being quoted.
    pub run: String,
    /// Its name; empty without one.
    pub run_id: String,
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Of the pairs, or of the trials.
    pub estimate: Estimate,
    /// The same with the start of both, beside a marginal figure.
    pub total: Option<Estimate>,
    /// Of what: a number of events, and beside whom if there was a choice.
    pub of: String,
}

/// Run folders, as far as bars need them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Of experiments; of each experiment the last one counts.
    runs: Vec<Results>,
    /// Of cases.
    cases: Vec<CaseRun>,
}

impl Runs {
    /// The folders that were named, below `results` or anywhere; without names the newest finished
    /// run of each experiment there.
    ///
    /// # Errors
    ///
    /// There is none of that name, or it cannot be read.
    pub fn read(names: &[PathBuf], results: &Path) -> Result<Runs> {
        let mut runs = Runs::default();
        if names.is_empty() {
            runs.runs = Results::newest_of_each(results)?;
            runs.cases = cases::below(results)?;
        }
        for name in names {
            match cases::named(name, results)? {
                Some(cases) => runs.cases.push(cases),
                None => runs.runs.push(super::run(Some(name), results)?),
            }
        }
        Ok(runs)
    }
}

/// All bars, in the order of the rules.
///
/// # Errors
///
/// The rules say something unknown.
pub fn all(runs: &Runs) -> Result<Vec<Judged>> {
    let rules = rules()?;
    let bars = rules.bars.iter().map(|bar| {
        let run = runs.runs.iter().rev().find(|run| run.about.experiment == bar.experiment);
        judge::judged(bar, run)
    });
    let cases = rules.cases.iter().map(|case| cases::judged(case, &runs.cases));
    Ok(bars.chain(cases).collect())
}

/// The rules.
fn rules() -> Result<Rules> {
    toml::from_str(RULES).map_err(|error| Error::bug(error.message()).within("rules.toml"))
}
