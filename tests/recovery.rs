//! Jobs that are killed with `kill -9` at any instant and go on from their last checkpoint with
//! another number of workers: the same rows as without a fault, each once, and a ledger that adds
//! up over all attempts.

mod changed;
mod differential;
#[cfg(all(feature = "failpoints", feature = "parquet"))]
mod failpoints;
mod idle;
mod kafka;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
mod postgres;
mod rivals;
#[cfg(feature = "s3")]
mod s3;
mod sources;
mod views;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use highwater::checkpoint::{Manifest, StateFile};
use highwater::config::Checkpoint;
use highwater::error::Result;
use highwater::runtime::{Job, Stop, Workers, resume};
use highwater::testing::{Dice, Scratch};

use crate::binary::{highwater, run_in};
use crate::cluster::support::{Ended, Running, hosts, ledger, process, sorted};

const LIMIT: Duration = Duration::from_secs(60);

/// Sixty seconds of processing time would be too long for a test: this rate makes four of them.
const RATE: &str = "source.\"*\".max_rate_per_partition=1500";

const CHAT: &str = "source.chat.generator={dataset=\"chat.chat\",seed=7,burst=\"1m\",\
                    disorder=\"3s\",late=0.02,bad_json=0.01,duplicates=0.02,rate=100,keys=20,\
                    events=20000,start=\"2026-01-01T00:00:00Z\"}";

/// The keys that a source remembers are saved, too.
const DEDUP: &str = "source.chat.dedup={field=\"message_id\",memory=\"1h\"}";

const VIEWERS: &str = "source.viewers.generator={dataset=\"chat.viewer\",rate=5,seed=7,events=1000,\
                       start=\"2026-01-01T00:00:00Z\"}";

const FILES: [&str; 3] = ["summary.csv", "moments.jsonl", "letters.csv"];

/// Where rows and letters go.
fn sinks(dir: &Path) -> [String; 3] {
    let ports = ["sink.chat_summary_minute", "sink.moments", "dead_letters"];
    let mut files = ports.iter().zip(FILES).map(|(port, name)| {
        format!("{port}={{file={{path={:?}}}}}", dir.join(name).to_str().expect("a text"))
    });
    std::array::from_fn(|_| files.next().expect("as many files as ports"))
}

/// Chat into some sinks without a fault and without checkpoints.
fn calm(dir: &Path, sinks: &[String]) -> Ended {
    let mut command = highwater();
    command.args(["run", "chat", "-w", "2"]);
    for set in [CHAT, DEDUP, VIEWERS].into_iter().chain(sinks.iter().map(String::as_str)) {
        command.args(["--set", set]);
    }
    let ended = Running::start(command, dir, "undisturbed").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended
}

/// Makes the tables or topics that some sinks need.
fn create(dir: &Path, sinks: &[String]) {
    let mut command = highwater();
    command.args(["check", "chat", "--create"]);
    let checked = Running::start(kept(command, dir, sinks), dir, "create").end(LIMIT);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
}

/// Chat into files of a folder, with a checkpoint every 100 ms.
pub(crate) fn chat(command: Command, dir: &Path) -> Command {
    kept(command, dir, &sinks(dir))
}

/// Chat into some sinks, with a checkpoint every 100 ms in a folder.
fn kept(mut command: Command, dir: &Path, sinks: &[String]) -> Command {
    let path = format!("checkpoint.path={:?}", dir.join("checkpoints").to_str().expect("a text"));
    let sets = [CHAT, DEDUP, VIEWERS, RATE, "checkpoint.every=100ms", &path];
    for set in sets.into_iter().chain(sinks.iter().map(String::as_str)) {
        command.args(["--set", set]);
    }
    command
}

fn run(dir: &Path, workers: u64) -> Command {
    let mut command = highwater();
    command.args(["run", "chat", "-w", &workers.to_string()]);
    chat(command, dir)
}

