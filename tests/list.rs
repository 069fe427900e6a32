//! `highwater list` describes every job: its views, their windows and columns.

use highwater::testing::Scratch;
use highwater_dataflows::DATAFLOWS;

use crate::binary::run_in;

#[test]
fn every_job_has_its_views_with_windows_and_columns() {
    let dir = Scratch::new("list");
    let ended = run_in(dir.path(), &["list", "jobs"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let blocks: Vec<&str> = ended.stdout.split("    view ").collect();
    for dataflow in DATAFLOWS {
        let name = format!("  {}/{} ", dataflow.system, dataflow.name);
        let job = ended.stdout.split(&name).nth(1).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(job.trim_start().starts_with(dataflow.about), "{name}");
    }
    for block in &blocks[1..] {
        let lines: Vec<&str> = block.lines().map(str::trim).collect();
        assert!(lines[1].starts_with("windows "), "{block}");
        assert!(lines[2].contains(' '), "{block}");
    }
    let windows = |view: &str| {
        let block = blocks.iter().find(|block| block.starts_with(&format!("{view}\n")));
        block.unwrap().lines().nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(windows("active_users"), "windows                  1m every 30s");
    assert_eq!(windows("raw_events"), "windows                  none: a row per event");
    assert_eq!(
        windows("realtime_user_sessions"),
        "windows                  sessions that end after 30m of silence"
    );
}

#[test]
fn the_jobs_of_one_system_can_be_listed() {
    let dir = Scratch::new("list-one");
    let ended = run_in(dir.path(), &["list", "jobs", "elearning"]);
    assert_eq!(ended.stdout.matches("\n  elearning/").count(), 6, "{}", ended.stdout);
    assert!(!ended.stdout.contains("campus/"), "{}", ended.stdout);
    let ended = run_in(dir.path(), &["list", "jobs", "campos"]);
    assert_eq!(ended.code, Some(64));
    assert!(ended.stderr.contains("hint: there is `campus`"), "{}", ended.stderr);
}
