//! The jobs of the e-learning system in scripts: their events in a line, their views.
//!
//! ```text
//! 12:00:05 LOGIN user_id=ann success=true     time, action of the job, fields
//! 12:00:05 ~SIGNUP user_id=ann                an `event_type` of the producer
//! 12:00:05 - user_id=ann                      neither
//! ```
//!
//! A value is JSON if it can be read as such, else a text. A line that begins with `{` is a record
//! as it stands.

use serde_json::{Map, Value};

use super::play::System;
use super::script::clock;
use super::shown::View;

/// The jobs, each with a folder of its own.
pub(super) const JOBS: [System; 5] = [AUTH, ASSESSMENT, VIDEO, COURSE, PROFILE_NOTIFICATION];

const WINDOW: &[&str] = &["window"];

const AUTH: System = System {
    folder: "elearning/auth",
    ports: &["auth"],
    record,
    entry: highwater_dataflows::elearning::auth,
    views: &[
        view("auth_realtime_active_users_1min", WINDOW, &["active_users", "total_events"]),
        view("auth_realtime_active_users_5min", WINDOW, &["active_users", "register_count"]),
        view("auth_realtime_login_rate", WINDOW, &["total_logins", "success_rate_pct"]),
        view("auth_realtime_session_activity", &["user_id", "window"], &["event_count"]),
        view("auth_realtime_failed_logins", &["user_id", "window"], &["failed_attempt_count"]),
    ],
};

const ASSESSMENT: System = System {
    folder: "elearning/assessment",
    ports: &["assessment"],
    record,
    entry: highwater_dataflows::elearning::assessment,
    views: &[
        view("assessment_realtime_submissions_1min", WINDOW, &["total_submissions", "avg_score"]),
        view(
            "assessment_realtime_active_students",
            &["user_id", "course_id", "window"],
            &["event_count", "distinct_actions"],
        ),
        view(
            "assessment_realtime_quiz_attempts",
            &["quiz_id", "user_id", "window"],
            &["event_count", "avg_correct_answers"],
        ),
        view(
            "assessment_realtime_grading_queue",
            &["assignment_id", "window"],
            &["submissions", "graded", "pending_grading"],
        ),
        view(
            "assessment_realtime_submission_rate",
            &["course_id", "window"],
            &["submissions", "submissions_per_minute"],
        ),
    ],
};

const VIDEO: System = System {
    folder: "elearning/video",
    ports: &["video"],
    record,
    entry: highwater_dataflows::elearning::video,
    views: &[
        view("video_realtime_viewers_1min", WINDOW, &["unique_viewers", "total_watch_minutes"]),
        view(
            "video_realtime_watch_time_5min",
            &["video_id", "course_id", "window"],
            &["total_watch_seconds", "avg_watch_seconds"],
        ),
        view(
            "video_realtime_engagement_rate",
            &["video_id", "window"],
            &["starts", "completion_rate_pct", "avg_watch_per_start"],
        ),
        view(
            "video_realtime_popular_videos",
            &["video_id", "course_id", "window"],
            &["unique_viewers", "completion_rate_pct"],
        ),
        view(
            "video_realtime_concurrent_viewers",
            &["video_id", "window"],
            &["concurrent_viewers", "total_watch_minutes"],
        ),
    ],
};

const COURSE: System = System {
    folder: "elearning/course",
    ports: &["course"],
    record,
    entry: highwater_dataflows::elearning::course,
    views: &[
        view("course_realtime_active_courses_1min", WINDOW, &["active_courses", "downloads"]),
        view(
            "course_realtime_enrollment_rate",
            &["course_id", "window"],
            &["unique_students", "enrollments_per_minute"],
        ),
        view(
            "course_realtime_material_access_5min",
            &["course_id", "material_id", "window"],
            &["unique_students", "access_count"],
        ),
        view(
            "course_realtime_download_activity",
            &["course_id", "resource_id", "window"],
            &["unique_downloaders", "download_count"],
        ),
        view(
            "course_realtime_engagement_metrics",
            &["course_id", "window"],
            &["distinct_actions", "avg_interactions_per_student"],
        ),
    ],
};

const PROFILE_NOTIFICATION: System = System {
    folder: "elearning/profile_notification",
    ports: &["profile", "notification"],
    record,
    entry: highwater_dataflows::elearning::profile_notification,
    views: &[
        view("profile_realtime_updates_1min", WINDOW, &["total_updates", "unique_fields_updated"]),
        view("notification_realtime_sent_1min", WINDOW, &["total_sent", "unique_recipients"]),
        view(
            "notification_realtime_click_rate_5min",
            &["notification_type", "window"],
            &["sent", "click_through_rate_pct"],
        ),
        view(
            "notification_realtime_delivery_status",
            &["notification_id", "notification_type", "window"],
            &["sent_time", "time_to_view_seconds", "time_to_click_seconds"],
        ),
        view(
            "notification_realtime_engagement_metrics",
            &["user_id", "window"],
            &["total_events", "view_rate_pct"],
        ),
    ],
};

const fn view(
    name: &'static str,
    key: &'static [&'static str],
    columns: &'static [&'static str],
) -> View {
    View { name, key, columns }
}

/// Key and value of the record that a line stands for.
fn record(_port: &str, line: &str) -> Result<(String, String), String> {
    if line.starts_with('{') {
        return Ok((String::new(), line.into()));
    }
    let mut words = line.split(' ');
    let time = words.next().unwrap_or_default();
    let at = clock(time).ok_or(format!("`{time}` is no time"))?.to_string();
    let mut fields = Map::new();
    // As the producer writes it: without a zone.
    fields.insert("timestamp".into(), at.replace('T', " ").trim_end_matches('Z').into());
    match words.next().ok_or("the action is missing")? {
        "-" => None,
        action => match action.strip_prefix('~') {
            Some(event_type) => fields.insert("event_type".into(), event_type.into()),
            None => fields.insert("action".into(), action.into()),
        },
    };
    for word in words {
        let (name, value) = word.split_once('=').ok_or(format!("`{word}` is no field"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        fields.insert(name.into(), value);
    }
    let key = fields.get("user_id").map(Value::to_string).unwrap_or_default();
    Ok((key, Value::from(fields).to_string()))
}
