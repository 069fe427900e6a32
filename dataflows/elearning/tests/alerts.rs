//! Alerts: rows computed by hand, at, just above and just below their thresholds.

use std::collections::BTreeSet;

use highwater::stream::{Flow, Settings};

use super::play::{Entry, Topic, document, parameters};
use crate::elearning::{assessment, auth, course, profile_notification, video};
use crate::play::{Play, Played};

fn played(entry: Entry, arguments: &str, (topic, lines): Topic<'_>) -> Played {
    let documents: Vec<String> = lines.iter().map(|line| document(line)).collect();
    let topics = [(topic, &documents[..])];
    Play { entry, arguments, null_rows: false, topics: &topics }.run()
}

/// The alerts of a job, each behind its name; at most one for each window and key.
fn check(entry: Entry, arguments: &str, topic: Topic<'_>, expect: &[&str]) {
    let found = played(entry, arguments, topic).finals("alerts");
    let words = |row: &str| row.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let identities: BTreeSet<Vec<String>> =
        found.iter().map(|row| words(row)[..6].into()).collect();
    assert_eq!(identities.len(), found.len(), "{found:?}");
    assert_eq!(found, expect, "{arguments}");
}

/// A line for each second of a minute from 12:00 on.
fn seconds(minute: u32, count: u32, what: &str) -> Vec<String> {
    (0..count).map(|second| format!("12:{minute:02}:{second:02} {what}")).collect()
}

fn lines(all: &[Vec<String>]) -> Vec<&str> {
    all.iter().flatten().map(String::as_str).collect()
}

#[test]
fn failed_logins_are_too_many_of_a_user_or_of_all_together() {
    let failed = [
        // Three of a, two of b: five of all.
        "12:00:00 LOGIN success=false user_id=a",
        "12:00:01 LOGIN success=false user_id=a",
        "12:00:59.999999 LOGIN success=false user_id=a",
        "12:00:02 LOGIN success=false user_id=b",
        "12:00:03 LOGIN success=false user_id=b",
        "12:00:04 LOGIN success=true user_id=b",
        "12:00:05 LOGIN user_id=b",
        // Two of all are not too many.
        "12:01:00 LOGIN success=false user_id=a",
        "12:01:01 LOGIN success=false user_id=b",
        // Nor is one of each, but all together.
        "12:02:00 LOGIN success=false user_id=a",
        "12:02:01 LOGIN success=false user_id=b",
        "12:02:02 LOGIN success=false",
        // Nobody is a key, too.
        "12:03:00 LOGIN success=false",
        "12:03:01 LOGIN success=false",
        "12:03:02 LOGIN success=false",
    ];
    let alert = |window: &str, key: &str, value: &str| {
        format!(
            "auth.failed_login_threshold played auth_realtime_failed_logins {window} {key} {value} \
             2.0 warning"
        )
    };
    let expect = [
        alert("12:00 12:01", "{\"user_id\":\"a\"}", "3.0"),
        alert("12:00 12:01", "{}", "5.0"),
        alert("12:02 12:03", "{}", "3.0"),
        alert("12:03 12:04", "{\"user_id\":null}", "3.0"),
        alert("12:03 12:04", "{}", "3.0"),
    ];
    let expect = expect.each_ref().map(String::as_str);
    check(auth, "alerts.auth.failed_login_threshold = 2", ("auth", &failed), &expect);
    check(auth, "alerts.auth.failed_login_threshold = 'off'", ("auth", &failed), &[]);
}

#[test]
fn ten_failed_logins_in_a_minute_are_no_alert_and_eleven_are() {
    let failed = "LOGIN success=false user_id=a";
    let all = [seconds(0, 10, failed), seconds(1, 11, failed)];
    let alert = "auth.failed_login_threshold played auth_realtime_failed_logins 12:01 12:02";
    check(
        auth,
        "",
        ("auth", &lines(&all)),
        &[
            &format!("{alert} {{\"user_id\":\"a\"}} 11.0 10.0 warning"),
            &format!("{alert} {{}} 11.0 10.0 warning"),
        ],
    );
}

#[test]
fn what_is_late_raises_no_second_alert() {
    let failed = "LOGIN success=false user_id=a";
    let mut all = [seconds(0, 3, failed), vec![]];
    // Both partitions pass the end of the minute by its lateness, then a login comes for it.
    for line in ["12:05:00 PING", "12:05:01 PING", "12:00:30 LOGIN success=false user_id=a"] {
        all[1].push(line.into());
    }
    let played = played(auth, "alerts.auth.failed_login_threshold = 2", ("auth", &lines(&all)));
    let alert = "auth.failed_login_threshold played auth_realtime_failed_logins 12:00 12:01";
    assert_eq!(
        played.finals("alerts"),
        [
            format!("{alert} {{\"user_id\":\"a\"}} 3.0 2.0 warning"),
            format!("{alert} {{}} 3.0 2.0 warning"),
        ],
    );
    let late = played.letters();
    assert!(late.contains(&"5 late auth_realtime_failed_logins".to_owned()), "{late:?}");
    assert!(late.contains(&"5 late alerts".to_owned()), "{late:?}");
}

