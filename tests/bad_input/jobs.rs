//! Whole jobs of every system, whose files hold every bad document between good records.
//!
//! The good records are the samples, dealt to two files, which are two partitions. A run of them
//! alone says which rows there are; with bad documents in between, and with pairs of records in
//! arrays, the rows must be the same, each bad document one letter at its place, and the ledger of
//! each partition exact.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use highwater::testing::Scratch;
use highwater_dataflows::DATAFLOWS;
use serde_json::Value;

use crate::binary::{Ended, run_in};

/// A port, the sample that it reads, and a part of the lines that are meant; none without a time.
struct Port {
    name: &'static str,
    sample: &'static str,
    part: &'static str,
    is_timed: bool,
}

const fn port(name: &'static str, sample: &'static str) -> Port {
    Port { name, sample, part: "", is_timed: true }
}

const fn campus(name: &'static str, part: &'static str) -> Port {
    Port { name, sample: "campus", part, is_timed: true }
}

/// A document that is refused, as its bytes and the reason; the second one is that of
/// `json.errors = "null_row"`, where all that follows is that it has no time.
struct Bad(&'static [u8], &'static str, &'static str);

const BAD: &[Bad] = &[
    Bad(b"{\"user_id\":\"u\",\"timestamp\":\"2025-10-02 00:00:0", "bad_json", "no_event_time"),
    Bad(b"{user_id:1}", "bad_json", "no_event_time"),
    Bad(b"{\"user_id\":\"a\x01b\"}", "bad_json", "no_event_time"),
    Bad(b"/* comment */ {}", "bad_json", "no_event_time"),
    Bad(b"hello", "bad_json", "no_event_time"),
    Bad(b"{'user_id':'u'}", "bad_json", "no_event_time"),
    Bad(b"{\"user_id\":\"u\"} trailing", "bad_json", "no_event_time"),
    Bad(b" ", "not_an_object", "no_event_time"),
    Bad(b"null", "not_an_object", "no_event_time"),
    Bad(b"12.7", "not_an_object", "no_event_time"),
    Bad(b"\"text\"", "not_an_object", "no_event_time"),
    Bad(b"[]", "not_an_object", "no_event_time"),
    Bad(b"{\"user_id\":\"\xff\"}", "bad_utf8", "bad_utf8"),
    Bad(b"deep", "too_deep", "too_deep"),
    Bad(b"large", "too_large", "too_large"),
    Bad(b"{}", "no_event_time", "no_event_time"),
    Bad(
        b"{\"timestamp\":\"2025-02-30\",\"snapshot_time\":\"x\"}",
        "no_event_time",
        "no_event_time",
    ),
    Bad(b"{\"timestamp\":[1],\"snapshot_time\":1.5}", "no_event_time", "no_event_time"),
];

/// The longest record, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Source, partition, offset, element and reason of a letter.
type Letter = (String, u64, u64, Option<u64>, String);

/// What goes between the good records.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    /// Bad documents, and arrays with bad elements around pairs of good records.
    Bad,
    /// Bad documents, with `json.errors = "null_row"`.
    NullRows,
}

/// A partition of a port, while it is written.
#[derive(Default)]
struct Partition {
    bytes: Vec<u8>,
    records: u64,
    letters: Vec<(u64, Option<u64>, String)>,
    /// Bad documents that are used as rows of NULLs.
    nulls: u64,
}

impl Partition {
    /// Appends a line; returns where it begins.
    fn line(&mut self, line: &[u8]) -> u64 {
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        offset
    }

    fn bad(&mut self, Bad(bytes, default, spark): &Bad, port: &Port, between: Between) {
        let offset = match *bytes {
            b"large" => self.line(&[b'x'; MESSAGE_BYTES_MAX + 1]),
            b"deep" => self.line(&[b'['; 65]),
            bytes => self.line(bytes),
        };
        self.records += 1;
        let reason = if between == Between::NullRows { spark } else { default };
        // The raw events of the shop have rows of NULLs; only without them a time is asked for.
        let is_kept = port.name == "events" && between == Between::NullRows;
        if *reason == "no_event_time" && (!port.is_timed || is_kept) {
            self.nulls += 1;
        } else {
            self.letters.push((offset, None, (*reason).into()));
        }
    }

    /// Appends two records as elements of an array, with bad ones around them.
    fn pair(&mut self, first: &str, second: &str) {
        let offset = self.line(format!("[{first},5,{second},null,[{first}]]").as_bytes());
        self.records += 5;
        let element = |element| (offset, Some(element), "not_an_object".to_owned());
        self.letters.extend([element(1), element(3), element(4)]);
    }
}

