//! A job that is started while it runs: the second one waits for the first, and goes on from where
//! that has come.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use highwater::testing::Scratch;

use super::{LIMIT, assert_same, chat, manifests, resumed, run, undisturbed};
use crate::binary::highwater;
use crate::cluster::support::{Running, until};

/// How the second one says that it waits.
const IN_USE: &str = "is in use by process";

/// With a short pause between two tries.
fn patient(mut command: Command) -> Command {
    command.args(["--set", "connect.every=\"100ms\""]);
    command
}

/// Waits until a job has made some checkpoints.
fn has_checkpoints(dir: &Path) {
    let there = dir.join("checkpoints/chat");
    until(LIMIT, || there.is_dir() && 2 <= manifests(dir).len());
}

#[test]
fn a_job_that_is_started_twice_runs_once() {
    let (expected, _) = undisturbed(Scratch::new("calm").path());
    let dir = Scratch::new("twice");
    let first = Running::start(run(dir.path(), 2), dir.path(), "first");
    has_checkpoints(dir.path());

    let mut command = run(dir.path(), 1);
    command.args(["--set", "connect.attempts=1"]);
    let refused = Running::start(command, dir.path(), "refused").end(LIMIT);
    assert_eq!(refused.code, Some(75), "{}", refused.err);
    assert!(refused.err.contains(&format!("{IN_USE} {}", first.id())), "{}", refused.err);
    assert!(refused.err.contains("hint: one process at a time"), "{}", refused.err);

    let second = Running::start(patient(run(dir.path(), 3)), dir.path(), "second");
    until(LIMIT, || second.err().contains(IN_USE));
    std::thread::sleep(Duration::from_millis(300));
    first.signal("KILL");
    assert_eq!(first.end(LIMIT).code, None);
    let ended = second.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(resumed(&ended.err).is_some(), "{}", ended.err);
    assert_same(dir.path(), &expected);
}

#[test]
fn of_two_supervisors_of_one_job_the_second_waits_for_the_first() {
    let (expected, _) = undisturbed(Scratch::new("calm").path());
    let dir = Scratch::new("supervisors");
    let cluster = || {
        let mut command = highwater();
        command.args(["cluster", "chat", "-n", "2"]);
        patient(chat(command, dir.path()))
    };
    let first = Running::start(cluster(), dir.path(), "first");
    has_checkpoints(dir.path());
    let second = Running::start(cluster(), dir.path(), "second");
    until(LIMIT, || second.err().contains(IN_USE));
    let first = first.end(LIMIT);
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert!(!first.err.contains("generation 2"), "it was not disturbed: {}", first.err);
    let second = second.end(LIMIT);
    assert_eq!(second.code, Some(0), "{}", second.err);
    assert!(second.err.contains("was read to the end"), "{}", second.err);
    assert_same(dir.path(), &expected);
}
