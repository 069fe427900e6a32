//! (h) All views of a system from JSON files, beside decoding alone and beside one view of a job.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use highwater::codec::Wire;
use highwater::dataset::{GeneratorOptions, Made, Records, find};
use highwater::error::Error;
use highwater::prelude::*;
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::file::{self, Options, Paths};
use highwater::testing::Scratch;
use highwater_dataflows::DATAFLOWS;
use highwater_datasets::{GENERATORS, campus, elearning, market, shop};

use super::Run;
use crate::micro::job::Bench;
use crate::micro::loops::feed::{Batches, Feed, Records as Decoded};
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Records of the usual size.
const RECORDS: u64 = 600_000;

/// Records in a second of event time.
const RATE: f64 = 1_000.0;

/// Longest line.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Decodes a file; returns how many events it holds.
pub(super) type Decode = fn(&Options) -> Result<u64>;

/// The ports of a system, each with the decoder of its wire type.
pub(super) type Ports = &'static [(&'static str, Decode)];

/// Those of `elearning`.
pub(super) const ELEARNING: Ports = &[
    ("auth", decode::<elearning::AuthEvent>),
    ("assessment", decode::<elearning::AssessmentEvent>),
    ("video", decode::<elearning::VideoEvent>),
    ("course", decode::<elearning::CourseEvent>),
    ("profile", decode::<elearning::ProfileEvent>),
    ("notification", decode::<elearning::NotificationEvent>),
];

const CAMPUS: Ports = &[
    ("auth", decode::<campus::Event>),
    ("assessment", decode::<campus::Event>),
    ("video", decode::<campus::Event>),
    ("course", decode::<campus::Event>),
    ("profile", decode::<campus::Event>),
    ("notification", decode::<campus::Event>),
];

/// An array of candles is a record of several events.
const MARKET: Ports = &[
    ("binance", decode::<market::Candle>),
    ("polymarket_trade", decode::<market::Message>),
    ("polymarket_metadata", decode::<market::Question>),
];

const SHOP: Ports = &[("events", decode::<shop::Event>)];

/// Measures.
///
/// # Errors
///
/// A run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let all = [
        ("elearning", "25 views of elearning, decoding alone", ELEARNING, Target::AtLeast(0.3)),
        ("campus", "10 views of campus, decoding alone", CAMPUS, Target::None),
        ("market", "7 views of market, decoding alone", MARKET, Target::None),
        ("shop", "7 views of shop, decoding alone", SHOP, Target::None),
    ];
    for (system, question, ports, target) in all {
        let logs = Logs::write(system, ports, run.scaled(RECORDS))?;
        let sources = || logs.sources();
        let bench = Bench::new(move |flow| describe(flow, system, ""), &sources, Accepts::Final);
        let mut engine = || bench.run(1).map(drop);
        let mut plain = || logs.decode();
        let pairs = pairs(run.repetitions, &mut engine, &mut plain)?;
        run.report.compared(&Compared {
            case: "h",
            question,
            events: logs.events(|_| true),
            arms: ("engine", "decoder"),
            pairs: &pairs,
            inverse: false,
            target,
        })?;
        if system == "elearning" {
            each_job(run, &logs)?;
        }
    }
    Ok(())
}

/// The five views of each job of elearning against the first one of them.
fn each_job(run: &mut Run<'_>, logs: &Logs) -> Result<()> {
    let jobs = [
        ("auth", "auth_realtime_active_users_1min", "auth, 5 views against the first"),
        ("assessment", "assessment_realtime_submissions_1min", "assessment, 5 against the first"),
        ("video", "video_realtime_viewers_1min", "video, 5 views against the first"),
        ("course", "course_realtime_active_courses_1min", "course, 5 views against the first"),
    ];
    for (job, first, question) in jobs {
        let sources = || logs.sources().into_iter().filter(|(port, _)| *port == job).collect();
        let only = format!("realtime_views.{job} = [{first:?}]");
        let one = move |flow: &Flow| describe_job(flow, job, &only);
        let five = move |flow: &Flow| describe_job(flow, job, "");
        let (one, five) =
            (Bench::new(one, &sources, Accepts::Final), Bench::new(five, &sources, Accepts::Final));
        let mut one = || one.run(1).map(drop);
        let mut five = || five.run(1).map(drop);
        let pairs = pairs(run.repetitions, &mut one, &mut five)?;
        run.report.compared(&Compared {
            case: "h",
            question,
            events: logs.events(|port| port == job),
            arms: ("first view", "five views"),
            pairs: &pairs,
            inverse: false,
            target: Target::AtMost(4.0),
        })?;
    }
    Ok(())
}

