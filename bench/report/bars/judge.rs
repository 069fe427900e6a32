//! One bar and one run: where both engines did the same, and how their figures of a round compare.

use std::collections::BTreeMap;

use crate::harness::folder::{Results, RunRow};
use crate::harness::latency::LatencyRow;
use crate::harness::run::grouped;
use crate::harness::stats::{Estimate, estimate, median};
use crate::report::figures::{Group, OURS, groups, ratio};

use super::{Bar, Bound, Figure, Judged, Measured};

/// What a run says of a bar.
pub(super) fn judged(bar: &Bar, results: Option<&Results>) -> Judged {
    let unit = if bar.against.is_empty() { bar.figure.unit() } else { "×" };
    let blank = Judged {
        what: bar.what.clone(),
        bound: bar.bound,
        unit: unit.into(),
        figure: Err(format!("experiment `{}`", bar.experiment)),
        notes: vec![],
        run: String::new(),
        run_id: String::new(),
    };
    let Some(results) = results else { return blank };
    let look = Look { bar, results, all: groups(&results.runs) };
    let (figure, notes) = match bar.against.is_empty() {
        true => (look.alone(), vec![]),
        false => look.beside(),
    };
    let hiccup = bar.or_hiccup.then(|| look.hiccup()).flatten();
    let bound = match (bar.bound, hiccup) {
        (Bound::AtMost(most), Some(hiccup)) if most < hiccup => Bound::AtMost(hiccup),
        (bound, _) => bound,
    };
    let (run, run_id) = (mark(results), results.about.run_id.clone());
    Judged { bound, figure, notes, run, run_id, ..blank }
}

/// A run in a word, with what keeps its figures from being quoted.
fn mark(results: &Results) -> String {
    let mut text = results.about.experiment.clone();
    if results.host.dirty {
        text += ", **uncommitted changes**";
    }
    if results.about.scale != 1.0 {
        text += &format!(", **scaled by {}**", results.about.scale);
    }
    if !results.about.finished {
        text += ", **not finished**";
    }
    text
}

/// A bar that is looked for in a run.
struct Look<'a> {
    bar: &'a Bar,
    results: &'a Results,
    all: Vec<Group<'a>>,
}

