//! [`Status`]: what one process of a running job says of itself, and the facts of several together.
//!
//! It is JSON on the way: instants are microseconds since 1970, watermarks milliseconds, durations
//! milliseconds. A watermark that promises nothing yet, or is that of an end, is null.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::why::{Facts, PartitionFacts, SinkFacts, SourceFacts};
use crate::lateness::Ledger;
use crate::text::Text;
use crate::time::{Millis, Time};

/// What one process says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the engine.
    pub engine: String,
    /// Name of the system.
    pub system: String,
    /// When it says so.
    pub now: Time,
    /// The process itself.
    pub process: ProcessStatus,
    /// Connections that were refused at its worker socket, by reason.
    pub refused_connections: BTreeMap<String, u64>,
    /// Requests that were refused at its HTTP socket, by reason.
    pub refused_requests: BTreeMap<String, u64>,
    /// Its jobs; none of a `highwater cluster`, which has processes that answer themselves.
    pub jobs: Vec<JobStatus>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// What it does.
    pub role: Role,
    /// Its pid.
    pub pid: u32,
    /// Its index among the processes of the job.
    pub index: usize,
    /// How many there are.
    pub processes: usize,
    /// Worker threads in each of them.
    pub threads: usize,
    /// When it began.
    pub began: Time,
    /// What it does now.
    pub phase: Phase,
    /// The generation of several processes, once they are connected; of a cluster how many it has
    /// begun.
    pub generation: Option<u64>,
    /// The pid of the `highwater cluster` that has started it.
    pub supervisor: Option<u32>,
    /// Of a cluster: why the last generation has ended.
    pub cause: Option<String>,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It runs jobs.
    Run,
    /// It looks after processes that do.
    Cluster,
}

/// What a process does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It binds jobs, or waits for services and other processes.
    Starting,
    /// It runs.
    Running,
    /// It was asked for its end.
    Stopping,
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// Records read in this process since its start.
    pub read: u64,
    /// Rows written by this process since its start.
    pub rows: u64,
    /// Whether the sources of this process do not read, as too much is under way.
    pub is_held: bool,
    /// Its sources.
    pub sources: Vec<SourceStatus>,
    /// Its window operators, each on one worker.
    pub operators: Vec<OperatorStatus>,
    /// Rows of its views.
    pub views: BTreeMap<Text, u64>,
    /// Its sinks.
    pub sinks: Vec<SinkStatus>,
    /// Dead letters, by source and reason.
    pub letters: BTreeMap<Text, BTreeMap<String, u64>>,
    /// The newest checkpoint.
    pub checkpoint: Option<CheckpointStatus>,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: Text,
    /// Records a second, over the last seconds.
    pub rate: f64,
    /// How far its watermarks run behind.
    pub lateness_ms: u64,
    /// `idle_timeout`.
    pub idle_timeout_ms: Option<u64>,
    /// The partitions that this process reads.
    pub partitions: Vec<PartitionStatus>,
}

/// A partition, as its reader saw it at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionStatus {
    /// Its number.
    pub id: u32,
    /// What the source calls it.
    pub name: String,
    /// The worker that reads it.
    pub worker: usize,
    /// What became of its records.
    pub ledger: Ledger,
    /// Records that were read and that the sinks have not confirmed.
    pub in_flight: u64,
    /// Its promise.
    pub watermark: Option<Millis>,
    /// The greatest event time that it has shown.
    pub greatest: Option<Time>,
    /// When its last record came; before the first one, when it was opened.
    pub last: Time,
    /// Offset of the next record.
    pub next_offset: Option<i64>,
    /// Records between here and its end, where known.
    pub lag: Option<u64>,
    /// Whether all of it was read, for ever.
    pub is_finished: bool,
}

/// A window operator on one worker, at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorStatus {
    /// Its name.
    pub name: Text,
    /// The worker.
    pub worker: usize,
    /// The views that it fills.
    pub views: Vec<Text>,
    /// The sources that it is made of.
    pub sources: Vec<Text>,
    /// Its watermark.
    pub watermark: Option<Millis>,
    /// Whether nothing will come any more.
    pub has_ended: bool,
    /// Windows that have not closed.
    pub open_windows: u64,
    /// Entries kept for them.
    pub entries: u64,
    /// End of the window that closes first.
    pub first_end: Option<Time>,
    /// Refused (record, window) pairs.
    pub late_windows: u64,
}

/// A sink of a view, all writers of this process together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its view.
    pub view: Text,
    /// Its kind.
    pub kind: Text,
    /// Rows that wait for its writers.
    pub pending: u64,
    /// The last epoch that all of them have confirmed.
    pub confirmed: Option<u64>,
    /// Tries that have failed since the start.
    pub failed: u64,
    /// For how long the tries of one have failed.
    pub failing_ms: Option<u64>,
}

/// The newest checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointStatus {
    /// Its epoch.
    pub epoch: u64,
    /// Since when this process knows it.
    pub at: Time,
}

/// How far a worker is, in epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// The worker.
    pub worker: usize,
    /// The epoch that it reads.
    pub reads: u64,
    /// The first that is not complete on all workers; null once all are.
    pub completes: Option<u64>,
    /// The first that the sinks of all workers have not confirmed; null once all are.
    pub confirms: Option<u64>,
}

