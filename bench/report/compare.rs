//! Two runs beside one another, to see whether a change has made anything slower.
//!
//! Figures of two runs are divided here and nowhere else, and only if the machine is the same and
//! both trees were clean. The limits are the control: where they have moved, it was the machine.

use std::fmt::Write;

use highwater::error::{Error, Result, nearest};
use highwater::hash;

use crate::harness::folder::{LimitRow, Results, RunRow, read_table};
use crate::harness::host::Host;
use crate::harness::run::grouped;
use crate::harness::stats::median;

use super::document::short;
use super::figures::{Group, Place, groups};

/// How often trials are drawn again.
const RESAMPLES: u64 = 10_000;

/// Fewer trials than these on a side give no interval.
const TRIALS_MIN: usize = 3;

/// A limit that has moved by less than this is as it was.
const CONTROL: f64 = 1.25;

/// Engines that are limits.
const LIMITS: [&str; 3] = ["consume", "decode", "single_thread"];

/// How much dearer the second run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Median cost of the second run over that of the first.
    pub factor: f64,
    /// 95 % bootstrap interval, if there were trials enough.
    pub interval: Option<(f64, f64)>,
}

/// The comparison, as text: one line for each engine, query and size that both runs have; of a
/// column of `runs.csv`, if one is named.
///
/// # Errors
///
/// There is no such column; the runs cannot be compared, unless `force` is set; a table cannot be
/// read.
pub fn compare(
    first: &Results,
    second: &Results,
    column: Option<&str>,
    force: bool,
) -> Result<String> {
    column.map_or(Ok(()), known)?;
    let reasons = reasons(first, second);
    if !reasons.is_empty() && !force {
        let why = format!("figures of these runs cannot be divided: {}", reasons.join("; "));
        return Err(Error::usage(why).hint("--force does it, for your own eyes"));
    }
    let mut text = format!("first   {}\nsecond  {}\n", first.about.run_id, second.about.run_id);
    for reason in &reasons {
        line(&mut text, &format!("warning: {reason}; quote nothing of this"));
    }
    if first.about.text != second.about.text {
        line(&mut text, "warning: the text of the experiment has changed between them");
    }
    for (name, of) in
        [("compiler", (|host| &host.rustc) as fn(&Host) -> &String), ("Java", |host| &host.java)]
    {
        if of(&first.host) != of(&second.host) {
            line(&mut text, &format!("warning: another {name} (see host.json)"));
        }
    }
    line(&mut text, "the second against the first; 95 % intervals; n trials of each\n");
    let (before, after) = (groups(&first.runs), groups(&second.runs));
    let pairs: Vec<(&Group<'_>, &Group<'_>)> = before
        .iter()
        .filter_map(|old| {
            let same = |new: &&Group<'_>| (&new.place, new.engine) == (&old.place, old.engine);
            Some((old, after.iter().find(same)?))
        })
        .collect();
    if pairs.is_empty() {
        line(&mut text, "the runs have no engine, query and size in common");
    }
    let (limits, engines): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(old, _)| LIMITS.contains(&old.engine));
    for (is_control, pairs) in [(true, limits), (false, engines)] {
        for (old, new) in pairs {
            let told = match column {
                Some(column) => vec![(column, of_column(column, old, new))],
                None => told(first, second, (old, new)),
            };
            for (what, told) in told {
                let name = format!("{} {}, {what}", old.engine, place(&old.place));
                let kind = if is_control { "control" } else { "" };
                line(&mut text, &format!("{kind:<8} {name:<64} {told}"));
            }
        }
    }
    text.push('\n');
    machine_limits(&mut text, first, second)?;
    Ok(text)
}

fn line(text: &mut String, words: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{words}");
}

/// Why figures of two runs are not to be divided.
fn reasons(first: &Results, second: &Results) -> Vec<String> {
    let mut reasons = Vec::new();
    let facts = |host: &Host| {
        [
            ("processor", host.cpu.clone()),
            ("cores", host.cores.to_string()),
            ("memory", format!("{} GiB", host.memory_kib >> 20)),
            ("kernel", host.kernel.clone()),
            ("governor", host.governor.clone()),
            ("huge pages", host.huge_pages.clone()),
        ]
    };
    for ((what, old), (_, new)) in facts(&first.host).into_iter().zip(facts(&second.host)) {
        if old != new {
            reasons.push(format!("another {what} (`{old}`, `{new}`)"));
        }
    }
    for results in [first, second] {
        if results.host.dirty {
            reasons.push(format!("{} has uncommitted changes", results.about.run_id));
        }
    }
    reasons
}

fn place(place: &Place) -> String {
    let Place { part, query, rows, events, rate } = place;
    match rate {
        None => format!("{part} {query} of {}", grouped(*events)),
        Some(rate) => format!("{part} {query} {rows} at {}/s", grouped(*rate)),
    }
}

/// Refuses a column that trials do not have, or that is no number.
fn known(column: &str) -> Result<()> {
    let row = serde_json::to_value(RunRow::default()).map_err(Error::bug)?;
    let columns = row.as_object().into_iter().flatten();
    // What may be empty is a number where it is not.
    let numbers = columns.filter(|(_, value)| value.is_number() || value.is_null());
    let names: Vec<&str> = numbers.map(|(name, _)| name.as_str()).collect();
    if names.contains(&column) {
        return Ok(());
    }
    let near = nearest(column, names.iter().copied());
    let hint = if near.is_empty() { names } else { near };
    Err(Error::usage(format!("runs.csv has no column `{column}` of numbers"))
        .hint(format!("there is {}", hint.join(", "))))
}

