//! (f) Bytes of an open group: what a million of them add to the process.

use std::sync::Arc;
use std::time::Instant;

use highwater::error::Error;
use highwater::prelude::*;
use highwater::runtime::{Stop, Workers, run as run_jobs};
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::memory::Memory;

use super::unbounded::Unbounded;
use super::{Named, Numbered, Run, types};
use crate::micro::events::{Click, LATENESS};
use crate::micro::job::Bench;
use crate::micro::measure::resident_bytes;
use crate::micro::report::Target;

/// Open groups.
const GROUPS: u32 = 1_000_000;

/// How long it may take until they are open.
const OPEN_MAX: Duration = seconds(60);

fn by_number(flow: &Flow) {
    flow.source("clicks", LATENESS, |click: &Click| click.at)
        .key_by(|click| click.user)
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Numbered::new(key, window, count.get()))
        .sink("counts");
}

fn by_text(flow: &Flow) {
    flow.source("clicks", LATENESS, |click: &Click| click.at)
        .key_by(|click| Some(Text::from(format!("user_{:07}", click.user))))
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Named::new(key, window, count.get()))
        .sink("counts");
}

/// Measures.
///
/// # Errors
///
/// The job does not run, or the groups do not open.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let at = Time::from_seconds(1_760_000_000);
    let events: Arc<Vec<Click>> =
        Arc::new((0..GROUPS).map(|user| Click { at, user, kind: 0 }).collect());
    for (question, describe) in [
        ("an open group of count, key of 4 bytes", by_number as fn(&Flow)),
        ("an open group of count, key of 12 letters", by_text),
    ] {
        let bytes = per_group(&events, describe)?;
        run.report.figure("f", question, bytes, "bytes", Target::None)?;
    }
    Ok(())
}

fn per_group(events: &Arc<Vec<Click>>, describe: fn(&Flow)) -> Result<f64> {
    let sources = || -> Vec<(&'static str, Arc<dyn Connector>)> {
        let memory = Memory::new().partition(events.clone(), &[types::BATCH]);
        vec![("clicks", Arc::new(Unbounded(Arc::new(memory))))]
    };
    let bench = Bench::new(describe, &sources, Accepts::Final);
    let job = bench.job(None)?;
    let stop = Stop::new();
    let before = resident_bytes()?;
    std::thread::scope(|scope| {
        let (jobs, start) = (vec![job.clone()], Instant::now());
        let running = scope.spawn(|| run_jobs(jobs, &Workers::threads(1), &stop));
        let is_open = || u64::from(GROUPS) <= job.board.open().entries;
        while !is_open() && start.elapsed() < OPEN_MAX && !running.is_finished() {
            std::thread::sleep(millis(20));
        }
        let bytes = (resident_bytes()? - before) / f64::from(GROUPS);
        let open = is_open();
        stop.ask();
        running.join().unwrap_or_else(|_| Err(Error::bug("the job panicked")))?;
        if open { Ok(bytes) } else { Err(Error::bug("the groups did not open")) }
    })
}
