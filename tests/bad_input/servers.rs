//! What only real servers have: records without a value, topics without records, tables that
//! cannot hold a row whose key is NULL.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::lateness::Ledger;
use highwater::letter::Reason;
use highwater::runtime::{Job, Stop, Workers, run};
use highwater::source::kafka::{Admin, ClientSettings, Outgoing, Producer};
use highwater::testing::{KafkaServer, PostgresServer, Scratch};
use highwater::text::Text;
use highwater_dataflows::DATAFLOWS;
use serde_json::Value;

use crate::binary::run_in;
use crate::systems;

/// Key and value of a record.
type Sent = (Option<&'static [u8]>, Option<&'static [u8]>);

/// Partitions of the topics.
const PARTITIONS: u32 = 2;

/// All jobs of all systems, but for the archives, with every source bound to one topic.
fn jobs(brokers: &str, topic: &str) -> Vec<Arc<Job>> {
    let systems: BTreeSet<&str> = DATAFLOWS.iter().map(|dataflow| dataflow.system).collect();
    let jobs = systems.into_iter().flat_map(|system| {
        let dataflow = systems::dataflows(system).next().unwrap();
        let file: toml::Table = dataflow.file.1.parse().unwrap();
        let mut overlay = String::from("[sink.\"*\"]\nblackhole = {}\n");
        for port in file["source"].as_table().unwrap().keys().filter(|port| *port != "*") {
            let kafka =
                format!("{{ topic = \"{topic}\", brokers = \"{brokers}\", start = \"earliest\" }}");
            writeln!(overlay, "[source.\"{port}\"]\nkafka = {kafka}").unwrap();
        }
        for view in file["sink"].as_table().unwrap().keys().filter(|view| *view != "*") {
            writeln!(overlay, "[sink.{view}]\nblackhole = {{}}").unwrap();
        }
        systems::jobs(system, &[("bad.toml", &overlay)])
    });
    jobs.collect()
}

/// Runs jobs with two workers until each partition of each source has been read to some offset, and
/// a second longer.
fn run_to(jobs: &[Arc<Job>], ends: [i64; PARTITIONS as usize]) {
    let (stop, boards) = (Stop::new(), jobs.to_vec());
    let asks = stop.clone();
    let watch = std::thread::spawn(move || {
        let begun = Instant::now();
        let is_read = || {
            boards.iter().all(|job| {
                let partitions = job.board.partitions();
                let sources = job.plan().unwrap().source_names().len();
                partitions.len() == sources * ends.len()
                    && partitions.iter().all(|((_, id), partition)| {
                        let end = ends[*id as usize];
                        partition.next_offset.unwrap_or(0) >= end
                    })
            })
        };
        while !is_read() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(1));
        asks.ask();
    });
    run(jobs.to_vec(), &Workers::threads(2), &stop).unwrap();
    watch.join().unwrap();
}

fn topic(kafka: &KafkaServer, name: &str, records: &[Sent]) {
    let settings = ClientSettings::default();
    Admin::new(&kafka.brokers(), &settings).unwrap().create_topic(name, PARTITIONS).unwrap();
    let producer = Producer::new(&kafka.brokers(), &settings).unwrap();
    for (key, value) in records {
        let (key, value) = (*key, *value);
        producer.send(Outgoing { topic: name, partition: 0, key, value, time: None }).unwrap();
    }
    producer.flush().unwrap();
}

#[test]
fn topics_without_records_are_read_and_left_by_every_job() {
    let Some(kafka) = KafkaServer::shared() else { return };
    topic(kafka, "bad-input.nothing", &[]);
    let jobs = jobs(&kafka.brokers(), "bad-input.nothing");
    run_to(&jobs, [0, 0]);
    for job in jobs {
        assert_eq!(job.board.ledger(), Default::default(), "{}", job.name);
        assert_eq!(job.board.partitions().len() % PARTITIONS as usize, 0, "{}", job.name);
        assert!(!job.board.partitions().is_empty(), "{}", job.name);
        assert_eq!((job.board.rows(), job.board.letter_counts().len()), (0, 0), "{}", job.name);
    }
}

