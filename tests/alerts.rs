//! Alerts as a user meets them: a row in each sink that is bound, a line in the log, and both once.

use std::fmt::Write;
use std::fs;

use highwater::testing::Scratch;

use crate::binary::run_in;

/// Every alert of the shop is a row of both files.
const BOUND: &str = r#"
[source.events]
file = { path = "events.jsonl" }

[sink."*"]
blackhole = {}

[[sink.alerts]]
file = { path = "alerts.csv" }
stamp = "raised_at"

[[sink.alerts]]
file = { path = "again.jsonl" }
"#;

/// Logins of some minutes, of each of which a quarter fails.
fn logins(minutes: u32) -> String {
    let mut lines = String::new();
    for login in 0..4 * minutes {
        let (minute, second, success) = (login / 4, 10 * (login % 4), login % 4 != 0);
        writeln!(
            lines,
            "{{\"event_type\":\"user_login\",\"success\":{success},\
             \"timestamp\":\"2026-03-01T12:{minute:02}:{second:02}+00:00\"}}"
        )
        .unwrap();
    }
    lines
}

#[test]
fn an_alert_is_a_row_of_each_sink_and_one_line_of_the_log() {
    let folder = Scratch::new("alerts");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("events.jsonl"), logins(15)).unwrap();
    fs::write(path("job.toml"), BOUND).unwrap();
    let ended = run_in(folder.path(), &["run", "shop", "-c", "job.toml", "-w", "2"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let rows = fs::read_to_string(path("alerts.csv")).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    let columns =
        "alert,system,view,window_start,window_end,key,value,threshold,severity,raised_at";
    assert_eq!((lines.len(), lines[0]), (16, columns));
    let first = lines.iter().filter(|line| {
        line.starts_with(
            "shop.login_failures,shop,alerts,2026-03-01T12:00:00.000000Z,\
             2026-03-01T12:01:00.000000Z,{},0.25,0.2,warning,20",
        )
    });
    assert_eq!(first.count(), 1, "{rows}");
    assert_eq!(fs::read_to_string(path("again.jsonl")).unwrap().lines().count(), 15);

    // Each is logged, or counted, once.
    let said =
        ended.stderr.lines().filter(|line| line.contains("WARN alert shop.login_failures: "));
    let (counted, logged): (Vec<&str>, Vec<&str>) =
        said.partition(|line| line.ends_with("more are not logged"));
    let more = counted.iter().filter_map(|line| line.rsplit(' ').nth(4)?.parse::<usize>().ok());
    assert_eq!(logged.len() + more.sum::<usize>(), 15, "{}", ended.stderr);
    assert!(10 <= logged.len() && logged[0].contains("value=0.25 threshold=0.2 severity=warning"));
}

#[test]
fn a_threshold_that_is_none_ends_with_the_way_out() {
    let folder = Scratch::new("threshold");
    let check = |value: &str, shown: &str| {
        let set = format!("parameters.alerts.shop.login_failures={value}");
        let ended = run_in(folder.path(), &["run", "shop", "--for", "0s", "--set", &set]);
        assert_eq!(ended.code, Some(65), "{}", ended.stderr);
        let words = format!(
            "`alerts.shop.login_failures` must be a number that is not negative, or \"off\", not \
             {shown}"
        );
        assert!(ended.stderr.contains(&words), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: leave it out for 0.2"), "{}", ended.stderr);
    };
    check("\"high\"", "\"high\"");
    check("-0.1", "-0.1");
    check("nan", "nan");
}
