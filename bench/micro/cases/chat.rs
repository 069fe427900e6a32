//! (b) The chat job on JSON files, with all of its aggregates.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use highwater::dataset::{GeneratorOptions, Made, Records, find};
use highwater::error::Error;
use highwater::prelude::*;
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::file::{self, Options, Paths};
use highwater::testing::Scratch;
use highwater_dataflows::chat::{Baseline, Emotes, Settings, chat};
use highwater_datasets::GENERATORS;
use highwater_datasets::chat::{Message, Viewers};

use super::Run;
use crate::micro::job::{Bench, Rows, compare, expect_rows};
use crate::micro::loops::chat::{Made as Looped, chat as plain_chat};
use crate::micro::loops::feed::Records as Feed;
use crate::micro::loops::sorted;
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Records of the usual size: a million messages and their viewers.
const RECORDS: u64 = 1_290_000;

/// Partitions of each topic.
const PARTITIONS: u32 = 3;

/// Streams.
const STREAMS: u32 = 30;

/// Records in a second of event time.
const RATE: f64 = 1_000.0;

/// Longest line.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The arguments that the job has without a file.
pub fn settings() -> Settings {
    let baseline = Baseline { threshold: 3.0, inclusive: false, min_windows: 5 };
    Settings {
        window: minutes(1),
        slide: seconds(10),
        baseline,
        emotes: Emotes::Frequency,
        anomaly_rate: Alert::above("chat.anomaly_rate", None),
    }
}

/// The dataflow.
pub fn describe(flow: &Flow) {
    chat(flow, settings());
}

/// Files with generated records; removed with this value.
pub struct Logs {
    _dir: Scratch,
    topics: [PathBuf; 2],
    /// How many lines there are.
    pub records: u64,
}

impl Logs {
    /// Writes them.
    ///
    /// # Errors
    ///
    /// The folder for temporary files is full.
    pub fn write(records: u64) -> Result<Logs> {
        let dir = Scratch::new("bench-chat");
        let topics = ["chat", "viewers"].map(|topic| dir.path().join(topic));
        let failed = |error: std::io::Error| Error::storage(format!("bench input: {error}"));
        let mut files = Vec::new();
        for topic in &topics {
            std::fs::create_dir_all(topic).map_err(failed)?;
            for partition in 0..PARTITIONS {
                let path = topic.join(format!("{partition}.jsonl"));
                files.push(BufWriter::new(File::create(path).map_err(failed)?));
            }
        }
        let (kind, _) = find(GENERATORS, "chat")?;
        let mut options = GeneratorOptions::new(vec![0, 1], Time::from_seconds(1_760_000_000));
        options.rate = Some(RATE);
        options.events = Some(records);
        options.keys = Some(STREAMS);
        options.partitions = Some(PARTITIONS);
        let mut generated = Records::all((kind.make)(&options)?, Some(records));
        let mut made = Made::default();
        while generated.next(&mut made) {
            let file = &mut files[made.topic * PARTITIONS as usize + made.partition as usize];
            file.write_all(&made.value).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
        }
        for mut file in files {
            file.flush().map_err(failed)?;
        }
        Ok(Logs { _dir: dir, topics, records })
    }

    /// Them as the sources of the job.
    pub fn sources(&self) -> Vec<(&'static str, Arc<dyn Connector>)> {
        let connector = |path: &Path| -> Arc<dyn Connector> {
            Arc::new(file::connector(options(path), LINE_BYTES_MAX))
        };
        vec![("chat", connector(&self.topics[0])), ("viewers", connector(&self.topics[1]))]
    }

    fn plain(&self) -> Result<Looped> {
        let open = |path: &Path| file::open(&options(path), LINE_BYTES_MAX);
        let mut messages = Feed::<Message>::new(open(&self.topics[0])?, None)?;
        let mut samples = Feed::<Viewers>::new(open(&self.topics[1])?, None)?;
        plain_chat(&mut messages, &mut samples, &settings())
    }
}

fn options(path: &Path) -> Options {
    Options { path: Paths::One(path.display().to_string()) }
}

/// Measures.
///
/// # Errors
///
/// Rows differ, or a run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let logs = Logs::write(run.scaled(RECORDS))?;
    let sources = || logs.sources();
    let bench = Bench::new(describe, &sources, Accepts::Final);
    let looped = logs.plain()?;
    let expect: Rows = BTreeMap::from([
        ("chat_summary_minute".into(), sorted(&looped.summaries)),
        ("moments".into(), sorted(&looped.moments)),
    ]);
    for workers in [1, 2] {
        compare(&bench.collect(workers, None)?, &expect)?;
    }
    let rows = expect.values().map(Vec::len).sum::<usize>() as u64;
    let mut other = || {
        let made = logs.plain()?;
        expect_rows((made.summaries.len() + made.moments.len()) as u64, rows)
    };
    let mut compared = |question, engine: &mut dyn FnMut() -> Result<()>, target| -> Result<()> {
        let pairs = pairs(run.repetitions, engine, &mut other)?;
        run.report.compared(&Compared {
            case: "b",
            question,
            events: logs.records,
            arms: ("engine", "loop"),
            pairs: &pairs,
            inverse: false,
            target,
        })
    };
    let mut finals = || expect_rows(bench.run(1)?, rows);
    compared("chat from JSON files, final rows", &mut finals, Target::AtLeast(0.6))?;
    let updating = Bench { rows: Accepts::Updates, ..bench };
    let mut updates = || updating.run(1).map(drop);
    compared("the same, and every update row", &mut updates, Target::None)
}
