//! Input that is empty, names that are not there, and values of the wrong type at the end of a run.

use std::fmt::Write;
use std::fs;

use highwater::testing::Scratch;
use highwater_dataflows::DATAFLOWS;

use crate::binary::{Ended, run_in};

/// Runs a command line, split at spaces, in a folder with some files.
fn run(line: &str, files: &[(&str, &str)]) -> Ended {
    let dir = Scratch::new("bad-commands");
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    fs::create_dir(dir.path().join("folder")).unwrap();
    let args: Vec<&str> = line.split_whitespace().collect();
    run_in(dir.path(), &args)
}

/// A job file that binds all sources of a system to a file; rows go nowhere.
fn all_from(system: &str, path: &str) -> String {
    let dataflow = DATAFLOWS.iter().find(|dataflow| dataflow.system == system).unwrap();
    let file: toml::Table = dataflow.file.1.parse().unwrap();
    let mut config = String::from("[sink.\"*\"]\nblackhole = {}\n");
    for port in file["source"].as_table().unwrap().keys().filter(|port| *port != "*") {
        writeln!(config, "[source.\"{port}\"]\nfile = {{ path = \"{path}\" }}").unwrap();
    }
    for view in file["sink"].as_table().unwrap().keys().filter(|view| *view != "*") {
        writeln!(config, "[sink.{view}]\nblackhole = {{}}").unwrap();
    }
    config
}

const SYSTEMS: [&str; 5] = ["chat", "campus", "elearning", "market", "shop"];

#[test]
fn an_empty_file_and_one_of_empty_lines_are_read_to_their_end() {
    for system in SYSTEMS {
        for text in ["", "\n\r\n\n"] {
            let config = all_from(system, "empty.jsonl");
            let files = [("empty.jsonl", text), ("empty.toml", config.as_str())];
            let ended = run(&format!("run {system} -w 2 -c empty.toml"), &files);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
            assert!(ended.stderr.contains("all windows are closed"), "{}", ended.stderr);
            let ledgers = ended.stderr.lines().filter(|line| line.ends_with("  0"));
            for line in ledgers {
                let numbers: Vec<&str> = line.split_whitespace().skip(1).collect();
                assert!(numbers.iter().all(|number| *number == "0"), "{line}");
            }
            assert!(!ended.stderr.contains("dead letter"), "{}", ended.stderr);
        }
    }
}

