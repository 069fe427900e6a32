//! Measurements within one process: what the engine costs beside a plain loop over the same input.
//!
//! Each case runs the engine and a loop with the same wire types and decoder, in alternating order,
//! and compares all rows before any time is printed; a difference prints no number and ends with
//! exit code 70. Ratios are of pairs of the same run. Figures are printed, never asserted.

pub mod cases;
pub mod events;
pub mod job;
pub mod loops;
pub mod measure;
pub mod report;

use std::path::Path;

use highwater::error::Result;

use cases::Run;
use report::Report;

type Case = fn(&mut Run<'_>) -> Result<()>;

/// Letters of the cases, and what they run.
const CASES: [(&str, Case); 10] = [
    ("a", cases::types::run),
    ("b", cases::chat::run),
    ("c", cases::kafka::run),
    ("d", cases::workers::run),
    ("e", cases::idle::run),
    ("f", cases::memory::run),
    ("g", cases::latency::run),
    ("h", cases::systems::run),
    ("i", cases::replay::run),
    ("j", cases::checkpoints::run),
];

/// Runs the cases of some letters, or all of them, on inputs `scale` times the usual size.
///
/// # Errors
///
/// Rows differ, a run fails, or the results cannot be written.
pub fn run(letters: &[String], scale: f64, repetitions: usize, results: &Path) -> Result<()> {
    let mut report = Report::new(results)?;
    let wanted = |name: &str| letters.iter().any(|letter| letter == name || letter == "all");
    for (_, case) in CASES.iter().filter(|(name, _)| wanted(name)) {
        case(&mut Run { report: &mut report, scale, repetitions })?;
    }
    report.finish()
}