/// The rows and letters that a run without a fault and without checkpoints writes, and its ledger.
pub(crate) fn undisturbed(dir: &Path) -> ([Vec<String>; 3], Vec<u64>) {
    let ended = calm(dir, &sinks(dir));
    let counts = counts(&ended);
    assert!(counts[2..5].iter().all(|count| 0 < *count), "late, dead, duplicate: {counts:?}");
    (FILES.map(|name| sorted(&dir.join(name))), counts)
}

fn counts(ended: &Ended) -> Vec<u64> {
    let columns = ["chat", "viewers"].map(|source| (0..5).map(move |c| (source, c)));
    columns.into_iter().flatten().map(|(source, c)| ledger(&ended.err, source, c)).collect()
}

/// Runs a job in this process until it ends or stops, with checkpoints if there is a folder.
fn run_kept(mut job: Job, dir: Option<&Path>, workers: usize, stop: &Stop) -> Result<()> {
    let (every, age_max) = (Duration::from_millis(20), Duration::from_secs(60));
    let path = dir.map(|dir| dir.to_str().expect("a text").to_owned());
    let config = Checkpoint { every, path, s3: Default::default(), keep: 3, age_max };
    resume(&mut job, &config)?;
    highwater::runtime::run(vec![Arc::new(job)], &Workers::threads(workers), stop)
}

/// The epoch that an attempt went on from, as it said.
fn resumed(err: &str) -> Option<u64> {
    let rest = err.split("from checkpoint ").nth(1)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

pub(crate) fn assert_same(dir: &Path, expected: &[Vec<String>; 3]) {
    for (name, lines) in FILES.iter().zip(expected) {
        let found = sorted(&dir.join(name));
        let missing = lines.iter().filter(|line| found.binary_search(line).is_err());
        let missing: Vec<_> = missing.take(3).collect();
        assert!(found == *lines, "{name}: {} of {}; {missing:?}", found.len(), lines.len());
    }
}

/// A job that is killed at random instants, so many times at most, and then left to end; `start`
/// makes it with so many workers. Returns what the last attempt said.
fn killed_until_it_ends(
    (dir, dice, kills_max): (&Path, &mut Dice, u32),
    start: impl Fn(u64) -> Command,
) -> Ended {
    killed_when_ready((dir, dice, kills_max), |_, _| {}, start)
}

/// As [`killed_until_it_ends`], with something to wait for before an attempt may be killed.
fn killed_when_ready(
    (dir, dice, kills_max): (&Path, &mut Dice, u32),
    wait: impl Fn(u32, &mut Running),
    start: impl Fn(u64) -> Command,
) -> Ended {
    let (mut kills, mut resumptions, mut last) = (0, 0, None);
    let ended = loop {
        let command = start(dice.between(1, 4));
        let mut running = Running::start(command, dir, &format!("attempt-{kills}"));
        if kills_max <= kills {
            break running.end(LIMIT);
        }
        wait(kills, &mut running);
        std::thread::sleep(Duration::from_millis(dice.between(150, 900)));
        if running.has_ended() {
            break running.end(LIMIT);
        }
        running.signal("KILL");
        let ended = running.end(LIMIT);
        assert_eq!(ended.code, None, "{}", ended.err);
        kills += 1;
        if let Some(epoch) = resumed(&ended.err) {
            assert!(last <= Some(epoch), "attempt {kills} went back from {last:?} to {epoch}");
            resumptions += 1;
            last = Some(epoch);
        }
    };
    eprintln!("{kills} kills, {resumptions} times from a checkpoint, the last of epoch {last:?}");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(3 <= resumptions, "{kills} kills came too early or too late to test anything");
    ended
}

#[test]
fn a_job_that_is_killed_again_and_again_writes_the_same_rows_once() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("killed"));
    let (expected, ledger) = undisturbed(calm.path());
    let (path, mut dice) = (dir.path(), Dice::new());
    let ended = killed_until_it_ends((path, &mut dice, 15), |workers| run(path, workers));
    assert_same(path, &expected);
    // A kill behind the last manifest leaves nothing to do, and nothing to count.
    if !ended.err.contains("was read to the end") {
        assert_eq!(counts(&ended), ledger, "{}", ended.err);
    }
}

