//! Runs a job over a few records, and shows its rows as lines; for tests.
//!
//! The records of a topic are dealt to two partitions in turn, so the order of arrival is: first
//! every other record, then those between. A row is its cells with a space between them; times are
//! those of 1 March 2026, NULL is `-`, a list is `[a,b]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use highwater::codec::BadDocument;
use highwater::config::{Config, Kinds, Parameters};
use highwater::error::Result;
use highwater::letter::Letter;
use highwater::row::{Cell, Change, Mark, Schema};
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::stream::Flow;
use highwater::text::Text;
use highwater::time::Time;

/// The function of a job.
pub(crate) type Entry = fn(&Flow, &mut Parameters) -> Result<()>;

/// What is played.
pub(crate) struct Play<'a> {
    /// The job.
    pub(crate) entry: Entry,
    /// Its `[parameters]`, as a file has them.
    pub(crate) arguments: &'a str,
    /// Whether bad documents are rows of NULLs.
    pub(crate) null_rows: bool,
    /// The documents of each topic; a key may stand in front, with ` | ` between them.
    pub(crate) topics: &'a [(&'a str, &'a [String])],
}

/// What came of it.
pub(crate) struct Played {
    views: BTreeMap<Text, Vec<(Mark, Vec<Cell>)>>,
    letters: Vec<String>,
}

impl Play<'_> {
    /// Plays with two workers, and with one to see that it makes no difference.
    pub(crate) fn run(&self) -> Played {
        let [one, two] = [1, 2].map(|threads| self.threads(threads));
        for view in two.views.keys() {
            assert_eq!(one.finals(view), two.finals(view), "{view}: the number of workers shows");
        }
        assert_eq!(one.letters, two.letters);
        two
    }

    fn threads(&self, threads: usize) -> Played {
        let (entry, arguments) = (self.entry, parameters(self.arguments));
        let mut job = Job::new("played", move |flow| entry(flow, &mut arguments.clone()));
        let names: Vec<Text> =
            job.plan().unwrap().source_names().into_iter().map(Text::from).collect();
        for name in names {
            let lines = self.topics.iter().find(|(topic, _)| *topic == name);
            let lines = lines.map_or(&[][..], |(_, lines)| lines);
            let records = Records::of(lines.iter().map(String::as_str));
            let options = job.settings.sources.entry(name.clone()).or_default();
            if self.null_rows {
                options.codec.errors = BadDocument::NullRow;
            }
            job.sources.insert(name, BoundSource::new(Arc::new(records)));
        }
        let mut collectors = BTreeMap::new();
        for name in job.schemas().unwrap().into_keys() {
            let collector = Collector::default();
            job.sinks.insert(name.clone(), vec![bound(&name, &collector)]);
            collectors.insert(name, collector);
        }
        let letters = Collector::default();
        job.letters = bound("letters", &letters);
        run(vec![Arc::new(job)], &Workers::threads(threads), &Stop::new()).unwrap();
        let mut letters: Vec<String> =
            letters.log().iter().map(|(_, cells)| letter(cells)).collect();
        letters.sort();
        Played {
            views: collectors.into_iter().map(|(view, rows)| (view, rows.log())).collect(),
            letters,
        }
    }
}

impl Played {
    /// The final rows of a view, sorted; they are the last ones of their key.
    pub(crate) fn finals(&self, view: &str) -> Vec<String> {
        let rows = self.views.get(view).unwrap_or_else(|| panic!("there is no view {view}"));
        let rows = rows.iter().filter(|(mark, _)| mark.change == Change::Final);
        let mut lines: Vec<String> = rows.map(|(_, cells)| line(cells)).collect();
        lines.sort();
        lines
    }

    /// What a table holds of a view that changes row by row, sorted.
    pub(crate) fn table(&self, view: &str) -> Vec<String> {
        let rows = self.views.get(view).unwrap_or_else(|| panic!("there is no view {view}"));
        let mut table = BTreeSet::new();
        for (mark, cells) in rows {
            match mark.change {
                Change::Final | Change::Upsert => table.insert(line(cells)),
                Change::Delete => table.remove(&line(cells)),
            };
        }
        table.into_iter().collect()
    }

    /// The dead letters, each as `offset reason`.
    pub(crate) fn letters(&self) -> &[String] {
        &self.letters
    }
}

