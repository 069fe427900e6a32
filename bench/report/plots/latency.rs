//! Latencies: how many are longer than so much, and how they grow with the load.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use highwater::error::Result;

use crate::harness::folder::{Results, RunRow};
use crate::harness::latency::read_log;

use super::chart::{self, Axis, Curve, MUTED};
use super::{Figure, file_name};
use crate::report::loads::Loaded;

/// What is plotted of the kinds of latency.
const MAIN: [&str; 2] = ["event", "close_delay"];

/// The share that is longer is shown down to this.
const SHARE_MIN: f64 = 1e-5;

/// Points of a curve differ by this factor at least.
const STEP: f64 = 1.01;

/// The log of a trial.
pub fn log_of(results: &Results, run: &RunRow) -> std::path::PathBuf {
    results.dir.join(format!("{:03}-{}.hlog", run.trial, run.engine))
}

/// How many latencies are longer than so much: all engines under one load.
pub fn distribution(results: &Results, loads: &[Loaded<'_>]) -> Result<Option<Figure>> {
    let mut curves = Vec::new();
    let mut hiccups: Option<Histogram<u64>> = None;
    let mut tag = MAIN[0];
    for load in loads {
        let mut total: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
        for run in load.group.usable() {
            let path = log_of(results, run);
            if path.exists() {
                read_log(&path)?.into_iter().for_each(|(tag, found)| add(&mut total, tag, found));
            }
        }
        if let Some(found) = total.remove("hiccup") {
            match &mut hiccups {
                Some(known) => known.add(found).unwrap_or_default(),
                None => hiccups = Some(found),
            }
        }
        if let Some((name, found)) = MAIN.iter().find_map(|tag| total.get_key_value(*tag)) {
            tag = MAIN.into_iter().find(|tag| tag == name).unwrap_or(tag);
            curves.push(Curve {
                label: load.group.engine.into(),
                colour: chart::colour(load.group.engine),
                is_dashed: false,
                points: longer(found),
            });
        }
    }
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return Ok(None);
    }
    if let Some(hiccups) = hiccups {
        let label = "hiccup".into();
        curves.push(Curve { label, colour: MUTED, is_dashed: true, points: longer(&hiccups) });
    }
    let ends = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0));
    let x = Axis::of_factors("milliseconds", ends);
    let y = Axis { name: "Share that takes longer".into(), is_log: true, min: SHARE_MIN, max: 1.0 };
    let place = &loads[0].group.place;
    let question = match tag {
        "event" => "How often does an event need longer than so much to show in a row?",
        _ => "How often is a row later than so much, once its window may close?",
    };
    Ok(Some(Figure {
        name: file_name(&["latency", &place.part]),
        svg: chart::draw(720, |area| chart::lines(area, (&x, &y), &curves, None, 200))?,
        question: format!("{question} ({})", place.part),
        caveat: format!(
            "`{tag}`, all rounds together, both axes by factors: 0.01 is p99. Left of `hiccup` at \
             the same height a latency may be the machine's. Engines, broker, generator and reader \
             share the cores."
        ),
    }))
}

fn add(total: &mut BTreeMap<String, Histogram<u64>>, tag: String, found: Histogram<u64>) {
    match total.get_mut(&tag) {
        // All histograms of logs have the same bounds.
        Some(known) => known.add(found).unwrap_or_default(),
        None => drop(total.insert(tag, found)),
    }
}

/// Points (milliseconds, share of latencies that are longer).
fn longer(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let (count, mut until, mut points) = (histogram.len() as f64, 0, Vec::new());
    let mut last: Option<(f64, f64)> = None;
    for value in histogram.iter_recorded() {
        let ms = value.value_iterated_to() as f64 / 1e3;
        let share = 1.0 - until as f64 / count;
        until += value.count_since_last_iteration();
        if SHARE_MIN <= share && last.is_none_or(|(a, b)| a * STEP < ms || share * STEP < b) {
            points.push((ms, share));
            last = Some((ms, share));
        }
    }
    points
}

/// How latency grows with the rate, for each query and kind of rows that has several rates.
pub fn by_rate(loads: &[Loaded<'_>]) -> Result<Vec<Figure>> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&Loaded<'_>>> = BTreeMap::new();
    for load in loads {
        let place = &load.group.place;
        kinds.entry((&place.query, &place.rows)).or_default().push(load);
    }
    let mut figures = Vec::new();
    for ((query, rows), loads) in kinds {
        let mut by_engine: BTreeMap<&str, Vec<(f64, [f64; 2])>> = BTreeMap::new();
        for load in loads {
            let main = load.lines.iter().find(|line| MAIN.contains(&line.tag.as_str()));
            if let (Some(line), Some(rate)) = (main, load.group.place.rate) {
                let point = (rate as f64, [line.values[0], line.values[2]]);
                by_engine.entry(load.group.engine).or_default().push(point);
            }
        }
        let mut rates: Vec<u64> =
            by_engine.values().flatten().map(|point| point.0 as u64).collect();
        rates.sort();
        rates.dedup();
        if rates.len() < 2 {
            continue;
        }
        let mut curves = Vec::new();
        for (engine, mut points) in by_engine {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (at, label, is_dashed) in [(0, String::new(), true), (1, engine.to_owned(), false)]
            {
                let points = points.iter().map(|(rate, both)| (*rate, both[at])).collect();
                curves.push(Curve { label, colour: chart::colour(engine), is_dashed, points });
            }
        }
        let all = |of: fn(&(f64, f64)) -> f64| curves.iter().flat_map(|c| &c.points).map(of);
        let x = Axis::of_factors("events per second", all(|point| point.0));
        let y = Axis::of_factors("Milliseconds", all(|point| point.1));
        figures.push(Figure {
            name: file_name(&["load", query, rows]),
            svg: chart::draw(640, |area| chart::lines(area, (&x, &y), &curves, None, 260))?,
            question: format!("How does latency grow with the load ({query}, {rows} rows)?"),
            caveat: "p99, and p50 dashed, of the planned time until the row; medians of the \
                     rounds. Between the measured rates the lines are drawn, and not measured."
                .into(),
        });
    }
    Ok(figures)
}
