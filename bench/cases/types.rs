//! (a) Count per type and minute, of events in memory: the engine without decoder and service.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::prelude::*;
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::memory::Memory;

use super::{Numbered, Run};
use crate::events::{Click, LATENESS, clicks};
use crate::job::{Bench, Rows, compare, expect_rows};
use crate::loops::count::{Counted, count};
use crate::loops::feed::InMemory;
use crate::loops::sorted;
use crate::measure::pairs;
use crate::report::{Compared, Target};

/// Events of the usual size.
pub const EVENTS: u64 = 4_000_000;

/// Events in a batch.
pub const BATCH: usize = 8_192;

/// The dataflow.
pub fn describe(flow: &Flow) {
    flow.source("clicks", LATENESS, |click: &Click| click.at)
        .key_by(|click| click.kind)
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Numbered::new(key, window, count.get()))
        .sink("counts");
}

/// Events in memory as the source of [`describe`].
pub fn sources(partitions: &[Arc<Vec<Click>>]) -> Vec<(&'static str, Arc<dyn Connector>)> {
    let memory = partitions
        .iter()
        .fold(Memory::new(), |memory, events| memory.partition(events.clone(), &[BATCH]));
    vec![("clicks", Arc::new(memory))]
}

/// Measures.
///
/// # Errors
///
/// Rows differ, or a run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    measure(run, false, "count per type and minute, in memory", Target::AtLeast(1.0))?;
    measure(run, true, "the same, 0.5 % late: dead letters", Target::None)
}

fn measure(run: &mut Run<'_>, late: bool, question: &str, target: Target) -> Result<()> {
    let events = run.scaled(EVENTS);
    let partitions = clicks(events, 100_000, late);
    let feed = || sources(&partitions);
    let bench = Bench { describe, sources: &feed, rows: Accepts::Final };
    let plain = || -> Result<Counted> {
        let mut feed = InMemory::new(&partitions, BATCH);
        count(&mut feed, |click: &Click| Some(click.at), |click| click.kind, Numbered::new)
    };

    let expect: Rows = BTreeMap::from([("counts".into(), sorted(&plain()?.rows))]);
    for workers in [1, 2] {
        compare(&bench.collect(workers, None)?, &expect)?;
    }
    let rows = expect["counts"].len() as u64;
    let mut engine = || expect_rows(bench.run(1)?, rows);
    let mut other = || expect_rows(plain()?.rows.len() as u64, rows);
    let pairs = pairs(run.repetitions, &mut engine, &mut other)?;
    run.report.compared(&Compared {
        case: "a",
        question,
        events,
        arms: ("engine", "loop"),
        pairs: &pairs,
        inverse: false,
        target,
    })
}
