//! Transactions that are left open: by a job that dies in one, which keeps readers waiting until
//! `highwater txn abort`, and by one that is stopped for longer than brokers wait.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use highwater::source::kafka::{Admin, ClientSettings};
use highwater::testing::{KafkaServer, Scratch, or_skip};
use serde_json::Value;

use crate::binary::highwater;
use crate::cluster::support::{Ended, Running, until};
use crate::topics::values;

const LIMIT: Duration = Duration::from_secs(90);

const CHAT: &str = "source.chat.generator={dataset=\"chat.chat\",seed=7,burst=\"1m\",rate=100,\
                    keys=20,events=12000,start=\"2026-01-01T00:00:00Z\"}";

const VIEWERS: &str = "source.viewers.generator={dataset=\"chat.viewer\",rate=5,seed=7,events=600,\
                       start=\"2026-01-01T00:00:00Z\"}";

/// Chat, of which one view goes to a topic of its own and all else to nowhere.
fn bound(args: &[&str], server: &KafkaServer, (view, topic): (&str, &str), more: &str) -> Command {
    let mut command = highwater();
    command.args(args).args(["--set", CHAT, "--set", VIEWERS]);
    command.args(["--set", "source.\"*\".max_rate_per_partition=1500"]);
    for other in ["chat_summary_minute", "moments", "alerts"].iter().filter(|name| **name != view) {
        command.args(["--set", &format!("sink.{other}.blackhole={{}}")]);
    }
    let brokers = server.brokers();
    let kafka = format!("kafka={{topic=\"{topic}\",brokers=\"{brokers}\"{more}}}");
    let exactly = if more.is_empty() { "" } else { "exactly_once=true," };
    command.args(["--set", &format!("sink.{view}={{rows=\"final\",{exactly}{kafka}}}")]);
    command
}

fn kept(command: &mut Command, dir: &Path) {
    let path = format!("checkpoint.path={:?}", dir.join("checkpoints"));
    command.args(["--set", &path, "--set", "checkpoint.every=100ms"]);
}

fn ended(command: Command, dir: &Path, name: &str, code: i32) -> Ended {
    let ended = Running::start(command, dir, name).end(LIMIT);
    assert_eq!(ended.code, Some(code), "{name}: {}", ended.err);
    ended
}

/// What `highwater txn` answers, about a job of which one view goes to a topic by transactions.
fn txn(
    args: &[&str],
    server: &KafkaServer,
    view: (&str, &str),
    (dir, code): (&Path, i32),
) -> Ended {
    let mut command = bound(args, server, view, ",transaction_timeout=\"10m\"");
    kept(&mut command, dir);
    ended(command, dir, "txn", code)
}

