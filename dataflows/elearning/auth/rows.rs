//! The rows of the job `auth`: what a window adds up to, and what is made of it.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, AuthEvent};

/// How much happened.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Activity {
    active_users: Distinct<Text>,
    total_events: Count,
    login_count: Count,
    logout_count: Count,
}

/// A row of `auth_realtime_active_users_1min`.
#[derive(Clone, Row)]
pub(super) struct ActiveUsers {
    pub(super) window: Window,
    pub(super) activity: Activity,
}

/// A row of `auth_realtime_active_users_5min`.
#[derive(Clone, Row)]
pub(super) struct ActiveUsersWithRegistrations {
    pub(super) window: Window,
    pub(super) activity: Activity,
    pub(super) register_count: Count,
}

/// How logins went; one that does not say so neither succeeded nor failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Logins {
    total_logins: Count,
    successful_logins: Count,
    failed_logins: Count,
    unique_users: Distinct<Text>,
}

/// A row of `auth_realtime_login_rate`.
#[derive(Clone, Row)]
pub(super) struct LoginRate {
    window: Window,
    logins: Logins,
    #[row(required)]
    success_rate_pct: Option<f64>,
}

/// What a user did, and from when to when.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Session {
    event_count: Count,
    #[row(required)]
    first_event: Min<Time>,
    #[row(required)]
    last_event: Max<Time>,
    logins: Count,
    logouts: Count,
}

/// A row of `auth_realtime_session_activity`.
#[derive(Clone, Row)]
pub(super) struct SessionActivity {
    window: Window,
    user_id: Option<Text>,
    session: Session,
    #[row(required)]
    session_duration_seconds: Option<i64>,
}

/// Logins that failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Failures {
    pub(super) failed_attempt_count: Count,
    #[row(required)]
    first_failed_attempt: Min<Time>,
    #[row(required)]
    last_failed_attempt: Max<Time>,
}

/// A row of `auth_realtime_failed_logins`.
#[derive(Clone, Row)]
pub(super) struct FailedLogins {
    pub(super) window: Window,
    pub(super) user_id: Option<Text>,
    pub(super) failures: Failures,
}

impl Activity {
    pub(super) fn of(event: &AuthEvent) -> Activity {
        Activity {
            active_users: Distinct::of(&event.user_id),
            total_events: Count::one(),
            login_count: Count::of(event.did(Action::Login)),
            logout_count: Count::of(event.did(Action::Logout)),
        }
    }
}

impl Logins {
    pub(super) fn of(login: &AuthEvent) -> Logins {
        Logins {
            total_logins: Count::one(),
            successful_logins: Count::of(login.success == Some(true)),
            failed_logins: Count::of(login.success == Some(false)),
            unique_users: Distinct::of(&login.user_id),
        }
    }
}

impl LoginRate {
    pub(super) fn new(_all: (), window: Window, logins: Logins) -> LoginRate {
        let (part, whole) = (logins.successful_logins.get(), logins.total_logins.get());
        LoginRate { window, logins, success_rate_pct: stats::percent(part, whole) }
    }
}

impl Session {
    pub(super) fn of(event: &AuthEvent, stamp: &Stamp) -> Session {
        Session {
            event_count: Count::one(),
            first_event: Min::of(stamp.time),
            last_event: Max::of(stamp.time),
            logins: Count::of(event.did(Action::Login)),
            logouts: Count::of(event.did(Action::Logout)),
        }
    }
}

impl SessionActivity {
    pub(super) fn new(user_id: Option<Text>, window: Window, session: Session) -> SessionActivity {
        let (first, last) = (session.first_event.get(), session.last_event.get());
        let duration = first.zip(last).map(|(first, last)| last.seconds() - first.seconds());
        SessionActivity { window, user_id, session, session_duration_seconds: duration }
    }
}

impl Failures {
    pub(super) fn at(time: Time) -> Failures {
        Failures {
            failed_attempt_count: Count::one(),
            first_failed_attempt: Min::of(time),
            last_failed_attempt: Max::of(time),
        }
    }
}
