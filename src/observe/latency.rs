//! Latency, measured inside: how long rows wait for the engine, per view.
//!
//! - *close delay* of final rows: from the instant at which the last watermark allowed the window
//!   to close to the instant at which the sink had written the row. The lateness, which is a
//!   choice, is not in it.
//! - *event latency* of updates and of rows without windows: from the time at which a source's
//!   record was due or was taken by the broker to the same instant. The oldest record of the
//!   batches that a row absorbed counts, so this is an upper bound.
//!
//! Both end when the writer says that the rows are written, on the clock of this process. One that
//! answers later is asked from time to time: Kafka's once a linger, at most 5 ms after the answer.
//! Watermarks of other processes are not seen: there the close delay begins with the last one of
//! this process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::row::{Change, Origin, Rows};
use crate::text::Text;
use crate::time::{Millis, Time};

/// When each reader of this process promised what.
#[derive(Debug, Default)]
pub struct WatermarkLog {
    readers: Mutex<Vec<Arc<ReaderLog>>>,
}

/// The promises of one source on one worker, with the instant of each; the newest last.
#[derive(Debug)]
pub struct ReaderLog {
    source: usize,
    promises: Mutex<VecDeque<(Millis, Instant)>>,
}

/// How many promises are remembered per reader.
const PROMISES_MAX: usize = 8_192;

/// Promises closer together than this count as one: what the close delay may be off by.
const GRAIN: Duration = Duration::from_millis(1);

impl WatermarkLog {
    /// Adds a reader.
    pub fn reader(&self, source: usize) -> Arc<ReaderLog> {
        let log = Arc::new(ReaderLog { source, promises: Mutex::default() });
        lock(&self.readers).push(log.clone());
        log
    }

    /// When the last of some sources' readers had promised that nothing before `end` will come;
    /// `None` if one has not, or if it is too long ago to be remembered.
    fn allowed(&self, sources: &BTreeSet<usize>, end: Millis) -> Option<Instant> {
        let readers = lock(&self.readers);
        let asked = readers.iter().filter(|reader| sources.contains(&reader.source));
        let mut last = None;
        for reader in asked {
            last = last.max(Some(reader.passed(end)?));
        }
        last
    }
}

impl ReaderLog {
    /// Notes a promise.
    pub fn note(&self, watermark: Millis, now: Instant) {
        let mut promises = lock(&self.promises);
        match promises.back_mut() {
            Some((promised, at)) if now.duration_since(*at) < GRAIN => *promised = watermark,
            _ => {
                if promises.len() == PROMISES_MAX {
                    promises.pop_front();
                }
                promises.push_back((watermark, now));
            }
        }
    }

    fn passed(&self, end: Millis) -> Option<Instant> {
        let promises = lock(&self.promises);
        let index = promises.partition_point(|(promised, _)| *promised < end);
        // Before the oldest one that is remembered, nothing is known.
        let known = 0 < index || promises.len() < PROMISES_MAX;
        promises.get(index).filter(|_| known).map(|(_, at)| *at)
    }
}

/// The latencies of one view in this process.
#[derive(Debug)]
pub struct ViewLatency {
    sources: BTreeSet<usize>,
    watermarks: Arc<WatermarkLog>,
    histograms: Mutex<Histograms>,
}

/// Close delay and event latency, in microseconds.
#[derive(Clone, Debug)]
pub struct Histograms {
    /// Of final rows of windows.
    pub close: Histogram<u64>,
    /// Of updates and of rows without windows.
    pub event: Histogram<u64>,
}

impl Default for Histograms {
    fn default() -> Histograms {
        // Three digits up to an hour; what is longer counts as an hour.
        let histogram =
            || Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("bounds that HDR accepts");
        Histograms { close: histogram(), event: histogram() }
    }
}

impl ViewLatency {
    /// Of a view that is made from some sources.
    pub fn new(sources: BTreeSet<usize>, watermarks: Arc<WatermarkLog>) -> ViewLatency {
        ViewLatency { sources, watermarks, histograms: Mutex::default() }
    }

