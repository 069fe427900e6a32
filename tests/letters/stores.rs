//! The same letters in each store that keeps them.

use std::path::Path;
use std::process::Command;

use highwater::source::kafka::{Admin, ClientSettings};
use highwater::testing::{KafkaServer, PostgresServer, Scratch};
use serde_json::Value;

use super::{VIEWERS, done};
use crate::binary::highwater;
use crate::cluster::support::Running;

const CHAT: &str = "source.chat.generator={dataset=\"chat.chat\",seed=7,disorder=\"3s\",late=0.02,\
                    bad_json=0.02,rate=100,events=3000,\
                    start=\"2026-01-01T00:00:00Z\"}";

fn bound(args: &[&str], letters: &str) -> Command {
    let mut command = highwater();
    command.args(args).args(["--set", CHAT, "--set", VIEWERS, "--set", letters]);
    for view in ["chat_summary_minute", "moments", "alerts"] {
        command.args(["--set", &format!("sink.{view}.blackhole={{}}")]);
    }
    command
}

/// All letters of a store, sorted, and how many there are of each kind.
fn listed(dir: &Path, letters: &str) -> (Vec<String>, Value) {
    let checked = done(bound(&["check", "chat", "--create"], letters), dir, "check");
    assert!(!checked.err.contains("error"), "{}", checked.err);
    done(bound(&["run", "chat", "-w", "2"], letters), dir, "run");
    let all = ["letters", "list", "chat", "--json", "--show", "100000"];
    let out = done(bound(&all, letters), dir, "list").out;
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    let mut shown: Vec<String> =
        listed["shown"].as_array().expect("letters").iter().map(Value::to_string).collect();
    shown.sort();
    assert_eq!(listed["letters"], shown.len());
    let mut counts = listed["counts"].clone();
    // Which letter is the first one depends on the order of the store.
    counts.as_array_mut().expect("counts").iter_mut().for_each(|count| {
        count["detail"] = Value::Null;
    });
    (shown, counts)
}

#[test]
fn letters_are_the_same_from_every_store() {
    let scratch = Scratch::new("letter-stores");
    let dir = scratch.path();
    let file = |name: &str| format!("dead_letters={{file={{path={:?}}}}}", dir.join(name));
    let (expected, counts) = listed(dir, &file("letters.csv"));
    assert!(20 < expected.len(), "{counts}");
    for reason in ["bad_json", "late"] {
        let is_there = counts.as_array().expect("counts").iter().any(|c| c["reason"] == reason);
        assert!(is_there, "{reason}: {counts}");
    }
    let check = |letters: &str| {
        let (found, kinds) = listed(dir, letters);
        assert!(found == expected, "{letters}: {} of {}", found.len(), expected.len());
        assert_eq!(kinds, counts, "{letters}");
    };
    check(&file("letters.jsonl"));
    check(&file("letters.csv.gz"));
    #[cfg(feature = "parquet")]
    check(&format!("dead_letters={{parquet={{path={:?}}}}}", dir.join("letters")));
    if let Some(server) = PostgresServer::shared() {
        let url = server.url();
        check(&format!("dead_letters={{postgres={{url=\"{url}\",table=\"kept_letters\"}}}}"));
    }
    if let Some(server) = KafkaServer::shared() {
        let brokers = server.brokers();
        Admin::new(&brokers, &ClientSettings::default()).unwrap().create_topic("kept", 3).unwrap();
        check(&format!("dead_letters={{kafka={{topic=\"kept\",brokers=\"{brokers}\"}}}}"));
    }
}

#[test]
fn what_keeps_no_letters_says_so() {
    let scratch = Scratch::new("letter-refusals");
    let dir = scratch.path();
    let check = |args: &[&str], letters: &str, code: i32, words: &str| {
        let ended = Running::start(bound(args, letters), dir, "refused").end(super::LIMIT);
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert!(ended.err.contains(words) && ended.err.contains("hint"), "{}", ended.err);
    };
    let list = ["letters", "list", "chat"];
    check(&list, "source.chat.lateness=\"9s\"", 65, "no [dead_letters] in the files of `chat`");
    check(&list, "dead_letters.console={}", 65, "a `console` sink keeps no letters");
    let missing = format!("dead_letters.file.path={:?}", dir.join("none.csv"));
    check(&list, &missing, 65, "cannot read");
    // Where the source is no topic, nothing is sent, and each letter is counted.
    let path = format!("dead_letters.file.path={:?}", dir.join("letters.csv"));
    done(bound(&["run", "chat"], &path), dir, "run");
    let ended = done(bound(&["letters", "replay", "chat"], &path), dir, "replay");
    assert!(ended.out.contains("not sent: the source is no topic"), "{}", ended.out);
    assert!(ended.out.contains("nothing was sent"), "{}", ended.out);
}
