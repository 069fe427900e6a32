//! What a server shows and does: of a process that runs jobs, here; of a cluster, in `cli`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::guard::Refused;
use crate::error::Result;
use crate::observe::PartitionBoard;
use crate::observe::status::{
    CheckpointStatus, JobStatus, OperatorStatus, PartitionStatus, Phase, ProcessStatus, Role,
    SinkStatus, SourceStatus, Status, WorkerStatus, shown,
};
use crate::runtime::cluster::Peers;
use crate::runtime::{Job, Stop, wall_time};
use crate::text::Text;
use crate::time::{Millis, Time};

/// What a server shows and does.
pub trait Panel: Send + Sync {
    /// What the process says of itself.
    fn status(&self) -> Status;

    /// Asks it for its end.
    fn stop(&self);

    /// Whether somebody did.
    fn was_asked(&self) -> bool;

    /// Called about once a second.
    fn sample(&self) {}

    /// Who was refused.
    fn refused(&self) -> &RequestCounts;
}

/// Refused requests, by reason.
#[derive(Debug, Default)]
pub struct RequestCounts([AtomicU64; Refused::ALL.len()]);

impl RequestCounts {
    /// One more.
    pub fn count(&self, reason: Refused) {
        self.0[reason as usize].fetch_add(1, Relaxed);
    }

    /// All that there were, by the names of their reasons.
    pub fn named(&self) -> BTreeMap<String, u64> {
        let counts = Refused::ALL.iter().zip(&self.0);
        let some = counts.map(|((_, name), count)| (name.to_string(), count.load(Relaxed)));
        some.filter(|(_, count)| 0 < *count).collect()
    }
}

/// Where a process stands among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its index.
    pub index: usize,
    /// How many processes there are.
    pub processes: usize,
    /// Worker threads in each of them.
    pub threads: usize,
    /// The pid of the `highwater cluster` that has started it.
    pub supervisor: Option<u32>,
}

/// Rates are those of so many seconds.
const SAMPLES: usize = 10;

/// A process that runs jobs.
pub struct JobPanel {
    system: String,
    seat: Seat,
    began: Time,
    stop: Stop,
    jobs: OnceLock<Vec<ShownJob>>,
    /// Of several processes, once they are connected: the generation, and who was refused.
    connected: OnceLock<(u64, BTreeMap<String, u64>)>,
    samples: Mutex<VecDeque<Sample>>,
    refused: RequestCounts,
    asked: AtomicBool,
}

/// Records read of each source, by job, and when.
type Sample = (Instant, Vec<BTreeMap<Text, u64>>);

/// A job, and what is known of it before it runs.
struct ShownJob {
    job: Arc<Job>,
    /// By operator: the views that it fills, the sources that it is made of.
    operators: BTreeMap<Text, (Vec<Text>, Vec<Text>)>,
    /// Lateness, by source.
    sources: Vec<(Text, Duration)>,
}

impl JobPanel {
    /// Of jobs that are not there yet.
    pub fn new(system: &str, seat: Seat, stop: &Stop) -> JobPanel {
        JobPanel {
            system: system.into(),
            seat,
            began: wall_time(),
            stop: stop.clone(),
            jobs: OnceLock::new(),
            connected: OnceLock::new(),
            samples: Mutex::default(),
            refused: RequestCounts::default(),
            asked: AtomicBool::new(false),
        }
    }

    /// Shows jobs that are about to run; those that are connected with other processes, by `peers`.
    ///
    /// # Errors
    ///
    /// One cannot be described.
    pub fn show(&self, jobs: &[Arc<Job>], peers: Option<&Peers>) -> Result<()> {
        if let Some(peers) = peers {
            // Set once, as a process is connected once.
            let _ = self.connected.set((peers.generation.number, peers.refusals.named()));
        }
        let shown = jobs.iter().map(ShownJob::new).collect::<Result<Vec<_>>>()?;
        let _ = self.jobs.set(shown);
        Ok(())
    }

    fn jobs(&self) -> &[ShownJob] {
        self.jobs.get().map_or(&[], Vec::as_slice)
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a second of each source of a job, since the oldest sample.
    fn rates(&self, job: usize) -> BTreeMap<Text, f64> {
        let samples = self.samples();
        let (Some((from, before)), Some((to, now))) = (samples.front(), samples.back()) else {
            return BTreeMap::new();
        };
        let seconds = to.duration_since(*from).as_secs_f64();
        let (Some(before), Some(now)) = (before.get(job), now.get(job)) else {
            return BTreeMap::new();
        };
        let rate = |(source, read): (&Text, &u64)| {
            let fresh = read.saturating_sub(before.get(source).copied().unwrap_or(0));
            (source.clone(), if seconds <= 0.0 { 0.0 } else { fresh as f64 / seconds })
        };
        now.iter().map(rate).collect()
    }
}

impl Panel for JobPanel {
    fn status(&self) -> Status {
        let phase = match self.jobs.get() {
            _ if self.stop.is_asked() => Phase::Stopping,
            None => Phase::Starting,
            Some(_) => Phase::Running,
        };
        let Seat { index, processes, threads, supervisor } = self.seat;
        let connected = self.connected.get();
        let jobs = self.jobs().iter().enumerate();
        Status {
            engine: env!("CARGO_PKG_VERSION").into(),
            system: self.system.clone(),
            now: wall_time(),
            process: ProcessStatus {
                role: Role::Run,
                pid: std::process::id(),
                index,
                processes,
                threads,
                began: self.began,
                phase,
                generation: connected.map(|(generation, _)| *generation),
                supervisor,
                cause: None,
            },
            refused_connections: connected.map(|(_, refused)| refused.clone()).unwrap_or_default(),
            refused_requests: self.refused.named(),
            jobs: jobs.map(|(at, job)| job.status(&self.rates(at))).collect(),
        }
    }

