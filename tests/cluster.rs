//! Several processes of the built binary: the same rows as one, whatever their number; and what
//! becomes of them when one is missing, wrong, lost or asked to stop.

mod network;
mod strangers;
mod supervisor;
pub(crate) mod support;
#[cfg(feature = "cluster-tls")]
mod tls;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::binary::highwater;
use highwater::runtime::wall_time;
use highwater::testing::Scratch;
use support::{Ended, Running, address, hosts, ledger, process, sorted, until};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

const VIEWERS: &str = "source.viewers.generator={dataset=\"chat.viewer\",rate=5,seed=7,events=1000,\
                       start=\"2026-01-01T00:00:00Z\"}";

/// Chat with everything that a record can have; `options` follow.
fn chat(options: &str) -> String {
    format!(
        "source.chat.generator={{dataset=\"chat.chat\",seed=7,burst=\"1m\",disorder=\"3s\",\
         late=0.02,bad_json=0.01,{options}}}"
    )
}

fn bounded() -> String {
    chat("rate=100,keys=20,events=20000,start=\"2026-01-01T00:00:00Z\"")
}

/// Generators that have no end and always more.
pub(crate) fn endless() -> [String; 2] {
    let viewers = VIEWERS.replace("events=1000,", "");
    [chat("rate=100,keys=20,start=\"2026-01-01T00:00:00Z\""), viewers]
}

pub(crate) fn set(command: &mut Command, sets: &[impl AsRef<str>]) {
    for set in sets {
        command.args(["--set", set.as_ref()]);
    }
}

const FILES: [&str; 3] = ["summary.csv", "moments.csv", "letters.csv"];

/// Rows and letters into files of a folder.
fn into_files(dir: &Path) -> [String; 3] {
    let file = |port: &str, name: &str| {
        format!("{port}={{file={{path={:?}}}}}", dir.join(name).to_str().expect("a text"))
    };
    [
        file("sink.chat_summary_minute", FILES[0]),
        file("sink.moments", FILES[1]),
        file("dead_letters", FILES[2]),
    ]
}

pub(crate) fn into_blackholes() -> [String; 3] {
    let ports = ["sink.chat_summary_minute", "sink.moments", "dead_letters"];
    ports.map(|port| format!("{port}={{blackhole={{}}}}"))
}

/// `highwater cluster` to its end.
fn cluster(dir: &Path, flags: &str, sets: &[String]) -> Ended {
    let mut command = highwater();
    command.args(["cluster", "chat"]).args(flags.split(' '));
    set(&mut command, sets);
    Running::start(command, dir, "cluster").end(LIMIT)
}

/// So many processes that do not end by themselves, once they are connected.
fn start_endless(dir: &Path, processes: usize) -> Vec<Running> {
    let hosts = hosts(dir, processes);
    let start = |index| {
        let mut command = process(&hosts, index, processes);
        set(&mut command, &endless());
        set(&mut command, &into_blackholes());
        command.arg("-r");
        Running::start(command, dir, &format!("process-{index}"))
    };
    let running: Vec<Running> = (0..processes).map(start).collect();
    running.iter().for_each(|process| process.wait_for("processes are connected"));
    std::thread::sleep(Duration::from_millis(300));
    running
}

#[test]
fn rows_letters_and_ledgers_do_not_depend_on_the_number_of_workers_and_processes() {
    let mut first = None;
    for flags in ["-n 1", "-n 1 -w 3", "-n 2", "-n 2 -w 2", "-n 3", "-n 2 -w 2 -z"] {
        let dir = Scratch::new("cluster-same");
        let mut sets = vec![bounded(), VIEWERS.to_string()];
        sets.extend(into_files(dir.path()));
        let ended = cluster(dir.path(), flags, &sets);
        assert_eq!(ended.code, Some(0), "{flags}: {}", ended.err);
        assert_eq!(ended.out, "", "{flags}");
        let sums = [0, 1, 2, 3, 4].map(|column| ledger(&ended.err, "chat", column));
        assert_eq!(sums[0], 20_000, "{flags}: {}", ended.err);
        assert_eq!(sums[0], sums[1..].iter().sum::<u64>(), "{flags}");
        assert_eq!(ledger(&ended.err, "viewers", 0), 1_000, "{flags}");
        let files = FILES.map(|name| sorted(&dir.path().join(name)));
        assert!(files.iter().all(|lines| 2 < lines.len()), "{flags}");
        // A line of names, and a letter for each late and each dead record.
        assert_eq!(files[2].len() as u64, 1 + sums[2] + sums[3], "{flags}");
        match &first {
            None => first = Some((sums, files)),
            Some(first) => assert!(*first == (sums, files), "{flags}: {}", ended.err),
        }
    }
}