#[test]
fn an_alert_may_have_two_levels_and_tells_the_graver_one() {
    let failed = "LOGIN success=false user_id=a";
    let all = [seconds(0, 3, failed), seconds(1, 4, failed), seconds(2, 1, failed)];
    let alert = "auth.failed_login_threshold played auth_realtime_failed_logins";
    let levels = "alerts.auth.failed_login_threshold = { warning = 1, critical = 3 }";
    let expect = [
        format!("{alert} 12:00 12:01 {{\"user_id\":\"a\"}} 3.0 1.0 warning"),
        format!("{alert} 12:00 12:01 {{}} 3.0 1.0 warning"),
        format!("{alert} 12:01 12:02 {{\"user_id\":\"a\"}} 4.0 3.0 critical"),
        format!("{alert} 12:01 12:02 {{}} 4.0 3.0 critical"),
    ];
    let all = lines(&all);
    check(auth, levels, ("auth", &all), &expect.each_ref().map(String::as_str));
    let only = "alerts.auth.failed_login_threshold = { warning = 'off', critical = '3' }";
    check(auth, only, ("auth", &all), &[&expect[2], &expect[3]]);
}

#[test]
fn users_are_logged_in_who_logged_in_more_often_than_out() {
    let sessions = [
        "12:00:00 LOGIN success=true user_id=a",
        "12:00:01 LOGIN success=true user_id=b",
        "12:00:02 LOGIN success=true user_id=c",
        "12:00:30 LOGOUT user_id=c",
        // Nobody in particular is no user.
        "12:00:40 LOGIN success=true",
        "12:00:41 PING user_id=d",
        // Closes no session that was opened before.
        "12:00:42 LOGOUT user_id=e",
        "12:01:30 LOGOUT user_id=a",
        "12:01:31 LOGOUT user_id=a",
        "12:04:00 LOGIN success=true user_id=f",
    ];
    let alert = "auth.max_concurrent_sessions played auth_realtime_session_activity";
    // a and b until 12:01, b alone until f comes, b and f until 12:05, f alone from then on.
    let expect = [
        format!("{alert} 11:56 12:01 {{}} 2.0 1.0 warning"),
        format!("{alert} 12:00 12:05 {{}} 2.0 1.0 warning"),
    ];
    let arguments = "alerts.auth.max_concurrent_sessions = 1";
    let expect = expect.each_ref().map(String::as_str);
    check(auth, arguments, ("auth", &sessions), &expect);
    check(auth, "alerts.auth.max_concurrent_sessions = 2", ("auth", &sessions), &[]);
}

#[test]
fn submissions_are_a_spike_and_the_queue_of_an_assignment_too_long() {
    let submitted = [
        "12:00:00 SUBMIT_ASSIGNMENT assignment_id=A user_id=s1",
        "12:00:01 SUBMIT_ASSIGNMENT assignment_id=A user_id=s2",
        "12:00:02 SUBMIT_ASSIGNMENT assignment_id=A user_id=s3",
        "12:00:03 GRADE_ASSIGNMENT assignment_id=A user_id=t",
        // Two submissions are no spike; of B one waits, of no assignment two.
        "12:01:00 SUBMIT_ASSIGNMENT assignment_id=B user_id=s1",
        "12:01:01 SUBMIT_ASSIGNMENT",
        "12:02:00 SUBMIT_ASSIGNMENT",
    ];
    let arguments = "alerts.assessment = { submission_spike_threshold = 2, grading_queue_max = 1 }";
    let queue = "assessment.grading_queue_max played assessment_realtime_grading_queue 12:00 12:05";
    check(
        assessment,
        arguments,
        ("assessment", &submitted),
        &[
            &format!("{queue} {{\"assignment_id\":\"A\"}} 2.0 1.0 warning"),
            &format!("{queue} {{\"assignment_id\":null}} 2.0 1.0 warning"),
            "assessment.submission_spike_threshold played assessment_realtime_submissions_1min \
             12:00 12:01 {} 3.0 2.0 warning",
        ],
    );
}