#[test]
fn records_without_a_value_are_letters_of_every_job() {
    let Some(kafka) = KafkaServer::shared() else { return };
    let records: [Sent; 6] = [
        (None, None),
        (Some(b"key"), None),
        (Some(b"key"), Some(b"")),
        (None, Some(b"\xff")),
        (None, Some("\u{feff}[{},{}]".as_bytes())),
        (None, Some(b"{")),
    ];
    topic(kafka, "bad-input.records", &records);
    let jobs = jobs(&kafka.brokers(), "bad-input.records");
    run_to(&jobs, [6, 0]);
    for job in jobs {
        let letters = job.board.letter_counts();
        let count = |source: &Text, reason| {
            letters.get(&(source.clone(), reason)).copied().unwrap_or_default()
        };
        for ((source, partition), board) in job.board.partitions() {
            let place = format!("{}, {source} {partition}", job.name);
            let ledger = board.ledger;
            if source == "polymarket_metadata" {
                // A table: what has a key and no value deletes a row, and no row needs a time.
                let expected = if partition == 0 { (7, 4, 3) } else { (0, 0, 0) };
                assert_eq!((ledger.read, ledger.used, ledger.dead), expected, "{place}");
                let reasons = [Reason::Tombstone, Reason::BadUtf8, Reason::BadJson];
                assert_eq!(reasons.map(|reason| count(&source, reason)), [1; 3], "{place}");
                continue;
            }
            let records = if partition == 0 { 7 } else { 0 };
            let expected = Ledger { read: records, dead: records, ..Ledger::default() };
            assert_eq!(ledger, expected, "{place}");
            let reasons = [Reason::Tombstone, Reason::NoEventTime];
            assert_eq!(reasons.map(|reason| count(&source, reason)), [2; 2], "{place}");
            let reasons = [Reason::NotAnObject, Reason::BadUtf8, Reason::BadJson];
            assert_eq!(reasons.map(|reason| count(&source, reason)), [1; 3], "{place}");
        }
    }
}

/// A job, a port, two records of which the second has no key, a view, and the column of its key.
struct Keyed {
    args: &'static [&'static str],
    port: &'static str,
    records: [&'static str; 2],
    view: &'static str,
    key: &'static str,
}

const KEYED: &[Keyed] = &[
    Keyed {
        args: &["chat"],
        port: "chat",
        records: [
            r#"{"timestamp":"2026-03-01T12:00:01Z","stream_id":"s","user_id":"u","message":"hi"}"#,
            r#"{"timestamp":"2026-03-01T12:00:02Z","stream_id":null,"user_id":"u","message":"hi"}"#,
        ],
        view: "chat_summary_minute",
        key: "stream_id",
    },
    Keyed {
        args: &["elearning", "auth"],
        port: "auth",
        records: [
            r#"{"timestamp":"2026-03-01 12:00:01","action":"LOGIN","user_id":"SV001"}"#,
            r#"{"timestamp":"2026-03-01 12:00:02","action":"LOGIN"}"#,
        ],
        view: "auth_realtime_session_activity",
        key: "user_id",
    },
    Keyed {
        args: &["campus"],
        port: "video",
        records: [
            r#"{"timestamp":"2026-03-01 12:00:01","event_type":"VIDEO_WATCHED","user_id":"SV001",
                "event_category":"VIDEO","video_id":"VID001","watch_duration_seconds":5}"#,
            r#"{"timestamp":"2026-03-01 12:00:02","event_type":"VIDEO_WATCHED","user_id":"SV001",
                "event_category":"VIDEO","watch_duration_seconds":5}"#,
        ],
        view: "video_engagement",
        key: "video_id",
    },
    Keyed {
        args: &["market"],
        port: "binance",
        records: [
            r#"{"snapshot_time":1772366401000,"symbol":"BTCUSDT","close":5.5}"#,
            r#"{"snapshot_time":1772366402000,"symbol":null,"close":5.5}"#,
        ],
        view: "binance",
        key: "symbol",
    },
    Keyed {
        args: &["shop"],
        port: "events",
        records: [
            r#"{"timestamp":"2026-03-01T12:00:01+00:00","event_type":"search","user_id":"u"}"#,
            r#"{"timestamp":"2026-03-01T12:00:02+00:00","event_type":"search"}"#,
        ],
        view: "user_activity",
        key: "user_id",
    },
];

#[test]
fn a_row_without_its_key_is_a_letter_of_a_table_and_a_row_elsewhere() {
    let Some(kafka) = KafkaServer::shared() else { return };
    let Some(database) = PostgresServer::shared() else { return };
    KEYED.iter().for_each(|keyed| check_keyed(keyed, kafka, database));
}

