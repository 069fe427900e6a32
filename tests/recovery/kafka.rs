//! Topics over kills of the job: who reads what is committed finds each row once.

use std::path::Path;
use std::time::{Duration, Instant};

use highwater::testing::{Dice, KafkaServer, Scratch};

use super::{LIMIT, calm, create, kept, killed_when_ready, manifests};
use crate::binary::highwater;
use crate::cluster::support::Running;
use crate::topics::records;

/// A job takes a second or two before it delivers: slower than elsewhere, it is killed as often.
const RATE: &str = "source.\"*\".max_rate_per_partition=900";

/// Final rows of updates, rows that are final at once, letters.
const TOPICS: [(&str, &str); 3] =
    [("sink.chat_summary_minute", "rows=\"final\","), ("sink.moments", ""), ("dead_letters", "")];

fn topic(run: &str, port: &str) -> String {
    format!("recovery.{run}.{}", port.rsplit('.').next().unwrap_or(port))
}

/// Bindings of the topics of a run.
fn sinks(server: &KafkaServer, run: &str, more: &str) -> Vec<String> {
    let bind = |(port, rows): &(&str, &str)| {
        let (topic, brokers) = (topic(run, port), server.brokers());
        format!("{port}={{{rows}{more}kafka={{topic=\"{topic}\",brokers=\"{brokers}\"}}}}")
    };
    TOPICS.iter().map(bind).collect()
}

/// The epoch of the last checkpoint, if there is one yet.
fn newest(dir: &Path) -> Option<u64> {
    let there = dir.join("checkpoints/chat").is_dir();
    there.then(|| manifests(dir)).and_then(|epochs| epochs.last().copied())
}

#[test]
fn records_are_committed_once_whenever_the_job_is_killed() {
    let Some(server) = KafkaServer::shared() else { return };
    let scratch = Scratch::new("kafka-calm");
    let plain = sinks(server, "calm", "");
    create(scratch.path(), &plain);
    calm(scratch.path(), &plain);

    let dir = Scratch::new("kafka-killed");
    let mut killed = sinks(server, "killed", "exactly_once=true,");
    create(dir.path(), &killed);
    killed.push(RATE.into());
    let start = |workers: u64| {
        let mut command = highwater();
        command.args(["run", "chat", "-w", &workers.to_string()]);
        kept(command, dir.path(), &killed)
    };
    // Two attempts of three are left alone until they have made a checkpoint.
    let wait = |kills: u32, running: &mut Running| {
        let (before, deadline) = (newest(dir.path()), Instant::now() + LIMIT);
        while !kills.is_multiple_of(3) && newest(dir.path()) <= before && !running.has_ended() {
            assert!(Instant::now() < deadline, "attempt {kills} made no checkpoint");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    killed_when_ready((dir.path(), &mut Dice::new(), 8), wait, start);
    for (port, _) in TOPICS {
        let expected = records(&server.brokers(), &topic("calm", port), &[]);
        let found = records(&server.brokers(), &topic("killed", port), &[]);
        assert!(!expected.is_empty(), "{port}");
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
        let mut twice = found.windows(2).filter(|pair| pair[0] == pair[1]);
        let (is, was, twice) = (found.len(), expected.len(), twice.next());
        assert!(found == expected, "{port}: {is} of {was}; missing {missing:?}; twice {twice:?}");
    }
}
