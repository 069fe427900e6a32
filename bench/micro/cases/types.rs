//! (a) Count per type and minute, of events in memory: the engine without decoder and service.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::prelude::*;
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::memory::Memory;

use super::{Numbered, Run};
use crate::micro::events::{Click, LATENESS, clicks};
use crate::micro::job::{Bench, Rows, compare, expect_rows};
use crate::micro::loops::count::{Counted, count};
use crate::micro::loops::feed::InMemory;
use crate::micro::loops::sorted;
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Events of the usual size.
pub const EVENTS: u64 = 4_000_000;

/// Events in a batch.
pub const BATCH: usize = 8_192;

/// Users of the case with many groups.
pub const USERS: u64 = 100_000;

/// Users of the case with about as many groups as events.
pub const USERS_MAX: u64 = 1_000_000;

/// The dataflow: by type, of which there are six.
pub fn describe(flow: &Flow) {
    flow.source("clicks", LATENESS, |click: &Click| click.at)
        .key_by(|click| click.kind)
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Numbered::new(key, window, count.get()))
        .sink("counts");
}

/// As [`describe`], by user.
pub fn describe_users(flow: &Flow) {
    flow.source("clicks", LATENESS, |click: &Click| click.at)
        .key_by(|click| click.user)
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
    let events = run.scaled(EVENTS);
    let partitions = clicks(events, USERS, false);
    let question = ("count per type and minute, in memory", Target::AtLeast(1.0));
    measure(run, question, &partitions, describe, |click| click.kind)?;
    let question = ("count per user (100 k) and minute, in memory", Target::None);
    measure(run, question, &partitions, describe_users, |click| click.user)?;
    let question = ("count per user (1 M) and minute, in memory", Target::AtLeast(0.6));
    let many = clicks(events, USERS_MAX, false);
    measure(run, question, &many, describe_users, |click| click.user)?;
    drop(many);
    let partitions = clicks(events, USERS, true);
    let question = ("count per type, 0.5 % late: dead letters", Target::None);
    measure(run, question, &partitions, describe, |click| click.kind)
}

fn measure(
    run: &mut Run<'_>,
    (question, target): (&str, Target),
    partitions: &[Arc<Vec<Click>>],
    describe: fn(&Flow),
    key: impl Fn(&Click) -> u32,
) -> Result<()> {
    let events = partitions.iter().map(|events| events.len() as u64).sum();
    let feed = || sources(partitions);
    let bench = Bench::new(describe, &feed, Accepts::Final);
    let plain = || -> Result<Counted> {
        let mut feed = InMemory::new(partitions, BATCH);
        count(&mut feed, |click: &Click| Some(click.at), &key, Numbered::new)
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