#[test]
fn the_command_line_and_the_host_file_are_checked() {
    let dir = Scratch::new("cluster-flags");
    let hosts = hosts(dir.path(), 2);
    let check = |flags: &str, code: i32, expect: &[&str]| {
        let mut command = highwater();
        let file = hosts.to_str().expect("a text");
        command.args(flags.split(' ').map(|word| if word == "HOSTS" { file } else { word }));
        let ended = Running::start(command, dir.path(), "check").end(LIMIT);
        assert_eq!(ended.code, Some(code), "{flags}: {}", ended.err);
        assert_eq!(ended.out, "", "{flags}");
        for words in expect {
            assert!(ended.err.contains(words), "{flags}: {}", ended.err);
        }
    };
    check("run chat -n 2", 64, &["highwater cluster … -n 2"]);
    check("run chat -n 2 -p 2", 64, &["there is no process 2 of 2"]);
    check("run chat -n 0", 64, &["write a number from 1"]);
    check("cluster chat -n 2 -p 1", 64, &["-p 1 is a part of 2 processes", "host file (-h)"]);
    check("cluster chat -n 2 -p 1..3 -h HOSTS", 64, &["there is no process 2 of 2"]);
    check("run chat -n 2 -p 0..2 -h HOSTS", 64, &["-p names several", "highwater cluster"]);
    check("run chat -n 2 -p 2..1", 64, &["write an index such as 0, or a range such as 0..2"]);
    check("cluster chat -n 2 --set cluster.silence_max=1s", 65, &["must be 3s or longer"]);
    check("cluster chat -n 2 --set cluster.frame_bytes_max=1KiB", 65, &["1MiB or more"]);
    check("run chat -n 2 -p 0 -h HOSTS --secret-file HOSTS", 65, &["others may read", "chmod"]);
    check("check chat --secret-file HOSTS", 65, &["others may read", "chmod"]);
    check("check chat -n 3 -h HOSTS", 65, &["has 2 addresses for 3 processes"]);
    check("cluster chat -n 2 --secret-file /nowhere/secret", 65, &["/nowhere/secret", "umask"]);
    check("run chat -n 2 -p 0 -h HOSTS --bind-any", 65, &["every network", "--secret-file"]);
    check("run chat --bind-any --bind 127.0.0.1", 64, &["cannot be used with"]);
    check("cluster chatt -n 2", 64, &["`chat`"]);
    check("run chat -n 3 -p 0 -h HOSTS", 65, &["has 2 addresses for 3 processes", "hosts"]);
    check("run chat -n 2 -p 0 -h /nowhere/hosts", 65, &["/nowhere/hosts"]);
    check("run chat -n 2 -p 0 -h HOSTS --bind 0.0.0.0", 65, &["every network"]);
    let missing = format!("process 1 ({}) is not connected", address(&hosts, 1));
    check("run chat -n 2 -p 0 -h HOSTS --connect-timeout 300ms", 75, &["after 0.3 s", &missing]);
}

#[test]
fn an_index_that_is_taken_ends_the_second_process_and_not_the_first() {
    let dir = Scratch::new("cluster-taken");
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize, name: &str| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &[bounded(), VIEWERS.to_string()]);
        set(&mut command, &into_blackholes());
        command.arg("-r");
        Running::start(command, dir.path(), name)
    };
    let first = start(0, "first");
    first.wait_for("process 0 of 2 listens");
    let twice = start(0, "twice").end(LIMIT);
    assert_eq!(twice.code, Some(65), "{}", twice.err);
    assert!(twice.err.contains(&format!("{} is taken", address(&hosts, 0))), "{}", twice.err);
    let second = start(1, "second").end(LIMIT);
    let first = first.end(LIMIT);
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{} {}", first.err, second.err);
}

