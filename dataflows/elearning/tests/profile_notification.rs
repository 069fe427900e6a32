//! EL-21 to EL-25.

use super::play::rows;
use crate::elearning::profile_notification;

const PROFILE: &[&str] = &[
    "12:00:00 UPDATE_PROFILE user_id=a field_name=email",
    "12:00:10 ~UPDATE_PROFILE user_id=b updated_fields=[\"email\",\"address\",null]",
    "12:00:11 ~UPDATE_PROFILE user_id=b updated_fields=[\"address\",\"phone_number\"]",
    // A list counts in the producer's dialect alone, and of this event alone.
    "12:00:20 UPDATE_PROFILE user_id=a updated_fields=[\"gender\"]",
    "12:00:21 ~PASSWORD_CHANGED user_id=c updated_fields=[\"password\"]",
    "12:00:30 ~PROFILE_PICTURE_UPDATED user_id=a",
    "12:00:31 CHANGE_AVATAR",
    "12:01:00 -",
];

const NOTIFICATION: &[&str] = &[
    "12:00:00.95 SEND_NOTIFICATION user_id=a notification_id=N1 notification_type=grade",
    "12:00:01 ~NOTIFICATION_SENT user_id=b notification_id=N1 notification_type=grade",
    "12:00:02 ~NOTIFICATION_SENT user_id=c notification_id=N2 notification_type=grade",
    "12:00:03.9 ~NOTIFICATION_OPENED user_id=a notification_id=N1 notification_type=grade",
    "12:00:03 VIEW_NOTIFICATION user_id=b notification_id=N1 notification_type=grade",
    "12:00:10 ~NOTIFICATION_CLICKED user_id=a notification_id=N1 notification_type=grade",
    // Clicked before it was sent, and never opened.
    "12:01:30 SEND_NOTIFICATION user_id=a notification_id=N3 notification_type=news",
    "12:01:00 CLICK_NOTIFICATION user_id=a notification_id=N3 notification_type=news",
    "12:01:01 CLICK_NOTIFICATION user_id=a notification_id=N3 notification_type=news",
    // Never sent.
    "12:01:40 CLICK_NOTIFICATION notification_type=ad",
    "12:01:41 OTHER notification_id=N4",
];

fn check(view: &str, expect: &[&str]) {
    let topics = [("profile", PROFILE), ("notification", NOTIFICATION)];
    assert_eq!(rows(profile_notification, view, &topics), expect, "{view}");
}

#[test]
fn fields_of_the_producers_lists_are_counted_one_by_one() {
    // email, address, phone_number.
    check("profile_realtime_updates_1min", &["12:00-12:01 3 7 4 2 3", "12:01-12:02 0 1 0 0 0"]);
}

#[test]
fn sent_notifications_are_counted_by_minute() {
    check("notification_realtime_sent_1min", &["12:00-12:01 3 3 1", "12:01-12:02 1 1 1"]);
}

#[test]
fn a_click_rate_may_exceed_a_hundred_and_needs_something_sent() {
    // 1 of 3, and 2 of 1; users of all events.
    check(
        "notification_realtime_click_rate_5min",
        &["12:00-12:05 grade 3 1 3 33.33", "12:00-12:05 news 1 2 1 200.0"],
    );
}

#[test]
fn times_to_view_and_click_are_whole_seconds_and_may_be_negative() {
    check(
        "notification_realtime_delivery_status",
        &[
            "12:00-12:05 - ad 0 0 1 0 - - 12:01:40 - -",
            "12:00-12:05 N1 grade 2 2 1 2 12:00:00.95 12:00:03 12:00:10 3 10",
            "12:00-12:05 N2 grade 1 0 0 1 12:00:02 - - - -",
            "12:00-12:05 N3 news 1 0 2 1 12:01:30 - 12:01 - -30",
            "12:00-12:05 N4 - 0 0 0 0 - - - - -",
        ],
    );
}

#[test]
fn rates_of_users_without_notifications_are_null() {
    let view = "notification_realtime_engagement_metrics";
    let found = rows(profile_notification, view, &[("notification", NOTIFICATION)]);
    let of = |start: &str| -> Vec<&str> {
        found.iter().map(String::as_str).filter(|row| row.starts_with(start)).collect()
    };
    assert_eq!(
        of("11:56"),
        [
            "11:56-12:01 a 3 1 1 1 1 100.0 100.0",
            "11:56-12:01 b 2 1 1 0 1 100.0 0.0",
            "11:56-12:01 c 1 1 0 0 1 0.0 0.0",
        ],
    );
    assert_eq!(
        of("11:57"),
        [
            "11:57-12:02 - 2 0 0 1 1 - -",
            "11:57-12:02 a 6 2 1 3 2 50.0 150.0",
            "11:57-12:02 b 2 1 1 0 1 100.0 0.0",
            "11:57-12:02 c 1 1 0 0 1 0.0 0.0",
        ],
    );
    assert_eq!(of("12:01"), ["12:01-12:06 - 2 0 0 1 1 - -", "12:01-12:06 a 3 1 0 2 1 0.0 200.0"]);
    assert_eq!(found.len(), 3 * 5 + 5 + 1);
}
