//! (e) What a job costs that has nothing to do: chat and the 25 views of elearning, caught up, with
//! windows open.

use std::sync::Arc;
use std::time::Instant;

use highwater::error::Error;
use highwater::prelude::*;
use highwater::runtime::{Stop, Workers, run as run_jobs};
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::memory::Memory;
use highwater_datasets::chat::{Message, Viewers};

use super::unbounded::Unbounded;
use super::{Run, chat, systems};
use crate::micro::job::Bench;
use crate::micro::measure::cpu_s;
use crate::micro::report::Target;

/// Partitions of each topic.
const PARTITIONS: usize = 3;

/// Records that leave the windows of elearning open.
const RECORDS: u64 = 20_000;

/// Time in which a job comes to rest.
const SETTLING: Duration = seconds(2);

/// Time over which it is watched.
const WATCHED: Duration = seconds(10);

fn sources() -> Vec<(&'static str, Arc<dyn Connector>)> {
    let at = Some(Time::from_seconds(1_760_000_000));
    let (mut message, mut sample) = (Message::default(), Viewers::default());
    (message.timestamp, message.stream_id) = (at, Some("s".into()));
    (sample.timestamp, sample.stream_id) = (at, Some("s".into()));
    let (messages, samples) = (Arc::new(vec![message]), Arc::new(vec![sample]));
    let mut memories = (Memory::new(), Memory::new());
    for _ in 0..PARTITIONS {
        memories.0 = memories.0.partition(messages.clone(), &[1]);
        memories.1 = memories.1.partition(samples.clone(), &[1]);
    }
    let unbounded = |memory| -> Arc<dyn Connector> { Arc::new(Unbounded(Arc::new(memory))) };
    vec![("chat", unbounded(memories.0)), ("viewers", unbounded(memories.1))]
}

/// Measures.
///
/// # Errors
///
/// The job does not run.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let logs = systems::Logs::write("elearning", systems::ELEARNING, RECORDS)?;
    let silent = || {
        let sources = logs.sources().into_iter();
        let silent = |connector| -> Arc<dyn Connector> { Arc::new(Unbounded(connector)) };
        sources.map(|(port, connector)| (port, silent(connector))).collect()
    };
    let chat = Bench::new(chat::describe, &sources, Accepts::Updates);
    let elearning = |flow: &Flow| systems::describe(flow, "elearning", "");
    let elearning = Bench::new(elearning, &silent, Accepts::Final);
    for (of, bench) in [("", chat), (" with 25 views", elearning)] {
        for workers in [1, 2] {
            let share = 100.0 * idle(&bench, workers)?;
            let plural = if workers == 1 { "" } else { "s" };
            let question = format!("idle{of}, {workers} worker{plural}");
            run.report.figure("e", &question, share, "% of a core", Target::AtMost(1.0))?;
        }
    }
    Ok(())
}

fn idle(bench: &Bench<'_>, workers: usize) -> Result<f64> {
    let job = bench.job(None)?;
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_jobs(vec![job], &Workers::threads(workers), &stop));
        std::thread::sleep(SETTLING);
        let (start, before) = (Instant::now(), cpu_s()?);
        std::thread::sleep(WATCHED);
        let share = (cpu_s()? - before) / start.elapsed().as_secs_f64();
        stop.ask();
        running.join().unwrap_or_else(|_| Err(Error::bug("the job panicked")))?;
        Ok(share)
    })
}
