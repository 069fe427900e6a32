//! (e) What a job costs that has nothing to do: the chat job, caught up, with windows open.

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
use super::{Run, chat};
use crate::micro::job::Bench;
use crate::micro::measure::cpu_s;
use crate::micro::report::Target;

/// Partitions of each topic.
const PARTITIONS: usize = 3;

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
    vec![("chat", Arc::new(Unbounded(memories.0))), ("viewers", Arc::new(Unbounded(memories.1)))]
}

/// Measures.
///
/// # Errors
///
/// The job does not run.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    for workers in [1, 2] {
        let share = idle(workers)?;
        let question = format!("idle, {workers} worker{}", if workers == 1 { "" } else { "s" });
        run.report.figure("e", &question, share * 100.0, "% of a core", Target::AtMost(1.0))?;
    }
    Ok(())
}

fn idle(workers: usize) -> Result<f64> {
    let bench = Bench::new(chat::describe, &sources, Accepts::Updates);
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
