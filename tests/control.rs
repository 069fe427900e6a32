//! Running jobs that are asked: `highwater inspect` and `highwater stop`.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use highwater::testing::Scratch;
use serde_json::Value;

use crate::binary::highwater;
use crate::cluster::support::{Ended, Running, until};
use crate::cluster::{LIMIT, endless, into_blackholes, set};
use crate::recovery::{chat, manifests};

/// A command line of the binary whose run files are in a folder of its own.
fn alone(dir: &Path, args: &[&str]) -> Command {
    let mut command = highwater();
    command.args(args).env("XDG_RUNTIME_DIR", dir).current_dir(dir);
    command
}

/// The same, to its end.
fn ends(dir: &Path, args: &[&str]) -> Ended {
    Running::start(alone(dir, args), dir, "asked").end(LIMIT)
}

/// A job that does not end by itself, once it can be asked.
fn start(dir: &Path, name: &str, more: &[&str]) -> Running {
    let mut command = alone(dir, &["run", "chat"]);
    set(&mut command, &endless());
    set(&mut command, &into_blackholes());
    command.args(more);
    let running = Running::start(command, dir, name);
    running.wait_for("answers `highwater inspect`");
    running
}

/// What `inspect --json` says, once it says that records were read.
fn status(dir: &Path, processes: usize) -> Value {
    let mut found = Value::Null;
    until(LIMIT, || {
        let ended = ends(dir, &["inspect", "--json"]);
        if ended.code != Some(0) {
            return false;
        }
        found = serde_json::from_str(&ended.out).expect("JSON");
        let all = found["processes"].as_array().expect("processes").clone();
        let reads = |status: &Value| {
            let ledger = &status["jobs"][0]["sources"][0]["partitions"][0]["ledger"];
            ledger["read"].as_u64().is_some_and(|read| 0 < read)
        };
        let runs = all.iter().filter(|status| status["process"]["role"] == "run");
        runs.clone().count() == processes && runs.clone().any(reads)
    });
    found
}

