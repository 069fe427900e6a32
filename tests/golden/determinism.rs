//! One input, many ways to run it, one answer (figure R3).
//!
//! Varied are the workers, whether they serialise, the size of batches, which partition is read
//! when, the length of ticks and of epochs. Not varied is the input: disorder, late and repeated
//! records, records without a time, from the future, or that are no JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::config::Parameters;
use highwater::dataset::{GeneratorOptions, Made, Records, find};
use highwater::error::Result;
use highwater::lateness::Ledger;
use highwater::letter::Letter;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::memory::Collector;
use highwater::sink::{Accepts, View};
use highwater::source::{Batch, BatchLimits, Connector, Partition, Poll, Source, Start, Wake};
use highwater::time::{Time, seconds};

use super::next;

/// Runs at the same time, of each count of workers, with and without serialising.
const JOBS: usize = 13;

const PARTITIONS: u32 = 3;

#[test]
fn nothing_but_the_input_decides_what_comes_out() {
    let logs = [logs("chat.chat", 2_400), logs("chat.viewer", 600)];
    let mut answers: BTreeMap<u64, usize> = BTreeMap::new();
    let mut first: Option<Vec<Ledger>> = None;
    let mut chance = 1;
    for threads in 1..=4 {
        for zerocopy in [false, true] {
            let variations: Vec<Variation> =
                (0..JOBS).map(|_| Variation::new(&logs, &mut chance)).collect();
            let jobs = variations.iter().map(|variation| variation.job.clone()).collect();
            run(jobs, &Workers { zerocopy, ..Workers::threads(threads) }, &Stop::new()).unwrap();
            for variation in variations {
                let answer = variation.answer();
                assert!(answer.iter().any(|rows| rows.contains("chat_spike")), "{answer:?}");
                *answers.entry(highwater::hash::of(&answer)).or_default() += 1;
                let partitions = variation.job.board.partitions();
                let ledgers: Vec<Ledger> = partitions.values().map(|board| board.ledger).collect();
                assert_eq!(first.get_or_insert_with(|| ledgers.clone()), &ledgers);
            }
        }
    }
    assert_eq!(answers.values().collect::<Vec<_>>(), [&(8 * JOBS)], "{answers:?}");
    let mut sum = Ledger::default();
    first.unwrap().iter().for_each(|ledger| sum.add(ledger));
    // The input has something of everything.
    assert_eq!(sum.read, 3_000);
    assert!(0 < sum.late && 0 < sum.dead && sum.used < 3_000, "{sum:?}");
}

/// Value and own time of the records of each partition.
type Logs = Arc<Vec<Vec<(Vec<u8>, Time)>>>;

fn logs(dataset: &str, events: u64) -> Logs {
    let (kind, topics) = find(highwater_datasets::GENERATORS, dataset).unwrap();
    let options: toml::Table = "
        seed = 11
        keys = 5
        disorder = '8s'
        late = 0.03
        late_by = '75s'
        duplicates = 0.02
        bad_json = 0.01
        null_fields = 0.03
        no_time = 0.01
        future = 0.005
        negative = 0.2
        burst = '3m'
    "
    .parse()
    .unwrap();
    let start = Time::from_seconds(1_772_366_400);
    let mut options = GeneratorOptions::read(kind, topics, &options, start).unwrap();
    options.partitions = Some(PARTITIONS);
    options.rate = Some(events as f64 / 300.0);
    let generator = (kind.make)(&options).unwrap();
    let log = |partition| {
        let part = (partition, PARTITIONS);
        let mut records = Records::partition(generator.clone(), Some(events), part, 0);
        let (mut made, mut log) = (Made::default(), Vec::new());
        while records.next(&mut made) {
            log.push((made.value.clone(), made.due));
        }
        log
    };
    Arc::new((0..PARTITIONS).map(log).collect())
}

/// A way to run it.
struct Variation {
    job: Arc<Job>,
    summaries: Collector,
    /// The same view as a table that is kept up to date.
    table: Collector,
    moments: Collector,
    letters: Collector,
}