#[test]
fn a_job_that_was_stopped_goes_on_and_one_that_has_ended_does_not_begin_again() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("stopped"));
    let (expected, ledger) = undisturbed(calm.path());
    for (attempt, workers) in [(0, 2), (1, 1), (2, 3)] {
        let mut command = run(dir.path(), workers);
        command.args(["--for", "700ms"]);
        let running = Running::start(command, dir.path(), &format!("stopped-{attempt}"));
        let ended = running.end(LIMIT);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert_eq!(resumed(&ended.err).is_some(), 0 < attempt, "{}", ended.err);
        assert!(dir.path().join(FILES[0]).exists(), "a stop gives the file its name");
    }
    let ended = Running::start(run(dir.path(), 2), dir.path(), "ended").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_same(dir.path(), &expected);
    assert_eq!(counts(&ended), ledger, "{}", ended.err);

    let again = Running::start(run(dir.path(), 1), dir.path(), "again").end(LIMIT);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.err.contains("was read to the end"), "{}", again.err);
    assert_same(dir.path(), &expected);
}

#[test]
fn processes_that_are_killed_go_on_with_another_number_of_them() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("processes"));
    let (expected, _) = undisturbed(calm.path());
    let mut dice = Dice::new();
    let mut resumptions = 0;
    for attempt in 0..4 {
        let processes = dice.between(2, 4) as usize;
        let hosts = hosts(dir.path(), processes);
        let running: Vec<Running> = (0..processes)
            .map(|index| {
                let command = chat(process(&hosts, index, processes), dir.path());
                Running::start(command, dir.path(), &format!("process-{attempt}-{index}"))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(dice.between(500, 1_300)));
        let victim = dice.between(0, processes as u64) as usize;
        running[victim].signal("KILL");
        for (index, running) in running.into_iter().enumerate() {
            let ended = running.end(LIMIT);
            let expected = if index == victim { None } else { Some(75) };
            assert!(ended.code == expected || ended.code == Some(0), "{index}: {}", ended.err);
            resumptions += usize::from(resumed(&ended.err).is_some());
        }
    }
    assert!(0 < resumptions, "no attempt came as far as a checkpoint");
    let ended = Running::start(run(dir.path(), 2), dir.path(), "last").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_same(dir.path(), &expected);
}

/// A folder with the checkpoints of a job that was killed, and the epochs of its manifests.
fn killed() -> (Scratch, Vec<u64>) {
    let dir = Scratch::new("damaged");
    let running = Running::start(run(dir.path(), 2), dir.path(), "first");
    std::thread::sleep(Duration::from_millis(1_500));
    running.signal("KILL");
    running.end(LIMIT);
    let epochs = manifests(dir.path());
    assert!(2 <= epochs.len(), "{epochs:?}");
    (dir, epochs)
}

pub(crate) fn manifests(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir.join("checkpoints/chat")).expect("the folder of checkpoints");
    let mut epochs: Vec<u64> = names
        .filter_map(|name| {
            let name = name.expect("a name").file_name().into_string().expect("a text");
            name.strip_prefix("manifest-")?.parse().ok()
        })
        .collect();
    epochs.sort_unstable();
    epochs
}

/// The files of each operator and worker in a manifest.
fn files(dir: &Path, epoch: u64) -> BTreeMap<(String, usize), Vec<StateFile>> {
    let path = dir.join("checkpoints/chat").join(Manifest::name(epoch));
    let manifest = Manifest::read(&fs::read(path).expect("the manifest")).expect("it is whole");
    let mut files: BTreeMap<_, Vec<StateFile>> = BTreeMap::new();
    for (operator, of) in manifest.states {
        for file in of {
            files.entry((operator.to_string(), file.worker)).or_default().push(file);
        }
    }
    // What sources remember is always saved anew.
    files.retain(|(operator, _), _| !operator.starts_with("source "));
    files
}

