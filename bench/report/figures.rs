//! Figures of a run, from the lines of `runs.csv`: what an event costs each engine, and how the
//! engines compare. Pure.
//!
//! Rows decide first: a group with one trial of wrong rows has no figures at all. Ratios are made
//! of two trials of the same round, never of medians; marginal costs of two sizes of one round.

use std::collections::BTreeMap;

use crate::engines;
use crate::harness::folder::RunRow;
use crate::harness::run::grouped;
use crate::harness::stats::{Estimate, Spread, estimate, median};

/// The engine that all others are compared with.
pub const OURS: &str = "highwater";

/// Fewer pairs than these give an interval that should not be trusted.
pub const PAIRS_MIN: usize = 20;

/// What was done, by whom: trials of one group differ in their round alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Part of the experiment.
    pub part: String,
    /// What was computed.
    pub query: String,
    /// Which rows were written.
    pub rows: String,
    /// Events.
    pub events: u64,
    /// Events a second, of a load.
    pub rate: Option<u64>,
}

/// Trials of an engine at a place.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// What was done.
    pub place: Place,
    /// Who.
    pub engine: &'a str,
    /// The trials, in their order.
    pub trials: Vec<&'a RunRow>,
}

/// What an event costs an engine, read from a backlog.
#[derive(Clone, Debug)]
pub struct Cost<'a> {
    /// Whose.
    pub group: Group<'a>,
    /// Million events per processor second of the whole tree, start included.
    pub rate: Option<Spread>,
    /// The same without what two sizes have in common; of virtual machines alone, at their largest
    /// size.
    pub marginal: Option<Spread>,
    /// Our rate over its rate, by pairs of a round.
    pub ratio: Option<Estimate>,
    /// Our whole rate over its marginal rate.
    pub marginal_ratio: Option<Estimate>,
    /// Processor seconds.
    pub cpu_s: Option<f64>,
    /// Seconds from start to last row.
    pub wall_s: Option<f64>,
    /// Seconds from start to first row.
    pub first_row_s: Option<f64>,
    /// Greatest memory, in MiB.
    pub peak_mib: Option<f64>,
}

/// What is to be said of the rows of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// In words.
    pub text: String,
    /// Whether something went wrong that should not have.
    pub is_bad: bool,
}

/// Trials in groups: parts, and queries of a part, in the order of the experiment, engines in that
/// of all reports.
pub fn groups(runs: &[RunRow]) -> Vec<Group<'_>> {
    let mut found: BTreeMap<([usize; 2], Place, usize, &str), Vec<&RunRow>> = BTreeMap::new();
    let mut firsts: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for run in runs {
        for query in [None, Some(run.query.as_str())] {
            let first = firsts.entry((&run.part, query)).or_insert(run.trial);
            *first = run.trial.min(*first);
        }
    }
    for run in runs {
        let place = Place {
            part: run.part.clone(),
            query: run.query.clone(),
            rows: run.rows.clone(),
            events: run.events,
            rate: run.rate_planned,
        };
        let first = [None, Some(run.query.as_str())].map(|query| firsts[&(&*run.part, query)]);
        let order = (first, place, rank(&run.engine), run.engine.as_str());
        found.entry(order).or_default().push(run);
    }
    let group = |((_, place, _, engine), trials)| Group { place, engine, trials };
    found.into_iter().map(group).collect()
}

/// Costs of all groups that read a backlog.
pub fn costs(runs: &[RunRow]) -> Vec<Cost<'_>> {
    let groups: Vec<Group<'_>> =
        groups(runs).into_iter().filter(|group| group.place.rate.is_none()).collect();
    groups.iter().map(|group| cost(group, &groups)).collect()
}

