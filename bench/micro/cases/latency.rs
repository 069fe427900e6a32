//! (g) What the latency histograms cost, on against off.

use highwater::prelude::*;
use highwater::sink::Accepts;

use super::{Run, chat};
use crate::micro::job::Bench;
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Measures.
///
/// # Errors
///
/// A run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let logs = chat::Logs::write(run.scaled(600_000))?;
    let sources = || logs.sources();
    let cases = [
        ("latency histograms off, chat, final rows", Accepts::Final),
        ("latency histograms off, chat, every update", Accepts::Updates),
    ];
    for (question, rows) in cases {
        let off = Bench::new(chat::describe, &sources, rows);
        let on = Bench { latency: true, ..Bench::new(chat::describe, &sources, rows) };
        let mut off = || off.run(1).map(drop);
        let mut on = || on.run(1).map(drop);
        let pairs = pairs(run.repetitions, &mut off, &mut on)?;
        run.report.compared(&Compared {
            case: "g",
            question,
            events: logs.records,
            arms: ("off", "on"),
            pairs: &pairs,
            inverse: false,
            target: Target::AtMost(1.01),
        })?;
    }
    Ok(())
}
