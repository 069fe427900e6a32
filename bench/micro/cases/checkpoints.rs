//! (j) A checkpoint every second against none: a million groups in an open window that go on
//! changing, one worker.
//!
//! A stall is what lies between two looks at the source: the worker does everything else in it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use highwater::checkpoint::{Checkpoints, Directory, Options, Owner, Store};
use highwater::error::Error;
use highwater::hash;
use highwater::prelude::*;
use highwater::runtime::{Stop, Workers, run as run_jobs};
use highwater::sink::Accepts;
use highwater::source::{Batch, Connector, Decoded, Partition, Poll, Source, Start, Wake};
use highwater::testing::Scratch;

use super::{Numbered, Run, types};
use crate::harness::stats::{Spread, median};
use crate::micro::events::{Click, LATENESS};
use crate::micro::job::Bench;
use crate::micro::measure::cpu_s;
use crate::micro::report::Target;

/// Groups.
const GROUPS: u64 = 1_000_000;

/// Clicks of the loop that is read again and again.
const CLICKS: u64 = 4_000_000;

/// In which all groups come to be.
const WARM_UP: Duration = seconds(3);

/// How long is measured after that.
const MEASURED: Duration = seconds(20);

fn clicks(share: u64) -> Arc<Vec<Click>> {
    let at = Time::from_seconds(1_760_000_000);
    let click = |n| Click { at, user: (hash::of(&n) % (GROUPS / share)) as u32, kind: 0 };
    Arc::new((0..CLICKS).map(click).collect())
}