fn cost<'a>(group: &Group<'a>, all: &[Group<'a>]) -> Cost<'a> {
    let rates = group.rates();
    let ours = all.iter().find(|other| other.engine == OURS && other.place == group.place);
    let ours = ours.filter(|_| group.engine != OURS).map(Group::rates).unwrap_or_default();
    let marginal = group.marginal(all);
    let spread = |rates: &BTreeMap<usize, f64>| Spread::of(rates.values().copied());
    let middle =
        |of: fn(&RunRow) -> Option<f64>| median(&group.usable().filter_map(of).collect::<Vec<_>>());
    Cost {
        rate: spread(&rates),
        marginal: spread(&marginal),
        ratio: ratio(&ours, &rates),
        marginal_ratio: ratio(&ours, &marginal),
        cpu_s: middle(|run| run.cpu_s),
        wall_s: middle(|run| run.wall_s),
        first_row_s: middle(|run| run.first_row_s),
        peak_mib: middle(|run| run.peak_rss_kb.map(|kib| kib as f64 / 1_024.0)),
        group: group.clone(),
    }
}

/// Our figures over those of another engine, of the same rounds.
pub fn ratio(ours: &BTreeMap<usize, f64>, theirs: &BTreeMap<usize, f64>) -> Option<Estimate> {
    let pairs = theirs.iter().filter_map(|(round, theirs)| Some(ours.get(round)? / theirs));
    estimate(&pairs.collect::<Vec<_>>())
}

impl<'a> Group<'a> {
    /// Trials that may show a figure: none if the rows of any of them were wrong.
    pub fn usable(&self) -> impl Iterator<Item = &'a RunRow> {
        let wrong = self.trials.iter().any(|run| run.status == "mismatch");
        self.trials.iter().copied().filter(move |run| !wrong && run.status == "ok")
    }

    /// A figure of its trials that may show one, by round.
    pub fn by_round(&self, of: impl Fn(&RunRow) -> Option<f64>) -> BTreeMap<usize, f64> {
        self.usable().filter_map(|run| Some((run.round, of(run)?))).collect()
    }

    /// Million events per processor second, by round.
    pub fn rates(&self) -> BTreeMap<usize, f64> {
        self.by_round(|run| {
            let cpu_s = run.cpu_s.filter(|cpu_s| 0.0 < *cpu_s)?;
            Some(run.events as f64 / 1e6 / cpu_s)
        })
    }

    /// The rate between the smallest size and this one, by round, if this is the largest and the
    /// engine runs on a virtual machine.
    pub fn marginal(&self, all: &[Group<'a>]) -> BTreeMap<usize, f64> {
        let place = &self.place;
        let siblings = all.iter().filter(|other| {
            other.engine == self.engine
                && (&other.place.part, &other.place.query) == (&place.part, &place.query)
        });
        let sizes: BTreeMap<u64, &Group<'a>> =
            siblings.map(|other| (other.place.events, other)).collect();
        let largest = sizes.last_key_value().is_some_and(|(events, _)| *events == place.events);
        if !engines::named(self.engine).is_ok_and(|engine| engine.is_jvm()) || !largest {
            return BTreeMap::new();
        }
        let Some((least, small)) =
            sizes.first_key_value().filter(|(least, _)| **least < place.events)
        else {
            return BTreeMap::new();
        };
        let small = small.by_round(|run| run.cpu_s);
        let million = (place.events - least) as f64 / 1e6;
        self.by_round(|run| {
            let more_s = run.cpu_s? - small.get(&run.round)?;
            (0.0 < more_s).then(|| million / more_s)
        })
    }

    /// What is to be said of its rows, or of why there are none.
    pub fn verdict(&self) -> Verdict {
        let count = self.trials.len();
        let not_ok: Vec<&&RunRow> = self.trials.iter().filter(|run| run.status != "ok").collect();
        if let Some(run) = not_ok.iter().find(|run| run.status == "mismatch").or(not_ok.first()) {
            let of =
                if count == 1 { String::new() } else { format!(" ({} of {count})", not_ok.len()) };
            let text = match run.status.split_once(':') {
                Some((what, _)) => format!("{what}{of}"),
                None if run.status == "mismatch" => format!("mismatch{of}: {}", differences(run)),
                None => format!("{}{of}", run.status.replace('_', " ")),
            };
            return Verdict { text, is_bad: !run.status.starts_with("skipped") };
        }
        let expected = self.trials.first().map_or(0, |run| run.rows_expected);
        let errors = self.trials.iter().filter_map(|run| run.approximate_error);
        let text = match errors.max_by(f64::total_cmp) {
            _ if expected == 0 => "reads only".into(),
            Some(error) if 0.0 < error => {
                format!("approximate, off by up to {:.1} %", 100.0 * error)
            }
            _ => format!("all {} equal", grouped(expected as u64)),
        };
        Verdict { text, is_bad: false }
    }
}

fn differences(run: &RunRow) -> String {
    let counts =
        [(run.rows_wrong, "wrong"), (run.rows_missing, "missing"), (run.rows_extra, "extra")];
    let some = counts.iter().filter(|(count, _)| 0 < *count);
    let parts: Vec<String> =
        some.map(|(count, what)| format!("{} {what}", grouped(*count as u64))).collect();
    format!("{} of {}", parts.join(", "), grouped(run.rows_expected as u64))
}

/// Where an engine stands in reports.
fn rank(engine: &str) -> usize {
    let all = engines::all();
    all.iter().position(|known| known.name() == engine).unwrap_or(all.len())
}
