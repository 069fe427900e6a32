//! Runs of a system over generated logs: what it is given, and what it leaves behind.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use highwater::dataset::{GeneratorOptions, Made, Records, find};
use highwater::lateness::Ledger;
use highwater::row::Cell;
use highwater::runtime::{Job, Stop, Workers, run};
use highwater::sink::memory::collector;
use highwater::testing::Scratch;
use highwater::time::Time;
use serde_json::Value;

use super::jobs;
use super::model::{Log, Logged};
use super::views::System;
use crate::oracle::outcome::Position;

/// What is wrong with the records of every port.
const FAULTS: &str = "seed = 5\nlate = 0.12\nno_time = 0.01\nbad_json = 0.01\nduplicates = 0.01\n";

/// Midnight of some day.
const START: Time = Time::from_seconds(1_767_225_600);

/// Logs of a system.
pub(super) struct Input {
    pub(super) system: &'static System,
    /// In the order of the system's sources.
    pub(super) logs: Vec<Log>,
    table: Option<Log>,
}

/// Cells by the names of their columns.
pub(super) type Row = BTreeMap<String, Cell>;

/// Port, partition, offset, what is wrong, and the view that says so.
pub(super) type Letter = (String, i32, i64, String, Option<String>);

/// What a run leaves behind.
pub(super) struct Found {
    /// By view, sorted.
    pub(super) rows: BTreeMap<String, Vec<Row>>,
    /// By port and partition; not of a table.
    pub(super) ledgers: BTreeMap<(String, u32), Ledger>,
    /// Refused pairs by operator, where there are any.
    pub(super) refused: BTreeMap<String, u64>,
    /// Sorted.
    pub(super) letters: Vec<Letter>,
}

impl Input {
    /// Generates the logs of a system.
    pub(super) fn new(system: &'static System) -> Input {
        let faults = format!("{FAULTS}{}\n", system.faults);
        let sources = system.sources.iter();
        Input {
            system,
            logs: sources.map(|(port, kind, own)| generate(port, kind, own, &faults)).collect(),
            table: system.table.map(|(port, kind, own)| generate(port, kind, own, "")),
        }
    }

    pub(super) fn ports(&self) -> Vec<&'static str> {
        self.logs.iter().map(|log| log.port).collect()
    }

    pub(super) fn logged(&self, position: Position) -> &Logged {
        &self.logs[position.source].partitions[position.partition][position.offset]
    }

    pub(super) fn document(&self, position: Position) -> &Value {
        &self.logged(position).document
    }

    /// Runs the system over what `edit` makes of the records, with something laid over its file.
    pub(super) fn run(
        &self,
        overlay: &str,
        workers: usize,
        edit: impl Fn(Position, &Logged) -> Option<Vec<u8>>,
    ) -> Found {
        let scratch = Scratch::new("late");
        let mut text = format!("[parameters]\n{}\n{overlay}", self.system.parameters);
        for (source, log) in self.logs.iter().enumerate() {
            let edit = |partition, records: &Vec<Logged>| {
                let positions = (0..).map(|offset| Position { source, partition, offset });
                let lines = positions.zip(records).filter_map(|(at, logged)| edit(at, logged));
                lines.collect::<Vec<_>>().join(&b'\n')
            };
            let partitions = log.partitions.iter().enumerate();
            let partitions = partitions.map(|(partition, records)| edit(partition, records));
            bind_files(scratch.path(), log.port, partitions, &mut text);
        }
        if let Some(Log { port, partitions }) = &self.table {
            let values = |records: &Vec<Logged>| {
                records.iter().map(|logged| logged.value.clone()).collect::<Vec<_>>().join(&b'\n')
            };
            bind_files(scratch.path(), port, partitions.iter().map(values), &mut text);
        }
        // Names of this run alone: others run at the same time.
        let name = |view: &str| format!("{} {view}", scratch.path().display());
        writeln!(text, "[dead_letters]\nmemory = {{ name = {:?} }}", name("letters")).unwrap();
        for view in views(&jobs(self.system.name, &[])).keys() {
            let sink = format!("memory = {{ name = {:?} }}", name(view));
            writeln!(text, "[sink.{view}]\n{sink}\ntrigger_interval = \"off\"").unwrap();
        }
        let jobs = jobs(self.system.name, &[("late.toml", &text)]);
        run(jobs.clone(), &Workers::threads(workers), &Stop::new()).unwrap();
        self.found(&jobs, &name)
    }

    fn found(&self, jobs: &[Arc<Job>], name: &dyn Fn(&str) -> String) -> Found {
        let rows = views(jobs).into_iter().map(|(view, (columns, is_table))| {
            let rows = collector(&name(&view));
            let cells = if is_table { rows.table() } else { rows.finals() };
            let rows = cells.into_iter().map(|cells| columns.iter().cloned().zip(cells).collect());
            let mut rows: Vec<Row> = rows.collect();
            rows.sort_by_cached_key(|row| format!("{row:?}"));
            (view, rows)
        });
        let rows = rows.collect();
        let (mut ledgers, mut refused) = (BTreeMap::new(), BTreeMap::new());
        for board in jobs.iter().map(|job| &job.board) {
            for ((source, id), partition) in board.partitions() {
                ledgers.insert((source.to_string(), id), partition.ledger);
            }
            let operators = board.operators().into_iter();
            for ((place, _), operator) in operators.filter(|(_, of)| 0 < of.late_windows) {
                *refused.entry(place.to_string()).or_default() += operator.late_windows;
            }
        }
        ledgers.retain(|(source, _), _| self.table.as_ref().is_none_or(|log| log.port != source));
        let cells = collector(&name("letters")).finals();
        let mut letters: Vec<Letter> = cells.iter().map(|cells| letter(cells)).collect();
        letters.sort();
        Found { rows, ledgers, refused, letters }
    }
}