fn of_column(column: &str, old: &Group<'_>, new: &Group<'_>) -> String {
    let values = |group: &Group<'_>| -> Vec<f64> {
        let cell = |run: &RunRow| serde_json::to_value(run).ok()?.get(column)?.as_f64();
        group.usable().filter_map(cell).collect()
    };
    match (values(old), values(new)) {
        (old, new) if old.is_empty() || new.is_empty() => "no figure".into(),
        (old, new) => words(&old, &new, ("more", "less")),
    }
}

/// What has changed for an engine: the cost of an event, or processor time and latency under load.
fn told(
    first: &Results,
    second: &Results,
    (old, new): (&Group<'_>, &Group<'_>),
) -> Vec<(&'static str, String)> {
    if old.usable().next().is_none() || new.usable().next().is_none() {
        let words = format!("no figure: {}; {}", old.verdict().text, new.verdict().text);
        return vec![("rows", words)];
    }
    if old.place.rate.is_none() {
        let costs = |group: &Group<'_>| group.rates().values().map(|rate| 1.0 / rate).collect();
        let (old, new): (Vec<f64>, Vec<f64>) = (costs(old), costs(new));
        return vec![("CPU", words(&old, &new, ("slower", "faster")))];
    }
    let mut told = Vec::new();
    let cpu = |group: &Group<'_>| group.usable().filter_map(|run| run.cpu_percent).collect();
    let (before, after): (Vec<f64>, Vec<f64>) = (cpu(old), cpu(new));
    told.push(("CPU", words(&before, &after, ("more", "less"))));
    for (name, of) in [("p50", 0), ("p99", 1)] {
        let (before, after) = (latencies(first, old, of), latencies(second, new, of));
        told.push((name, words(&before, &after, ("longer", "shorter"))));
    }
    told
}

/// p50 or p99 of the trials of a group.
fn latencies(results: &Results, group: &Group<'_>, of: usize) -> Vec<f64> {
    let trials: Vec<usize> = group.usable().map(|run| run.trial).collect();
    let rows = results.latencies.iter().filter(|row| {
        trials.contains(&row.trial) && ["event", "close_delay"].contains(&row.tag.as_str())
    });
    rows.map(|row| [row.p50, row.p99][of]).collect()
}

fn words(before: &[f64], after: &[f64], (up, down): (&str, &str)) -> String {
    let Some(Change { factor, interval }) = change(before, after) else { return "–".into() };
    let count = format!("n {} and {}", before.len(), after.len());
    let (shown, word) = if 1.0 <= factor { (factor, up) } else { (1.0 / factor, down) };
    match interval {
        None => format!("{shown:.2}x {word}, too few trials for an interval ({count})"),
        Some((low, high)) if low <= 1.0 && 1.0 <= high => {
            format!("no change [{low:.2}, {high:.2}] ({count})")
        }
        Some((low, high)) => {
            let (low, high) = if 1.0 <= factor { (low, high) } else { (1.0 / high, 1.0 / low) };
            format!("{shown:.2}x {word} [{low:.2}, {high:.2}] ({count})")
        }
    }
}

/// The change from some costs to others: each side is drawn again for itself, for trials of two
/// runs are no pairs. Costs are positive.
pub fn change(before: &[f64], after: &[f64]) -> Option<Change> {
    let of = |before: &[f64], after: &[f64]| {
        let (before, after) = (median(before)?, median(after)?);
        (0.0 < before && 0.0 < after).then(|| after / before)
    };
    let factor = of(before, after)?;
    if before.len().min(after.len()) < TRIALS_MIN {
        return Some(Change { factor, interval: None });
    }
    let mut factors: Vec<f64> = (0..RESAMPLES)
        .filter_map(|round| of(&drawn(before, (round, 0)), &drawn(after, (round, 1))))
        .collect();
    factors.sort_by(f64::total_cmp);
    let at = |share: f64| factors.get((factors.len() as f64 * share) as usize).copied();
    Some(Change { factor, interval: at(0.025).zip(at(0.975)) })
}

fn drawn(values: &[f64], seed: (u64, u64)) -> Vec<f64> {
    let count = values.len() as u64;
    (0..count).map(|n| values[(hash::of(&(seed.0, seed.1, n)) % count) as usize]).collect()
}

/// The limits of the machine in both runs, and which of them have moved.
fn machine_limits(text: &mut String, first: &Results, second: &Results) -> Result<()> {
    let before: Vec<LimitRow> = read_table(&first.dir, "limits.csv")?;
    let after: Vec<LimitRow> = read_table(&second.dir, "limits.csv")?;
    for old in &before {
        let Some(new) = after.iter().find(|new| new.what == old.what) else { continue };
        let moved = old.value.zip(new.value).map(|(old, new)| (new / old).max(old / new));
        let [was, is] = [old.value, new.value].map(short);
        let has_moved = moved.is_some_and(|moved| CONTROL <= moved);
        let word = if has_moved { "  moved: that was the machine" } else { "" };
        let LimitRow { what, unit, .. } = old;
        line(text, &format!("{:<8} {what:<64} {was} → {is} {unit}{word}", "limit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_costs_are_no_change() {
        let costs = [1.0, 1.1, 0.9, 1.05];
        assert_eq!(change(&costs, &costs).unwrap().factor, 1.0);
        assert!(words(&costs, &costs, ("slower", "faster")).starts_with("no change ["));
    }

    #[test]
    fn a_cost_that_doubled_is_told_with_its_interval() {
        let words = |after: &[f64]| words(&[1.0, 1.02, 0.98], after, ("slower", "faster"));
        assert!(words(&[2.0, 2.04, 1.96]).starts_with("2.00x slower [1.9"));
        assert!(words(&[0.5, 0.51, 0.49]).starts_with("2.00x faster [1.9"));
        assert!(words(&[2.0, 2.0]).contains("too few trials"));
        assert_eq!(words(&[]), "–");
    }
}
