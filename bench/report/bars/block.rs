//! The bars as a table of a document, and the block of a file that holds it.

use std::fs;
use std::path::Path;

use highwater::error::{Error, Result};

use crate::harness::host::Host;
use crate::harness::stats::Estimate;
use crate::report::content::bounds;
use crate::report::document::{Cell, Table, Tone, short};
use crate::report::markdown;

use super::{Bound, Judged, Measured, Runs, all};

/// What stands around the block in a file.
const MARKS: [&str; 2] = ["<!-- bars -->\n", "<!-- /bars -->"];

/// The table of all bars, and which runs its figures are of.
///
/// # Errors
///
/// The rules say something unknown.
pub fn text(runs: &Runs) -> Result<String> {
    let bars = all(runs)?;
    let table = Table {
        caption: String::new(),
        columns: ["What", "Figure", "Bar", "", "Run"].map(String::from).into(),
        rows: bars.iter().map(row).collect(),
    };
    Ok(format!("{}\n{}", sources(runs, &bars), markdown::table(&table)))
}

/// Puts the block between the marks of a file.
///
/// # Errors
///
/// The file has no marks, or cannot be read or written.
pub fn write(file: &Path, block: &str) -> Result<()> {
    let text = filled(file, &read(file)?, block)?;
    fs::write(file, text)
        .map_err(|error| Error::storage(format!("cannot write {}: {error}", file.display())))
}

/// Whether the block of a file is this one.
///
/// # Errors
///
/// It is another one; the file has no marks, or cannot be read.
pub fn check(file: &Path, block: &str) -> Result<()> {
    let text = read(file)?;
    let expect = filled(file, &text, block)?;
    let differing = text.lines().zip(expect.lines()).find(|(is, should)| is != should);
    if text == expect {
        return Ok(());
    }
    let (is, should) = differing.unwrap_or_default();
    let why =
        format!("the bars are not those of the runs; it says\n  {is}\ninstead of\n  {should}");
    Err(Error::config(why)
        .within(file.display())
        .hint(format!("write them: highwater-bench bars … --write {}", file.display())))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file)
        .map_err(|error| Error::config(format!("cannot read {}: {error}", file.display())))
}

/// A text with another block.
fn filled(file: &Path, text: &str, block: &str) -> Result<String> {
    let [open, close] = MARKS;
    let parts = text.split_once(open).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(close)?;
        Some(format!("{before}{open}{block}{close}{after}"))
    });
    parts.ok_or_else(|| {
        Error::config("it has no place for the bars")
            .within(file.display())
            .hint(format!("write `{}` and `{close}` where they should stand", open.trim_end()))
    })
}

/// The runs that figures are of, each with its commit.
fn sources(runs: &Runs, bars: &[Judged]) -> String {
    let used = |run_id: &str| bars.iter().any(|bar| bar.run_id == run_id);
    let mut text = String::new();
    for run in runs.runs.iter().filter(|run| used(&run.about.run_id)) {
        let Host { cpu, cores, memory_kib, commit, .. } = &run.host;
        text += &format!(
            "- {}: `{}`, commit {commit}, {cpu}, {cores} cores, {:.0} GiB; `highwater-bench {}`\n",
            run.about.experiment,
            run.about.run_id,
            *memory_kib as f64 / 1_048_576.0,
            run.about.command,
        );
    }
    for run in runs.cases.iter().filter(|run| used(&run.run_id)) {
        text += &format!("- cases: `{}`, commit {}\n", run.run_id, run.commit());
    }
    match text.is_empty() {
        true => "Nothing is published yet: no finished run has measured a bar.\n".into(),
        false => text,
    }
}

/// The line of a bar.
#[cfg(test)]
pub(super) fn line(judged: &Judged) -> String {
    let table = Table { rows: vec![row(judged)], ..Table::default() };
    markdown::table(&table).lines().skip(2).map(|line| format!("{line}\n")).collect()
}

fn row(judged: &Judged) -> Vec<Cell> {
    let Judged { what, bound, unit, figure, notes, run, run_id: _ } = judged;
    let (sign, value) = match bound {
        Bound::AtLeast(least) => ("≥", least),
        Bound::AtMost(most) => ("≤", most),
    };
    let bar = format!("{sign} {}{unit}", plain(*value));
    let notes: Vec<String> = notes.iter().map(|note| format!("no figure of {note}")).collect();
    let (shown, verdict) = match figure {
        Err(why) => (Cell::words("–"), Cell::words(format!("not measured: {why}"))),
        Ok(measured) => {
            let is_met = bound.is_met(measured.estimate.median);
            let tone = if is_met { Tone::Words } else { Tone::Bad };
            let word = if is_met { "met" } else { "missed" };
            let doubt = is_doubtful(*bound, &measured.estimate);
            let text = if doubt { format!("{word}, within the interval") } else { word.into() };
            (shown(measured, unit), Cell::words(text).tone(tone).small(notes.join("; ")))
        }
    };
    vec![Cell::words(what), shown, Cell::words(bar), verdict, Cell::words(run)]
}

/// Whether a value of the interval would change the verdict.
fn is_doubtful(bound: Bound, found: &Estimate) -> bool {
    1 < found.count && bound.is_met(found.low) != bound.is_met(found.high)
}

fn shown(measured: &Measured, unit: &str) -> Cell {
    let Measured { estimate, total, of } = measured;
    let mut small = vec![bounds(estimate)];
    if let Some(total) = total {
        small.push(format!("with its start {}×", short(Some(total.median))));
    }
    small.extend((!of.is_empty()).then(|| of.clone()));
    Cell::words(format!("{}{unit}", short(Some(estimate.median)))).small(small.join("; "))
}

/// A bound as it was set, and one that was measured with three digits.
fn plain(value: f64) -> String {
    let text = value.to_string();
    if text.len() <= 4 { text } else { short(Some(value)) }
}
