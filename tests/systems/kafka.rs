//! Every system from real Kafka, in two processes: the rows and ledgers are those from files.
//!
//! ```text
//! highwater generate ─┬─► files ─► highwater run ────────────┬─► rows, ledgers ─┐
//!                     │                                      │                  ├─ equal
//!                     └─► Kafka ─► highwater cluster -n 2 ───┴─► rows, ledgers ─┘
//! ```
//!
//! A file is a partition, so both inputs have the same records in the same partitions. The events
//! are in disorder, late, repeated, cut short and without a time. Behind them stands a last record
//! in each partition, days later: from Kafka a window closes no sooner, and files have it too. What
//! is about that record alone is not compared.
//!
//! One view has no final rows: `market_correlation` of the market changes as descriptions of
//! markets come. Of it the last change of each key is compared; the descriptions come first.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use highwater::source::kafka::{Admin, Outgoing, Producer};
use highwater::testing::{KafkaServer, Scratch, or_skip};
use highwater::time::Time;
use serde_json::Value;

use super::generated::{Port, SYSTEMS, System};
use super::{unstamped, without_alerts};
use crate::binary::highwater;
use crate::cluster::support::{Ended, Running, ledger, until};

const LIMIT: Duration = Duration::from_secs(60);

/// The day of the last records, in every document and row about them, and one instant of it.
const LAST_DAY: &str = "2026-01-09";
const LAST: Time = Time::from_seconds(1_767_960_000);

/// What a run has left behind.
struct Left {
    /// The lines of each view, sorted.
    rows: BTreeMap<String, Vec<String>>,
    /// The last change of each key of the views that have no final rows.
    changes: BTreeMap<String, Value>,
    /// By source: records read, used, late, dead, duplicates.
    ledgers: BTreeMap<String, [u64; 5]>,
}

#[test]
fn every_system_gives_the_rows_of_files_from_kafka_in_two_processes() {
    let scratch = Scratch::new("systems-kafka");
    let started = KafkaServer::start(&scratch.path().join("kafka"));
    let Some(kafka) = or_skip(started) else { return };
    for system in &SYSTEMS {
        let dir = scratch.path().join(system.name);
        fs::create_dir(&dir).unwrap();
        let expected = system.run_files(&dir);
        let found = system.run_kafka(&kafka, &dir, &expected);
        let name = system.name;
        assert_eq!(found.ledgers, expected.ledgers, "{name}");
        assert_eq!(found.changes, expected.changes, "{name}");
        assert_eq!(expected.changes.is_empty(), system.first.is_none(), "{name}");
        for (view, rows) in &expected.rows {
            assert!(2 < rows.len(), "{name}: {view} has no rows");
            assert_eq!(found.rows[view], *rows, "{name}: {view}");
        }
        let mut sum = [0; 5];
        for ledger in found.ledgers.values() {
            assert_eq!(ledger[0], ledger[1..].iter().sum::<u64>(), "{name}: {ledger:?}");
            (0..5).for_each(|column| sum[column] += ledger[column]);
        }
        let [read, used, late, dead, _] = sum;
        assert!(2_000 < read && 0 < dead && used < read, "{name}: {sum:?}");
        // Nothing is late for a view without windows.
        assert!(0 < late || name == "shop", "{name}: {sum:?}");
    }
}

impl System {
    /// The rows from files; these lie in the folder `topics` afterwards.
    fn run_files(&self, dir: &Path) -> Left {
        let (topics, out) = (dir.join("topics"), dir.join("files"));
        self.generate_files(dir, &topics);
        for (topic, partition) in self.last_places(&topics) {
            let path = topics.join(format!("{topic}-{partition}.jsonl"));
            let mut file = File::options().append(true).open(path).unwrap();
            writeln!(file, "{}", self.last).unwrap();
        }
        let mut command = self.bound("run", &out);
        command.args(self.bound_to_files(&topics).iter().flat_map(|source| ["--set", source]));
        let ended = Running::start(command, dir, "files").end(LIMIT);
        self.left(&out, ended)
    }

    /// The same from Kafka, once all rows are there that files gave.
    fn run_kafka(&self, kafka: &KafkaServer, dir: &Path, expected: &Left) -> Left {
        let (topics, out) = (dir.join("topics"), dir.join("kafka"));
        self.make_topics(kafka, &topics);
        let brokers = kafka.brokers();
        let write = |data_sets: &[(&str, &str)]| {
            for (data_set, options) in data_sets {
                self.generate(dir, data_set, options, &["--kafka", &brokers]);
            }
        };
        let (first, then) = self.generated.split_at(usize::from(self.first.is_some()));
        write(first);
        let mut command = self.bound("cluster", &out);
        command.args(["-n", "2", "-w", self.threads, "--from", "earliest"]);
        command.args(["--set", "source.\"*\".idle_timeout=\"off\""]);
        command.env("KAFKA_BOOTSTRAP_SERVERS", &brokers).env("TRIGGER_INTERVAL", "200 ms");
        let running = Running::start(command, dir, "from-kafka");
        if let Some(topic) = self.first {
            until(LIMIT, || self.is_read(kafka, topic));
        }
        write(then);
        let producer = Producer::new(&brokers, &Default::default()).unwrap();
        for (topic, partition) in self.last_places(&topics) {
            let (topic, value) = (topic.as_str(), Some(self.last.as_bytes()));
            let last = Outgoing { topic, partition, key: None, value, time: Some(LAST) };
            producer.send(last).unwrap();
        }
        producer.flush().unwrap();
        let begun = Instant::now();
        while let Some(view) = expected.missing(&out, &running.out()) {
            let said = || format!("{}: not all rows of {view}\n{}", self.name, running.err());
            assert!(begun.elapsed() < LIMIT, "{}", said());
            sleep(Duration::from_millis(50));
        }
        running.signal("TERM");
        self.left(&out, running.end(LIMIT))
    }

