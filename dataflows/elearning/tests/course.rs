//! EL-16 to EL-20.

use super::play::rows;
use crate::elearning::course;

const COURSE: &[&str] = &[
    "12:00:00 ENROLL_COURSE user_id=a course_id=C1",
    "12:00:10 ~COURSE_ENROLLED user_id=b course_id=C1",
    "12:00:11 ~COURSE_ENROLLED user_id=b course_id=C1",
    "12:00:20 ACCESS_MATERIAL user_id=a course_id=C1 material_id=M1",
    "12:00:30 ~ITEM_CLICK user_id=b course_id=C1 item_id=M1",
    "12:00:31 ~ACCESS_COURSE_MATERIAL user_id=b course_id=C1 material_id=M2",
    "12:00:32 ACCESS_MATERIAL user_id=a course_id=C1 item_id=M9",
    "12:00:40 DOWNLOAD_RESOURCE user_id=a course_id=C1 resource_id=R1",
    "12:00:41 ~DOWNLOAD_MATERIAL user_id=a course_id=C1 material_id=R2",
    "12:00:50 ~COURSE_VIEW user_id=a course_id=C1",
    "12:01:00 ~COURSE_VIEW course_id=C2",
    "12:01:10 - course_id=C2 material_id=M1",
    "12:01:20 ENROLL_COURSE",
];

fn check(view: &str, expect: &[&str]) {
    assert_eq!(rows(course, view, &[("course", COURSE)]), expect, "{view}");
}

#[test]
fn every_event_is_an_interaction() {
    check(
        "course_realtime_active_courses_1min",
        &["12:00-12:01 1 2 10 3 4 2", "12:01-12:02 1 0 3 1 0 0"],
    );
}

#[test]
fn rates_are_per_minute_of_the_window() {
    check(
        "course_realtime_enrollment_rate",
        &["12:00-12:05 - 1 0 0.20", "12:00-12:05 C1 3 2 0.60"],
    );
}

#[test]
fn materials_are_items_in_the_producers_words() {
    check(
        "course_realtime_material_access_5min",
        &["12:00-12:05 C1 - 1 1 0.20", "12:00-12:05 C1 M1 2 2 0.40", "12:00-12:05 C1 M2 1 1 0.20"],
    );
}

#[test]
fn downloads_are_of_materials_in_the_producers_words() {
    check(
        "course_realtime_download_activity",
        &["12:00-12:05 C1 R1 1 1 0.20", "12:00-12:05 C1 R2 1 1 0.20"],
    );
}

#[test]
fn courses_without_known_users_have_no_average() {
    let found = rows(course, "course_realtime_engagement_metrics", &[("course", COURSE)]);
    let of = |start: &str| -> Vec<&str> {
        found.iter().map(String::as_str).filter(|row| row.starts_with(start)).collect()
    };
    // Four different actions; M1 and M2; R1 and R2; 10 interactions of 2 students.
    assert_eq!(of("11:56"), ["11:56-12:01 C1 2 10 4 3 4 2 2 2 5.0"]);
    assert_eq!(
        of("11:57"),
        [
            "11:57-12:02 - 0 1 1 1 0 0 0 0 -",
            "11:57-12:02 C1 2 10 4 3 4 2 2 2 5.0",
            "11:57-12:02 C2 0 2 1 0 0 0 0 0 -",
        ],
    );
    assert_eq!(found.len(), 5 * 3);
}
