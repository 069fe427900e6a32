//! Dead letters after the fact: listed from every store alike, and sent again, each once, however
//! often that is killed; then the job takes them.

mod stores;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use highwater::source::kafka::{Admin, ClientSettings, Outgoing, Producer};
use highwater::testing::{Dice, KafkaServer, Scratch};
use highwater::time::Time;
use serde_json::Value;

use crate::binary::highwater;
use crate::cluster::support::{Ended, Running, ledger};
use crate::topics::values;

const LIMIT: Duration = Duration::from_secs(60);
const TOPIC: &str = "letters.chat";
const PARTITIONS: u32 = 4;

/// Midnight of some day.
const START: i64 = 1_767_225_600;

/// A few events so that the second source of the job ends at once.
const VIEWERS: &str = "source.viewers.generator={dataset=\"chat.viewer\",rate=5,seed=7,events=10,\
                       start=\"2026-01-01T00:00:00Z\"}";

fn event(second: i64, user: i64, padding: usize) -> String {
    let time = Time::from_seconds(START + second);
    let text = "x".repeat(padding);
    format!(r#"{{"timestamp":"{time}","stream_id":"s","user_id":"u{user}","message":"{text}"}}"#)
}

/// The records of a partition that are used as they are; of the others, what is to be sent again.
struct Written {
    used: u64,
    large: Vec<String>,
    early: Vec<String>,
    late: Vec<String>,
}

/// Writes records that are too large for a limit of 600 bytes, elements of arrays that lie an hour
/// ahead of their record, and records that come too late.
fn write(producer: &Producer) -> Written {
    let mut written = Written { used: 0, large: vec![], early: vec![], late: vec![] };
    let send = |partition: u32, value: &str| {
        let (key, value) = (None, Some(value.as_bytes()));
        let time = Some(Time::from_seconds(START));
        producer.send(Outgoing { topic: TOPIC, partition, key, value, time }).unwrap();
    };
    for number in 0..1_500 {
        let value = event(number % 60, number, 700);
        send(number as u32 % PARTITIONS, &value);
        written.large.push(value);
    }
    for number in 0..300 {
        let ahead = event(3_600, number, 0);
        let good = event(number % 60, number, 0);
        let array = match number % 3 {
            0 => format!("[{ahead}, {good}]"),
            1 => format!("[{good},{ahead} ,{good}]"),
            _ => format!(" [\n{good},{good},{ahead}]"),
        };
        send(number as u32 % PARTITIONS, &array);
        written.used += if number % 3 == 0 { 1 } else { 2 };
        written.early.push(ahead);
    }
    for partition in 0..PARTITIONS {
        send(partition, &event(290, 0, 0));
        written.used += 1;
        for number in 0..5 {
            let late = event(0, number, 0);
            send(partition, &late);
            written.late.push(late);
        }
    }
    producer.flush().unwrap();
    written
}

/// Chat from the topic, with its letters in a file.
fn bound(args: &[&str], dir: &Path, server: &KafkaServer) -> Command {
    from(args, dir, server, "earliest")
}

/// The same, from some offsets of the topic on.
fn from(args: &[&str], dir: &Path, server: &KafkaServer, start: &str) -> Command {
    let path = dir.join("letters.csv");
    let brokers = server.brokers();
    let mut command = highwater();
    command.args(args).args(["--set", VIEWERS]);
    for set in [
        format!("source.chat.kafka={{topic=\"{TOPIC}\",brokers=\"{brokers}\",start=\"{start}\"}}"),
        format!("dead_letters.file.path={path:?}"),
        "sink.\"*\".blackhole={}".into(),
        "sink.chat_summary_minute.blackhole={}".into(),
        "sink.moments.blackhole={}".into(),
        "sink.alerts.blackhole={}".into(),
    ] {
        command.args(["--set", &set]);
    }
    command
}

fn done(command: Command, dir: &Path, name: &str) -> Ended {
    let ended = Running::start(command, dir, name).end(LIMIT);
    assert_eq!(ended.code, Some(0), "{name}: {}", ended.err);
    ended
}

fn sorted(parts: &[&Vec<String>]) -> Vec<String> {
    let mut all: Vec<String> = parts.iter().flat_map(|part| part.iter().cloned()).collect();
    all.sort();
    all
}

#[test]
fn letters_are_sent_again_once_however_often_that_is_killed() {
    let Some(server) = KafkaServer::shared() else { return };
    let scratch = Scratch::new("letters");
    let dir = scratch.path();
    let admin = Admin::new(&server.brokers(), &ClientSettings::default()).unwrap();
    for topic in [TOPIC, "letters.late"] {
        admin.create_topic(topic, PARTITIONS).unwrap();
    }
    let written = write(&Producer::new(&server.brokers(), &ClientSettings::default()).unwrap());
    let ends: Vec<(u32, i64)> = admin.end_offsets(TOPIC).unwrap().into_iter().collect();

    let mut job = bound(&["run", "chat", "-w", "2", "--for", "6s"], dir, server);
    job.args(["--set", "source.chat.message_bytes_max=\"600B\""]);
    let first = done(job, dir, "first");
    assert_eq!(ledger(&first.err, "chat", 1), written.used, "{}", first.err);

    // What there is.
    let listed = done(bound(&["letters", "list", "chat", "--json"], dir, server), dir, "list");
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    let count = |reason: &str| {
        let all = listed["counts"].as_array().unwrap().iter();
        let all = all.filter(|count| count["reason"] == reason);
        all.map(|count| count["letters"].as_u64().unwrap()).sum::<u64>()
    };
    let expected = [("too_large", 1_500), ("future", 300), ("late", 20)];
    for (reason, letters) in expected {
        assert_eq!(count(reason), letters, "{reason}: {listed}");
    }

    let replay = |more: &[&str]| {
        let mut command = bound(&["letters", "replay", "chat"], dir, server);
        command.args(["--journal", "letters.journal"]).args(more);
        command
    };
    let dry = done(replay(&["--dry-run"]), dir, "dry").out;
    assert!(dry.contains("1,800 would be sent\n") && dry.contains("20 not sent: late"), "{dry}");
    assert_eq!(values(&server.brokers(), TOPIC, &ends).len(), 0);

    killed(&replay, dir);
    let last = done(replay(&[]), dir, "last").out;
    assert!(!last.contains("1,800 sent"), "what was sent before a kill is sent again: {last}");
    let found = values(&server.brokers(), TOPIC, &ends);
    assert_eq!(found.len(), 1_800);
    assert!(found == sorted(&[&written.large, &written.early]), "not the same records");

    // Once more there is nothing to do; late ones go elsewhere.
    let again = done(replay(&[]), dir, "again").out;
    assert!(again.contains("1,800 sent before") && again.contains("nothing was sent"), "{again}");
    let to = ["--to", "letters.late", "--reason", "late"];
    for sent in ["20 sent\n", "20 sent before"] {
        let late = done(replay(&to), dir, "late").out;
        assert!(late.contains(sent) && !late.contains("late again"), "{late}");
    }
    assert_eq!(values(&server.brokers(), "letters.late", &[]), sorted(&[&written.late]));

    // The job that was mended takes them.
    let start: Vec<String> = ends.iter().map(|(p, offset)| format!("{p}:{offset}")).collect();
    let mut job = from(&["run", "chat", "-w", "2", "--for", "6s"], dir, server, &start.join(","));
    job.args(["--set", "source.chat.future_skew=\"off\"", "--set", "source.chat.lateness=\"1d\""]);
    job.args(["--set", "dead_letters.overwrite=true"]);
    let second = done(job, dir, "second");
    assert_eq!(ledger(&second.err, "chat", 1), 1_800, "{}", second.err);
    assert_eq!(ledger(&second.err, "chat", 3), 0, "{}", second.err);
}

/// Kills a replay at each of its places and at random instants.
fn killed(replay: &impl Fn(&[&str]) -> Command, dir: &Path) {
    for (attempt, place) in [
        "replay.begun=kill@1",
        "replay.half_sent=kill@1",
        "replay.after_commit=kill@1",
        "replay.before_commit=kill@2",
        "replay.before_journal=kill@1",
    ]
    .iter()
    .enumerate()
    {
        let mut command = replay(&[]);
        command.env("HIGHWATER_FAILPOINTS", place);
        let ended = Running::start(command, dir, &format!("place-{attempt}")).end(LIMIT);
        let (name, _) = place.split_once('=').expect("a place");
        let said = ended.err.contains(&format!("failpoint {name}: Kill"));
        assert!(ended.code.is_none() && said, "{place}: {}", ended.err);
    }
    let mut dice = Dice::new();
    for attempt in 0..3 {
        let running = Running::start(replay(&[]), dir, &format!("random-{attempt}"));
        std::thread::sleep(Duration::from_millis(dice.between(20, 300)));
        running.signal("KILL");
        running.end(LIMIT);
    }
}