    /// A command that writes the rows of all views into files of a folder, or to its output where
    /// there are no final rows.
    fn bound(&self, command: &str, out: &Path) -> Command {
        let overlay = format!("{}.kafka.toml", self.name);
        let mut bound = highwater();
        bound.args([command, self.name, "-c", &overlay, "--set", "dead_letters={blackhole={}}"]);
        bound.args(without_alerts(self.name).into_iter().flat_map(|quiet| ["--set", quiet]));
        for (view, is_table) in self.views() {
            let path = out.join(format!("{view}.csv"));
            let sink = match is_table {
                false => format!("{{file={{path={path:?}}},rows=\"final\"}}"),
                true => "{console={format=\"json\"}}".into(),
            };
            bound.args(["--set", &format!("sink.{view}={sink}")]);
        }
        bound
    }

    fn left(&self, out: &Path, ended: Ended) -> Left {
        let Ended { code, out: shown, err } = ended;
        assert_eq!(code, Some(0), "{}: {err}", self.name);
        assert!(!err.contains("panicked"), "{}: {err}", self.name);
        let views = self.views().into_iter().filter(|(_, is_table)| !is_table);
        let rows = views.map(|(view, _)| (lines(&out.join(format!("{view}.csv"))), view));
        let ledgers = self.ports().into_iter().map(|Port { name, .. }| {
            let sums = [0, 1, 2, 3, 4].map(|column| ledger(&err, &name, column));
            (name, sums)
        });
        Left {
            rows: rows.map(|(rows, view)| (view, rows)).collect(),
            changes: changes(&shown),
            ledgers: ledgers.collect(),
        }
    }

    /// Makes the topics with the partitions that files have; a system before this one may have had
    /// topics of the same names. They have no settings: what is written seems to be old.
    fn make_topics(&self, kafka: &KafkaServer, topics: &Path) {
        let admin = Admin::new(&kafka.brokers(), &Default::default()).unwrap();
        let files = fs::read_dir(topics).unwrap().map(|entry| entry.unwrap().file_name());
        let mut partitions: BTreeMap<String, u32> = BTreeMap::new();
        for file in files {
            let file = file.into_string().unwrap();
            *partitions.entry(file.rsplit_once('-').unwrap().0.into()).or_default() += 1;
        }
        for (topic, partitions) in partitions {
            admin.delete_topic(&topic).unwrap();
            until(LIMIT, || admin.partitions(&topic).unwrap() == 0);
            assert_eq!(admin.create_topic(&topic, partitions).unwrap(), partitions);
        }
    }

    /// The partitions whose records have an event time: each gets a last record.
    fn last_places(&self, topics: &Path) -> Vec<(String, u32)> {
        let mut places = Vec::new();
        for Port { topic, .. } in self.ports() {
            let is_there = |at: &u32| topics.join(format!("{topic}-{at}.jsonl")).exists();
            let partitions = (0..).take_while(is_there).filter(|_| Some(&*topic) != self.first);
            places.extend(partitions.map(|at| (topic.clone(), at)));
        }
        places
    }

    /// Whether all sinks have seen what a topic holds.
    fn is_read(&self, kafka: &KafkaServer, topic: &str) -> bool {
        let port = self.ports().into_iter().find(|port| port.topic == topic).unwrap();
        let group = kafka.describe_group(&port.group).unwrap_or_default();
        let words = group.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut lags = words.filter(|words| words.get(1) == Some(&topic)).map(|words| words[5]);
        lags.next() == Some("0") && lags.all(|lag| lag == "0")
    }
}

impl Left {
    /// A view of which something is missing as far as a run has come.
    fn missing(&self, out: &Path, shown: &str) -> Option<&str> {
        let there = |view: &str| lines(&out.join(format!("{view}.csv.partial")));
        let incomplete = self.rows.iter().find(|(view, rows)| there(view) != **rows);
        let incomplete = incomplete.map(|(view, _)| view.as_str());
        incomplete.or_else(|| (changes(shown) != self.changes).then_some("what changes"))
    }
}

/// The lines of a file but for those about the last day, sorted; none if it is not there. The key
/// of a record, which files do not have, is left out.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let has_key = text.starts_with("key,");
    let without_key = |line: &str| line.split_once(',').map_or(String::new(), |(_, of)| of.into());
    let lines = unstamped(&text).into_iter().filter(|line| !line.contains(LAST_DAY));
    let lines = lines.map(|line| if has_key { without_key(line) } else { line.into() });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

/// The last change of each key, in the order of writing; rows about the last day apart.
fn changes(shown: &str) -> BTreeMap<String, Value> {
    let documents = shown.lines().filter(|line| !line.contains(LAST_DAY));
    let documents = documents.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let keyed = documents.map(|row| {
        let key = ["view", "symbol_b", "window_start"].map(|name| row[name].to_string());
        (key.join(" "), row)
    });
    keyed.collect()
}
