//! Checkpoints that earlier releases have left: this one goes on from them with the same rows.
//!
//! `tests/checkpoints/VERSION/SYSTEM.tar.gz` is the folder of a job that was killed: its checkpoint
//! and what its sinks held. `HIGHWATER_RECORD=1 cargo test --all-features earlier` writes those of
//! this version, which is done once, when it is released.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use highwater::testing::Dice;

use super::{Case, LIMIT, Point, SYSTEMS, Workers};
use crate::binary::run_in;
use crate::cluster::support::Running;

/// The manifest behind which a recorded job is killed.
const MANIFEST: u64 = 3;

/// What goes on need not be slow.
const UNLIMITED: &str = "source.\"*\".max_rate_per_partition=\"off\"";

fn archives() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

/// Runs the program `tar`.
fn tar(arguments: &[&str], (archive, folder): (&Path, &Path)) {
    let mut command = Command::new("tar");
    command.args(arguments).arg("-f").arg(archive).arg("-C").arg(folder).arg(".");
    let ended = command.output().expect("tar");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// The versions of which there are checkpoints, oldest first.
fn versions() -> Vec<String> {
    let entries = fs::read_dir(archives()).expect("the folder of archives");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("a text"))
        .collect();
    names.sort();
    names
}

/// Leaves the folder of a job that was killed.
fn record(case: &Case) {
    let name = case.system.name;
    let dir = case.folder("recorded");
    let point = Point::Place("manifest.after_publish", MANIFEST);
    let ended = case.attempt((&dir, 0), Workers::Threads(2), Some(point), &mut Dice::new());
    assert_eq!(ended.code, None, "{name}: {}", ended.err);
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let is_said = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("attempt"));
        if is_said || path.extension().is_some_and(|end| end == "hosts") {
            fs::remove_file(path).unwrap();
        }
    }
    let folder = archives().join(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&folder).unwrap();
    tar(&["-c", "-z"], (&folder.join(format!("{name}.tar.gz")), &dir));
}

/// How many records the checkpoints of a folder have read.
fn read(dir: &Path) -> u64 {
    let jobs = fs::read_dir(dir.join("checkpoints")).expect("checkpoints");
    let read = jobs.map(|job| {
        let path = job.expect("a job").path();
        let inspected = run_in(dir, &["inspect", path.to_str().expect("a text"), "--json"]);
        if inspected.code != Some(0) {
            // One job of several was killed before its first checkpoint.
            assert!(inspected.stderr.contains("no checkpoints"), "{}", inspected.stderr);
            return 0;
        }
        let manifest: serde_json::Value = serde_json::from_str(&inspected.stdout).expect("JSON");
        let sources = manifest["sources"].as_object().expect("sources").values();
        let marks = sources.flat_map(|marks| marks.as_array().expect("partitions"));
        marks.map(|mark| mark["ledger"]["read"].as_u64().expect("a number")).sum::<u64>()
    });
    read.sum()
}

#[test]
fn checkpoints_of_earlier_releases_are_gone_on_from() {
    let is_recording = std::env::var_os("HIGHWATER_RECORD").is_some();
    for (system, case) in SYSTEMS.iter().zip(SYSTEMS.iter().map(Case::new)) {
        if is_recording {
            record(&case);
        }
        for version in versions() {
            let at = format!("{} of {version}", system.name);
            let dir = case.folder(&format!("of-{version}"));
            let archive = archives().join(&version).join(format!("{}.tar.gz", system.name));
            tar(&["-x", "-z"], (&archive, &dir));
            let (before, all) = (read(&dir), case.ledgers.iter().map(|one| one[0]).sum());
            assert!(0 < before && before < all, "{at}: {before} of {all} records");
            let mut command = case.kept(&dir);
            command.args(["-w", "3", "--set", UNLIMITED]);
            let ended = Running::start(command, &dir, "on").end(LIMIT);
            assert_eq!(ended.code, Some(0), "{at}: {}", ended.err);
            assert!(ended.err.contains("from checkpoint "), "{at}: {}", ended.err);
            case.assert_same((&dir, &at), &ended);
            eprintln!("{at}: on from {before} of {all} records");
        }
    }
    assert!(!versions().is_empty(), "no release has left checkpoints");
}