fn describe(flow: &Flow) {
    flow.source("clicks", LATENESS, |click: &Click| click.at)
        .key_by(|click| click.user)
        .window(Tumbling::new(hours(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Numbered::new(key, window, count.get()))
        .sink("counts");
}

/// What was seen after the warm-up.
#[derive(Default)]
struct Seen {
    /// With those of the warm-up.
    events: u64,
    /// Milliseconds between two looks.
    gaps: Vec<f64>,
}

impl Seen {
    fn gap(&mut self, quantile: f64) -> f64 {
        self.gaps.sort_by(f64::total_cmp);
        let at = (self.gaps.len() as f64 * quantile) as usize;
        self.gaps.get(at.min(self.gaps.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }
}

/// First the clicks of every group, then those of a share of them, again and again.
#[derive(Clone)]
struct Clicking {
    loops: [Arc<Vec<Click>>; 2],
    seen: Arc<Mutex<Seen>>,
}

impl Connector for Clicking {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Clicking {
    fn partitions(&mut self) -> Result<u32> {
        Ok(1)
    }

    fn open(&mut self, _partition: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let (clicking, begun) = (self.clone(), Instant::now());
        Ok(Box::new(Reading { clicking, begun, last: None, next: 0, offset: 0 }))
    }

    fn name(&self, _partition: u32) -> String {
        "clicks".into()
    }

    fn is_bounded(&self) -> bool {
        true
    }
}

struct Reading {
    clicking: Clicking,
    begun: Instant,
    last: Option<Instant>,
    next: usize,
    offset: i64,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let (now, elapsed) = (Instant::now(), self.begun.elapsed());
        let warm = WARM_UP <= elapsed;
        if WARM_UP + MEASURED <= elapsed {
            return Ok(Poll::Finished);
        }
        let events = self.clicking.loops[usize::from(warm)].clone();
        let range = self.next..(self.next + types::BATCH).min(events.len());
        self.next = range.end % events.len();
        let mut seen = self.clicking.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.events += range.len() as u64;
        if let Some(last) = self.last.replace(now).filter(|_| warm) {
            seen.gaps.push((now - last).as_secs_f64() * 1e3);
        }
        drop(seen);
        let offset = self.offset;
        self.offset += range.len() as i64;
        batch.next_offset = self.offset;
        batch.events = Some(Decoded { events, range, offset, record_times: None });
        Ok(Poll::Ready)
    }
}

/// A folder that counts what is written to it.
struct Counting {
    folder: Directory,
    bytes: AtomicU64,
    manifests: AtomicU64,
}

impl Store for Counting {
    fn name(&self) -> String {
        self.folder.name()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.bytes.fetch_add(bytes.len() as u64, Relaxed);
        self.folder.put(name, bytes)
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        self.manifests.fetch_add(1, Relaxed);
        self.put_manifest(bytes);
        self.folder.publish(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.folder.get(name)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.folder.list()
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.folder.delete(name)
    }

    fn rename(&self, name: &str, other: &str) -> Result<()> {
        self.folder.rename(name, other)
    }
}

impl Counting {
    fn put_manifest(&self, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Relaxed);
    }
}

/// One run: what the source saw, millions of events per processor second of all threads, and how
/// many checkpoints of how many bytes there were.
fn once(loops: &[Arc<Vec<Click>>; 2], checkpoints: bool) -> Result<(Seen, f64, f64, f64)> {
    let clicking = Clicking { loops: loops.clone(), seen: Arc::default() };
    let sources = || -> Vec<(&'static str, Arc<dyn Connector>)> {
        vec![("clicks", Arc::new(clicking.clone()))]
    };
    let bench = Bench::new(describe, &sources, Accepts::Final);
    let mut job = bench.job(None)?;
    let dir = Scratch::new("bench-checkpoints");
    let folder = Directory::open(dir.path())?;
    let (bytes, manifests) = (AtomicU64::new(0), AtomicU64::new(0));
    let store = Arc::new(Counting { folder, bytes, manifests });
    if checkpoints {
        let owner = Owner { system: "bench".into(), job: "bench".into(), ..job.keeps()? };
        let opened = Checkpoints::open(store.clone(), owner, Options::default(), 1)?;
        let job = Arc::get_mut(&mut job).ok_or_else(|| Error::bug("the job is shared"))?;
        job.checkpoints = Some(Arc::new(opened));
    }
    let before = cpu_s()?;
    run_jobs(vec![job], &Workers::threads(1), &Stop::new())?;
    let seen = std::mem::take(&mut *clicking.seen.lock().unwrap_or_else(PoisonError::into_inner));
    let rate = seen.events as f64 / (cpu_s()? - before) / 1e6;
    let manifests = store.manifests.load(Relaxed) as f64;
    Ok((seen, rate, manifests, store.bytes.load(Relaxed) as f64 / manifests.max(1.0) / 1e6))
}

/// Measures.
///
/// # Errors
///
/// A job does not run, or makes no checkpoint.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    for (share, of) in [(1, "all of a million groups"), (20, "a 20th of a million groups")] {
        let loops = [clicks(1), clicks(share)];
        let mut stalls: [[Vec<f64>; 3]; 2] = Default::default();
        let (mut losses, mut kept) = (Vec::new(), Vec::new());
        for repetition in 0..run.repetitions.max(1) {
            let mut rates = [0.0; 2];
            for index in [repetition % 2, 1 - repetition % 2] {
                let (mut seen, rate, manifests, bytes) = once(&loops, index == 1)?;
                rates[index] = rate;
                for (stalls, quantile) in stalls[index].iter_mut().zip([0.99, 0.999, 1.0]) {
                    stalls.push(seen.gap(quantile));
                }
                if index == 1 {
                    if manifests < 5.0 {
                        return Err(Error::bug(format!("{manifests} checkpoints in all")));
                    }
                    kept.push((manifests, bytes));
                }
            }
            losses.push(100.0 * (1.0 - rates[1] / rates[0]));
        }
        let loss = Spread::of(losses).ok_or_else(|| Error::bug("nothing was run"))?.median;
        let most = |most| if share == 1 { Target::None } else { Target::AtMost(most) };
        run.report.figure(
            "j",
            &format!("lost per processor second, {of} change"),
            loss,
            "%",
            most(5.0),
        )?;
        for (index, with) in ["none", "every second"].into_iter().enumerate() {
            for (stalls, name) in stalls[index].iter().zip(["p99", "p999", "longest"]) {
                let stall = median(stalls).unwrap_or(f64::NAN);
                let target =
                    if name == "p99" && index == 1 { Target::AtMost(20.0) } else { Target::None };
                run.report.figure("j", &format!("{name} stall, {with}"), stall, "ms", target)?;
            }
        }
        let bytes: Vec<f64> = kept.iter().map(|(_, bytes)| *bytes).collect();
        let count: Vec<f64> = kept.iter().map(|(count, _)| *count).collect();
        for (question, values, unit) in
            [("written for a checkpoint", bytes, "MB"), ("checkpoints in 23 s", count, "")]
        {
            let value = median(&values).unwrap_or(f64::NAN);
            run.report.figure("j", question, value, unit, Target::None)?;
        }
    }
    Ok(())
}
