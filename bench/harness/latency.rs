//! Latencies: a histogram of each second, kept as an HDR interval log (V2), and percentiles of all.
//!
//! Histograms reach from 1 µs to 1 h with three significant digits; what is beyond counts as the
//! nearest bound.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use highwater::error::{Error, Result};
use serde::Serialize;

/// The longest latency, in microseconds.
const HOUR_US: u64 = 3_600_000_000;

/// Latencies of one kind over time.
pub struct Series {
    tag: &'static str,
    seconds: BTreeMap<u64, Histogram<u64>>,
}

/// A line of `latency.csv`, derived from the interval log; times are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct LatencyRow {
    /// The trial.
    pub trial: usize,
    /// What was measured: `event`, `row`, `close_delay`, `hiccup`, `gen_late`.
    pub tag: String,
    /// Half of all took at most so long.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one of a hundred.
    pub p99: f64,
    /// All but one of a thousand.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// How many there were.
    pub count: u64,
    /// How many events no row had covered at the end.
    pub outstanding_at_end: u64,
}

impl Series {
    /// Of nothing yet.
    pub fn new(tag: &'static str) -> Series {
        Series { tag, seconds: BTreeMap::new() }
    }

    /// What is measured.
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// Takes a latency in microseconds that was found so long after the start.
    pub fn record(&mut self, at: Duration, latency_us: i64) {
        let second = self.seconds.entry(at.as_secs()).or_insert_with(histogram);
        second.saturating_record(latency_us.clamp(1, HOUR_US as i64) as u64);
    }

    /// All of them in one histogram.
    pub fn total(&self) -> Histogram<u64> {
        let mut total = histogram();
        for second in self.seconds.values() {
            total.add(second).expect("all histograms have the same bounds");
        }
        total
    }

    /// The percentiles.
    pub fn row(&self, trial: usize, outstanding_at_end: u64) -> LatencyRow {
        let total = self.total();
        let ms = |quantile: f64| total.value_at_quantile(quantile) as f64 / 1e3;
        LatencyRow {
            trial,
            tag: self.tag.into(),
            p50: ms(0.5),
            p90: ms(0.9),
            p99: ms(0.99),
            p999: ms(0.999),
            max: total.max() as f64 / 1e3,
            count: total.len(),
            outstanding_at_end,
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HOUR_US, 3).expect("the bounds are in order")
}

/// Writes series as one interval log, with the tag of each.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_log(path: &Path, started: SystemTime, series: &[&Series]) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::storage(format!("cannot write {}: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("latencies in microseconds, by highwater-bench")
        .with_start_time(started)
        .with_base_time(started)
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(|error| failed(&error))?;
    for series in series {
        let tag = Tag::new(series.tag);
        for (second, histogram) in &series.seconds {
            let (start, length) = (Duration::from_secs(*second), Duration::from_secs(1));
            let written = log.write_histogram(histogram, start, length, tag);
            written.map_err(|error| failed(&format!("{error:?}")))?;
        }
    }
    let file = std::fs::File::create(path).and_then(|mut file| file.write_all(&bytes));
    file.map_err(|error| failed(&error))
}

/// The histograms of a log by their tags, each of all its intervals.
///
/// # Errors
///
/// The file cannot be read, or is no interval log.
pub fn read_log(path: &Path) -> Result<BTreeMap<String, Histogram<u64>>> {
    let mut totals = BTreeMap::new();
    for Interval { tag, histogram: found, .. } in read_intervals(path)? {
        let total = totals.entry(tag).or_insert_with(histogram);
        total.add(found).map_err(|error| cannot_read(path, &format!("{error:?}")))?;
    }
    Ok(totals)
}

/// A second of a log.
#[derive(Clone, Debug)]
pub struct Interval {
    /// What was measured.
    pub tag: String,
    /// When it began, since the start.
    pub at: Duration,
    /// The latencies, in microseconds.
    pub histogram: Histogram<u64>,
}

/// The intervals of a log, in their order.
///
/// # Errors
///
/// The file cannot be read, or is no interval log.
pub fn read_intervals(path: &Path) -> Result<Vec<Interval>> {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    let bytes = std::fs::read(path).map_err(|error| cannot_read(path, &error))?;
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(&bytes) {
        let entry = entry.map_err(|error| cannot_read(path, &format!("{error:?}")))?;
        let LogEntry::Interval(interval) = entry else { continue };
        let packed = base64_decoded(interval.encoded_histogram())
            .ok_or_else(|| cannot_read(path, &"a histogram is not base64"))?;
        let histogram = Deserializer::new()
            .deserialize(&mut &packed[..])
            .map_err(|error| cannot_read(path, &format!("{error:?}")))?;
        let tag = interval.tag().map_or("", |tag| tag.as_str()).to_owned();
        intervals.push(Interval { tag, at: interval.start_timestamp(), histogram });
    }
    Ok(intervals)
}

fn cannot_read(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::config(format!("cannot read {}: {error}", path.display()))
}

fn base64_decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::testing::Scratch;

    #[test]
    fn a_log_holds_what_was_recorded() {
        let dir = Scratch::new("bench-latency");
        let path = dir.path().join("latency.hlog");
        let mut row = Series::new("row");
        for n in 1..=1_000 {
            row.record(Duration::from_millis(n * 5), n as i64 * 100);
        }
        let mut late = Series::new("gen_late");
        late.record(Duration::ZERO, -5);
        write_log(&path, SystemTime::UNIX_EPOCH, &[&row, &late]).unwrap();
        let read = read_log(&path).unwrap();
        assert_eq!(read["row"], row.total());
        assert_eq!((read["gen_late"].len(), read["gen_late"].max()), (1, 1));
        let row = row.row(3, 7);
        assert_eq!((row.trial, row.count, row.outstanding_at_end), (3, 1_000, 7));
        assert!((49.0..=51.0).contains(&row.p50) && (99.0..=101.0).contains(&row.max), "{row:?}");
    }

    #[test]
    fn another_file_is_refused_by_name() {
        let dir = Scratch::new("bench-latency");
        let path = dir.path().join("x.hlog");
        std::fs::write(&path, "no log\n").unwrap();
        assert!(read_log(&path).unwrap_err().to_string().contains("x.hlog"));
    }
}
