//! A load over time: rows, processor time, memory, and the tail of each second.

use highwater::error::Result;

use crate::harness::folder::{Results, RunRow, ThroughputRow, read_table};
use crate::harness::latency::read_intervals;

use super::chart::{self, Axis, Curve};
use super::latency::log_of;
use super::{Figure, file_name};
use crate::report::loads::Loaded;

const PANEL: u32 = 280;

/// A panel: its name, and what it shows of two neighbouring lines and the seconds between them.
type Panel = (&'static str, fn(&ThroughputRow, &ThroughputRow, f64) -> f64);

const PANELS: [Panel; 3] = [
    ("Rows per second", |before, now, seconds| {
        now.rows_out.saturating_sub(before.rows_out) as f64 / seconds
    }),
    ("CPU, per cent of a core", |before, now, seconds| {
        100.0 * (now.cpu_s - before.cpu_s).max(0.0) / seconds
    }),
    ("Resident memory, MiB", |_, now, _| now.rss_kb as f64 / 1_024.0),
];

/// The plot of the first right trial of each engine under one load.
pub fn figure(results: &Results, loads: &[Loaded<'_>]) -> Result<Option<Figure>> {
    let runs: Vec<&RunRow> = loads.iter().filter_map(|load| load.group.usable().next()).collect();
    let lines: Vec<ThroughputRow> = read_table(&results.dir, "throughput.csv")?;
    let of = |run: &RunRow| -> Vec<&ThroughputRow> {
        lines.iter().filter(|line| line.trial == run.trial).collect()
    };
    if runs.iter().all(|run| of(run).len() < 2) {
        return Ok(None);
    }
    let mut panels: Vec<(&str, Vec<Curve>)> = Vec::new();
    for (name, value) in PANELS {
        let curve = |run: &&RunRow| {
            let lines = of(run);
            let point = |pair: &[&ThroughputRow]| {
                let seconds = (pair[1].t_ms - pair[0].t_ms).max(1) as f64 / 1e3;
                (pair[1].t_ms as f64 / 1e3, value(pair[0], pair[1], seconds))
            };
            curve(run, lines.windows(2).map(point).collect())
        };
        panels.push((name, runs.iter().map(curve).collect()));
    }
    let mut tails = Vec::new();
    for run in &runs {
        tails.push(curve(run, tail(results, run)?));
    }
    panels.push(("p99 of each second, ms", tails));
    panels.retain(|(_, curves)| curves.iter().any(|curve| !curve.points.is_empty()));
    let seconds = runs.iter().filter_map(|run| run.duration_s).max().unwrap_or(1) as f64;
    let warmup = runs.first().and_then(|run| run.warmup_s).unwrap_or(0) as f64;
    let height = PANEL * panels.len() as u32 + 50;
    let svg = chart::draw(height, |area| {
        let (upper, lower) = area.split_vertically(height - PANEL - 50);
        let mut areas = upper.split_evenly((panels.len() - 1, 1));
        areas.push(lower);
        for ((name, curves), area) in panels.iter().zip(&areas) {
            let is_last = Some(*name) == panels.last().map(|panel| panel.0);
            let x_name = if is_last { "seconds of load" } else { "" };
            let x = Axis { name: x_name.into(), is_log: false, min: 0.0, max: seconds + 1.0 };
            let values = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
            let y = match name.starts_with("p99") {
                true => Axis::of_factors(name, values()),
                false => Axis::from_zero(name, values().fold(0.0, f64::max)),
            };
            chart::lines(area, (&x, &y), curves, Some(warmup), 250)?;
        }
        Ok(())
    })?;
    let part = &loads[0].group.place.part;
    Ok(Some(Figure {
        name: file_name(&["timeline", part]),
        svg,
        question: format!("Is it steady, or do stalls and growth hide in the medians ({part})?"),
        caveat: "The first right trial of each engine; trials ran one after another, not at the \
                 same time. Shaded: warm-up, of which no latency is kept. Rows are those received: \
                 an engine that merges updates writes fewer."
            .into(),
    }))
}

fn curve(run: &RunRow, points: Vec<(f64, f64)>) -> Curve {
    let colour = chart::colour(&run.engine);
    Curve { label: run.engine.clone(), colour, is_dashed: false, points }
}

/// Points (second, p99 in milliseconds).
fn tail(results: &Results, run: &RunRow) -> Result<Vec<(f64, f64)>> {
    let path = log_of(results, run);
    if !path.exists() {
        return Ok(vec![]);
    }
    let intervals = read_intervals(&path)?.into_iter();
    let main =
        intervals.filter(|interval| ["event", "close_delay"].contains(&interval.tag.as_str()));
    let point = |ms: u64, at: f64| (at, ms as f64 / 1e3);
    Ok(main
        .map(|found| point(found.histogram.value_at_quantile(0.99), found.at.as_secs_f64()))
        .collect())
}
