//! A job that fails at each named place, and goes on from there: the same rows, each once.
//!
//! One view goes to a file, which is told its length, one and the letters to Parquet, which are
//! delivered. That the fault has happened is part of each test.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use highwater::testing::{Dice, Scratch};

use super::parquet::rows;
use super::{LIMIT, calm, kept, resumed};
use crate::binary::highwater;
use crate::cluster::support::{Ended, Running, sorted};

/// Fast enough for a test of many runs, and slow enough for some checkpoints.
const RATE: &str = "source.\"*\".max_rate_per_partition=6000";

const FILE: &str = "moments.jsonl";

const PORTS: [&str; 2] = ["sink.chat_summary_minute", "dead_letters"];

fn sinks(dir: &Path) -> Vec<String> {
    let path = |name: &str| dir.join(name).to_str().expect("a text").to_owned();
    let parquet = |name: &str| format!("parquet={{path={:?},roll_every=\"200ms\"}}", path(name));
    vec![
        format!("sink.moments={{file={{path={:?}}}}}", path(FILE)),
        format!("sink.chat_summary_minute={{rows=\"final\",{}}}", parquet("chat_summary_minute")),
        format!("dead_letters={{{}}}", parquet("dead_letters")),
    ]
}

fn all_rows(dir: &Path) -> Vec<Vec<String>> {
    let parquet = PORTS.iter().map(|port| rows(dir, port));
    [sorted(&dir.join(FILE))].into_iter().chain(parquet).collect()
}

static CALM: LazyLock<Vec<Vec<String>>> = LazyLock::new(undisturbed);

/// What a run without a fault and without checkpoints writes.
fn undisturbed() -> Vec<Vec<String>> {
    let dir = Scratch::new("calm-places");
    calm(dir.path(), &sinks(dir.path()));
    let rows = all_rows(dir.path());
    assert!(rows.iter().all(|rows| !rows.is_empty()), "{rows:?}");
    rows
}

fn run(dir: &Path, workers: u64, failpoints: &str) -> Ended {
    let mut command = highwater();
    command.args(["run", "chat", "-w", &workers.to_string()]);
    let mut command: Command = kept(command, dir, &sinks(dir));
    command.args(["--set", RATE]).env("HIGHWATER_FAILPOINTS", failpoints);
    Running::start(command, dir, "attempt").end(LIMIT)
}

/// Kills a job at a place, and lets it go on; at a place of the restart, kills it there as well.
fn killed_at(place: &str, dice: &mut Dice) -> Option<u64> {
    let dir = Scratch::new("places");
    // An epoch writes several files, and some of them have to be behind the first checkpoint.
    let (low, high) = if place.starts_with("ckpt.") { (8, 16) } else { (2, 7) };
    let (passage, workers) = (dice.between(low, high), dice.between(1, 4));
    let at_restart = place.starts_with("restore.");
    let first = if at_restart { "manifest.after_publish" } else { place };
    let killed = run(dir.path(), workers, &format!("{first}=kill@{passage}"));
    let said = format!("failpoint {first}: Kill at passage {passage}");
    assert!(killed.code.is_none() && killed.err.contains(&said), "{place}: {}", killed.err);
    if at_restart {
        let killed = run(dir.path(), dice.between(1, 4), &format!("{place}=kill@1"));
        let said = format!("failpoint {place}: Kill at passage 1");
        assert!(killed.code.is_none() && killed.err.contains(&said), "{place}: {}", killed.err);
    }
    let ended = run(dir.path(), dice.between(1, 4), "");
    assert_eq!(ended.code, Some(0), "{place}@{passage}: {}", ended.err);
    let found = all_rows(dir.path());
    for (index, (found, expected)) in found.iter().zip(&*CALM).enumerate() {
        let (is, was) = (found.len(), expected.len());
        assert!(found == expected, "{place}@{passage}: output {index} has {is} of {was} rows");
    }
    resumed(&ended.err)
}

fn killed_at_each(places: &[&str]) {
    let mut dice = Dice::new();
    let resumed = places.iter().filter(|place| killed_at(place, &mut dice).is_some()).count();
    eprintln!("{} places, {resumed} times on from a checkpoint", places.len());
    assert!(0 < resumed, "no attempt came as far as a checkpoint");
}

#[test]
fn a_job_is_killed_at_each_place_of_a_file_of_a_checkpoint() {
    killed_at_each(&[
        "ckpt.before_write",
        "ckpt.half_written",
        "ckpt.before_fsync",
        "ckpt.before_rename",
        "ckpt.before_dir_fsync",
        "ckpt.before_ack",
    ]);
}

#[test]
fn a_job_is_killed_at_each_place_of_a_manifest_and_of_a_source() {
    killed_at_each(&[
        "manifest.before_publish",
        "manifest.after_publish",
        "manifest.before_cleanup",
        "source.after_poll",
        "source.before_record_offsets",
    ]);
}

#[test]
fn a_job_is_killed_at_each_place_of_a_delivery() {
    killed_at_each(&[
        "sink.before_stage",
        "sink.after_stage",
        "sink.before_deliver",
        "sink.half_delivered",
        "sink.after_deliver",
        "sink.before_confirm",
    ]);
}

#[test]
fn a_job_is_killed_at_each_place_of_a_restart() {
    killed_at_each(&["restore.before_read", "restore.half_read", "restore.before_first_tick"]);
}

#[test]
fn a_disk_that_fails_for_a_moment_costs_a_checkpoint_and_one_that_fails_for_long_the_job() {
    for fault in ["ckpt.before_fsync=eio@4", "ckpt.half_written=enospc@3;ckpt.half_written=eio@5"] {
        let dir = Scratch::new("disks");
        let ended = run(dir.path(), 2, fault);
        assert_eq!(ended.code, Some(0), "{fault}: {}", ended.err);
        assert!(ended.err.contains("trying again"), "{fault}: {}", ended.err);
        assert!(all_rows(dir.path()) == *CALM, "{fault}");
    }
    let dir = Scratch::new("disk");
    let mut command = highwater();
    command.args(["run", "chat", "-w", "2"]);
    let mut command: Command = kept(command, dir.path(), &sinks(dir.path()));
    command.args(["--set", RATE, "--set", "checkpoint.age_max=200ms"]);
    command.env("HIGHWATER_FAILPOINTS", "ckpt.before_rename=enospc@9+");
    let ended = Running::start(command, dir.path(), "full").end(LIMIT);
    assert_eq!(ended.code, Some(74), "{}", ended.err);
    assert!(ended.err.contains("No space left") && ended.err.contains("hint: "), "{}", ended.err);
    let ended = run(dir.path(), 3, "");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(all_rows(dir.path()) == *CALM, "{}", ended.err);
}
