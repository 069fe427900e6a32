//! The 25 views: their columns, and rows computed by hand from a few records.

mod alerts;
mod assessment;
mod auth;
mod course;
#[cfg(all(feature = "kafka", feature = "postgres"))]
mod files;
mod play;
mod profile_notification;
mod settings;
mod video;

use highwater::config::Parameters;
use highwater::stream::{Flow, Settings};

use crate::DATAFLOWS;

/// What a view must look like: its columns behind `window_start` and `window_end`.
fn check(view: &str, expect: &str) {
    let columns = jobs().find_map(|entry| {
        let flow = Flow::new(Settings::default());
        entry(&flow, &mut Parameters::new(&Default::default())).unwrap();
        let plan = flow.take();
        assert!(plan.errors.is_empty());
        let port = plan.ports.iter().find(|port| port.view == view)?;
        Some(port.schema.columns.clone())
    });
    let columns = columns.unwrap_or_else(|| panic!("there is no view {view}"));
    let columns: Vec<String> = columns
        .iter()
        .map(|column| {
            let null = if column.nullable { "?" } else { "" };
            format!("{} {}{null}", column.name, column.kind)
        })
        .collect();
    let expect = format!("window_start ts, window_end ts, {expect}");
    assert_eq!(columns.join(", "), expect, "{view}");
}

fn jobs() -> impl Iterator<Item = play::Entry> {
    DATAFLOWS
        .iter()
        .filter(|flow| flow.system == "elearning" && !flow.by_name)
        .map(|flow| flow.entry)
}

#[test]
fn there_are_25_views_in_five_jobs() {
    let views = jobs().map(|entry| {
        let flow = Flow::new(Settings::default());
        entry(&flow, &mut Parameters::new(&Default::default())).unwrap();
        flow.take().view_names().into_iter().filter(|view| *view != "alerts").count()
    });
    assert_eq!(views.collect::<Vec<_>>(), [5; 5]);
}

#[test]
fn views_of_auth_have_their_columns() {
    let counts = "active_users i64, total_events i64, login_count i64, logout_count i64";
    check("auth_realtime_active_users_1min", counts);
    check("auth_realtime_active_users_5min", &format!("{counts}, register_count i64"));
    check(
        "auth_realtime_login_rate",
        "total_logins i64, successful_logins i64, failed_logins i64, unique_users i64, \
         success_rate_pct f64",
    );
    check(
        "auth_realtime_session_activity",
        "user_id text?, event_count i64, first_event ts, last_event ts, logins i64, logouts i64, \
         session_duration_seconds i64",
    );
    check(
        "auth_realtime_failed_logins",
        "user_id text?, failed_attempt_count i64, first_failed_attempt ts, last_failed_attempt ts",
    );
}

#[test]
fn views_of_assessment_have_their_columns() {
    check(
        "assessment_realtime_submissions_1min",
        "total_submissions i64, unique_students i64, unique_assignments i64, avg_score f64?, \
         min_score f64?, max_score f64?",
    );
    check(
        "assessment_realtime_active_students",
        "user_id text?, course_id text?, event_count i64, distinct_actions i64, views i64, \
         submissions i64, quiz_starts i64",
    );
    check(
        "assessment_realtime_quiz_attempts",
        "quiz_id text?, user_id text?, event_count i64, starts i64, answers i64, completions i64, \
         avg_correct_answers f64?, avg_total_questions f64?",
    );
    check(
        "assessment_realtime_grading_queue",
        "assignment_id text?, submissions i64, students_submitted i64, graded i64, \
         students_graded i64, pending_grading i64",
    );
    check(
        "assessment_realtime_submission_rate",
        "course_id text?, submissions i64, unique_students i64, unique_assignments i64, \
         avg_score f64?, avg_percentage f64?, submissions_per_minute dec(24,2)",
    );
}

#[test]
fn views_of_video_have_their_columns() {
    check(
        "video_realtime_viewers_1min",
        "unique_viewers i64, videos_watched i64, total_events i64, video_starts i64, \
         video_pauses i64, video_completions i64, total_watch_seconds i64?, \
         total_watch_minutes dec(24,2)?",
    );
    check(
        "video_realtime_watch_time_5min",
        "video_id text?, course_id text?, unique_viewers i64, total_watch_seconds i64, \
         total_watch_minutes dec(24,2), avg_watch_seconds f64, max_watch_seconds i32, \
         view_count i64",
    );
    check(
        "video_realtime_engagement_rate",
        "video_id text?, starts i64, pauses i64, completions i64, unique_users i64, \
         total_watch_seconds i64?, completion_rate_pct f64, pause_rate_pct f64, \
         avg_watch_per_start f64?",
    );
    check(
        "video_realtime_popular_videos",
        "video_id text?, course_id text?, unique_viewers i64, total_interactions i64, \
         total_watch_seconds i64?, starts i64, completions i64, completion_rate_pct f64?",
    );
    check(
        "video_realtime_concurrent_viewers",
        "video_id text?, concurrent_viewers i64, event_count i64, total_watch_seconds i64?, \
         total_watch_minutes dec(24,2)?",
    );
}

#[test]
fn views_of_course_have_their_columns() {
    let actions = "enrollments i64, material_accesses i64, downloads i64";
    check(
        "course_realtime_active_courses_1min",
        &format!("active_courses i64, active_students i64, total_interactions i64, {actions}"),
    );
    check(
        "course_realtime_enrollment_rate",
        "course_id text?, enrollment_count i64, unique_students i64, \
         enrollments_per_minute dec(24,2)",
    );
    check(
        "course_realtime_material_access_5min",
        "course_id text?, material_id text?, unique_students i64, access_count i64, \
         accesses_per_minute dec(24,2)",
    );
    check(
        "course_realtime_download_activity",
        "course_id text?, resource_id text?, unique_downloaders i64, download_count i64, \
         downloads_per_minute dec(24,2)",
    );
    check(
        "course_realtime_engagement_metrics",
        &format!(
            "course_id text?, active_students i64, total_interactions i64, distinct_actions i64, \
             {actions}, unique_materials_accessed i64, unique_resources_downloaded i64, \
             avg_interactions_per_student f64?"
        ),
    );
}

#[test]
fn views_of_profile_notification_have_their_columns() {
    check(
        "profile_realtime_updates_1min",
        "users_updated_profile i64, total_updates i64, general_updates i64, avatar_changes i64, \
         unique_fields_updated i64",
    );
    check(
        "notification_realtime_sent_1min",
        "total_sent i64, unique_recipients i64, unique_types i64",
    );
    check(
        "notification_realtime_click_rate_5min",
        "notification_type text?, sent i64, clicked i64, unique_users i64, \
         click_through_rate_pct f64",
    );
    check(
        "notification_realtime_delivery_status",
        "notification_id text?, notification_type text?, sent_count i64, viewed_count i64, \
         clicked_count i64, unique_users i64, sent_time ts?, first_view_time ts?, \
         first_click_time ts?, time_to_view_seconds i64?, time_to_click_seconds i64?",
    );
    check(
        "notification_realtime_engagement_metrics",
        "user_id text?, total_events i64, notifications_received i64, notifications_viewed i64, \
         notifications_clicked i64, unique_notification_types i64, view_rate_pct f64?, \
         click_rate_pct f64?",
    );
}
