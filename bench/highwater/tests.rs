//! Runs dataflows in this process, over files of events, for the tests of all workloads.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use highwater::prelude::*;
use highwater::row::{Cell, Change, Mark};
use highwater::runtime::{self, BoundSink, BoundSource, Job, Stop, Workers};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::sink::text::JsonNames;
use highwater::source::file;
use highwater::testing::Scratch;
use toml::Table;

use crate::DATAFLOWS;

/// What a run has left in each view: every change, in the order of writing.
pub(crate) struct Ran {
    views: BTreeMap<String, (Vec<String>, Collector)>,
    letters: Collector,
}

/// A number of workers, and whether a run is cut into many short epochs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) workers: usize,
    pub(crate) is_cut: bool,
}

/// What tests run with.
pub(crate) const PACES: [Pace; 3] = [
    Pace { workers: 2, is_cut: false },
    Pace { workers: 1, is_cut: true },
    Pace { workers: 2, is_cut: true },
];

/// Runs a dataflow over partitions, each a list of events, to the end of them: all are used.
pub(crate) fn run(
    dataflow: &str,
    source: &str,
    keys: &[(&str, &[&str])],
    partitions: &[Vec<String>],
    pace: Pace,
) -> Ran {
    let ran = run_with(&Table::new(), dataflow, source, keys, partitions, pace);
    assert!(ran.letters().is_empty(), "{:?}", ran.letters());
    ran
}

/// The same with parameters; records may be refused.
pub(crate) fn run_with(
    parameters: &Table,
    dataflow: &str,
    source: &str,
    keys: &[(&str, &[&str])],
    partitions: &[Vec<String>],
    pace: Pace,
) -> Ran {
    let scratch = Scratch::new(dataflow);
    for (number, events) in partitions.iter().enumerate() {
        let path = scratch.path().join(format!("{number}.jsonl"));
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        events.iter().for_each(|event| writeln!(file, "{event}").unwrap());
    }
    let path = file::Paths::One(scratch.path().display().to_string());
    let connector = file::connector(file::Options { path }, 1 << 20);
    let entry = DATAFLOWS.iter().find(|flow| flow.name == dataflow).unwrap().entry;
    let parameters = parameters.clone();
    let mut job = Job::new(dataflow, move |flow| entry(flow, &mut Parameters::new(&parameters)));
    let mut source_of = BoundSource::new(Arc::new(connector));
    if pace.is_cut {
        let (tick, tick_max) = (millis(1), millis(1));
        job.pace = runtime::Pace { tick, tick_max, ticks_per_epoch: 1, in_flight_max: 1 };
        source_of.limits.records = 64;
    }
    job.sources = [(source.into(), source_of)].into();
    let letters = Collector::default();
    let view = |name: &str, key: &[String], schema| View {
        name: name.into(),
        schema,
        key: key.to_vec(),
        stamp: None,
    };
    job.letters = BoundSink::new("letters", letters.sink(&view("letters", &[], Arc::default())));
    let mut views = BTreeMap::new();
    for (name, schema) in job.schemas().unwrap() {
        let key = keys.iter().find(|(view, _)| name == *view).map_or(&[][..], |(_, key)| *key);
        let key: Vec<String> = key.iter().map(|column| (*column).to_owned()).collect();
        let names = schema.columns.iter().map(|column| column.name.to_string()).collect();
        let collector = Collector::default();
        let sink = collector.sink(&view(&name, &key, schema));
        job.sinks.insert(name.clone(), vec![BoundSink::new(&name, sink)]);
        job.settings.keys.insert(name.clone(), key);
        views.insert(name.to_string(), (names, collector));
    }
    runtime::run(vec![Arc::new(job)], &Workers::threads(pace.workers), &Stop::new()).unwrap();
    Ran { views, letters }
}

impl Ran {
    /// What was refused, in the order of [`Letter::schema`](highwater::letter::Letter::schema).
    pub(crate) fn letters(&self) -> Vec<Vec<Cell>> {
        self.letters.log().into_iter().map(|(_, cells)| cells).collect()
    }

    /// Every change of a view, in the order of writing.
    pub(crate) fn log(&self, view: &str) -> Vec<(Mark, Vec<Cell>)> {
        self.views[view].1.log()
    }

    /// The rows that are there in the end, as JSON objects.
    pub(crate) fn rows(&self, view: &str) -> Vec<String> {
        let (names, collector) = &self.views[view];
        let names = JsonNames::new(names.iter().map(String::as_str));
        let table = collector.table();
        let rows = match table.is_empty() {
            true => collector.finals(),
            false => table,
        };
        let json = |cells: Vec<Cell>| {
            let mut out = Vec::new();
            names.object(&cells, &mut out);
            String::from_utf8(out).unwrap()
        };
        rows.into_iter().map(json).collect()
    }

    /// The number in one column of what was written to a view, deletes left out.
    pub(crate) fn written(&self, view: &str, column: &str) -> Vec<i64> {
        let index = self.views[view].0.iter().position(|name| name == column).unwrap();
        let log = self.log(view).into_iter().filter(|(mark, _)| mark.change != Change::Delete);
        log.map(|(_, cells)| match cells[index] {
            Cell::I64(value) => value,
            ref other => panic!("{other:?} is no number"),
        })
        .collect()
    }
}
