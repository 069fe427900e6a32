//! (d) What two workers cost: processor time per event, relative to one worker.

use highwater::prelude::*;
use highwater::sink::Accepts;

use super::{Run, chat, types};
use crate::micro::events::clicks;
use crate::micro::job::{Bench, compare, expect_rows};
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Measures.
///
/// # Errors
///
/// Rows differ, or a run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let events = run.scaled(types::EVENTS);
    let partitions = clicks(events, types::USERS, false);
    let sources = || types::sources(&partitions);
    let bench = Bench::new(types::describe, &sources, Accepts::Final);
    two(run, "2 workers, count per type", events, &bench)?;
    let bench = Bench::new(types::describe_users, &sources, Accepts::Final);
    two(run, "2 workers, count per user (100 k)", events, &bench)?;
    drop(partitions);

    let logs = chat::Logs::write(run.scaled(600_000))?;
    let sources = || logs.sources();
    let bench = Bench::new(chat::describe, &sources, Accepts::Final);
    two(run, "2 workers, chat from JSON files", logs.records, &bench)
}

fn two(run: &mut Run<'_>, question: &str, events: u64, bench: &Bench<'_>) -> Result<()> {
    let expect = bench.collect(1, None)?;
    compare(&bench.collect(2, None)?, &expect)?;
    let rows = expect.values().map(Vec::len).sum::<usize>() as u64;
    drop(expect);
    let mut one = || expect_rows(bench.run(1)?, rows);
    let mut two = || expect_rows(bench.run(2)?, rows);
    let pairs = pairs(run.repetitions, &mut one, &mut two)?;
    run.report.compared(&Compared {
        case: "d",
        question,
        events,
        arms: ("one worker", "two workers"),
        pairs: &pairs,
        inverse: false,
        target: Target::AtMost(1.2),
    })
}