fn check_keyed(keyed: &Keyed, kafka: &KafkaServer, database: &PostgresServer) {
    let Keyed { args, view, key, .. } = keyed;
    let dir = Scratch::new("null-keys");
    let (table, topic) = (format!("null_keys_{view}"), format!("null-keys.{view}"));
    let config = keyed_config(keyed, &kafka.brokers(), &database.url(), &table, &topic);
    fs::write(dir.path().join("keyed.toml"), config).unwrap();
    fs::write(dir.path().join("empty.jsonl"), "").unwrap();
    let records = keyed.records.map(|record| record.replace('\n', " ") + "\n").concat();
    fs::write(dir.path().join("records.jsonl"), records).unwrap();
    let with = |command: &[&'static str], rest: &[&'static str]| {
        let line = [command, args, &["-c", "keyed.toml"], rest].concat();
        let ended = run_in(dir.path(), &line);
        assert_eq!(ended.code, Some(0), "{line:?}: {}", ended.stderr);
        ended
    };
    with(&["check"], &["--create"]);
    let ended = with(&["run"], &["-w", "2"]);

    let lines = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(dir.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let rows = lines("rows.jsonl");
    let without = rows.iter().filter(|row| row[key].is_null()).count();
    assert!(0 < without && without < rows.len(), "{view}: {rows:?}");
    let letters = lines("letters.jsonl");
    assert_eq!(letters.len(), without, "{view}: {letters:?}");
    for letter in letters {
        assert_eq!(letter["reason"], "null_key", "{letter}");
        assert_eq!(letter["place"], *view, "{letter}");
        let detail = letter["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("`{key}` is NULL and part of the key")), "{detail}");
    }
    let stored = database.query(&format!("SELECT {key} FROM {table}")).unwrap();
    assert_eq!(stored.len(), rows.len() - without, "{view}");
    let admin = Admin::new(&kafka.brokers(), &ClientSettings::default()).unwrap();
    let sent: i64 = admin.end_offsets(&topic).unwrap().values().sum();
    assert_eq!(sent as usize, rows.len(), "{view}");
    // Key columns and the window come first in a line.
    let shown =
        ended.stdout.lines().filter(|line| line.split_whitespace().take(2).any(|w| w == "-"));
    assert_eq!(shown.count(), without, "{}", ended.stdout);
    // The records were used; it is their rows that one of the sinks cannot store.
    let used = ["2", "2", "0", "0", "0"];
    let ledger = ended.stderr.lines().find(|line| line.starts_with(&format!("  {} ", keyed.port)));
    let found: Vec<&str> = ledger.unwrap().split_whitespace().skip(2).collect();
    assert_eq!(found, used, "{}", ended.stderr);
}

/// Two records for a view with four sinks; everything else reads and writes nothing.
fn keyed_config(keyed: &Keyed, brokers: &str, url: &str, table: &str, topic: &str) -> String {
    let dataflow = DATAFLOWS.iter().find(|dataflow| dataflow.system == keyed.args[0]).unwrap();
    let file: toml::Table = dataflow.file.1.parse().unwrap();
    let mut config = String::from("[sink.\"*\"]\nblackhole = {}\n");
    for port in file["source"].as_table().unwrap().keys().filter(|port| *port != "*") {
        let path = if *port == keyed.port { "records.jsonl" } else { "empty.jsonl" };
        writeln!(config, "[source.\"{port}\"]\nfile = {{ path = \"{path}\" }}").unwrap();
    }
    let others = file["sink"].as_table().unwrap().keys();
    for view in others.filter(|view| *view != "*" && *view != keyed.view) {
        writeln!(config, "[sink.{view}]\nblackhole = {{}}").unwrap();
    }
    let sinks = [
        format!("postgres = {{ url = \"{url}\", table = \"{table}\" }}"),
        format!("kafka = {{ brokers = \"{brokers}\", topic = \"{topic}\" }}"),
        "file = { path = \"rows.jsonl\" }".into(),
        "console = { rows = 100 }".into(),
    ];
    for sink in sinks {
        writeln!(config, "[[sink.{}]]\n{sink}\nrows = \"final\"", keyed.view).unwrap();
    }
    config + "[dead_letters]\nfile = { path = \"letters.jsonl\" }\n"
}
