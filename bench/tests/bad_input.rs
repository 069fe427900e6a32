//! What `highwater-bench` answers to bad input: the exit codes of the product, a sentence, and the
//! way out.

// A test that unwraps fails where it stands.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use highwater::testing::Scratch;

fn highwater_bench(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater-bench"));
    command.args(line.split_whitespace()).current_dir(dir);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command line, split at spaces, and compares code and answer.
fn check(dir: &Path, line: &str, code: i32, part: &str) {
    let output = highwater_bench(dir, line).output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{line}\n{text}");
    assert!(text.contains(part), "{line}\n{text}\nexpected: {part}");
    let has_way_out = ["hint: ", "tip: ", "try '--help'"].iter().any(|way| text.contains(way));
    assert!(has_way_out, "no way out: {line}\n{text}");
    assert!(!text.contains("panicked"), "{line}\n{text}");
    assert!(output.stdout.is_empty(), "{line}");
}

/// A finished run without trials, in a folder `results`.
fn results(dir: &Path, schema: u32) -> String {
    let name = "20260101T000000Z-smoke-abc";
    let folder = dir.join("results").join(name);
    fs::create_dir_all(&folder).unwrap();
    let about = format!(
        "{{\"schema\": {schema}, \"run_id\": \"{name}\", \"experiment\": \"smoke\", \
         \"text\": \"question = 'q'\", \"command\": \"run smoke\", \"scale\": 1.0, \
         \"finished\": true}}"
    );
    fs::write(folder.join("run.json"), about).unwrap();
    let host = "{\"cpu\": \"c\", \"cores\": 2, \"memory_kib\": 1, \"kernel\": \"k\", \
                \"governor\": \"\", \"huge_pages\": \"\", \"rustc\": \"r\", \"java\": \"j\", \
                \"commit\": \"abc\", \"dirty\": false}";
    fs::write(folder.join("host.json"), host).unwrap();
    format!("results/{name}")
}

#[test]
fn a_wrong_command_line_is_64() {
    let dir = Scratch::new("bench-bad");
    let run = results(dir.path(), 1);
    let check = |line: &str, part| check(dir.path(), line, 64, part);
    check("rum smoke", "unrecognized subcommand 'rum'");
    check("run smok", "there is no experiment `smok`\n  hint: there is smoke");
    check("run smoke --engine flinc", "there is no engine `flinc`\n  hint: there is flink");
    check(
        "run start --engine decode",
        "has no trial of these engines\n  hint: it has flink, highwater, ",
    );
    check("run smoke --resume", "no unfinished run of `smoke`");
    check("run smoke --scale 0", "must be a number above 0");
    check("run smoke --scale much", "must be a number above 0");
    check("report nowhere", "there is no run `nowhere`");
    check("report", "there is no run in bench/results");
    check("report --results results2", "there is no run in results2");
    check(&format!("compare {run} nowhere"), "there is no run `nowhere`");
    check(&format!("compare {run} {run} --column cpu"), "no column `cpu` of numbers");
    check("bars nowhere", "there is no run `nowhere`");
    assert!(!dir.path().join("bench").exists(), "nothing was run");
}

#[test]
fn a_file_that_says_something_unknown_is_65() {
    let dir = Scratch::new("bench-bad");
    let head = "question = 'q'\nminutes = 1\n[[backlog]]\nevents = [1]\n";
    let files = [
        ("query.toml", "query = 'sum'\nengines = ['flink']\n"),
        ("engine.toml", "query = 'count'\nengines = ['flinc']\n"),
        ("column.toml", "query = 'count'\nengines = ['flink']\nspeed = 1\n"),
    ];
    for (name, text) in files {
        fs::write(dir.path().join(name), format!("{head}{text}")).unwrap();
    }
    let check = |line: &str, part| {
        let output = highwater_bench(dir.path(), line).output().unwrap();
        assert!(said(&output).contains(part), "{line}\n{}\nexpected: {part}", said(&output));
        assert_eq!(output.status.code(), Some(65), "{line}\n{}", said(&output));
    };
    check("run query.toml", "experiment query: there is no query `sum`");
    check("run engine.toml", "experiment engine: there is no engine `flinc`");
    check("run column.toml", "experiment column: unknown field `speed`");
    check("run nowhere.toml", "cannot read nowhere.toml");
    let run = results(dir.path(), 7);
    check(&format!("report {run}"), "results of form 7, this program knows 1");
    check("report --results results", "results of form 7, this program knows 1");
    check("bars --results results", "results of form 7, this program knows 1");
    check("bars --check", "cannot read docs/performance.md");
}

#[test]
fn a_folder_of_runs_is_reported_by_its_newest_one() {
    let dir = Scratch::new("bench-bad");
    let run = results(dir.path(), 1);
    let output = highwater_bench(dir.path(), "report results").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(written.contains(&format!("{run}/report.html")), "{written}");
}

#[test]
fn without_a_broker_a_run_is_75_and_its_folder_stays() {
    let dir = Scratch::new("bench-bad");
    let mut command = highwater_bench(dir.path(), "run start --engine highwater");
    // Neither Java nor Maven: nothing can be started or fetched.
    command.env("PATH", dir.path()).env("HIGHWATER_CACHE", dir.path().join("cache"));
    let output = command.output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(75), "{text}");
    assert!(text.contains("no broker") && text.contains("hint: "), "{text}");
    let kept: Vec<_> = fs::read_dir(dir.path().join("bench/results")).unwrap().collect();
    assert_eq!(kept.len(), 1);
}

#[test]
fn a_peer_that_is_not_installed_is_listed_with_the_way_to_install_it() {
    let dir = Scratch::new("bench-bad");
    let mut command = highwater_bench(dir.path(), "list");
    let output = command.env("HIGHWATER_CACHE", dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for peer in ["spark ", "flink ", "kafka_streams "] {
        let line = text.lines().find(|line| line.starts_with(peer)).unwrap_or_default();
        assert!(line.contains("not here: ") && line.contains("make peers"), "{text}");
    }
}