/// The columns of a view: `name type`, with `?` where it can be NULL.
pub(crate) fn columns(entry: Entry, arguments: &str, view: &str) -> String {
    let flow = Flow::new(Default::default());
    entry(&flow, &mut parameters(arguments)).unwrap();
    let plan = flow.take();
    let schema: &Schema = &plan.sunk().find(|port| port.view == view).expect("no such view").schema;
    let columns = schema.columns.iter().map(|column| {
        let null = if column.nullable { "?" } else { "" };
        format!("{} {}{null}", column.name, column.kind)
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// The arguments of a job.
pub(crate) fn parameters(text: &str) -> Parameters {
    let text = format!("dataflow = 'played'\n[parameters]\n{text}");
    let kinds = Kinds { sources: &[], sinks: &[] };
    Config::load(kinds, &[("test.toml", &text)], &[], &[], &|_| None).unwrap().parameters()
}

fn bound(name: &str, collector: &Collector) -> BoundSink {
    let view = View { name: name.into(), schema: Default::default(), key: vec![], stamp: None };
    BoundSink::new(name, collector.sink(&view))
}

fn line(cells: &[Cell]) -> String {
    cells.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn word(cell: &Cell) -> String {
    match cell {
        Cell::Null => "-".into(),
        Cell::Bool(value) => value.to_string(),
        Cell::I32(value) => value.to_string(),
        Cell::I64(value) => value.to_string(),
        Cell::F64(value) => format!("{value:?}"),
        Cell::Decimal(hundredths) => {
            let sign = if *hundredths < 0 { "-" } else { "" };
            format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
        }
        Cell::Text(value) => value.to_string(),
        Cell::Time(time) => short(*time),
        Cell::TextList(list) => {
            let list = list.iter().map(|text| text.as_deref().unwrap_or("-"));
            format!("[{}]", list.collect::<Vec<_>>().join(","))
        }
        Cell::I32List(list) => format!("{list:?}"),
        Cell::Json(document) => document.clone(),
        other => panic!("no view has such a cell: {other:?}"),
    }
}

/// A time of the day, without what is zero at its end.
fn short(time: Time) -> String {
    let text = time.to_string();
    let time = text.strip_prefix("2026-03-01T").unwrap_or(&text).trim_end_matches('Z');
    let time = time.trim_end_matches('0').trim_end_matches('.');
    let (minutes, seconds) = time.split_at(time.len().min(5));
    match seconds.trim_matches(|sign| sign == ':' || sign == '0') {
        "" => minutes.to_owned(),
        _ => time.to_owned(),
    }
}

fn letter(cells: &[Cell]) -> String {
    let schema = Letter::schema();
    let cell = |name| word(&cells[schema.index(name).expect("letters have it")]);
    let mut text = String::new();
    let _ = write!(text, "{} {}", cell("offset"), cell("reason"));
    if cell("place") != "-" {
        let _ = write!(text, " {}", cell("place"));
    }
    text
}

/// A record in memory.
struct Record {
    key: Option<String>,
    value: String,
}

impl Record {
    fn new(line: &str) -> Record {
        match line.split_once(" | ") {
            Some((key, value)) => Record { key: Some(key.into()), value: value.into() },
            None => Record { key: None, value: line.into() },
        }
    }
}

/// Records, dealt to two partitions.
pub(crate) struct Records(Arc<Vec<Record>>);

impl Records {
    /// A record of each line; a key may stand in front, with ` | ` between them.
    pub(crate) fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Records {
        Records(Arc::new(lines.map(Record::new).collect()))
    }
}

impl Connector for Records {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Records(self.0.clone())))
    }
}

impl Source for Records {
    fn partitions(&mut self) -> Result<u32> {
        Ok(2)
    }

    fn open(&mut self, partition: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        Ok(Box::new(Reading { records: self.0.clone(), at: partition as usize }))
    }

    fn name(&self, partition: u32) -> String {
        format!("records {partition}")
    }

    fn is_bounded(&self) -> bool {
        true
    }
}

struct Reading {
    records: Arc<Vec<Record>>,
    at: usize,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let Some(record) = self.records.get(self.at) else { return Ok(Poll::Finished) };
        let key = record.key.as_ref().map(String::as_bytes);
        batch.push(self.at as i64, None, key, Some(record.value.as_bytes()));
        self.at += 2;
        batch.next_offset = self.at as i64;
        Ok(Poll::Ready)
    }
}
