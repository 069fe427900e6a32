//! Chat from real Kafka to real PostgreSQL, with both of them failing on the way.
//!
//! Four partitions, two processes of two workers. While the job runs, the broker is killed and
//! comes back, and the database crashes and stays away for ten seconds. In the end the table equals
//! a recomputation from scratch, every record is in the ledger, and Kafka's own tool shows no lag.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use highwater::source::kafka::{Admin, ClientSettings, Outgoing, Producer};
use highwater::testing::{KafkaServer, PostgresServer, Scratch, or_skip};
use highwater::time::Time;

use crate::binary::highwater;
use crate::cluster::support::Running;

const CHAT: &str = "telemetra.events.chat";
const VIEWERS: &str = "telemetra.events.viewer";
const PARTITIONS: u32 = 4;
const STREAMS: u32 = 5;

/// One message: when (seconds), in which stream, from whom.
type Message = (i64, u32, u32);

/// The messages of one stretch of event time, of which each partition gets its share.
fn messages(seconds: std::ops::Range<i64>) -> Vec<(u32, Message)> {
    let each = seconds.flat_map(|second| (0..20).map(move |n| (second, n)));
    each.map(|(second, n)| {
        let mixed = (second as u32).wrapping_mul(2_654_435_761).wrapping_add(n * 40_503) >> 7;
        ((mixed >> 3) % PARTITIONS, (second, mixed % STREAMS, (mixed >> 5) % 60))
    })
    .collect()
}

/// Midnight of some day, in seconds.
const START: i64 = 1_767_225_600;

fn send(producer: &Producer, messages: &[(u32, Message)]) {
    for (partition, (second, stream, user)) in messages {
        let time = Time::from_seconds(START + second);
        let value = format!(
            r#"{{"timestamp":"{time}","stream_id":"s{stream}","user_id":"u{user}","message":"hi"}}"#
        );
        let record = Outgoing {
            topic: CHAT,
            partition: *partition,
            key: None,
            value: Some(value.as_bytes()),
            time: Some(time),
        };
        producer.send(record).expect("the queue has room in time");
    }
    producer.flush().expect("the broker is there");
}

