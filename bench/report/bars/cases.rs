//! Bars about what is measured within one process: folders of `highwater-bench cases`.

use std::collections::BTreeMap;
use std::path::Path;

use highwater::error::Result;
use serde::Deserialize;

use crate::harness::folder::{dirs, read_table};
use crate::harness::stats::estimate;
use crate::report::figures::ratio;

use super::{Bound, Judged, Measured};

/// A rule about a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    what: String,
    case: String,
    question: String,
    bound: Bound,
    /// Of a figure that is no ratio.
    unit: Option<String>,
}

/// A folder of cases.
#[derive(Clone, Debug)]
pub(super) struct CaseRun {
    /// Name of the folder.
    pub run_id: String,
    lines: Vec<Line>,
}

/// What is read of a line of its `runs.csv`: a sample of an arm, or a figure of its own.
#[derive(Clone, Debug, Deserialize)]
struct Line {
    commit: String,
    dirty: bool,
    case: String,
    arm: String,
    round: usize,
    cpu_s: f64,
    what: String,
    value: f64,
}

/// The folder of a name, if it is one of cases.
pub(super) fn named(name: &Path, results: &Path) -> Result<Option<CaseRun>> {
    let places = [name.to_path_buf(), results.join(name)];
    places.iter().find(|dir| is_of_cases(dir)).map(|dir| read(dir)).transpose()
}

/// All of them below a folder, in the order of time.
pub(super) fn below(results: &Path) -> Result<Vec<CaseRun>> {
    dirs(results).iter().filter(|dir| is_of_cases(dir)).map(|dir| read(dir)).collect()
}

/// Whether a folder was written by `highwater-bench cases`.
pub(crate) fn is_of_cases(dir: &Path) -> bool {
    dir.join("runs.csv").exists() && !dir.join("run.json").exists()
}

fn read(dir: &Path) -> Result<CaseRun> {
    let run_id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(CaseRun { run_id, lines: read_table(dir, "runs.csv")? })
}

/// What the newest run that has the case says of it.
pub(super) fn judged(case: &Case, runs: &[CaseRun]) -> Judged {
    let found = runs.iter().rev().find_map(|run| Some((run, measured(case, &run.lines)?)));
    let mark = |run: &CaseRun| match run.lines.iter().any(|line| line.dirty) {
        true => "cases, **uncommitted changes**",
        false => "cases",
    };
    Judged {
        what: case.what.clone(),
        bound: case.bound,
        unit: case.unit.clone().unwrap_or_else(|| "×".into()),
        run: found.as_ref().map_or("", |(run, _)| mark(run)).into(),
        run_id: found.as_ref().map(|(run, _)| run.run_id.clone()).unwrap_or_default(),
        figure: found.map(|(_, measured)| measured).ok_or(format!("`cases {}`", case.case)),
        notes: vec![],
    }
}

/// The figure: how much cheaper the engine is than the loop, or the one with a unit.
fn measured(case: &Case, lines: &[Line]) -> Option<Measured> {
    let lines = lines.iter().filter(|line| line.case == case.case);
    let found = if case.unit.is_some() {
        let alone = lines.filter(|line| line.arm == case.question).map(|line| line.value);
        estimate(&alone.collect::<Vec<_>>())
    } else {
        let mut arms: BTreeMap<bool, BTreeMap<usize, f64>> = BTreeMap::new();
        for line in lines.filter(|line| line.what == case.question && 0.0 < line.cpu_s) {
            // Rates, as both had the same events.
            let rates = arms.entry(line.arm == "engine").or_default();
            rates.insert(line.round, 1.0 / line.cpu_s);
        }
        ratio(arms.get(&true)?, arms.get(&false)?)
    };
    found.map(|estimate| Measured { estimate, total: None, of: String::new() })
}

impl CaseRun {
    /// The commit that was measured.
    pub fn commit(&self) -> &str {
        self.lines.first().map_or("", |line| &line.commit)
    }
}
