//! `highwater generate`: writes the records of a data set to Kafka, files or standard output.
//!
//! ```text
//! data set ─► record n ─► wait until start + its place in the plan ─► target ─► counts
//! ```
//!
//! The plan is an open loop: when a record is due depends on its number alone, so a slow target
//! gets all that it missed, as fast as it takes it, and how far it fell behind is reported. The
//! time that Kafka keeps with a record is the planned one. With the same options and a fixed
//! `--start` the bytes are the same.

mod options;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{ArgMatches, Args};

use super::progress::grouped;
use super::{Registry, log, run};
use crate::dataset::{GeneratorKind, Made, Records, find};
use crate::error::{Kind, Result};
use crate::runtime::{Stop, wall_time};
use crate::source::generator::read_time;
use crate::time::{Time, parse_duration};

pub(super) use options::with_options;
use target::Target;

#[derive(Debug, Args)]
pub(super) struct Generate {
    /// The data set, such as `chat`, or one topic, such as `chat.viewer`; see `list datasets`.
    #[arg(value_name = "SYSTEM[.TOPIC]")]
    dataset: String,
    /// Writes to Kafka, and makes the topics that are missing. Without BROKERS those of
    /// `KAFKA_BOOTSTRAP_SERVERS`, else `localhost:9092`. Standard output if neither this nor
    /// `--files` is given.
    #[arg(long, value_name = "BROKERS", num_args = 0..=1, default_missing_value = "")]
    kafka: Option<String>,
    /// A setting of the Kafka client, such as `security.protocol=ssl`; may be repeated.
    #[arg(long = "client", value_name = "NAME=VALUE", requires = "kafka")]
    client: Vec<String>,
    /// Writes JSON lines to this folder: a file per topic and partition, TOPIC-PARTITION.jsonl.
    #[arg(long, value_name = "DIR", conflicts_with = "kafka")]
    files: Option<PathBuf>,
    /// Replaces files that are there.
    #[arg(long, requires = "files")]
    overwrite: bool,
    /// Event time of the first record: `now`, or one like 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = parse_start)]
    start: Begin,
    /// Writes the records that are due within this time, then ends.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    time: Option<Duration>,
    /// Writes as fast as the target takes it, instead of when records are due.
    #[arg(long)]
    unpaced: bool,
    /// How often Kafka is tried at the start.
    #[arg(long, value_name = "N", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    connect_attempts: u32,
    /// The time from one try to the next.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    connect_every: Duration,
    /// Options of the data set as they were given, by their names in a binding.
    #[arg(skip)]
    given: Vec<(&'static str, String)>,
}

impl Generate {
    /// Takes the options of data sets, which the derive does not know.
    pub(super) fn take_options(&mut self, matches: &ArgMatches, kinds: &'static [GeneratorKind]) {
        self.given = options::given(matches, kinds);
    }
}

/// When the event time begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Now,
    At(Time),
}

fn parse_start(text: &str) -> Result<Begin, String> {
    match text {
        "now" => Ok(Begin::Now),
        _ => read_time(text)
            .map(Begin::At)
            .map_err(|_| "write `now`, or one like 2026-01-31T12:00:00Z".into()),
    }
}

/// Writes records until there are no more, or somebody asks for the end.
pub(super) fn generate(args: &Generate, registry: Registry) -> Result<()> {
    let stop = Stop::new();
    run::catch_signals(&stop)?;
    let usage = |error: crate::error::Error| error.of_kind(Kind::Usage);
    let (kind, topics) = find(registry.generators, &args.dataset).map_err(usage)?;
    let start = match args.start {
        Begin::Now => wall_time(),
        Begin::At(time) => time,
    };
    let options = options::read(kind, topics, &args.given, start)?;
    let generator = (kind.make)(&options).map_err(options::refused)?;
    let mut target = target::open(args, kind, &options, &stop)?;
    let records = Records::all(generator, options.events);
    let pace = Pace { start, end: args.time, unpaced: args.unpaced };
    let mut report = Report::new(kind);
    let outcome = write(records, &pace, &mut *target, &mut report, &stop);
    // Also after an error: what was confirmed is counted.
    report.last_words(stop.is_asked());
    outcome
}