#[test]
fn a_folder_without_a_file_is_65() {
    for system in SYSTEMS {
        let config = all_from(system, "folder");
        for command in ["run", "check"] {
            let line = format!("{command} {system} -c folder.toml");
            let ended = run(&line, &[("folder.toml", config.as_str())]);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(65), ""), "{}", ended.stderr);
            let expected = "there is no file in the folder `folder`";
            assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_job_that_is_not_there_stops_those_that_are() {
    let check = |jobs: &str, name: &str, hint: &str| {
        let ended = run(&format!("run {jobs}"), &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{}", ended.stderr);
        let expected = format!("no job is called `{name}`\n  hint: there is {hint}");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    };
    let elearning = "`archive`, `assessment`, `auth`, `course`, `profile_notification`, `video`";
    check("elearning auth nope", "nope", elearning);
    check("elearning nope auth", "nope", elearning);
    check("elearning auth vide", "vide", "`video`");
    // A job of another system, and one that is a system.
    check("elearning auth events", "events", elearning);
    check("elearning elearning", "elearning", elearning);
    check("market market binance", "binance", "`market`");
    check("shop events views", "views", "`events`");
    check("chat chat Chat", "Chat", "`chat`");
}

#[test]
fn a_job_that_is_named_twice_runs_once() {
    let config = all_from("elearning", "empty.jsonl");
    let files = [("empty.jsonl", ""), ("empty.toml", config.as_str())];
    let ended = run("run elearning auth video auth auth -c empty.toml", &files);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for job in ["auth", "video"] {
        let count = ended.stderr.matches(&format!("\n{job} ended after")).count();
        assert_eq!(count, 1, "{}", ended.stderr);
    }
}

#[test]
fn a_sink_that_is_asked_for_more_than_it_gives_is_65() {
    let files = |more: &str| {
        let config = all_from("chat", "empty.jsonl");
        let config = config.replace("[sink.moments]\nblackhole = {}\n", "");
        let sink = "[sink.moments]\nexactly_once = true\n";
        [("empty.jsonl", String::new()), ("more.toml", config + sink + more)]
    };
    let check = |more: &str, expected: Option<&str>| {
        let files = files(more);
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let ended = run("check chat -c more.toml", &files);
        let Some(expected) = expected else {
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            assert!(ended.stdout.contains("exactly once"), "{}", ended.stdout);
            return;
        };
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(65), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    let asked = "`exactly_once` is asked of view `moments`, and ";
    let file = "file = { path = \"moments.csv\" }\n";
    check("console = {}\n", Some(&format!("{asked}console gives it at least once here")));
    check(file, Some(&format!("{asked}file gives it at least once here")));
    check(&format!("{file}[checkpoint]\npath = \"kept\"\n"), None);
}

#[test]
fn two_sinks_that_write_one_file_are_65() {
    let check = |line: &str, sinks: &str, expected: &str| {
        let system = line.split(' ').next().unwrap();
        let config = all_from(system, "empty.jsonl") + sinks;
        let files = [("empty.jsonl", ""), ("two.toml", config.as_str())];
        for command in ["run", "check"] {
            let ended = run(&format!("{command} {line} -c two.toml"), &files);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(65), ""), "{}", ended.stderr);
            assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
            assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
        }
    };
    let letters = "[dead_letters]\nfile = { path = \"letters.jsonl\" }\n";
    check(
        "elearning",
        letters,
        "dead letters of job `assessment` and dead letters of job `auth` write to one place",
    );
    check("elearning auth video", letters, "dead letters of job `video` write to one place");
    // The jobs have the view in common.
    check(
        "elearning --set sink.alerts={file={path=\"alerts.csv\"}}",
        "",
        "view `alerts` of job `assessment` and view `alerts` of job `auth` write to one place",
    );
    // Even one that may be replaced.
    let file = |view: &str, path: &str| {
        let binding = format!("file = {{ path = \"{path}\" }}\nrows = \"final\"");
        format!("[sink.{view}]\n{binding}\noverwrite = true\n")
    };
    let files = file("binance", "a.csv") + &file("polymarket", "./a.csv");
    check("market", &files, "view `binance` of job `market` and view `polymarket` of job `market`");
}

#[test]
fn every_job_of_a_system_has_letters_and_alerts_of_its_own() {
    let config = all_from("elearning", "bad.jsonl")
        + "[dead_letters]\nfile = { path = \"letters/{job}.jsonl\" }\n";
    let dir = Scratch::new("letters-of-jobs");
    fs::write(dir.path().join("bad.jsonl"), "hello\n").unwrap();
    fs::write(dir.path().join("bad.toml"), config).unwrap();
    let alerts = "sink.alerts={file={path=\"alerts/{job}.csv\"}}";
    let line = ["run", "elearning", "-w", "2", "-c", "bad.toml", "--set", alerts];
    let ended = run_in(dir.path(), &line);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let count = |job: &str| {
        let letters = fs::read_to_string(dir.path().join(format!("letters/{job}.jsonl"))).unwrap();
        letters.matches("\"reason\":\"bad_json\"").count()
    };
    let jobs = ["assessment", "auth", "course", "profile_notification", "video"];
    assert_eq!(jobs.map(count), [1, 1, 1, 2, 1], "one for each source");
    let alerts = |job: &str| dir.path().join(format!("alerts/{job}.csv")).exists();
    assert_eq!(jobs.map(alerts), [true, true, true, false, true], "one job raises none");
}

#[test]
fn a_view_that_is_not_there_is_65() {
    for (job, near, view) in [
        ("auth", "auth_realtime_login_rates", "auth_realtime_login_rate"),
        ("video", "video_realtime_viewer_1min", "video_realtime_viewers_1min"),
        ("course", "nope", "course_realtime_enrollment_rate"),
    ] {
        let line =
            format!("run elearning {job} --set parameters.realtime_views.{job}=[\"{near}\"]");
        let ended = run(&line, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(65), ""), "{}", ended.stderr);
        let expected = format!("`realtime_views.{job}` lists `{near}`");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("`{view}`")), "{}", ended.stderr);
    }
}

#[test]
fn values_of_the_wrong_type_are_counted_at_the_end_by_source_and_field() {
    let viewers = |count: &str| {
        let time = "\"timestamp\":\"2026-03-01T12:00:00Z\"";
        format!("{{{time},\"stream_id\":\"s\",\"viewer_count\":{count}}}\n")
    };
    let one = ["5", "\"5\"", "5.5", "null", "NaN"].map(viewers).concat();
    let two = ["true", "9999999999", "7"].map(viewers).concat();
    let chat = "{\"timestamp\":\"2026-03-01T12:00:00Z\",\"emotes\":\"Kappa\",\"bits\":\"x\"}\n";
    let config = "[source.chat]\nfile = { path = \"chat.jsonl\" }\n\
                  [source.viewers]\nfile = { path = \"viewers-*.jsonl\" }\n\
                  [sink.\"*\"]\nblackhole = {}\n[sink.moments]\nblackhole = {}\n\
                  [sink.chat_summary_minute]\nblackhole = {}\n";
    let files = [
        ("viewers-1.jsonl", one.as_str()),
        ("viewers-2.jsonl", two.as_str()),
        ("chat.jsonl", chat),
        ("types.toml", config),
    ];
    let ended = run("run chat -w 2 -c types.toml", &files);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines = ended.stderr.lines().filter(|line| line.contains("of the wrong type"));
    let expected = [
        "  chat.emotes: 1 value of the wrong type",
        "  viewers.viewer_count: 5 values of the wrong type",
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected, "{}", ended.stderr);
    // Where types are strict, each is a letter instead.
    let line = "run chat -w 2 -c types.toml --set source.\"*\".json.types=\"reject\"";
    let ended = run(line, &files);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("of the wrong type\n"), "{}", ended.stderr);
    for expected in ["dead letters chat wrong_type: 1", "dead letters viewers wrong_type: 5"] {
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}
