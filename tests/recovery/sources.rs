//! Topics that are no longer what a checkpoint says of them: the job ends with a plain message and
//! changes nothing, or counts what is lost if it was told to.

use std::path::Path;
use std::time::Duration;

use highwater::source::kafka::{Admin, ClientSettings, Outgoing, Producer};
use highwater::testing::{KafkaServer, Scratch};
use highwater::time::Time;

use super::{LIMIT, VIEWERS, manifests};
use crate::binary::{highwater, run_in};
use crate::cluster::support::{Ended, Running};

const TOPIC: &str = "faults.chat";

fn write(server: &KafkaServer, partitions: u32, numbers: std::ops::Range<i64>) {
    let producer = Producer::new(&server.brokers(), &ClientSettings::default()).unwrap();
    for (partition, number) in numbers.flat_map(|n| (0..partitions).map(move |p| (p, n))) {
        let time = Time::from_seconds(1_767_225_600 + number);
        let value = format!(r#"{{"timestamp":"{time}","stream_id":"s","user_id":"u"}}"#);
        let (key, value, time) = (None, Some(value.as_bytes()), Some(time));
        producer.send(Outgoing { topic: TOPIC, partition, key, value, time }).unwrap();
    }
    producer.flush().unwrap();
}

/// Chat from the topic for some seconds, with checkpoints.
fn run(dir: &Path, server: &KafkaServer, more: &str) -> Ended {
    let mut command = highwater();
    command.args(["run", "chat", "-w", "2", "--for", "4s"]);
    let kafka = format!("kafka={{topic=\"{TOPIC}\",brokers=\"{}\"}}", server.brokers());
    let path = format!("checkpoint.path={:?}", dir.join("checkpoints"));
    for set in [
        &*format!("source.chat={{{kafka}{more}}}"),
        VIEWERS,
        &path,
        "checkpoint.every=100ms",
        "sink.chat_summary_minute.blackhole={}",
        "sink.moments.blackhole={}",
        "sink.alerts.blackhole={}",
        "dead_letters.blackhole={}",
    ] {
        command.args(["--set", set]);
    }
    Running::start(command, dir, "run").end(LIMIT)
}

#[test]
fn a_topic_that_is_not_that_of_the_checkpoint_is_refused_and_lost_positions_are_counted_if_told() {
    let Some(server) = KafkaServer::shared() else { return };
    let scratch = Scratch::new("faults");
    let dir = scratch.path();
    let admin = Admin::new(&server.brokers(), &ClientSettings::default()).unwrap();
    admin.create_topic(TOPIC, 2).unwrap();
    write(server, 2, 0..200);
    let first = run(dir, server, "");
    assert_eq!(first.code, Some(0), "{}", first.err);
    let refused = |words: &str| {
        let before = manifests(dir);
        let ended = run(dir, server, "");
        assert_eq!(ended.code, Some(65), "{words}: {}", ended.err);
        assert!(ended.err.contains(words) && ended.err.contains("hint: "), "{}", ended.err);
        assert!(before.iter().all(|epoch| manifests(dir).contains(epoch)), "checkpoints stay");
    };

    // Retention overtakes the job while it is away.
    write(server, 2, 200..300);
    admin.delete_records(TOPIC, 0, 250).unwrap();
    refused("position 200 of faults.chat/0 is no longer there: the first kept is 250");
    let counted = run(dir, server, ",data_loss=\"count\"");
    assert_eq!(counted.code, Some(0), "{}", counted.err);
    let inspected = run_in(dir, &["inspect", "checkpoints", "--json"]).stdout;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).expect("a manifest");
    let ledgers = inspected["sources"]["chat"].as_array().expect("partitions").iter();
    let counts: Vec<_> = ledgers
        .map(|mark| ["read", "gaps"].map(|name| mark["ledger"][name].as_u64().unwrap()))
        .collect();
    assert_eq!(counts, [[250, 50], [300, 0]], "{inspected}");

    // A topic of the same name, with more records than the old one: no offset betrays it.
    let anew = |partitions: u32| {
        admin.delete_topic(TOPIC).unwrap();
        let deadline = std::time::Instant::now() + LIMIT;
        while admin.partitions(TOPIC) != Ok(0) {
            assert!(std::time::Instant::now() < deadline, "the topic is not deleted");
            std::thread::sleep(Duration::from_millis(50));
        }
        admin.create_topic(TOPIC, partitions).unwrap();
        write(server, partitions, 0..1_000);
    };
    anew(2);
    refused("source `chat`: what it reads was deleted and made anew since the checkpoint");
    anew(1);
    refused("source `chat`: it had 2 partitions at the checkpoint and now has 1");
}