/// When records are written.
struct Pace {
    start: Time,
    end: Option<Duration>,
    unpaced: bool,
}

fn write(
    mut records: Records,
    pace: &Pace,
    target: &mut dyn Target,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    let mut made = Made::default();
    while !stop.is_asked() && !target.is_closed() && records.next(&mut made) {
        let planned = (made.due.micros() - pace.start.micros()).max(0) as u64;
        let planned = Duration::from_micros(planned);
        if pace.end.is_some_and(|end| end <= planned) {
            break;
        }
        if !pace.unpaced && !wait(planned, target, report, stop)? {
            break;
        }
        target.write(&made)?;
        report.count(&made, (!pace.unpaced).then_some(planned));
    }
    target.finish()
}

/// Longest sleep, so that a signal and the progress line need not wait.
const NAP: Duration = Duration::from_millis(50);

/// Waits until a record is due; false if somebody asked for the end meanwhile.
fn wait(
    planned: Duration,
    target: &mut dyn Target,
    report: &mut Report,
    stop: &Stop,
) -> Result<bool> {
    let mut is_first = true;
    while let Some(rest) = planned.checked_sub(report.begun.elapsed()).filter(|r| !r.is_zero()) {
        if stop.is_asked() {
            return Ok(false);
        }
        if is_first {
            target.pause()?;
            is_first = false;
        }
        std::thread::sleep(rest.min(NAP));
        report.progress();
    }
    Ok(true)
}

/// How often progress is shown.
const EVERY: Duration = Duration::from_secs(5);
/// Between how many records the clock is looked at.
const LOOK: u64 = 64;

/// What was written, and how far behind the plan.
struct Report {
    topics: Vec<(&'static str, u64)>,
    begun: Instant,
    records: u64,
    bytes: u64,
    behind: Duration,
    behind_max: Duration,
    shown: (Instant, u64),
}

impl Report {
    fn new(kind: &'static GeneratorKind) -> Report {
        let begun = Instant::now();
        Report {
            topics: kind.topics.iter().map(|topic| (topic.name, 0)).collect(),
            begun,
            records: 0,
            bytes: 0,
            behind: Duration::ZERO,
            behind_max: Duration::ZERO,
            shown: (begun, 0),
        }
    }

    fn count(&mut self, made: &Made, planned: Option<Duration>) {
        self.topics[made.topic].1 += 1;
        self.records += 1;
        self.bytes += made.value.len() as u64;
        if let Some(planned) = planned {
            self.behind = self.begun.elapsed().saturating_sub(planned);
            self.behind_max = self.behind_max.max(self.behind);
        }
        if self.records.is_multiple_of(LOOK) {
            self.progress();
        }
    }

    fn progress(&mut self) {
        let (at, records) = self.shown;
        let since = at.elapsed();
        if since < EVERY {
            return;
        }
        let rate = (self.records - records) as f64 / since.as_secs_f64();
        self.shown = (Instant::now(), self.records);
        log::say(&format!(
            "{} records  {} records/s  {:.1} s behind the plan",
            grouped(self.records),
            grouped(rate as u64),
            self.behind.as_secs_f64(),
        ));
    }

    fn last_words(&self, stopped: bool) {
        let took = self.begun.elapsed().as_secs_f64();
        let how = if stopped { "stopped" } else { "ended" };
        log::say(&format!(
            "{how} after {took:.1} s: {} records, {} bytes, {} records/s; behind the plan by \
             {:.3} s at most, {:.3} s at the end",
            grouped(self.records),
            grouped(self.bytes),
            grouped((self.records as f64 / took.max(1e-3)) as u64),
            self.behind_max.as_secs_f64(),
            self.behind.as_secs_f64(),
        ));
        for (topic, records) in self.topics.iter().filter(|(_, records)| 0 < *records) {
            log::say(&format!("  {topic:<32} {:>12}", grouped(*records)));
        }
    }
}
