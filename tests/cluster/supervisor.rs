//! A cluster that looks after itself: processes that are killed, stopped, or that panic, and the
//! rows that come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use highwater::testing::Scratch;

use super::strangers::secret;
use super::support::{Running, hosts, process, until};
use super::{LIMIT, endless, into_blackholes, set};
use crate::binary::highwater;
use crate::recovery::{assert_same, chat, manifests, undisturbed};

/// A cluster with checkpoints.
fn cluster(dir: &Path, flags: &str) -> Command {
    let mut command = highwater();
    command.args(["cluster", "chat"]).args(flags.split(' '));
    chat(command, dir)
}

/// The pid of a process of a cluster.
pub(super) fn child(cluster: &Running, index: usize) -> u32 {
    let flag = format!("--process={index}");
    let is_it = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        parent == Some(&cluster.id().to_string()) && line.split('\0').any(|word| word == flag)
    };
    let mut found = None;
    until(Duration::from_secs(10), || {
        let names = fs::read_dir("/proc").expect("a list of processes").flatten();
        let mut pids = names.filter_map(|name| name.file_name().to_str()?.parse().ok());
        found = pids.find(|pid| is_it(*pid));
        found.is_some()
    });
    found.expect("a process")
}

/// Whether there is such a process, and it has not ended.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z")
}

pub(super) fn signal(pid: u32, name: &str) {
    let command = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(status.success(), "{command}");
}

/// The newest checkpoint; waits until there is a newer one than `last`.
pub(super) fn newer(dir: &Path, last: Option<u64>) -> u64 {
    let newest = || {
        let is_there = dir.join("checkpoints/chat").exists();
        if is_there { manifests(dir).last().copied() } else { None }
    };
    until(LIMIT, || last < newest());
    newest().expect("a checkpoint")
}

#[test]
fn each_process_is_killed_in_turn_and_the_rows_are_those_of_an_undisturbed_run() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("supervised"));
    let (expected, _) = undisturbed(calm.path());
    let running = Running::start(cluster(dir.path(), "-n 3"), dir.path(), "cluster");
    let mut last = None;
    for victim in 0..3 {
        last = Some(newer(dir.path(), last));
        signal(child(&running, victim), "KILL");
        let generation = victim + 2;
        running.wait_for(&format!("generation {generation} after signal 9 to process {victim}\n"));
    }
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(3 <= ended.err.matches("from checkpoint ").count(), "{}", ended.err);
    assert!(!ended.err.contains("generation 5"), "{}", ended.err);
    assert_same(dir.path(), &expected);
    // The files of an epoch carry one generation, whichever process wrote them.
    let mut generations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in fs::read_dir(dir.path().join("checkpoints/chat")).expect("checkpoints").flatten() {
        let name = name.file_name().into_string().expect("a text");
        let parts: Vec<&str> = name.split('-').collect();
        if let ["state", epoch, generation, ..] = parts[..] {
            generations.entry(epoch.into()).or_default().insert(generation.into());
        }
    }
    assert!(!generations.is_empty());
    assert!(generations.values().all(|one| one.len() == 1), "{generations:?}");
}

#[test]
fn a_process_that_is_stopped_is_named_and_all_begin_again_without_it() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("silent"));
    let (expected, _) = undisturbed(calm.path());
    let mut command = cluster(dir.path(), "-n 2");
    set(&mut command, &["cluster.silence_max=3s"]);
    let running = Running::start(command, dir.path(), "cluster");
    newer(dir.path(), None);
    let begun = Instant::now();
    signal(child(&running, 1), "STOP");
    running.wait_for("error: lost process 1: its worker 1 has been silent for 3 s");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    running.wait_for("process 1 did not end in time and is killed");
    running.wait_for("generation 2 after exit 75 of process 0");
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_same(dir.path(), &expected);
}

