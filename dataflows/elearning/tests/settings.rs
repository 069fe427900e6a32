//! What parameters change.

use highwater::error::Result;
use highwater::stream::{Flow, Plan, Settings};

use super::play::{Entry, parameters, rows_with};
use crate::elearning::{auth, course, profile_notification};

const ENROLMENTS: &[&str] = &[
    "12:00:00 ENROLL_COURSE course_id=C1",
    "12:00:40 ENROLL_COURSE course_id=C1",
    "12:01:10 ENROLL_COURSE course_id=C1",
];

fn described(entry: Entry, arguments: &str) -> Result<Plan> {
    let (flow, mut parameters) = (Flow::new(Settings::default()), parameters(arguments));
    entry(&flow, &mut parameters)?;
    parameters.finish()?;
    Ok(flow.take())
}

#[test]
fn rates_are_divided_by_the_true_length_of_the_window() {
    let check = |arguments: &str, expect: &[&str]| {
        let topics = [("course", ENROLMENTS)];
        let found = rows_with(course, arguments, "course_realtime_enrollment_rate", &topics);
        assert_eq!(found, expect, "{arguments}");
    };
    check("windows.short = '90s'", &["12:00-12:01:30 C1 3 0 2.00"]);
    check("windows.short = '7m'", &["12:00-12:07 C1 3 0 0.43"]);
    let off = "windows = { short = '90s', from_config = 'off' }";
    check(off, &["12:00-12:05 C1 3 0 0.60"]);
}

#[test]
fn short_windows_of_a_minute_and_a_half_still_slide_by_a_minute() {
    let topics = [("course", ENROLMENTS)];
    let arguments = "windows = { micro = '30s', short = '90s' }";
    let view = "course_realtime_engagement_metrics";
    let found = rows_with(course, arguments, view, &topics);
    let windows: Vec<&str> = found.iter().filter_map(|row| row.split(' ').next()).collect();
    assert_eq!(windows, ["11:59-12:00:30", "12:00-12:01:30", "12:01-12:02:30"]);
    let found = rows_with(course, arguments, "course_realtime_active_courses_1min", &topics);
    let windows: Vec<&str> = found.iter().filter_map(|row| row.split(' ').next()).collect();
    assert_eq!(windows, ["12:00-12:00:30", "12:00:30-12:01", "12:01-12:01:30"]);
}

#[test]
fn the_watermark_runs_two_minutes_behind_unless_told_otherwise() {
    let lateness = |arguments: &str| {
        let plan = described(auth, arguments).unwrap();
        plan.sources[0].lateness.delay().as_secs()
    };
    assert_eq!(lateness(""), 120);
    assert_eq!(lateness("windows.watermark = '30s'"), 30);
    assert_eq!(lateness("windows = { watermark = '30s', from_config = 'off' }"), 30);
}

#[test]
fn only_the_views_that_are_listed_are_built() {
    let plan = described(
        profile_notification,
        "realtime_views.profile_notification = ['notification_realtime_sent_1min']",
    );
    let plan = plan.unwrap();
    assert_eq!(plan.view_names(), ["notification_realtime_sent_1min"]);
    assert_eq!(plan.source_names(), ["notification"]);
    let error = described(auth, "realtime_views.auth = ['auth_realtime_logins_rate']");
    assert_eq!(
        error.err().unwrap().to_string(),
        "test.toml:3: parameters: `realtime_views.auth` lists `auth_realtime_logins_rate`, \
         which is none\n  hint: did you mean `auth_realtime_login_rate`?",
    );
}

#[test]
fn settings_without_effect_are_taken_and_named() {
    let mut parameters = parameters(
        "spark = { shuffle_partitions = 50, driver_memory = '1g' }\n\
         windows.long = '1 hour'\n\
         output = { format = 'parquet', trigger_interval = '30 seconds' }",
    );
    auth(&Flow::new(Settings::default()), &mut parameters).unwrap();
    assert_eq!(
        parameters.notices(),
        [
            "the parameter `output.format` has no effect: the sinks say where and how rows are \
             written",
            "the parameter `output.trigger_interval` has no effect: set it in [sink.\"*\"], or \
             TRIGGER_INTERVAL",
            "the parameter `spark.driver_memory` has no effect: there is no driver",
            "the parameter `spark.shuffle_partitions` has no effect: work is sharded by worker",
            "the parameter `windows.long` has no effect: no view has such windows",
        ],
    );
    parameters.finish().unwrap();
}

#[test]
fn a_setting_that_nobody_knows_is_refused() {
    let error = described(auth, "windows.mirco = '1m'").err().unwrap().to_string();
    assert!(error.ends_with("did you mean `windows.micro`?"), "{error}");
}