/// The views of jobs, with their columns and whether they change without end.
fn views(jobs: &[Arc<Job>]) -> BTreeMap<String, (Vec<String>, bool)> {
    let mut views = BTreeMap::new();
    for plan in jobs.iter().map(|job| job.plan().unwrap()) {
        for port in plan.sunk() {
            let columns = port.schema.columns.iter().map(|column| column.name.to_string());
            views.insert(port.view.to_string(), (columns.collect(), port.is_table()));
        }
    }
    views
}

/// Writes a file for each partition, and binds a port to them.
fn bind_files(
    folder: &Path,
    port: &str,
    partitions: impl Iterator<Item = Vec<u8>>,
    text: &mut String,
) {
    let folder = folder.join(port);
    fs::create_dir(&folder).unwrap();
    for (partition, lines) in partitions.enumerate() {
        fs::write(folder.join(format!("{partition}.jsonl")), lines).unwrap();
    }
    writeln!(text, "[source.{port}]\nfile = {{ path = {folder:?} }}").unwrap();
}

/// Generates the records of a port.
fn generate(port: &'static str, data_set: &str, options: &str, faults: &str) -> Log {
    let (kind, topics) = find(highwater_datasets::GENERATORS, data_set).unwrap();
    let table = format!("{options}\n{faults}").parse().unwrap();
    let options = GeneratorOptions::read(kind, topics, &table, START).unwrap();
    let mut records = Records::all((kind.make)(&options).unwrap(), options.events);
    let (mut made, mut log) = (Made::default(), Log { port, partitions: Vec::new() });
    while records.next(&mut made) {
        let document = match serde_json::from_slice(&made.value).unwrap_or_default() {
            // The first message of a market comes as a list of one.
            Value::Array(mut messages) if messages.len() == 1 => messages.remove(0),
            document => document,
        };
        let (partition, value) = (made.partition as usize, made.value.clone());
        let time_us = made.time.map(Time::micros);
        log.partitions.resize_with(log.partitions.len().max(partition + 1), Vec::new);
        let before = log.partitions[partition].last();
        let offset = before.map_or(0, |last: &Logged| last.offset + last.value.len() as i64 + 1);
        log.partitions[partition].push(Logged { offset, value, document, time_us });
    }
    log
}

fn letter(cells: &[Cell]) -> Letter {
    // The order of `Letter::schema`.
    match [&cells[1], &cells[2], &cells[3], &cells[10], &cells[12]] {
        [Cell::Text(port), Cell::I32(partition), Cell::I64(offset), Cell::Text(reason), place] => {
            let place = match place {
                Cell::Text(view) => Some(view.to_string()),
                _ => None,
            };
            (port.to_string(), *partition, *offset, reason.to_string(), place)
        }
        other => panic!("no letter: {other:?}"),
    }
}