#[test]
fn an_open_transaction_is_named_and_ended_and_one_that_takes_too_long_is_made_again() {
    let scratch = Scratch::new("txn");
    let started = KafkaServer::start(&scratch.path().join("kafka"));
    let Some(server) = or_skip(started) else { return };
    let admin = Admin::new(&server.brokers(), &ClientSettings::default()).unwrap();
    for topic in ["txn-dead", "txn-dead-calm", "txn-late", "txn-late-calm"] {
        admin.create_topic(topic, 2).unwrap();
    }
    stopped_for_longer_than_brokers_wait(&server);
    let dir = Scratch::new("txn-dead");
    let view = ("chat_summary_minute", "txn-dead");

    // A job dies within a transaction, which nobody ends by itself for ten minutes.
    let mut job = bound(&["run", "chat", "-w", "2"], &server, view, ",transaction_timeout=\"10m\"");
    kept(&mut job, dir.path());
    job.env("HIGHWATER_FAILPOINTS", "kafka.before_marker=kill@6");
    let killed = Running::start(job, dir.path(), "killed").end(LIMIT);
    assert!(
        killed.code.is_none() && killed.err.contains("kafka.before_marker: Kill"),
        "{killed:?}"
    );
    let committed = values(&server.brokers(), "txn-dead", &[]);
    assert!(stands(&server, view, dir.path()), "readers stand still");
    let said = txn(&["txn", "list", "chat"], &server, view, (dir.path(), 0)).out;
    for words in [
        "chat, sink chat_summary_minute: topic txn-dead on ",
        "readers of what is committed stand at ",
        "since about 2",
        "highwater.chat.chat_summary_minute.0",
        "highwater.chat.chat_summary_minute.1",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // As far as checkpoints tell, the job may run.
    let refused = txn(&["txn", "abort", "chat"], &server, view, (dir.path(), 65));
    assert!(refused.err.contains("it may run") && refused.err.contains("--force"), "{refused:?}");

    let aborted = loop {
        let command = |args: &[&str]| {
            let mut command = bound(args, &server, view, ",transaction_timeout=\"10m\"");
            kept(&mut command, dir.path());
            command
        };
        let abort = Running::start(command(&["txn", "abort", "chat"]), dir.path(), "abort");
        let abort = abort.end(LIMIT);
        match abort.code {
            Some(65) => std::thread::sleep(Duration::from_secs(1)),
            _ => break abort,
        }
    };
    assert_eq!(aborted.code, Some(0), "{}", aborted.err);
    assert!(aborted.out.contains("topic txn-dead: readers go on"), "{}", aborted.out);
    assert!(!stands(&server, view, dir.path()), "readers are free");
    // What the other shard had committed behind it is seen now, too.
    let freed = values(&server.brokers(), "txn-dead", &[]);
    assert!(committed.iter().all(|row| freed.contains(row)), "{} rows", freed.len());
    let nothing = txn(&["txn", "list", "chat"], &server, view, (dir.path(), 0)).out;
    assert!(nothing.contains("nothing is open"), "{nothing}");

    // The job goes on, and each row is there once.
    let mut job = bound(&["run", "chat", "-w", "2"], &server, view, ",transaction_timeout=\"10m\"");
    kept(&mut job, dir.path());
    ended(job, dir.path(), "second", 0);
    assert_calm(&server, "chat_summary_minute", "txn-dead");
}

/// Compares a topic with that of a run without a fault and without transactions.
fn assert_calm(server: &KafkaServer, view: &str, topic: &str) {
    let (dir, calm) = (Scratch::new("txn-calm"), format!("{topic}-calm"));
    ended(bound(&["run", "chat", "-w", "2"], server, (view, &calm), ""), dir.path(), "calm", 0);
    let expected = values(&server.brokers(), &calm, &[]);
    let found = values(&server.brokers(), topic, &[]);
    assert!(!expected.is_empty() && found == expected, "{} of {}", found.len(), expected.len());
}

/// Whether readers of the topic stand still, as `txn list` says.
fn stands(server: &KafkaServer, view: (&str, &str), dir: &Path) -> bool {
    let listed = txn(&["txn", "list", "chat", "--json"], server, view, (dir, 0)).out;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let place = listed.as_array().expect("places").first().expect("a place");
    assert_eq!(place["topic"], view.1);
    !place["stalls"].as_array().expect("stalls").is_empty()
}

/// A process that is stopped within a transaction until brokers have ended that: its rows are
/// delivered again, once.
fn stopped_for_longer_than_brokers_wait(server: &KafkaServer) {
    let (dir, view) = (Scratch::new("txn-late"), ("chat_summary_minute", "txn-late"));
    let mut job = bound(&["run", "chat", "-w", "2"], server, view, ",transaction_timeout=\"1s\"");
    kept(&mut job, dir.path());
    job.env("HIGHWATER_FAILPOINTS", "kafka.before_commit=stop@4");
    let job = Running::start(job, dir.path(), "stopped");
    until(LIMIT, || job.err().contains("failpoint kafka.before_commit: Stop at passage 4"));
    until(LIMIT, || !stands(server, view, dir.path()));
    job.signal("CONT");
    let ended = job.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_calm(server, view.0, "txn-late");
}