#[test]
fn processes_that_are_all_stopped_are_missed_by_their_cluster() {
    let dir = Scratch::new("all-silent");
    let mut command = cluster(dir.path(), "-n 2");
    set(&mut command, &["cluster.silence_max=3s"]);
    let running = Running::start(command, dir.path(), "cluster");
    newer(dir.path(), None);
    [0, 1].map(|index| child(&running, index)).iter().for_each(|pid| signal(*pid, "STOP"));
    running.wait_for("process 0 is silent for 8 s and is killed");
    running.wait_for("generation 2 after silence of process ");
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn a_panic_of_any_thread_ends_the_process_with_70() {
    let places =
        ["source.after_poll", "sink.before_write", "ckpt.before_write", "manifest.before_publish"];
    for place in places {
        let dir = Scratch::new("panic");
        let mut command = highwater();
        command.args(["run", "chat", "-w", "2"]);
        let mut command = chat(command, dir.path());
        command.env("HIGHWATER_FAILPOINTS", format!("{place}=panic@2"));
        let ended = Running::start(command, dir.path(), "run").end(LIMIT);
        assert_eq!(ended.code, Some(70), "{place}: {}", ended.err);
        assert!(ended.err.contains(&format!("failpoint {place}: Panic at passage 2")));
        let words = format!("error: this is a bug of highwater: failpoint {place} (src/");
        assert!(ended.err.contains(&words), "{}", ended.err);
    }
}

#[test]
fn a_panic_in_one_process_ends_the_others_with_75() {
    let dir = Scratch::new("panic-of-one");
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize, failpoints: &str| {
        let mut command = chat(process(&hosts, index, 2), dir.path());
        command.env("HIGHWATER_FAILPOINTS", failpoints);
        Running::start(command, dir.path(), &format!("process-{index}"))
    };
    let other = start(0, "");
    let ended = start(1, "ckpt.before_write=panic@2").end(LIMIT);
    let begun = Instant::now();
    let other = other.end(LIMIT);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!((ended.code, other.code), (Some(70), Some(75)), "{} {}", ended.err, other.err);
    assert!(other.err.contains("error: lost process 1"), "{}", other.err);
}

#[test]
fn a_bug_that_comes_again_and_again_ends_the_cluster_with_its_code() {
    let dir = Scratch::new("again");
    let mut command = cluster(dir.path(), "-n 2");
    set(&mut command, &["cluster.restarts_max=2"]);
    command.env("HIGHWATER_FAILPOINTS", "ckpt.before_write=panic@1");
    let begun = Instant::now();
    let ended = Running::start(command, dir.path(), "cluster").end(LIMIT);
    assert_eq!(ended.code, Some(70), "{}", ended.err);
    assert!(ended.err.contains("generation 2 in 1 s, after exit 70 of process "), "{}", ended.err);
    assert!(ended.err.contains("generation 3 in 2 s, after exit 70 of process "), "{}", ended.err);
    assert!(!ended.err.contains("generation 4"), "{}", ended.err);
    let words = "and 2 restarts for the same cause within 10 minutes did not help\n  hint: ";
    assert!(ended.err.contains(words), "{}", ended.err);
    assert!(Duration::from_secs(3) <= begun.elapsed());
}

#[test]
fn without_checkpoints_nothing_is_started_again() {
    let dir = Scratch::new("unsupervised");
    let mut command = highwater();
    command.args(["cluster", "chat", "-n", "2", "-r"]);
    set(&mut command, &endless());
    set(&mut command, &into_blackholes());
    let running = Running::start(command, dir.path(), "cluster");
    running.wait_for("process 1: all 2 processes are connected");
    signal(child(&running, 0), "KILL");
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(75), "{}", ended.err);
    assert!(ended.err.contains("process 0 ended: signal 9"), "{}", ended.err);
    assert!(!ended.err.contains("generation"), "{}", ended.err);
}

#[test]
fn the_first_signal_stops_a_supervised_cluster_and_a_second_one_kills_what_hangs() {
    let dir = Scratch::new("impatient");
    let running = Running::start(cluster(dir.path(), "-n 2"), dir.path(), "cluster");
    newer(dir.path(), None);
    running.signal("INT");
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.err.matches("chat stopped after").count(), 2, "{}", ended.err);

    let running = Running::start(cluster(dir.path(), "-n 2"), dir.path(), "again");
    let last = manifests(dir.path()).last().copied();
    newer(dir.path(), last);
    signal(child(&running, 1), "STOP");
    running.signal("TERM");
    // The two signals have to be two.
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    running.signal("TERM");
    let ended = running.end(LIMIT);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(ended.code, Some(75), "{}", ended.err);
    assert!(ended.err.contains("process 1 did not end in time and is killed"), "{}", ended.err);
    assert!(!ended.err.contains("generation"), "{}", ended.err);
}

/// A host file of two machines: two processes on the first one, one on the second.
fn machines(dir: &Path) -> PathBuf {
    let listen = |host: &str| TcpListener::bind((host, 0)).expect("a free port");
    let listeners = ["127.0.0.2", "127.0.0.2", "127.0.0.3"].map(listen);
    let lines = listeners.map(|listener| listener.local_addr().expect("an address").to_string());
    let path = dir.join("machines");
    fs::write(&path, lines.join("\n")).expect("a host file");
    path
}

#[test]
fn two_machines_follow_the_generation_of_process_0() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("machines"));
    let (expected, _) = undisturbed(calm.path());
    let (hosts, secret) = (machines(dir.path()), secret(dir.path(), "shared"));
    let start = |share: &str, name: &str| {
        let mut command = cluster(dir.path(), "-n 3");
        command.arg("-h").arg(&hosts).arg("--secret-file").arg(&secret).args(["-p", share]);
        Running::start(command, dir.path(), name)
    };
    let (first, second) = (start("0..2", "first"), start("2", "second"));
    let last = newer(dir.path(), None);
    // A process of one machine: both begin again.
    signal(child(&second, 2), "KILL");
    second.wait_for("generation 2 after signal 9 to process 2");
    first.wait_for("generation 2 after exit 75 of process ");
    let last = newer(dir.path(), Some(last));
    // The cluster of process 0 is killed, its processes end with it, and it is started again.
    let processes = [0, 1].map(|index| child(&first, index));
    first.signal("KILL");
    until(Duration::from_secs(1), || !processes.iter().any(|pid| is_running(*pid)));
    assert!(first.err().contains("the cluster that has started this process is gone"));
    second.wait_for("generation 3 after exit 75 of process 2");
    let first = start("0..2", "first-again");
    assert!(last < newer(dir.path(), Some(last)));
    for ended in [first.end(LIMIT), second.end(LIMIT)] {
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert_same(dir.path(), &expected);
}
