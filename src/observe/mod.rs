//! What a running job shows: counts, ledgers, watermarks, open windows.
//!
//! Operators write to the [`JobBoard`] in batches, at most once per activation; whoever reports
//! reads it. Nothing on the hot path waits for it.

pub mod latency;
pub mod progress;
pub mod status;
pub mod why;
pub mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::latency::{LatencyLine, ViewLatency, WatermarkLog};
use self::progress::WorkerProgress;
use self::writers::WriterHealth;
use crate::keyed::Open;
use crate::lateness::Ledger;
use crate::letter::{Letter, Reason};
use crate::stream::Operator;
use crate::text::Text;
use crate::time::{Millis, Time};

/// The state of a job in this process, as its operators last said.
#[derive(Debug, Default)]
pub struct JobBoard {
    read: AtomicU64,
    rows: AtomicU64,
    watermarks: Arc<WatermarkLog>,
    checkpoint: Mutex<Option<(u64, Time)>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partitions: BTreeMap<(Text, u32), PartitionBoard>,
    operators: BTreeMap<(Text, usize), OperatorBoard>,
    letters: BTreeMap<(Text, Reason), u64>,
    views: BTreeMap<Text, u64>,
    type_errors: BTreeMap<(Text, Text), u64>,
    latencies: BTreeMap<Text, Arc<ViewLatency>>,
    writers: BTreeMap<(Text, Text), Vec<Arc<WriterHealth>>>,
    workers: BTreeMap<usize, Arc<WorkerProgress>>,
}

/// Where a partition stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionBoard {
    /// What the source calls it.
    pub name: String,
    /// The worker that reads it.
    pub worker: usize,
    /// What became of its records.
    pub ledger: Ledger,
    /// Its promise.
    pub watermark: Millis,
    /// Offset of the next record.
    pub next_offset: Option<i64>,
    /// Records between here and its end, where known.
    pub lag: Option<u64>,
    /// The greatest event time that it has shown.
    pub greatest: Option<Time>,
    /// When its last record came, on the clock of this machine; before the first one, when it was
    /// opened.
    pub last: Time,
    /// Records that were read and that the sinks have not confirmed.
    pub in_flight: u64,
    /// Whether all of it was read, for ever.
    pub is_finished: bool,
}

/// Where a window operator stands on one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatorBoard {
    /// How much is open.
    pub open: Open,
    /// Its watermark.
    pub watermark: Millis,
    /// Refused (record, window) pairs.
    pub late_windows: u64,
}

