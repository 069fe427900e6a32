//! The alert about moments; all else of the job is shown by scripts.

use highwater::time::Time;

use super::recent::Recent;
use crate::play::{Play, Played};

/// The messages of windows of ten seconds from 12:00 on, as many as it says.
fn chat(arguments: &str, counts: &[u32]) -> Played {
    let line = |window: usize, n: u32| {
        let (minute, second) = (window / 6, 10 * (window % 6));
        format!(
            "{{\"timestamp\":\"2026-03-01T12:{minute:02}:{second:02}.{n:06}Z\",\
             \"stream_id\":\"s\",\"user_id\":\"u{n}\",\"message\":\"hi\"}}"
        )
    };
    let windows = counts.iter().enumerate();
    let lines = windows.flat_map(|(window, count)| (0..*count).map(move |n| line(window, n)));
    let lines: Vec<String> = lines.collect();
    let topics = [("chat", &lines[..])];
    Play { entry: super::entry, arguments, null_rows: false, topics: &topics }.run()
}

/// Windows of ten seconds that do not overlap, and a spike in every seventh: ten earlier windows
/// have at most two of them, so each stands out.
const TEN_SECONDS: &str = "window = '10s'\nslide = '10s'\nthreshold = 1.5\n";

fn spikes(windows: usize) -> Vec<u32> {
    (0..windows).map(|window| if window % 7 == 6 { 12 } else { 2 }).collect()
}

#[test]
fn more_than_so_many_moments_in_ten_minutes_are_an_alert_at_each_further_one() {
    // Spikes begin at 12:01:00 and come every 70 s.
    let counts = spikes(7 * 12);
    let played = chat(&format!("{TEN_SECONDS}alerts.chat.anomaly_rate = 7"), &counts);
    assert_eq!(played.finals("moments").len(), 12);
    // 70 s apart, ten minutes hold nine: the eighth and the ninth moment, then all that follow.
    let starts = ["12:09:10", "12:10:20", "12:11:30", "12:12:40", "12:13:50"];
    let ends = ["12:09:20", "12:10:30", "12:11:40", "12:12:50", "12:14"];
    let expect: Vec<String> = [8, 9, 9, 9, 9]
        .iter()
        .zip(starts.iter().zip(ends))
        .map(|(count, (start, end))| {
            format!(
                "chat.anomaly_rate played moments {start} {end} {{\"stream_id\":\"s\"}} {count}.0 \
                 7.0 warning"
            )
        })
        .collect();
    assert_eq!(played.finals("alerts"), expect);
    let at = chat(&format!("{TEN_SECONDS}alerts.chat.anomaly_rate = 9"), &counts);
    assert_eq!(at.finals("alerts"), [""; 0]);
    assert_eq!(chat(TEN_SECONDS, &counts).finals("alerts"), [""; 0]);
}

#[test]
fn a_moment_ten_minutes_ago_is_not_counted_and_one_just_behind_it_is() {
    let at = |start| Recent::at(Time::from_seconds(start));
    let counted = |past: &[i64]| {
        let past: Vec<Recent> = past.iter().map(|start| at(*start)).collect();
        at(600).counted(&past).count
    };
    assert_eq!(counted(&[]), 1);
    assert_eq!(counted(&[0, 1, 599]), 3);
}
