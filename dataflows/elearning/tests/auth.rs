//! EL-01 to EL-05.

use super::play::rows;
use crate::elearning::auth;

/// A minute and a bit in both dialects: users a to d, and NULL.
const AUTH: &[&str] = &[
    "12:00:00 LOGIN success=true user_id=a",
    "12:00:10 LOGIN success=false user_id=b",
    "12:00:20.9 LOGIN success=false user_id=b",
    // Neither succeeded nor failed: NULL, and of the wrong type.
    "12:00:30 LOGIN user_id=a",
    "12:00:31 LOGIN success=\"false\" user_id=c",
    // The producer's login has succeeded; its sign-up is a registration.
    "12:00:40 ~LOGIN user_id=a",
    "12:00:41 ~SIGNUP user_id=d",
    "12:00:42 ~LOGOUT",
    "12:00:59.999999 LOGIN success=false",
    // The next minute begins.
    "12:01:00 LOGOUT event_type=LOGIN user_id=a",
    "12:01:01.95 PING user_id=a",
    // No events.
    "{\"action\":\"LOGIN\",\"user_id\":\"e\"}",
    "not JSON",
];

fn check(view: &str, expect: &[&str]) {
    assert_eq!(rows(auth, view, &[("auth", AUTH)]), expect, "{view}");
}

#[test]
fn active_users_are_counted_without_null() {
    check("auth_realtime_active_users_1min", &["12:00-12:01 4 9 7 1", "12:01-12:02 1 2 0 1"]);
    check("auth_realtime_active_users_5min", &["12:00-12:05 4 11 7 2 1"]);
}

#[test]
fn logins_without_an_outcome_neither_succeed_nor_fail() {
    // 2 of 7: 28.57 %.
    check("auth_realtime_login_rate", &["12:00-12:01 7 2 3 3 28.57"]);
}

#[test]
fn a_session_is_measured_in_whole_seconds() {
    let found = rows(auth, "auth_realtime_session_activity", &[("auth", AUTH)]);
    let of = |start: &str| -> Vec<&str> {
        found.iter().map(String::as_str).filter(|row| row.starts_with(start)).collect()
    };
    // Five windows hold the first minute, and one more the second alone.
    assert_eq!(of("11:55"), [""; 0]);
    assert_eq!(
        of("11:56-12:01"),
        [
            "11:56-12:01 - 2 12:00:42 12:00:59.999999 1 1 17",
            "11:56-12:01 a 3 12:00 12:00:40 3 0 40",
            "11:56-12:01 b 2 12:00:10 12:00:20.9 2 0 10",
            "11:56-12:01 c 1 12:00:31 12:00:31 1 0 0",
            "11:56-12:01 d 1 12:00:41 12:00:41 0 0 0",
        ],
    );
    assert_eq!(of("12:00-12:05 a"), ["12:00-12:05 a 5 12:00 12:01:01.95 3 1 61"]);
    assert_eq!(of("12:01"), ["12:01-12:06 a 2 12:01 12:01:01.95 0 1 1"]);
    assert_eq!(found.len(), 5 * 5 + 1);
}

#[test]
fn failed_logins_are_those_that_say_so() {
    check(
        "auth_realtime_failed_logins",
        &["12:00-12:01 - 1 12:00:59.999999 12:00:59.999999", "12:00-12:01 b 2 12:00:10 12:00:20.9"],
    );
}