/// A partition with these good records.
fn partition(lines: &[&str], port: &Port, between: Between) -> Partition {
    let mut partition = Partition::default();
    let (mut index, mut bads) = (0, BAD);
    while index < lines.len() {
        let pair = lines.get(index..index + 2);
        match pair.filter(|_| between == Between::Bad && index.is_multiple_of(5)) {
            Some(pair) => {
                partition.pair(pair[0], pair[1]);
                index += 2;
            }
            None => {
                partition.line(lines[index].as_bytes());
                partition.records += 1;
                index += 1;
            }
        }
        if between != Between::Nothing {
            // As many behind each line that none is left behind the last.
            let (now, rest) =
                bads.split_at(bads.len() - BAD.len() * (lines.len() - index) / lines.len());
            now.iter().for_each(|bad| partition.bad(bad, port, between));
            bads = rest;
        }
    }
    partition
}

/// How a job over some input has ended.
struct Run {
    ended: Ended,
    letters: Vec<Letter>,
    /// Per source and partition: read, used, late, dead, duplicates.
    ledger: BTreeMap<(String, u64), [u64; 5]>,
    /// The lines of each view.
    rows: BTreeMap<String, Vec<String>>,
}

/// Runs a job of two workers with some input in a folder of its own.
fn run(args: &[&str], ports: &[(Port, [Partition; 2])], between: Between) -> Run {
    let dir = Scratch::new("bad-input");
    let write = |name: String, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let mut config = format!(
        "[source.\"*\"]\nmessage_bytes_max = \"{MESSAGE_BYTES_MAX}B\"\n\
         json.errors = \"{}\"\n[sink.\"*\"]\nblackhole = {{}}\n\
         [dead_letters]\nfile = {{ path = \"letters.jsonl\" }}\n",
        if between == Between::NullRows { "null_row" } else { "dead_letter" },
    );
    for (Port { name, .. }, partitions) in ports {
        let path = format!("[\"{name}-0.jsonl\", \"{name}-1.jsonl\"]");
        writeln!(config, "[source.{name}]\nfile = {{ path = {path} }}").unwrap();
        for (index, partition) in partitions.iter().enumerate() {
            write(format!("{name}-{index}.jsonl"), &partition.bytes);
        }
    }
    let views: Vec<_> = views(args[0]).into_iter().filter(|view| *view != "alerts").collect();
    for view in &views {
        let binding = format!("file = {{ path = \"{view}.csv\" }}\nrows = \"final\"");
        writeln!(config, "[sink.{view}]\n{binding}").unwrap();
    }
    // Alerts hold when they were raised; they have tests of their own.
    if let Some(quiet) = crate::systems::without_alerts(args[0]) {
        config = format!("{quiet}\n{config}");
    }
    write("bad.toml".into(), config.as_bytes());
    let ended = run_in(dir.path(), &[&["run"], args, &["-w", "2", "-c", "bad.toml"]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let rows = views.into_iter().map(|view| {
        let lines = read(&format!("{view}.csv")).lines().map(str::to_owned).collect();
        (view, lines)
    });
    let rows = rows.collect();
    let (letters, ledger) = (letters(&read("letters.jsonl")), ledger(&ended.stderr));
    Run { ended, letters, ledger, rows }
}

/// The views of a system that have final rows.
fn views(system: &str) -> Vec<String> {
    let dataflow = DATAFLOWS.iter().find(|dataflow| dataflow.system == system).unwrap();
    let file: toml::Table = dataflow.file.1.parse().unwrap();
    let views = file["view"].as_table().unwrap().keys().cloned();
    views.filter(|view| view != "market_correlation").collect()
}

fn letters(text: &str) -> Vec<Letter> {
    let letter = |line: &str| {
        let letter: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| letter[name].as_str().unwrap().to_owned();
        let number = |name: &str| letter[name].as_u64();
        let place = (number("partition").unwrap(), number("offset").unwrap());
        (text("source"), place.0, place.1, number("element"), text("reason"))
    };
    let mut letters: Vec<Letter> = text.lines().map(letter).collect();
    letters.sort();
    letters
}

fn ledger(said: &str) -> BTreeMap<(String, u64), [u64; 5]> {
    let lines = said.lines().skip_while(|line| !line.starts_with("  source ")).skip(1);
    let partition = |line: &str| {
        let words: Vec<String> =
            line.split_whitespace().map(|word| word.replace(',', "")).collect();
        let numbers: Option<Vec<u64>> = words[1..].iter().map(|word| word.parse().ok()).collect();
        let numbers = numbers.filter(|numbers| numbers.len() == 6)?;
        Some(((words[0].clone(), numbers[0]), numbers[1..].try_into().unwrap()))
    };
    lines.map_while(partition).collect()
}

/// The good records of a port, dealt to two partitions.
fn dealt(port: &Port, between: Between) -> [Partition; 2] {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/samples");
    let text = fs::read_to_string(samples.join(format!("{}.jsonl", port.sample))).unwrap();
    let lines = text.lines().filter(|line| line.contains(port.part));
    // Some messages are arrays of one, which are rows of NULLs for Spark.
    let lines: Vec<&str> = lines.map(|line| line.trim_matches(['[', ']'])).collect();
    assert!(1 < lines.len(), "{}", port.name);
    [0, 1].map(|index| {
        let own: Vec<&str> = lines.iter().copied().skip(index).step_by(2).collect();
        partition(&own, port, between)
    })
}

fn check(args: &[&str], ports: fn() -> Vec<Port>) {
    let input = |between| {
        let partitions = ports().into_iter().map(|port| {
            let partitions = dealt(&port, between);
            (port, partitions)
        });
        partitions.collect::<Vec<_>>()
    };
    let clean = run(args, &input(Between::Nothing), Between::Nothing);
    assert_eq!(clean.letters, [], "{args:?}");
    let rows: usize = clean.rows.values().map(|lines| lines.len().saturating_sub(1)).sum();
    assert!(0 < rows, "{args:?}: {}", clean.ended.stderr);
    for between in [Between::Bad, Between::NullRows] {
        let input = input(between);
        let mut found = run(args, &input, between);
        let mut expected = Vec::new();
        for (port, partitions) in &input {
            for (index, partition) in partitions.iter().enumerate() {
                let place = (port.name.to_owned(), index as u64);
                let [_, used, late, ..] = clean.ledger[&place];
                let (used, dead) = (used + partition.nulls, partition.letters.len() as u64);
                assert_eq!(used + late + dead, partition.records, "{args:?}, {place:?}");
                let expect = [partition.records, used, late, dead, 0];
                assert_eq!(found.ledger[&place], expect, "{}", found.ended.stderr);
                let letters = partition.letters.iter().cloned();
                expected.extend(letters.map(|(offset, element, reason)| {
                    (place.0.clone(), place.1, offset, element, reason)
                }));
            }
        }
        expected.sort();
        assert_eq!(found.letters, expected, "{args:?}");
        assert_eq!(found.ledger.len(), 2 * input.len(), "{}", found.ended.stderr);
        if let Some(raw) = found.rows.get_mut("raw_events") {
            // Stamped with the time of writing; and rows of NULLs are rows here.
            let nulls: u64 = input.iter().flat_map(|(_, both)| both).map(|one| one.nulls).sum();
            assert_eq!(raw.len() as u64, clean.rows["raw_events"].len() as u64 + nulls);
            raw.clone_from(&clean.rows["raw_events"]);
        }
        assert_eq!(found.rows, clean.rows, "{args:?}");
    }
}

#[test]
fn chat_takes_every_bad_document_for_a_letter_and_goes_on() {
    check(&["chat"], || vec![port("chat", "chat"), port("viewers", "viewers")]);
}

#[test]
fn the_jobs_of_elearning_take_every_bad_document_for_a_letter_and_go_on() {
    check(&["elearning", "auth"], || vec![port("auth", "elearning_auth")]);
    check(&["elearning", "assessment"], || vec![port("assessment", "elearning_assessment")]);
    check(&["elearning", "video"], || vec![port("video", "elearning_video")]);
    check(&["elearning", "course"], || vec![port("course", "elearning_course")]);
    check(&["elearning", "profile_notification"], || {
        let profile = port("profile", "elearning_profile");
        vec![profile, port("notification", "elearning_notification")]
    });
}

#[test]
fn campus_takes_every_bad_document_for_a_letter_and_goes_on() {
    check(&["campus"], || {
        vec![
            campus("auth", "\"AUTH\""),
            campus("assessment", "\"ASSESSMENT\""),
            campus("video", "\"VIDEO\""),
            campus("course", "\"COURSE\""),
            campus("profile", "\"PROFILE\""),
            campus("notification", "\"NOTIFICATION\""),
        ]
    });
}

#[test]
fn market_takes_every_bad_document_for_a_letter_and_goes_on() {
    check(&["market"], || {
        let metadata = port("polymarket_metadata", "polymarket_metadata");
        vec![
            port("binance", "binance"),
            port("polymarket_trade", "polymarket_trade"),
            Port { is_timed: false, ..metadata },
        ]
    });
}

#[test]
fn shop_takes_every_bad_document_for_a_letter_and_goes_on() {
    check(&["shop"], || vec![port("events", "shop")]);
}
