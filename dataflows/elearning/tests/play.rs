//! Runs a job over a few records, and shows its rows as lines.
//!
//! The records of a topic are dealt to two partitions in turn. A row is its cells with a space
//! between them, its window in front as `12:00-12:05`; NULL is `-`.

use std::fmt::Write;
use std::sync::Arc;

use highwater::config::{Config, Kinds, Parameters};
use highwater::error::Result;
use highwater::row::{Cell, Change};
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::stream::Flow;
use highwater::time::Time;

use crate::play::Records;

/// The function of a job.
pub(super) type Entry = fn(&Flow, &mut Parameters) -> Result<()>;

/// A topic and its records, each as a line.
pub(super) type Topic<'a> = (&'a str, &'a [&'a str]);

/// The document that a line stands for: time of the day, action, fields.
///
/// ```text
/// 12:00:00 LOGIN success=true user_id=a       in the words of the job
/// 12:00:00 ~SIGNUP user_id=a                  an `event_type`, in those of the producer
/// 12:00:00 - user_id="5"                      neither; a value may be any JSON
/// ```
///
/// A line without a time in front is a record as it stands.
pub(super) fn document(line: &str) -> String {
    let mut words = line.split(' ');
    let time = words.next().unwrap_or_default();
    if !time.starts_with("12:") {
        return line.into();
    }
    let mut document = format!("{{\"timestamp\":\"2026-03-01 {time}\"");
    let mut put = |name: &str, value: &str| {
        let is_json = value.starts_with(|first: char| "\"[{-0123456789".contains(first))
            || ["true", "false", "null"].contains(&value);
        let _ = match is_json {
            true => write!(document, ",\"{name}\":{value}"),
            false => write!(document, ",\"{name}\":\"{value}\""),
        };
    };
    match words.next().unwrap_or_default() {
        "-" => {}
        action => match action.strip_prefix('~') {
            Some(event_type) => put("event_type", event_type),
            None => put("action", action),
        },
    }
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("no field: {word}"));
        put(name, value);
    }
    document + "}"
}

/// The arguments of a job, as `[parameters]` of a file has them.
pub(super) fn parameters(text: &str) -> Parameters {
    let text = format!("dataflow = 'elearning'\n[parameters]\n{text}");
    let kinds = Kinds { sources: &[], sinks: &[] };
    Config::load(kinds, &[("test.toml", &text)], &[], &[], &|_| None).unwrap().parameters()
}

/// The rows of one view, sorted; the same with one worker and with two.
pub(super) fn rows(entry: Entry, view: &str, topics: &[Topic<'_>]) -> Vec<String> {
    rows_with(entry, "", view, topics)
}

/// As [`rows`], with arguments.
pub(super) fn rows_with(
    entry: Entry,
    arguments: &str,
    view: &str,
    topics: &[Topic<'_>],
) -> Vec<String> {
    let [one, two] = [1, 2].map(|threads| played(entry, arguments, view, topics, threads));
    assert_eq!(one, two, "{view}: two workers find other rows than one");
    one
}

fn played(
    entry: Entry,
    arguments: &str,
    view: &str,
    topics: &[Topic<'_>],
    threads: usize,
) -> Vec<String> {
    let arguments = parameters(arguments);
    let mut job = Job::new("elearning", move |flow| entry(flow, &mut arguments.clone()));
    for name in job.plan().unwrap().source_names() {
        let records = topics.iter().find(|(topic, _)| *topic == name);
        let records = records.map_or(&[][..], |(_, records)| records);
        let documents: Vec<String> = records.iter().map(|line| document(line)).collect();
        let records = Records::of(documents.iter().map(String::as_str));
        let source = BoundSource::new(Arc::new(records));
        job.sources.insert(name.into(), source);
    }
    let mut wanted = None;
    for name in job.schemas().unwrap().into_keys() {
        let collector = Collector::default();
        let sink_view =
            View { name: name.to_string(), schema: Default::default(), key: vec![], stamp: None };
        let sink = BoundSink::new(&name, collector.sink(&sink_view));
        job.sinks.insert(name.clone(), vec![sink]);
        if name == view {
            wanted = Some(collector);
        }
    }
    run(vec![Arc::new(job)], &Workers::threads(threads), &Stop::new()).unwrap();
    let log = wanted.unwrap_or_else(|| panic!("there is no view {view}")).log();
    assert!(log.iter().all(|(mark, _)| mark.change == Change::Final));
    let mut lines: Vec<String> = log.iter().map(|(_, cells)| line(cells)).collect();
    lines.sort();
    lines
}

/// A row as a line.
fn line(cells: &[Cell]) -> String {
    let [Cell::Time(start), Cell::Time(end), rest @ ..] = cells else {
        panic!("a row begins with its window: {cells:?}");
    };
    let mut line = format!("{}-{}", short(*start), short(*end));
    for cell in rest {
        let _ = match cell {
            Cell::Null => write!(line, " -"),
            Cell::I32(value) => write!(line, " {value}"),
            Cell::I64(value) => write!(line, " {value}"),
            Cell::F64(value) => write!(line, " {value:?}"),
            Cell::Decimal(hundredths) => {
                let sign = if *hundredths < 0 { "-" } else { "" };
                let (units, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
                write!(line, " {sign}{units}.{rest:02}")
            }
            Cell::Text(value) => write!(line, " {value}"),
            Cell::Time(time) => write!(line, " {}", short(*time)),
            other => panic!("no view has such a cell: {other:?}"),
        };
    }
    line
}

/// A time of the day, without what is zero at its end.
fn short(time: Time) -> String {
    let text = time.to_string();
    let time = text.strip_prefix("2026-03-01T").unwrap_or(&text).trim_end_matches('Z');
    let time = time.trim_end_matches('0').trim_end_matches('.');
    time.strip_suffix(":00").unwrap_or(time).to_owned()
}