impl JobBoard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts records as they are read.
    pub fn count_read(&self, records: u64) {
        self.read.fetch_add(records, Relaxed);
    }

    /// Records read so far in this process.
    pub fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Counts rows of a view as its sink takes them.
    pub fn count_rows(&self, view: &str, rows: u64) {
        self.rows.fetch_add(rows, Relaxed);
        let mut state = self.state();
        match state.views.get_mut(view) {
            Some(count) => *count += rows,
            None => {
                state.views.insert(view.into(), rows);
            }
        }
    }

    /// Rows written so far in this process.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Rows by view.
    pub fn views(&self) -> BTreeMap<Text, u64> {
        self.state().views.clone()
    }

    /// Takes what a source says of a partition.
    pub fn partition(&self, source: &Text, id: u32, board: PartitionBoard) {
        self.state().partitions.insert((source.clone(), id), board);
    }

    /// All partitions that this process reads.
    pub fn partitions(&self) -> BTreeMap<(Text, u32), PartitionBoard> {
        self.state().partitions.clone()
    }

    /// All ledgers together.
    pub fn ledger(&self) -> Ledger {
        let mut sum = Ledger::default();
        self.state().partitions.values().for_each(|partition| sum.add(&partition.ledger));
        sum
    }

    /// Takes what a window operator says of itself.
    pub fn operator(&self, operator: &Operator, worker: usize, watermark: Millis) {
        let (open, late_windows) = (operator.open(), operator.late_windows());
        let board = OperatorBoard { open, watermark, late_windows };
        self.state().operators.insert((operator.place.clone(), worker), board);
    }

    /// All window operators, by name and worker.
    pub fn operators(&self) -> BTreeMap<(Text, usize), OperatorBoard> {
        self.state().operators.clone()
    }

    /// How much is open in this process.
    pub fn open(&self) -> Open {
        let state = self.state();
        state.operators.values().fold(Open::default(), |sum, operator| sum.and(operator.open))
    }

    /// The least watermark of all window operators.
    pub fn frontier(&self) -> Option<Millis> {
        self.state().operators.values().map(|operator| operator.watermark).min()
    }

    /// Counts letters.
    pub fn letters(&self, letters: &[Letter]) {
        if letters.is_empty() {
            return;
        }
        let mut state = self.state();
        for letter in letters {
            *state.letters.entry((letter.source.clone(), letter.reason)).or_default() += 1;
        }
    }

    /// Letters by source and reason.
    pub fn letter_counts(&self) -> BTreeMap<(Text, Reason), u64> {
        self.state().letters.clone()
    }

    /// When the readers of this process promised what.
    pub fn watermarks(&self) -> &Arc<WatermarkLog> {
        &self.watermarks
    }

    /// Where the latencies of a view are kept, which is made from some sources.
    pub fn latency(&self, view: &Text, sources: &BTreeSet<usize>) -> Arc<ViewLatency> {
        let make = || Arc::new(ViewLatency::new(sources.clone(), self.watermarks.clone()));
        self.state().latencies.entry(view.clone()).or_insert_with(make).clone()
    }

    /// Adds a writer of a view, of a kind of sink.
    pub fn writer(&self, view: &str, kind: &str) -> Arc<WriterHealth> {
        let writer = Arc::new(WriterHealth::default());
        let mut state = self.state();
        state.writers.entry((view.into(), kind.into())).or_default().push(writer.clone());
        writer
    }

    /// The writers of this process, by view and kind of sink.
    pub fn writers(&self) -> BTreeMap<(Text, Text), Vec<Arc<WriterHealth>>> {
        self.state().writers.clone()
    }

    /// Adds a worker of this process.
    pub fn worker(&self, worker: usize) -> Arc<WorkerProgress> {
        self.state().workers.entry(worker).or_default().clone()
    }

    /// How far the workers of this process are.
    pub fn workers(&self) -> BTreeMap<usize, Arc<WorkerProgress>> {
        self.state().workers.clone()
    }

    /// Notes that the checkpoint of an epoch is there, since this instant; an older one changes
    /// nothing.
    pub fn published(&self, epoch: u64, at: Time) {
        let mut newest = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.is_none_or(|(before, _)| before < epoch) {
            *newest = Some((epoch, at));
        }
    }

    /// The epoch of the newest checkpoint, and since when it is there.
    pub fn newest_checkpoint(&self) -> Option<(u64, Time)> {
        *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latencies of one view, if they are measured.
    pub fn latency_of(&self, view: &str) -> Option<Arc<ViewLatency>> {
        self.state().latencies.get(view).cloned()
    }

    /// The latencies of all views.
    pub fn latency_lines(&self) -> Vec<LatencyLine> {
        let latencies = self.state().latencies.clone();
        let lines = latencies.iter().map(|(view, of)| LatencyLine::of(view, &of.histograms()));
        lines.flatten().collect()
    }

    /// Takes the counts of values of the wrong type of one worker, by field.
    pub fn type_errors(&self, source: &Text, counts: impl IntoIterator<Item = (Text, u64)>) {
        let mut state = self.state();
        for (field, count) in counts {
            *state.type_errors.entry((source.clone(), field)).or_default() += count;
        }
    }

    /// Values of the wrong type, by source and field.
    pub fn type_error_counts(&self) -> BTreeMap<(Text, Text), u64> {
        self.state().type_errors.clone()
    }
}
