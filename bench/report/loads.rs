//! Latencies of a run: percentiles of each engine under each load, and which of them the machine
//! could not have shown any smaller. Pure.

use crate::harness::folder::{Results, RunRow};
use crate::harness::latency::LatencyRow;
use crate::harness::stats::median;

use super::figures::{Group, groups};

/// Names of the percentiles of a line, in the order of [`Percentiles`].
pub const NAMES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// 50, 90, 99, 99.9 of a hundred, and the longest, in milliseconds; what is unknown is no number.
pub type Percentiles = [f64; 5];

/// An engine under a load.
#[derive(Clone, Debug)]
pub struct Loaded<'a> {
    /// Whose.
    pub group: Group<'a>,
    /// Lines of `latency.csv`, of several rounds their medians.
    pub lines: Vec<Line>,
    /// Processor time under load, per cent of a core.
    pub cpu_percent: Option<f64>,
    /// Processor time with nothing to do, per cent of a core.
    pub idle_percent: Option<f64>,
    /// Seconds from start to first row.
    pub first_row_s: Option<f64>,
    /// Greatest memory, in MiB.
    pub peak_mib: Option<f64>,
    /// Events a second that were sent.
    pub sent: Option<f64>,
}

/// Latencies of one kind.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was measured.
    pub tag: String,
    /// The percentiles.
    pub values: Percentiles,
    /// Whether the machine or the generator alone is as late as that.
    pub is_noise: [bool; 5],
    /// How many.
    pub count: u64,
    /// Events that no row had covered at the end.
    pub outstanding: u64,
}

/// All groups that were under load.
pub fn loads(results: &Results) -> Vec<Loaded<'_>> {
    let groups = groups(&results.runs).into_iter().filter(|group| group.place.rate.is_some());
    groups.map(|group| loaded(group, &results.latencies)).collect()
}

fn loaded<'a>(group: Group<'a>, latencies: &[LatencyRow]) -> Loaded<'a> {
    let middle =
        |of: fn(&RunRow) -> Option<f64>| median(&group.usable().filter_map(of).collect::<Vec<_>>());
    let trials: Vec<usize> = group.usable().map(|run| run.trial).collect();
    let mut tags: Vec<&str> = Vec::new();
    for row in latencies.iter().filter(|row| trials.contains(&row.trial)) {
        if !tags.contains(&row.tag.as_str()) {
            tags.push(&row.tag);
        }
    }
    let rows = |tag: &str| -> Vec<&LatencyRow> {
        let of = |row: &&LatencyRow| row.tag == tag && trials.contains(&row.trial);
        latencies.iter().filter(of).collect()
    };
    let floor = [percentiles(&rows("hiccup")), percentiles(&rows("gen_late"))];
    let line = |tag: &str| {
        let (rows, is_floor) = (rows(tag), ["hiccup", "gen_late"].contains(&tag));
        let values = percentiles(&rows);
        let noise = |at: usize| !is_floor && floor.iter().any(|floor| values[at] <= floor[at]);
        Line {
            tag: tag.into(),
            is_noise: [0, 1, 2, 3, 4].map(noise),
            values,
            count: rows.iter().map(|row| row.count).sum(),
            outstanding: rows.iter().map(|row| row.outstanding_at_end).sum(),
        }
    };
    Loaded {
        lines: tags.into_iter().map(line).collect(),
        cpu_percent: middle(|run| run.cpu_percent),
        idle_percent: middle(|run| run.idle_percent),
        first_row_s: middle(|run| run.first_row_s),
        peak_mib: middle(|run| run.peak_rss_kb.map(|kib| kib as f64 / 1_024.0)),
        sent: middle(|run| run.rate_achieved),
        group,
    }
}

/// Medians of the rounds; the longest of all of them.
fn percentiles(rows: &[&LatencyRow]) -> Percentiles {
    let middle = |of: fn(&LatencyRow) -> f64| {
        let known = rows.iter().map(|row| of(row)).filter(|value| !value.is_nan());
        median(&known.collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let longest = rows.iter().map(|row| row.max).fold(f64::NAN, f64::max);
    [
        middle(|row| row.p50),
        middle(|row| row.p90),
        middle(|row| row.p99),
        middle(|row| row.p999),
        longest,
    ]
}