    fn stop(&self) {
        self.asked.store(true, Relaxed);
        self.stop.ask();
    }

    fn was_asked(&self) -> bool {
        self.asked.load(Relaxed)
    }

    fn sample(&self) {
        if self.jobs.get().is_none() {
            return;
        }
        let read = self.jobs().iter().map(ShownJob::read).collect();
        let mut samples = self.samples();
        samples.push_back((Instant::now(), read));
        if SAMPLES < samples.len() {
            samples.pop_front();
        }
    }

    fn refused(&self) -> &RequestCounts {
        &self.refused
    }
}

impl ShownJob {
    fn new(job: &Arc<Job>) -> Result<ShownJob> {
        let plan = job.plan()?;
        let sources = plan.sources.iter();
        let sources = sources.map(|source| (source.name.clone(), source.lateness.delay()));
        let shapes = job.keeps()?.shapes.into_iter();
        let operators = shapes.map(|shape| (shape.operator, (shape.views, shape.sources)));
        Ok(ShownJob {
            job: job.clone(),
            operators: operators.collect(),
            sources: sources.collect(),
        })
    }

    /// Records read of each source.
    fn read(&self) -> BTreeMap<Text, u64> {
        let mut read = BTreeMap::new();
        for ((source, _), partition) in self.job.board.partitions() {
            *read.entry(source).or_default() += partition.ledger.read;
        }
        read
    }

    fn status(&self, rates: &BTreeMap<Text, f64>) -> JobStatus {
        let board = &self.job.board;
        let mut letters: BTreeMap<Text, BTreeMap<String, u64>> = BTreeMap::new();
        for ((source, reason), count) in board.letter_counts() {
            letters.entry(source).or_default().insert(reason.to_string(), count);
        }
        let pace = self.job.pace;
        let workers = board.workers();
        let epoch = |tick: u64| (tick != u64::MAX).then(|| pace.epoch(tick));
        JobStatus {
            name: self.job.name.clone(),
            read: board.read(),
            rows: board.rows(),
            is_held: workers.values().any(|worker| worker.get().is_held(pace.in_flight_max)),
            sources: self.sources(rates),
            operators: self.operators(),
            views: board.views(),
            sinks: self.sinks(),
            letters,
            checkpoint: board.newest_checkpoint().map(|(epoch, at)| CheckpointStatus { epoch, at }),
            workers: workers
                .iter()
                .map(|(worker, progress)| {
                    let at = progress.get();
                    WorkerStatus {
                        worker: *worker,
                        reads: pace.epoch(at.reached),
                        completes: epoch(at.completed),
                        confirms: epoch(at.confirmed),
                    }
                })
                .collect(),
        }
    }

    fn sources(&self, rates: &BTreeMap<Text, f64>) -> Vec<SourceStatus> {
        let partitions = self.job.board.partitions();
        let of = |name: &Text| {
            let own = partitions.iter().filter(|((source, _), _)| source == name);
            own.map(|((_, id), at)| partition(*id, at)).collect()
        };
        let sources = self.sources.iter().map(|(name, lateness)| {
            let idle = self.job.sources.get(name).and_then(|bound| bound.idle_timeout);
            SourceStatus {
                name: name.clone(),
                rate: rates.get(name).copied().unwrap_or_default(),
                lateness_ms: lateness.as_millis() as u64,
                idle_timeout_ms: idle.map(|idle| idle.as_millis() as u64),
                partitions: of(name),
            }
        });
        sources.collect()
    }

    fn operators(&self) -> Vec<OperatorStatus> {
        let operators = self.job.board.operators().into_iter();
        let operators = operators.map(|((name, worker), at)| {
            let (views, sources) = self.operators.get(&name).cloned().unwrap_or_default();
            OperatorStatus {
                worker,
                views,
                sources,
                watermark: shown(at.watermark),
                has_ended: at.watermark == Millis::MAX,
                open_windows: at.open.windows,
                entries: at.open.entries,
                first_end: at.open.first_end,
                late_windows: at.late_windows,
                name,
            }
        });
        operators.collect()
    }

    fn sinks(&self) -> Vec<SinkStatus> {
        let now = Instant::now();
        let sinks = self.job.board.writers().into_iter().map(|((view, kind), writers)| {
            let failing = writers.iter().filter_map(|writer| writer.away(now)).max();
            SinkStatus {
                view,
                kind,
                pending: writers.iter().map(|writer| writer.pending()).sum(),
                confirmed: writers.iter().map(|writer| writer.confirmed()).min().flatten(),
                failed: writers.iter().map(|writer| writer.failed()).sum(),
                failing_ms: failing.map(|failing| failing.as_millis() as u64),
            }
        });
        sinks.collect()
    }
}

fn partition(id: u32, at: &PartitionBoard) -> PartitionStatus {
    PartitionStatus {
        id,
        name: at.name.clone(),
        worker: at.worker,
        ledger: at.ledger,
        in_flight: at.in_flight,
        watermark: shown(at.watermark),
        greatest: at.greatest,
        last: at.last,
        next_offset: at.next_offset,
        lag: at.lag,
        is_finished: at.is_finished,
    }
}