/// All jobs of a system as one dataflow.
pub(super) fn describe(flow: &Flow, system: &str, parameters: &str) {
    let of_system = DATAFLOWS.iter().filter(|flow| flow.system == system && !flow.by_name);
    of_system.for_each(|dataflow| enter(flow, dataflow.name, parameters));
}

fn describe_job(flow: &Flow, job: &str, parameters: &str) {
    enter(flow, job, parameters);
}

fn enter(flow: &Flow, job: &str, parameters: &str) {
    let found = DATAFLOWS.iter().find(|dataflow| dataflow.name == job);
    let table = parameters.parse().expect("a table that is written here");
    let entry = found.expect("a job that is there").entry;
    entry(flow, &mut Parameters::new(&table)).expect("parameters that are there");
}

/// Files with generated records; removed with this value.
pub(super) struct Logs {
    _dir: Scratch,
    /// Port, decoder, file, and how many events it holds.
    topics: Vec<(&'static str, Decode, Options, u64)>,
}

impl Logs {
    /// Writes so many records of all topics together.
    pub(super) fn write(system: &'static str, ports: Ports, records: u64) -> Result<Logs> {
        let dir = Scratch::new("bench-system");
        let failed = |error: std::io::Error| Error::storage(format!("bench input: {error}"));
        let path = |port: &str| dir.path().join(format!("{port}.jsonl"));
        let mut files = Vec::new();
        for (port, _) in ports {
            files.push(BufWriter::new(File::create(path(port)).map_err(failed)?));
        }
        let (kind, topics) = find(GENERATORS, system)?;
        let mut options = GeneratorOptions::new(topics, Time::from_seconds(1_760_000_000));
        options.rate = Some(RATE);
        options.events = Some(records);
        options.partitions = Some(1);
        let mut generated = Records::all((kind.make)(&options)?, Some(records));
        let mut made = Made::default();
        let mut counts = vec![0; ports.len()];
        while generated.next(&mut made) {
            counts[made.topic] += 1;
            let file = &mut files[made.topic];
            file.write_all(&made.value).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
        }
        for mut file in files {
            file.flush().map_err(failed)?;
        }
        let mut topics = Vec::new();
        for ((port, decode), lines) in ports.iter().zip(counts) {
            let options = Options { path: Paths::One(path(port).display().to_string()) };
            let events = decode(&options)?;
            if events < lines {
                return Err(Error::bug(format!("{events} events of {lines} lines in `{port}`")));
            }
            topics.push((*port, *decode, options, events));
        }
        Ok(Logs { topics, _dir: dir })
    }

    /// Sources of these files.
    pub(super) fn sources(&self) -> Vec<(&'static str, Arc<dyn Connector>)> {
        let topics = self.topics.iter();
        let connector = |options: &Options| -> Arc<dyn Connector> {
            Arc::new(file::connector(options.clone(), LINE_BYTES_MAX))
        };
        topics.map(|(port, _, options, _)| (*port, connector(options))).collect()
    }

    fn decode(&self) -> Result<()> {
        for (port, decode, options, expected) in &self.topics {
            let events = decode(options)?;
            if events != *expected {
                return Err(Error::bug(format!("{events} of {expected} events in `{port}`")));
            }
        }
        Ok(())
    }

    fn events(&self, counted: impl Fn(&str) -> bool) -> u64 {
        self.topics.iter().filter(|topic| counted(topic.0)).map(|topic| topic.3).sum()
    }
}

fn decode<E: Wire>(options: &Options) -> Result<u64> {
    let mut feed = Decoded::<E>::new(file::open(options, LINE_BYTES_MAX)?, None)?;
    let mut events = 0;
    loop {
        let round = feed.round(|_, batch| events += batch.len() as u64)?;
        if round == Batches::Ended {
            return Ok(events);
        }
    }
}