#[test]
fn a_process_that_was_started_otherwise_is_refused_with_both_values() {
    let dir = Scratch::new("cluster-otherwise");
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize, more: &[&str]| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &endless());
        set(&mut command, &into_blackholes());
        command.args(more);
        Running::start(command, dir.path(), &format!("process-{index}"))
    };
    let _first = start(0, &[]);
    let check = |more: &[&str], expect: &str| {
        let ended = start(1, more).end(LIMIT);
        assert_eq!(ended.code, Some(65), "{more:?}: {}", ended.err);
        assert!(ended.err.contains(expect), "{more:?}: {}", ended.err);
    };
    check(&["-w", "2"], "process 0 was started with -w 1, this one with -w 2");
    check(&["--set", "flow.tick=\"7ms\""], "runs other jobs (fingerprint");
}

#[test]
fn the_others_end_with_75_within_a_second_when_one_is_killed() {
    let dir = Scratch::new("cluster-killed");
    let mut running = start_endless(dir.path(), 3);
    let killed = running.remove(1);
    let begun = Instant::now();
    killed.signal("KILL");
    for process in running {
        let ended = process.end(LIMIT);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(ended.code, Some(75), "{}", ended.err);
        assert!(ended.err.contains("error: lost "), "{}", ended.err);
        assert!(ended.err.contains("start the job again"), "{}", ended.err);
        assert!(!ended.err.contains("a bug of highwater"), "{}", ended.err);
    }
}

#[test]
fn an_error_of_one_ends_it_with_its_own_code_and_the_others_with_75() {
    let dir = Scratch::new("cluster-error");
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &endless());
        set(&mut command, &into_files(dir.path()));
        set(&mut command, &["sink.chat_summary_minute.retry_max=\"1ms\""]);
        limited(command, index == 0)
    };
    let running =
        [0, 1].map(|index| Running::start(start(index), dir.path(), &format!("process-{index}")));
    let ended = running.map(|process| process.end(LIMIT));
    let codes = [ended[0].code, ended[1].code];
    assert_eq!(codes, [Some(74), Some(75)], "{} {}", ended[0].err, ended[1].err);
    let files = FILES.map(|name| dir.path().join(name));
    assert!(files.iter().all(|file| !file.exists()), "a file that looks finished");
}

/// The command, in a shell that lets it write files of 8 KiB only.
pub(crate) fn limited(command: Command, on: bool) -> Command {
    if !on {
        return command;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[test]
fn a_signal_to_one_stops_both_with_the_rows_that_were_final() {
    let dir = Scratch::new("cluster-stop");
    let (stopped, whole) = (dir.path().join("stopped"), dir.path().join("whole"));
    for dir in [&stopped, &whole] {
        std::fs::create_dir(dir).expect("a folder");
    }
    // Forty seconds of event time a second: a row of a window is there every quarter of one.
    let start = wall_time().minus(Duration::from_secs(2));
    let source = |events: &str| chat(&format!("rate=500,speed=40.0,{events}start=\"{start}\""));
    let viewers = format!(
        "source.viewers.generator={{dataset=\"chat.viewer\",rate=5,speed=40.0,\
                           start=\"{start}\"}}"
    );
    let hosts = hosts(dir.path(), 2);
    let running = [0, 1].map(|index| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &[source(""), viewers.clone()]);
        set(&mut command, &into_files(&stopped));
        Running::start(command, dir.path(), &format!("process-{index}"))
    });
    let partial = stopped.join("summary.csv.partial");
    until(LIMIT, || std::fs::read_to_string(&partial).is_ok_and(|text| 5 < text.lines().count()));
    running[1].signal("TERM");
    let ended = running.map(|process| process.end(LIMIT));
    for ended in &ended {
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.err.contains("chat stopped after"), "{}", ended.err);
        assert!(!ended.err.contains("all windows are closed"), "{}", ended.err);
    }
    // The keys are few: one process may own none.
    assert!(ended.iter().any(|ended| ended.err.contains("and stay unwritten")), "{ended:?}");
    // Two seconds more than what was read: every row that was final then is the same now.
    let read: u64 = ended.iter().map(|ended| ledger(&ended.err, "chat", 0)).sum();
    let viewers = viewers.replace("rate=5,", "rate=5,events=1000,");
    let mut command = highwater();
    command.args(["run", "chat"]);
    set(&mut command, &[source(&format!("events={},", read + 1_000)), viewers]);
    set(&mut command, &into_files(&whole));
    let reference = Running::start(command, dir.path(), "whole");
    until(LIMIT, || {
        let text = std::fs::read_to_string(whole.join("summary.csv.partial"));
        text.is_ok_and(|text| {
            let rows: Vec<&str> = text.lines().collect();
            sorted(&stopped.join("summary.csv")).iter().all(|row| rows.contains(&row.as_str()))
        })
    });
    drop(reference);
}