    /// Takes in rows that have just been written; `wall` is the time of day.
    pub fn written(&self, rows: &Rows, now: Instant, wall: Time) {
        let mut windows: BTreeMap<Millis, u64> = BTreeMap::new();
        let mut others = 0;
        for mark in &rows.marks {
            match (mark.change, mark.origin) {
                (Change::Final, Origin::Window(window)) => {
                    *windows.entry(window.end.floor_ms()).or_default() += 1;
                }
                _ => others += 1,
            }
        }
        let mut histograms = lock(&self.histograms);
        for (end, count) in windows {
            if let Some(allowed) = self.watermarks.allowed(&self.sources, end) {
                let micros = now.saturating_duration_since(allowed).as_micros() as u64;
                histograms.close.saturating_record_n(micros, count);
            }
        }
        if let Some(sent) = rows.sent.filter(|_| 0 < others) {
            let micros = (wall.micros() - sent.micros()).max(0) as u64;
            histograms.event.saturating_record_n(micros, others);
        }
    }

    /// What was measured so far.
    pub fn histograms(&self) -> Histograms {
        lock(&self.histograms).clone()
    }
}

/// A line of the summary of a view.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LatencyLine {
    /// The view.
    pub view: Text,
    /// `close` or `event`.
    pub kind: &'static str,
    /// How many rows.
    pub rows: u64,
    /// Half of the rows were faster, in milliseconds; so for the others.
    pub p50_ms: f64,
    /// 90 %.
    pub p90_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p999_ms: f64,
    /// The slowest row.
    pub max_ms: f64,
}

impl LatencyLine {
    /// The lines of a view: none for what has no row.
    pub fn of(view: &Text, histograms: &Histograms) -> Vec<LatencyLine> {
        let kinds = [("close", &histograms.close), ("event", &histograms.event)];
        let measured = kinds.into_iter().filter(|(_, histogram)| !histogram.is_empty());
        measured
            .map(|(kind, histogram)| {
                let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
                LatencyLine {
                    view: view.clone(),
                    kind,
                    rows: histogram.len(),
                    p50_ms: ms(0.5),
                    p90_ms: ms(0.9),
                    p99_ms: ms(0.99),
                    p999_ms: ms(0.999),
                    max_ms: histogram.max() as f64 / 1e3,
                }
            })
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Cell, Mark};
    use crate::time::seconds;
    use crate::window::Window;

    fn closing(end: i64) -> Rows {
        let window = Window::new(Time::from_seconds(end - 60), Time::from_seconds(end));
        let mut rows = Rows::default();
        rows.push(Mark { change: Change::Final, origin: Origin::Window(window) }, [Cell::Null]);
        rows
    }

    #[test]
    fn a_close_delay_begins_with_the_last_watermark_that_allowed_it() {
        let log = Arc::new(WatermarkLog::default());
        let (first, second) = (log.reader(0), log.reader(0));
        let view = ViewLatency::new(BTreeSet::from([0]), log);
        let begin = Instant::now();
        first.note(Millis(60_000), begin);
        view.written(&closing(60), begin + seconds(1), Time::default());
        assert_eq!(view.histograms().close.len(), 0, "the second reader has not promised it");
        second.note(Millis(59_999), begin + seconds(2));
        second.note(Millis(60_001), begin + seconds(3));
        view.written(&closing(60), begin + seconds(5), Time::default());
        let close = view.histograms().close;
        assert_eq!((close.len(), close.max() / 10_000), (1, 200));
    }

    #[test]
    fn an_event_latency_begins_when_the_record_was_sent() {
        let view = ViewLatency::new(BTreeSet::from([0]), Arc::default());
        let mut rows = closing(60);
        rows.marks[0].change = Change::Upsert;
        rows.sent = Some(Time::from_millis(1_000));
        view.written(&rows, Instant::now(), Time::from_millis(1_007));
        assert_eq!(view.histograms().event.max(), 7_003, "three digits of 7,000 µs");
    }
}