/// A window that is open: the one of its operator that closes first.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenWindow {
    /// Its operator.
    pub operator: Text,
    /// What is known of it.
    pub facts: Facts,
}

/// What several processes say of one job, put together.
pub struct Together<'s> {
    statuses: &'s [Status],
    job: &'s str,
}

impl<'s> Together<'s> {
    /// Of a job by its name.
    pub fn of(statuses: &'s [Status], job: &'s str) -> Together<'s> {
        Together { statuses, job }
    }

    /// What each process says.
    pub fn parts(&self) -> impl Iterator<Item = (&'s Status, &'s JobStatus)> {
        let job = self.job;
        self.statuses.iter().flat_map(move |status| {
            status.jobs.iter().filter(move |own| own.name == job).map(move |own| (status, own))
        })
    }

    /// Its sources by name, each with the partitions that all processes read, and which process
    /// does.
    pub fn sources(&self) -> BTreeMap<&'s Text, Vec<(usize, &'s SourceStatus)>> {
        let mut sources: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (status, job) in self.parts() {
            for source in &job.sources {
                sources.entry(&source.name).or_default().push((status.process.index, source));
            }
        }
        sources
    }

    /// Its window operators by name, on all workers.
    pub fn operators(&self) -> BTreeMap<&'s Text, Vec<&'s OperatorStatus>> {
        let mut operators: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for operator in self.parts().flat_map(|(_, job)| &job.operators) {
            operators.entry(&operator.name).or_default().push(operator);
        }
        operators
    }

    /// The processes that were not asked.
    pub fn unknown(&self) -> Vec<usize> {
        let processes = self.statuses.iter().map(|status| status.process.processes).max();
        let asked: BTreeSet<usize> = self.parts().map(|(status, _)| status.process.index).collect();
        (0..processes.unwrap_or(0)).filter(|index| !asked.contains(index)).collect()
    }

    /// The window of each operator that closes first.
    pub fn open_windows(&self) -> Vec<OpenWindow> {
        let operators = self.operators().into_iter();
        operators.filter_map(|(name, parts)| self.open_window(name, &parts)).collect()
    }

    fn open_window(&self, name: &Text, parts: &[&OperatorStatus]) -> Option<OpenWindow> {
        let end = parts.iter().filter_map(|part| part.first_end).min()?;
        let watermark = |part: &&OperatorStatus| match part.watermark {
            _ if part.has_ended => Millis::MAX,
            watermark => watermark.unwrap_or(Millis::MIN),
        };
        let named = |source: &&Text| parts.iter().any(|part| part.sources.contains(source));
        let sources = self.sources();
        let sources = sources.iter().filter(|(name, _)| named(name));
        let is_held = self.parts().any(|(_, job)| job.is_held);
        let facts = Facts {
            end,
            watermark: parts.iter().map(watermark).min().unwrap_or(Millis::MIN),
            sources: sources.filter_map(|(_, parts)| self.source(parts)).collect(),
            full: if is_held { self.full() } else { vec![] },
            is_held,
            unknown: self.unknown(),
            now: self.parts().map(|(status, _)| status.now).max()?,
        };
        Some(OpenWindow { operator: name.clone(), facts })
    }

    fn source(&self, parts: &[(usize, &SourceStatus)]) -> Option<SourceFacts> {
        let (_, first) = parts.first()?;
        let partitions = parts.iter().flat_map(|(process, source)| {
            source.partitions.iter().map(move |partition| PartitionFacts {
                id: partition.id,
                reader: (partition.worker, *process),
                watermark: partition.watermark.unwrap_or(Millis::MIN),
                greatest: partition.greatest,
                last: partition.last,
                lag: partition.lag,
                is_finished: partition.is_finished,
            })
        });
        let mut partitions: Vec<PartitionFacts> = partitions.collect();
        partitions.sort_by_key(|partition| partition.id);
        Some(SourceFacts {
            name: first.name.clone(),
            lateness: Duration::from_millis(first.lateness_ms),
            idle_timeout: first.idle_timeout_ms.map(Duration::from_millis),
            partitions,
        })
    }

    /// The sinks for which most rows wait, or whose tries fail.
    fn full(&self) -> Vec<SinkFacts> {
        let sinks = self.parts().flat_map(|(_, job)| &job.sinks).filter(|sink| 0 < sink.pending);
        let mut full: Vec<SinkFacts> = sinks
            .map(|sink| SinkFacts {
                view: sink.view.clone(),
                kind: sink.kind.clone(),
                pending: sink.pending,
                failing: sink.failing_ms.map(Duration::from_millis),
            })
            .collect();
        full.sort_by_key(|sink| (sink.failing.is_none(), u64::MAX - sink.pending));
        full.truncate(3);
        full
    }
}

/// A watermark as it is shown: nothing, if it promises nothing yet or is that of an end.
pub fn shown(watermark: Millis) -> Option<Millis> {
    (!matches!(watermark, Millis::MIN | Millis::MAX)).then_some(watermark)
}
