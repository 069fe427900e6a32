//! `arrival` of a file source: the field whose time is the record's own time.

use std::fs;
use std::sync::Arc;

use highwater::config::{Config, Kinds};
use highwater::error::Result;
use highwater::letter::Letter;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, Job, Stop, Surroundings, Workers, bind, run, wall_time};
use highwater::sink::View;
use highwater::sink::kinds::SINK_NAMES;
use highwater::sink::memory::Collector;
use highwater::source::kinds::SOURCE_NAMES;
use highwater::testing::Scratch;

/// Lines of a log of messages: none, one and two faults in arrival and event time.
const LINES: &str = r#"
{"at":"2026-03-01T12:00:00Z","timestamp":"2026-03-01T11:59:59Z","stream_id":"s1"}
{"at":"2026-03-01T12:00:01Z","timestamp":"2026-03-01T12:05:01Z","stream_id":"s1"}
{"at":"2026-03-01T12:00:02Z","timestamp":"2026-03-01T12:05:02.000001Z","stream_id":"s1"}
{"timestamp":"2026-03-01T12:05:03Z","at":"2026-03-01T12:00:03Z","stream_id":"s1"}
{"at":"2026-03-01T12:00:04Z","stream_id":"s1"}
{"at":"2026-03-01T12:00:05Z","timestamp":"2026-03-01T
{"at":"soon","timestamp":"2036-03-01T12:00:00Z","stream_id":"s1"}
"#;

/// The chat job over files, with these keys in the binding of `chat`.
fn job(keys: &str) -> Result<Job> {
    let overlay = format!("[source.chat]\n{keys}\n");
    let dataflow = &highwater_dataflows::DATAFLOWS[0];
    let around = Surroundings {
        generators: highwater_datasets::GENERATORS,
        dataflows: &[],
        now: Arc::new(wall_time),
        threads: 1,
        latency: false,
        from: None,
    };
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: SINK_NAMES };
    let files = [dataflow.file, ("over.toml", overlay.as_str())];
    bind(dataflow, &Config::load(kinds, &files, &[], &[], &|_| None)?, &around)
}

/// Reason, record time and event time of each letter, in order.
fn letters(keys: &str) -> Vec<String> {
    let folder = Scratch::new("arrival");
    let (chat, viewers) = (folder.path().join("chat.jsonl"), folder.path().join("viewers.jsonl"));
    fs::write(&chat, LINES).unwrap();
    fs::write(&viewers, "").unwrap();
    let mut job = job(&format!(
        "file = {{ path = {chat:?} }}\n{keys}\n[source.viewers]\nfile = {{ path = {viewers:?} }}"
    ))
    .unwrap();
    let (rows, found) = (Collector::default(), Collector::default());
    let view = |name: &str| View {
        name: name.into(),
        schema: Default::default(),
        key: vec![],
        stamp: None,
    };
    for (name, sinks) in &mut job.sinks {
        *sinks = vec![BoundSink::new(name, rows.sink(&view(name)))];
    }
    job.letters = BoundSink::new("letters", found.sink(&view("letters")));
    run(vec![Arc::new(job)], &Workers::threads(2), &Stop::new()).unwrap();
    let schema = Letter::schema();
    let shown = |cells: &Vec<Cell>| {
        let names = ["reason", "record_time", "event_time"];
        let texts = names.map(|name| match &cells[schema.index(name).unwrap()] {
            Cell::Text(text) => text.to_string(),
            Cell::Time(time) => time.to_string()[11..19].to_owned(),
            _ => "-".into(),
        });
        texts.join(" ")
    };
    found.finals().iter().map(shown).collect()
}

#[test]
fn the_field_of_a_file_source_is_the_time_of_its_records() {
    let expected = ["future 12:00:02 12:05:02", "no_event_time 12:00:04 -", "bad_json 12:00:05 -"];
    let mut found = letters("arrival = \"at\"");
    found.sort_by_key(|letter| letter.split(' ').nth(1).map(str::to_owned));
    assert_eq!(found, expected);
    let mut found = letters("arrival = \"at\"\nfuture_skew = \"off\"");
    found.sort();
    assert_eq!(found, ["bad_json 12:00:05 -", "no_event_time 12:00:04 -"]);
    let mut found = letters("");
    found.sort();
    assert_eq!(found, ["bad_json - -", "no_event_time - -"]);
}

#[test]
fn the_time_of_arrival_can_stand_in_for_the_event_time() {
    let mut found = letters("arrival = \"at\"\nevent_time_fallback = \"record\"");
    found.sort();
    let late = "late 12:00:04 12:00:04";
    assert_eq!(found, ["bad_json 12:00:05 -", "future 12:00:02 12:05:02", late]);
}

#[test]
fn a_source_whose_records_have_a_time_takes_no_arrival() {
    let keys = "generator = { dataset = \"chat.chat\" }\narrival = \"at\"";
    let error = job(keys).err().expect("an error").to_string();
    assert!(error.contains("`arrival` is a key of file sources, not of `generator`"), "{error}");
    assert!(error.contains("over.toml:2"), "{error}");
}