/// Records so late in event time that every window before is over.
fn send_end(producer: &Producer, second: i64) {
    for topic in [CHAT, VIEWERS] {
        for partition in 0..PARTITIONS {
            let time = Time::from_seconds(START + second);
            let value = format!(r#"{{"timestamp":"{time}","stream_id":"end","viewer_count":1}}"#);
            let (key, value, time) = (None, Some(value.as_bytes()), Some(time));
            producer.send(Outgoing { topic, partition, key, value, time }).unwrap();
        }
    }
    producer.flush().expect("the broker is there");
}

/// Count and different users per (stream, window start), for windows that end by `end`.
fn model(messages: &[(u32, Message)], end: i64) -> BTreeMap<(String, i64), (u64, usize)> {
    let mut windows: BTreeMap<(String, i64), (u64, BTreeSet<u32>)> = BTreeMap::new();
    for (_, (second, stream, user)) in messages {
        for start in (-60..*second + 1).filter(|start| start % 10 == 0) {
            if start + 60 > *second && start + 60 <= end {
                let window = windows.entry((format!("s{stream}"), START + start)).or_default();
                window.0 += 1;
                window.1.insert(*user);
            }
        }
    }
    windows.into_iter().map(|(at, (count, users))| (at, (count, users.len()))).collect()
}

fn table(database: &PostgresServer) -> BTreeMap<(String, i64), (u64, usize)> {
    let sql = "SELECT stream_id, extract(epoch FROM window_start)::bigint, chat_count, \
               unique_chatters FROM chat_summary_minute WHERE stream_id <> 'end'";
    let rows = database.query(sql).unwrap_or_default();
    let row = |row: &Vec<String>| {
        let number = |at: usize| row[at].parse::<i64>().expect("a number");
        ((row[0].clone(), number(1)), (number(2) as u64, number(3) as usize))
    };
    rows.iter().map(row).collect()
}

/// Waits until something holds.
fn until(what: &str, job: &mut Running, limit: Duration, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(!job.has_ended(), "the job ended while waiting until {what}");
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn chat_survives_a_killed_broker_and_a_database_that_is_away() {
    let scratch = Scratch::new("chat-end-to-end");
    let started = KafkaServer::start(&scratch.path().join("kafka"));
    let Some(mut kafka) = or_skip(started) else { return };
    let started = PostgresServer::start_in(&scratch.path().join("postgres"));
    let Some(database) = or_skip(started) else { return };
    let producer = make_topics(&kafka);
    let check = bound(&["check", "chat", "--create"], &kafka, &database);
    let checked = Running::start(check, scratch.path(), "check").end(Duration::from_secs(60));
    assert_eq!(checked.code, Some(0), "{}", checked.err);

    // The first stretch; the job reads it.
    let first = messages(0..120);
    send(&producer, &first);
    let flags = ["cluster", "chat", "--from", "earliest", "-n", "2", "-w", "2"];
    let mut job = Running::start(bound(&flags, &kafka, &database), scratch.path(), "chat");
    send_end(&producer, 130);
    let limit = Duration::from_secs(60);
    until("the first rows are in the table", &mut job, limit, || !table(&database).is_empty());

    // The broker dies and comes back; the second stretch.
    kafka.kill();
    std::thread::sleep(Duration::from_secs(2));
    assert!(!job.has_ended(), "a job outlives its broker");
    kafka.restart().expect("the broker comes back");
    let second = messages(140..260);
    send(&producer, &second);

    // The database crashes and stays away for ten seconds; the third stretch is written meanwhile.
    database.crash();
    let third = messages(260..400);
    send(&producer, &third);
    send_end(&producer, 600);
    std::thread::sleep(Duration::from_secs(10));
    assert!(!job.has_ended(), "a job outlives its database");
    database.start().expect("the database comes back");

    let all: Vec<(u32, Message)> = [first, second, third].concat();
    let expected = model(&all, 590);
    let full = || table(&database).len() == expected.len();
    until("the table is full", &mut job, Duration::from_secs(90), full);
    assert_eq!(table(&database), expected);

    // The lag tool of Kafka sees the positions that all sinks have confirmed.
    let group = || kafka.describe_group("telemetra-streaming").unwrap_or_default();
    until("no lag is left", &mut job, limit, || no_lag(&group()));

    job.signal("TERM");
    let ended = job.end(Duration::from_secs(40));
    let said = ended.err;
    assert_eq!(ended.code, Some(0), "{said}");
    assert!(said.contains("were open and stay unwritten"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    // The job noticed that its database was away.
    for alert in ["chat.database", "chat.failed_writes"] {
        let line = format!("WARN alert {alert}: system=chat view=chat_summary_minute");
        assert!(said.contains(&line), "{alert}: {said}");
    }
}

fn make_topics(kafka: &KafkaServer) -> Producer {
    let admin = Admin::new(&kafka.brokers(), &ClientSettings::default()).unwrap();
    for topic in [CHAT, VIEWERS] {
        assert_eq!(admin.create_topic(topic, PARTITIONS).unwrap(), PARTITIONS);
    }
    Producer::new(&kafka.brokers(), &ClientSettings::default()).unwrap()
}

/// A command line that binds chat to both servers.
fn bound(flags: &[&str], kafka: &KafkaServer, database: &PostgresServer) -> Command {
    let mut command = highwater();
    command
        .args(flags)
        .args(["--config", "chat.kafka.toml"])
        .args(["--set", r#"source."*".idle_timeout="off""#])
        .args(["--set", r#"source."*".future_skew="off""#])
        .env("KAFKA_BOOTSTRAP_SERVERS", kafka.brokers())
        .env("POSTGRES_URL", database.url())
        .env("POSTGRES_USER", "highwater")
        .env("TRIGGER_INTERVAL", "1 second");
    command
}

/// Whether each partition of both topics is read to its end.
fn no_lag(group: &str) -> bool {
    let partitions = group.lines().filter(|line| line.contains("telemetra.events"));
    let lags: Vec<&str> = partitions.filter_map(|line| line.split_whitespace().nth(5)).collect();
    lags.len() == 2 * PARTITIONS as usize && lags.iter().all(|lag| *lag == "0")
}