#[test]
fn a_video_has_too_many_viewers_or_too_few_who_watch_to_its_end() {
    let watched = [
        "12:00:00 WATCH_VIDEO video_id=V user_id=a",
        "12:00:01 WATCH_VIDEO video_id=V user_id=b",
        "12:00:02 WATCH_VIDEO video_id=W user_id=a",
        "12:00:03 WATCH_VIDEO video_id=W user_id=a",
    ];
    let viewers = "video.concurrent_viewer_max played video_realtime_concurrent_viewers";
    let windows = ["11:56 12:01", "11:57 12:02", "11:58 12:03", "11:59 12:04", "12:00 12:05"];
    let expect = windows.map(|w| format!("{viewers} {w} {{\"video_id\":\"V\"}} 2.0 1.0 warning"));
    let expect = expect.each_ref().map(String::as_str);
    check(video, "alerts.video.concurrent_viewer_max = 1", ("video", &watched), &expect);

    let times = |video: &str, starts: u32, completions: u32| {
        let start = format!("START_VIDEO video_id={video}");
        let end = format!("COMPLETE_VIDEO video_id={video}");
        [seconds(0, starts, &start), seconds(1, completions, &end)].concat()
    };
    // Exactly 0.3, just below it, nothing, and no start at all.
    let all = [times("at", 10, 3), times("below", 57, 17), times("none", 1, 0), times("no", 0, 1)];
    let rate = "video.engagement_rate_min played video_realtime_engagement_rate 12:00 12:05";
    check(
        video,
        "",
        ("video", &lines(&all)),
        &[
            &format!("{rate} {{\"video_id\":\"below\"}} 0.2982 0.3 warning"),
            &format!("{rate} {{\"video_id\":\"none\"}} 0.0 0.3 warning"),
        ],
    );
}

#[test]
fn enrolments_are_a_spike_and_a_material_is_opened_too_often() {
    let enrolled = "ENROLL_COURSE course_id=C";
    let mut all = vec![seconds(0, 20, enrolled), seconds(1, 21, enrolled)];
    check(
        course,
        "",
        ("course", &lines(&all)),
        &["course.enrollment_spike_threshold played course_realtime_active_courses_1min \
           12:01 12:02 {} 21.0 20.0 warning"],
    );
    all = vec![
        seconds(0, 3, "ACCESS_MATERIAL course_id=C material_id=M"),
        seconds(1, 2, "ACCESS_MATERIAL course_id=C material_id=N"),
        seconds(2, 3, "ACCESS_MATERIAL course_id=C"),
    ];
    let access = "course.material_access_spike played course_realtime_material_access_5min \
                  12:00 12:05";
    check(
        course,
        "alerts.course.material_access_spike = 2",
        ("course", &lines(&all)),
        &[
            &format!("{access} {{\"course_id\":\"C\",\"material_id\":\"M\"}} 3.0 2.0 warning"),
            &format!("{access} {{\"course_id\":\"C\",\"material_id\":null}} 3.0 2.0 warning"),
        ],
    );
}

/// Views of a job, and how many windows it keeps.
fn described(entry: Entry, arguments: &str, alerts: bool) -> (Vec<String>, usize) {
    let flow = Flow::new(Settings { alerts, ..Settings::default() });
    let mut parameters = parameters(arguments);
    entry(&flow, &mut parameters).unwrap();
    parameters.finish().unwrap();
    let plan = flow.take();
    assert_eq!(plan.errors, []);
    (plan.view_names().into_iter().map(Into::into).collect(), plan.roots.len())
}

#[test]
fn alerts_that_nobody_wants_cost_no_window() {
    let check = |arguments: &str, bound, views: usize, windows: usize| {
        let (names, roots) = described(auth, arguments, bound);
        assert_eq!((names.len(), roots), (views, windows), "{arguments}: {names:?}");
    };
    let both = "alerts.auth = { failed_login_threshold = 'off', max_concurrent_sessions = 'off' }";
    check("", true, 6, 7);
    check("", false, 5, 5);
    check("alerts.enabled = false", true, 5, 5);
    check(both, true, 5, 5);
    check("alerts.auth.max_concurrent_sessions = 'off'", true, 6, 6);
    // An alert goes with its view.
    check("realtime_views.auth = ['auth_realtime_login_rate']", true, 1, 1);
    check("realtime_views.auth = ['auth_realtime_failed_logins']", true, 2, 2);
    let (names, _) = described(profile_notification, "", true);
    assert!(!names.contains(&"alerts".into()), "{names:?}");
}

#[test]
fn a_threshold_is_a_number_that_is_not_negative_or_off() {
    let check = |value: &str, shown: &str| {
        let arguments = format!("alerts.auth.failed_login_threshold = {value}");
        let flow = Flow::new(Settings::default());
        let error = auth(&flow, &mut parameters(&arguments)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "test.toml:3: parameters: `alerts.auth.failed_login_threshold` must be a number \
                 that is not negative, or \"off\", not {shown}\n  hint: leave it out for 10; \
                 \"off\" is no threshold at all"
            ),
        );
    };
    check("'many'", "\"many\"");
    check("-1", "-1");
    check("-0.5", "-0.5");
    check("nan", "nan");
    check("inf", "inf");
    check("'NaN'", "\"NaN\"");
    check("true", "true");
    check("[1]", "[1]");
    let flow = Flow::new(Settings::default());
    let mut wrong = parameters("alerts.auth.failed_logins_threshold = 1");
    auth(&flow, &mut wrong).unwrap();
    let error = wrong.finish().unwrap_err().to_string();
    assert!(error.contains("did you mean `alerts.auth.failed_login_threshold`"), "{error}");
}