impl<'a> Look<'a> {
    /// Groups of an engine that do what the bar says, on one worker.
    fn of<'s>(&'s self, engine: &'s str) -> impl Iterator<Item = &'s Group<'a>> {
        let Bar { query, rows, rate, .. } = self.bar;
        self.all.iter().filter(move |group| {
            let place = &group.place;
            group.engine == engine
                && (&place.query, &place.rows, place.rate) == (query, rows, *rate)
                && group.trials.iter().all(|trial| trial.workers <= 1)
        })
    }

    /// Our own figure.
    fn alone(&self) -> Result<Measured, String> {
        let found = self.of(OURS).max_by_key(|group| weight(group));
        let ours = found.ok_or_else(|| missing(OURS))?;
        let values: Vec<f64> = self.values(ours).into_values().collect();
        let estimate = estimate(&values).ok_or_else(|| no_figure(ours))?;
        Ok(Measured { estimate, total: None, of: events(ours) })
    }

    /// Our figure over that of the best of the others; and who of them has none.
    fn beside(&self) -> (Result<Measured, String>, Vec<String>) {
        let against = &self.bar.against;
        let (mut found, mut reasons) = (Vec::new(), Vec::new());
        for engine in against {
            match self.ratio(engine) {
                Ok((ratio, total, place)) => found.push((engine, ratio, total, place)),
                Err(why) => reasons.push(why),
            }
        }
        let harder = |a: f64, b: f64| self.bar.bound.harder(a, b);
        let hardest = found.into_iter().min_by(|a, b| harder(a.1.median, b.1.median));
        let Some((engine, estimate, total, mut of)) = hardest else {
            return (Err(reasons.join("; ")), vec![]);
        };
        if 1 < against.len() {
            of = [of, engine.clone()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(", ");
        }
        (Ok(Measured { estimate, total, of }), reasons)
    }

    /// Our figure over that of an engine, at the largest size that both were tried at; with start
    /// and all beside it, if it is a marginal one.
    fn ratio(&self, engine: &str) -> Result<(Estimate, Option<Estimate>, String), String> {
        let ours_at = |theirs: &Group<'_>| self.of(OURS).find(|ours| ours.place == theirs.place);
        let pairs = self.of(engine).filter_map(|theirs| Some((ours_at(theirs)?, theirs)));
        let pair = pairs.max_by_key(|(_, theirs)| weight(theirs));
        let (ours, theirs) = pair.ok_or_else(|| match self.of(OURS).next() {
            None => missing(OURS),
            Some(_) => missing(engine),
        })?;
        for group in [theirs, ours] {
            if group.usable().next().is_none() {
                return Err(no_figure(group));
            }
        }
        let is_marginal = self.bar.figure == Figure::Marginal;
        let total = is_marginal.then(|| ratio(&ours.rates(), &theirs.rates())).flatten();
        let their_values = match is_marginal {
            true => theirs.marginal(&self.all),
            false => self.values(theirs),
        };
        match ratio(&self.values(ours), &their_values) {
            Some(ratio) => Ok((ratio, total, events(theirs))),
            None if is_marginal => {
                let beside = total.map(|total| format!(" (with its start {:.1}×)", total.median));
                let beside = beside.unwrap_or_default();
                Err(format!("{engine}: no two sizes of a round, so no marginal cost{beside}"))
            }
            None => Err(no_figure(theirs)),
        }
    }

    /// The figure of each round; of ours, the marginal one is the whole.
    fn values(&self, group: &Group<'_>) -> BTreeMap<usize, f64> {
        let latency = |tag: &'static str, of: fn(&LatencyRow) -> f64| {
            group.by_round(|run| self.latency(run, tag).map(of))
        };
        match self.bar.figure {
            Figure::Rate | Figure::Marginal => group.rates(),
            Figure::EventP50 => latency("event", |row| row.p50),
            Figure::EventP99 => latency("event", |row| row.p99),
            Figure::CloseDelayP99 => latency("close_delay", |row| row.p99),
            Figure::CpuPercent => group.by_round(|run| run.cpu_percent),
            Figure::IdlePercent => group.by_round(|run| run.idle_percent),
            Figure::PeakMib => {
                group.by_round(|run| run.peak_rss_kb.map(|kib| kib as f64 / 1_024.0))
            }
            Figure::FirstRowS => group.by_round(|run| run.first_row_s),
        }
    }

    fn latency(&self, run: &RunRow, tag: &str) -> Option<&LatencyRow> {
        let mut rows = self.results.latencies.iter();
        rows.find(|row| row.trial == run.trial && row.tag == tag && 0 < row.count)
    }

    /// p99 of the hiccups during our trials.
    fn hiccup(&self) -> Option<f64> {
        let ours = self.of(OURS).max_by_key(|group| weight(group))?;
        let hiccups = ours.by_round(|run| self.latency(run, "hiccup").map(|row| row.p99));
        median(&hiccups.into_values().collect::<Vec<_>>())
    }
}

/// Which of several groups is taken: the largest input, and of these the most trials.
fn weight(group: &Group<'_>) -> (u64, usize) {
    (group.place.events, group.trials.len())
}

fn missing(engine: &str) -> String {
    format!("{engine} was not run")
}

fn no_figure(group: &Group<'_>) -> String {
    let verdict = group.verdict();
    match group.usable().next() {
        None => format!("{}: {}", group.engine, verdict.text),
        Some(_) => format!("{}: its trials have no such figure", group.engine),
    }
}

/// How much was read, of a backlog.
fn events(group: &Group<'_>) -> String {
    match group.place.rate {
        None => format!("{} events", grouped(group.place.events)),
        Some(_) => String::new(),
    }
}