#[test]
fn files_go_on_after_a_restart_if_the_number_of_workers_is_the_same() {
    let mut kept = 0;
    for workers in [2, 2, 2, 2, 3] {
        let (dir, _) = killed();
        let mut command = run(dir.path(), workers);
        command.args(["--for", "700ms", "--set", "checkpoint.keep=1000"]);
        let ended = Running::start(command, dir.path(), "second").end(LIMIT);
        let from = resumed(&ended.err).unwrap_or_else(|| panic!("it began anew: {}", ended.err));
        let next = manifests(dir.path()).into_iter().find(|epoch| from < *epoch);
        let before = files(dir.path(), from);
        let after = files(dir.path(), next.expect("a checkpoint"));
        for (place, files) in before {
            // All is saved anew where a restart would read too much; if the first epochs were
            // passed over, that may have happened in one of them.
            let more: u64 = files[1..].iter().map(|file| file.bytes).sum();
            let may_go_on = workers == 2 && files.len() < 32 && more <= files[0].bytes;
            let goes_on = after.get(&place).is_some_and(|after| after.starts_with(&files));
            assert!(may_go_on || !goes_on, "{place:?}: {files:?} {after:?}");
            kept += usize::from(goes_on);
        }
    }
    assert!(0 < kept, "all was saved anew each time");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_said() {
    let (expected, _) = undisturbed(Scratch::new("calm").path());
    let (dir, epochs) = killed();
    let newest = epochs[epochs.len() - 1];
    let path = dir.path().join(format!("checkpoints/chat/manifest-{newest:020}"));
    let mut bytes = fs::read(&path).expect("the manifest");
    bytes[100] ^= 1;
    fs::write(&path, bytes).expect("the manifest");

    // Looking changes nothing, and finds no fault with files that the job goes on with.
    let mut command = highwater();
    command.args(["check", "chat"]);
    let checked = Running::start(chat(command, dir.path()), dir.path(), "check").end(LIMIT);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.err.contains(&format!("checkpoint {newest} ")), "{}", checked.err);
    assert_eq!(manifests(dir.path()), epochs);

    let inspected = run_in(dir.path(), &["inspect", "checkpoints"]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.stderr);
    let whole = epochs[epochs.len() - 2];
    assert!(inspected.stderr.contains(&format!("checkpoint {newest} is damaged")));
    for words in [&*format!("epoch {whole} of "), "chat of chat", "greatest event time", "viewers"]
    {
        assert!(inspected.stdout.contains(words), "{words}: {}", inspected.stdout);
    }
    assert!(!inspected.stdout.contains("does not add up"), "{}", inspected.stdout);
    let json = run_in(dir.path(), &["inspect", "checkpoints/chat", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("a manifest");
    assert_eq!(json["epoch"], whole);

    let ended = Running::start(run(dir.path(), 3), dir.path(), "second").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(resumed(&ended.err), Some(epochs[epochs.len() - 2]), "{}", ended.err);
    assert!(ended.err.contains(&format!("checkpoint {newest} ")), "{}", ended.err);
    assert_same(dir.path(), &expected);
}

#[test]
fn without_a_whole_checkpoint_a_job_does_not_start_anew() {
    let (dir, epochs) = killed();
    for epoch in &epochs {
        let path = dir.path().join(format!("checkpoints/chat/manifest-{epoch:020}"));
        let bytes = fs::read(&path).expect("the manifest");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("the manifest");
    }
    let ended = Running::start(run(dir.path(), 2), dir.path(), "second").end(LIMIT);
    assert_eq!(ended.code, Some(65), "{}", ended.err);
    assert!(ended.err.contains("it is torn"), "{}", ended.err);
    assert!(ended.err.contains("hint: "), "{}", ended.err);
    assert_eq!(manifests(dir.path()), epochs, "nothing is moved away");
}

#[test]
fn another_dataflow_does_not_take_up_a_checkpoint() {
    let (dir, _) = killed();
    let mut command = run(dir.path(), 2);
    command.args(["--set", "parameters.window=2m"]);
    let ended = Running::start(command, dir.path(), "second").end(LIMIT);
    assert_eq!(ended.code, Some(65), "{}", ended.err);
    assert!(ended.err.contains("the dataflow is not that of checkpoint"), "{}", ended.err);
    assert!(ended.err.contains("view `chat_summary_minute` kept ["), "{}", ended.err);
}