impl Variation {
    fn new(logs: &[Logs; 2], chance: &mut u64) -> Variation {
        let mut job = Job::new("chat", |flow| {
            let parameters = toml::toml! { threshold = 1.5
            slide = "20s" };
            highwater_dataflows::chat::entry(flow, &mut Parameters::new(&parameters))
        });
        let mut pick = |from: &[u64]| from[(next(chance) % from.len() as u64) as usize];
        job.pace.tick = std::time::Duration::from_micros(pick(&[300, 1_000, 5_000]));
        job.pace.ticks_per_epoch = pick(&[1, 2, 7, 100]);
        job.pace.in_flight_max = pick(&[2, 8, 32]);
        for (port, logs) in ["chat", "viewers"].into_iter().zip(logs) {
            let shuffled = Shuffled { logs: logs.clone(), seed: pick(&[0, 1, 2, 3, 4, 5, 6, 7]) };
            let mut bound = BoundSource::new(Arc::new(shuffled));
            let records = pick(&[7, 50, 100, 300, 5_000]) as usize;
            bound.limits = BatchLimits { records, ..BatchLimits::default() };
            bound.catch_up_skew = seconds(pick(&[0, 5, 60, 3_600]));
            job.sources.insert(port.into(), bound);
        }
        let schema = job.schemas().unwrap().remove("chat_summary_minute").unwrap();
        let view = |name: &str, key: &[&str]| View {
            name: name.into(),
            schema: schema.clone(),
            key: key.iter().map(|name| (*name).into()).collect(),
            stamp: None,
        };
        let [summaries, table, moments, letters] = [(); 4].map(|()| Collector::default());
        let finals = |name: &str, collector: &Collector| BoundSink {
            rows: Accepts::Final,
            ..BoundSink::new(name, collector.sink(&view(name, &[])))
        };
        let name = "chat_summary_minute";
        let keyed = table.sink(&view(name, &["stream_id", "window_start"]));
        let sinks = vec![finals(name, &summaries), BoundSink::new(name, keyed)];
        job.sinks.insert(name.into(), sinks);
        job.sinks.insert("moments".into(), vec![finals("moments", &moments)]);
        job.letters = finals("letters", &letters);
        Variation { job: Arc::new(job), summaries, table, moments, letters }
    }

    /// All rows and letters, sorted.
    fn answer(&self) -> Vec<String> {
        let sorted = |rows: Vec<Vec<Cell>>| {
            let mut rows: Vec<String> = rows.iter().map(|cells| format!("{cells:?}")).collect();
            rows.sort();
            rows
        };
        let (finals, table) = (sorted(self.summaries.finals()), sorted(self.table.table()));
        assert_eq!(finals, table, "a table that is kept up to date ends as the final rows");
        let (moments, letters) = (sorted(self.moments.finals()), sorted(self.letters.finals()));
        assert_eq!(Letter::schema().columns.len(), self.letters.finals()[0].len());
        [finals, moments, letters].concat()
    }
}

/// Partitions that have something to read when chance says so.
#[derive(Clone)]
struct Shuffled {
    logs: Logs,
    seed: u64,
}

impl Connector for Shuffled {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Shuffled {
    fn partitions(&mut self) -> Result<u32> {
        Ok(self.logs.len() as u32)
    }

    fn open(&mut self, partition: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let chance = self.seed * u64::from(PARTITIONS) + u64::from(partition);
        let (logs, partition) = (self.logs.clone(), partition as usize);
        Ok(Box::new(Reading { logs, partition, at: 0, chance }))
    }

    fn name(&self, partition: u32) -> String {
        format!("shuffled {partition}")
    }

    fn is_bounded(&self) -> bool {
        true
    }
}

struct Reading {
    logs: Logs,
    partition: usize,
    at: usize,
    chance: u64,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let log = &self.logs[self.partition];
        if self.at == log.len() {
            return Ok(Poll::Finished);
        }
        if next(&mut self.chance).is_multiple_of(8) {
            return Ok(Poll::Waiting);
        }
        while self.at < log.len() && !batch.is_full() {
            let (value, time) = &log[self.at];
            batch.push(self.at as i64, Some(*time), None, Some(value));
            self.at += 1;
        }
        Ok(Poll::Ready)
    }

    fn offsets_are_dense(&self) -> bool {
        true
    }
}