#[test]
fn a_running_job_tells_what_it_does_and_stops_when_it_is_asked() {
    let dir = Scratch::new("control-run");
    let nothing = ends(dir.path(), &["inspect"]);
    assert_eq!(nothing.code, Some(75), "{}", nothing.err);
    assert!(nothing.err.contains("no job runs here"), "{}", nothing.err);

    let running = start(dir.path(), "job", &["-w", "2"]);
    let json = status(dir.path(), 1);
    let process = &json["processes"][0];
    assert_eq!(process["process"]["pid"], running.id());
    assert_eq!(process["process"]["threads"], 2);
    let job = &process["jobs"][0];
    for partition in job["sources"][0]["partitions"].as_array().expect("partitions") {
        let count = |name: &str| partition["ledger"][name].as_u64().expect("a count");
        let parts = ["used", "late", "dead", "duplicates"].map(count);
        assert_eq!(count("read"), parts.iter().sum::<u64>());
    }
    assert_eq!(job["workers"].as_array().map(Vec::len), Some(2));
    let sinks = job["sinks"].as_array().expect("sinks");
    assert!(sinks.iter().any(|sink| sink["view"] == "moments" && sink["kind"] == "blackhole"));

    let text = ends(dir.path(), &["inspect", "chat"]).out;
    for words in [
        "0 of 1",
        "runs",
        "refused connections  0",
        "newest checkpoint  none",
        "records/s",
        "chat_summary_minute",
        "blackhole",
        "why the window of ",
        " is open:",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let other = ends(dir.path(), &["stop", "shop"]);
    assert_eq!(other.code, Some(75), "{}", other.err);
    assert!(other.err.contains("there is chat (pid "), "{}", other.err);

    let asked = ends(dir.path(), &["stop"]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    assert!(asked.err.contains("has stopped after"), "{}", asked.err);
    let ended = running.end(Duration::from_secs(5));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("chat stopped after"), "{}", ended.err);
    let left: Vec<_> = fs::read_dir(dir.path().join("highwater")).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_window_that_a_quiet_partition_holds_open_is_explained() {
    let dir = Scratch::new("control-why");
    let mut command = alone(dir.path(), &["run", "chat", "-w", "2"]);
    let rare = |source: &str, set: &str| {
        format!("source.{source}.generator={{dataset=\"chat.{set}\",rate=0.01,seed=7}}")
    };
    set(&mut command, &[rare("chat", "chat"), rare("viewers", "viewer")]);
    set(&mut command, &into_blackholes());
    let _running = Running::start(command, dir.path(), "job");
    let mut text = String::new();
    until(LIMIT, || {
        text = ends(dir.path(), &["inspect"]).out;
        text.contains("It has been quiet since")
    });
    assert!(text.contains("why the window of "), "{text}");
    assert!(text.contains(".idle_timeout`, which is off."), "{text}");
    assert!(text.contains("or later moves it;"), "{text}");
    let json = ends(dir.path(), &["inspect", "--json"]).out;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let words = json["open_windows"][0]["why"].as_str().expect("words");
    assert!(words.starts_with("Partition "), "{words}");
}

#[test]
fn of_several_jobs_one_has_to_be_named() {
    let dir = Scratch::new("control-several");
    let jobs = ["first", "second"].map(|name| start(dir.path(), name, &[]));
    let both = ends(dir.path(), &["stop"]);
    assert_eq!(both.code, Some(64), "{}", both.err);
    for job in &jobs {
        assert!(both.err.contains(&format!("chat (pid {})", job.id())), "{}", both.err);
    }
    let [first, mut second] = jobs;
    let asked = ends(dir.path(), &["stop", "chat", "--pid", &first.id().to_string()]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    assert_eq!(first.end(Duration::from_secs(5)).code, Some(0));
    assert!(!second.has_ended());
    // Killed: nobody is there, and its run file is nobody's.
    second.signal("KILL");
    let killed = second.end(LIMIT);
    assert_eq!(killed.code, None);
    let nothing = ends(dir.path(), &["stop", "chat"]);
    assert_eq!(nothing.code, Some(75), "{}", nothing.err);
    assert_eq!(fs::read_dir(dir.path().join("highwater")).expect("a folder").count(), 0);
}

#[test]
fn an_address_that_is_given_is_taken_or_refused() {
    let dir = Scratch::new("control-address");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let listen = format!("http.listen={address}");
    let mut command = alone(dir.path(), &["run", "chat", "--set", &listen]);
    set(&mut command, &into_blackholes());
    let refused = Running::start(command, dir.path(), "refused").end(LIMIT);
    assert_eq!(refused.code, Some(65), "{}", refused.err);
    assert!(refused.err.contains(&format!("{address} is taken")), "{}", refused.err);
    drop(taken);
    let running = start(dir.path(), "job", &["--set", &listen]);
    assert!(running.err().contains(&format!("http://{address} answers")), "{}", running.err());
    drop(running);

    let mut command = alone(dir.path(), &["run", "chat", "--set", "http.listen=off"]);
    set(&mut command, &endless());
    set(&mut command, &into_blackholes());
    let silent = Running::start(command, dir.path(), "silent");
    silent.wait_for("events/s");
    assert!(!silent.err().contains("http://"), "{}", silent.err());
    let asked = ends(dir.path(), &["stop"]);
    assert_eq!(asked.code, Some(65), "{}", asked.err);
    assert!(asked.err.contains("`http.listen` is off"), "{}", asked.err);
}

#[test]
fn a_cluster_is_asked_as_one_and_not_started_again() {
    let dir = Scratch::new("control-cluster");
    let mut command = alone(dir.path(), &["cluster", "chat", "-n", "2", "-r"]);
    command = chat(command, dir.path());
    set(&mut command, &endless());
    let running = Running::start(command, dir.path(), "cluster");
    running.wait_for("process 1: all 2 processes are connected");
    let json = status(dir.path(), 2);
    let roles = json["processes"].as_array().expect("processes").iter();
    let roles: Vec<&str> = roles.filter_map(|one| one["process"]["role"].as_str()).collect();
    assert_eq!(roles, ["cluster", "run", "run"]);
    // A manifest has its name before its folder is synced, and is told of after that.
    let mut text = String::new();
    until(LIMIT, || {
        text = ends(dir.path(), &["inspect", "chat"]).out;
        text.contains("newest checkpoint  epoch ")
    });
    assert!(!manifests(dir.path()).is_empty());
    for words in ["cluster", "0 of 2", "1 of 2", "refused connections"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("elsewhere"), "{text}");
    let hosts = dir.path().join(format!("highwater/{}.hosts", running.id()));
    assert!(hosts.exists());
    let asked = ends(dir.path(), &["stop"]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    let ended = running.end(Duration::from_secs(5));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.err.matches("chat stopped after").count(), 2, "{}", ended.err);
    assert!(!ended.err.contains("generation 2"), "{}", ended.err);
    assert_eq!(fs::read_dir(dir.path().join("highwater")).expect("a folder").count(), 0);
}

#[test]
fn what_a_killed_cluster_leaves_is_removed() {
    let dir = Scratch::new("control-killed");
    let mut command = alone(dir.path(), &["cluster", "chat", "-n", "2", "-r"]);
    set(&mut command, &endless());
    set(&mut command, &into_blackholes());
    let running = Running::start(command, dir.path(), "cluster");
    running.wait_for("process 1: all 2 processes are connected");
    let folder = dir.path().join("highwater");
    let hosts = folder.join(format!("{}.hosts", running.id()));
    running.signal("KILL");
    until(LIMIT, || running.err().matches("chat stopped after").count() == 2);
    assert!(hosts.exists(), "a killed process removes nothing");
    until(LIMIT, || ends(dir.path(), &["inspect"]).code == Some(75));
    assert!(!hosts.exists());
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
}
