//! EL-11 to EL-15.

use super::play::rows;
use crate::elearning::video;

const VIDEO: &[&str] = &[
    "12:00:00 START_VIDEO user_id=a video_id=V1 course_id=C1",
    "12:00:10 START_VIDEO user_id=b video_id=V1 course_id=C1",
    "12:00:20 PAUSE_VIDEO user_id=a video_id=V1 course_id=C1",
    "12:00:30 WATCH_VIDEO user_id=a video_id=V1 course_id=C1 watch_duration_seconds=100",
    "12:00:40 ~VIDEO_WATCHED user_id=c video_id=V1 course_id=C1 watch_duration_seconds=33",
    "12:00:50 COMPLETE_VIDEO user_id=a video_id=V1 course_id=C1 watch_duration_seconds=1",
    // Started, and nothing more.
    "12:01:00 START_VIDEO user_id=a video_id=V2",
    // Never started; durations that are too large or no whole numbers are NULL.
    "12:01:10 WATCH_VIDEO user_id=a video_id=V3 watch_duration_seconds=3000000000",
    "12:01:20 WATCH_VIDEO video_id=V3 watch_duration_seconds=59",
    "12:01:21 WATCH_VIDEO video_id=V3 watch_duration_seconds=60.5",
    "12:01:22 COMPLETE_VIDEO video_id=V3",
    // A duration counts whatever was done.
    "12:01:30 - watch_duration_seconds=-20",
];

fn check(view: &str, expect: &[&str]) {
    assert_eq!(rows(video, view, &[("video", VIDEO)]), expect, "{view}");
}

#[test]
fn minutes_are_decimals_of_whole_seconds() {
    // 134 s are 2.2333 min, 39 s are 0.65 min.
    check(
        "video_realtime_viewers_1min",
        &["12:00-12:01 3 1 6 2 1 1 134 2.23", "12:01-12:02 1 2 6 1 0 1 39 0.65"],
    );
}

#[test]
fn watch_time_is_that_of_events_with_a_duration() {
    // 134 / 3 is 44.666…; 59 s are 0.98333 min, and -20 s -0.3333 min.
    check(
        "video_realtime_watch_time_5min",
        &[
            "12:00-12:05 - - 0 -20 -0.33 -20.0 -20 1",
            "12:00-12:05 V1 C1 2 134 2.23 44.67 100 3",
            "12:00-12:05 V3 - 0 59 0.98 59.0 59 1",
        ],
    );
}

#[test]
fn only_videos_that_were_started_have_an_engagement_rate() {
    check(
        "video_realtime_engagement_rate",
        &["12:00-12:05 V1 2 1 1 3 134 50.0 50.0 67.0", "12:00-12:05 V2 1 0 0 1 - 0.0 0.0 -"],
    );
}

#[test]
fn popular_videos_are_all_of_them() {
    check(
        "video_realtime_popular_videos",
        &[
            "12:00-12:05 - - 0 1 -20 0 0 -",
            "12:00-12:05 V1 C1 3 6 134 2 1 50.0",
            "12:00-12:05 V2 - 1 1 - 1 0 0.0",
            "12:00-12:05 V3 - 1 4 59 0 1 -",
        ],
    );
}

#[test]
fn viewers_are_those_who_start_or_watch() {
    let found = rows(video, "video_realtime_concurrent_viewers", &[("video", VIDEO)]);
    let of = |start: &str| -> Vec<&str> {
        found.iter().map(String::as_str).filter(|row| row.starts_with(start)).collect()
    };
    assert_eq!(of("11:56"), ["11:56-12:01 V1 3 4 133 2.22"]);
    assert_eq!(
        of("12:00"),
        ["12:00-12:05 V1 3 4 133 2.22", "12:00-12:05 V2 1 1 - -", "12:00-12:05 V3 1 3 59 0.98",],
    );
    assert_eq!(of("12:01"), ["12:01-12:06 V2 1 1 - -", "12:01-12:06 V3 1 3 59 0.98"]);
    assert_eq!(found.len(), 5 * 3);
}