#[test]
fn a_cluster_passes_a_signal_on_and_ends_well() {
    let dir = Scratch::new("cluster-term");
    let mut command = highwater();
    command.args(["cluster", "chat", "-n", "2", "-r"]);
    set(&mut command, &endless());
    set(&mut command, &into_blackholes());
    let running = Running::start(command, dir.path(), "cluster");
    running.wait_for("process 1: all 2 processes are connected");
    std::thread::sleep(Duration::from_millis(300));
    running.signal("TERM");
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.err.matches("chat stopped after").count(), 2, "{}", ended.err);
}

#[test]
fn a_cluster_ends_with_the_code_of_the_process_that_failed() {
    let dir = Scratch::new("cluster-code");
    let taken = std::fs::File::create(dir.path().join("summary.csv"));
    drop(taken.expect("a file"));
    let mut sets = endless().to_vec();
    sets.extend(into_files(dir.path()));
    let ended = cluster(dir.path(), "-n 2", &sets);
    assert_eq!(ended.code, Some(65), "{}", ended.err);
}

#[test]
fn the_processes_stop_when_their_cluster_is_killed() {
    let dir = Scratch::new("cluster-orphans");
    let mut command = highwater();
    command.args(["cluster", "chat", "-n", "2", "-r"]);
    set(&mut command, &endless());
    set(&mut command, &into_blackholes());
    let running = Running::start(command, dir.path(), "cluster");
    running.wait_for("process 1: all 2 processes are connected");
    running.signal("KILL");
    until(LIMIT, || running.err().matches("chat stopped after").count() == 2);
}

#[test]
fn standard_output_holds_rows_and_nothing_else() {
    let dir = Scratch::new("cluster-out");
    let mut sets = vec![bounded(), VIEWERS.to_string()];
    sets.push("sink.chat_summary_minute.console={format=\"json\"}".into());
    sets.extend(into_blackholes().into_iter().skip(1));
    let ended = cluster(dir.path(), "-n 2 -r -v", &sets);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let is_row = |line: &&str| line.starts_with("{\"view\":\"chat_summary_minute\",");
    let others: Vec<&str> = ended.out.lines().filter(|line| !is_row(line)).collect();
    assert_eq!(others, [""; 0]);
    assert!(20 < ended.out.lines().count(), "{}", ended.err);
}

#[test]
fn a_full_queue_in_one_process_stops_the_reading_in_both() {
    let dir = Scratch::new("cluster-full");
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize, slow: &str| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &endless());
        set(&mut command, &into_blackholes()[1..]);
        let sink = format!("sink.chat_summary_minute={{blackhole={{slow=\"{slow}\"}}}}");
        set(&mut command, &[sink.as_str(), "sink.\"*\".queue_rows_max=1"]);
        Running::start(command, dir.path(), &format!("process-{index}"))
    };
    // The first batch keeps the sink of process 0 busy for an hour; that of process 1 is fast.
    let running = [start(0, "1h"), start(1, "0s")];
    let rates = |process: &Running| -> Vec<u64> {
        let lines = process.err();
        let rates = lines.lines().filter_map(|line| line.split_once(" events/s"));
        rates.map(|(rate, _)| rate.replace(',', "").parse().expect("a rate")).collect()
    };
    until(LIMIT, || running.iter().all(|process| 3 <= rates(process).len()));
    for process in &running {
        let rates = rates(process);
        assert!(0 < rates[0], "{}", process.err());
        assert_eq!(rates[2], 0, "{}", process.err());
    }
}
