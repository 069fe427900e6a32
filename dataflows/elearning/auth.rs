//! The job `auth`: who is active, logs in, and fails to.
//!
//! Two alerts speak of all users together, and have windows of their own for that.

mod balance;
mod rows;

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, Auth, AuthEvent};

use super::{Grid, Job, View, names};
use balance::Balance;
use rows::{
    ActiveUsers, ActiveUsersWithRegistrations, Activity, FailedLogins, Failures, LoginRate, Logins,
    Session, SessionActivity,
};

const VIEWS: [View<Auth>; 5] = [
    ("auth_realtime_active_users_1min", active_users_1min),
    ("auth_realtime_active_users_5min", active_users_5min),
    ("auth_realtime_login_rate", login_rate),
    ("auth_realtime_session_activity", session_activity),
    ("auth_realtime_failed_logins", failed_logins),
];

/// Reads the parameters and builds the dataflow.
pub fn auth(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let job = Job::read((flow, "auth"), &names(&VIEWS), &[], parameters)?;
    job.read_topic(flow, "auth", &VIEWS);
    Ok(())
}

/// How many users are active, minute by minute.
fn active_users_1min(auth: &Stream<AuthEvent>, grid: &Grid, view: &str) {
    auth.window(grid.micro)
        .accumulate(Activity::of)
        .rows(|(), window, activity| ActiveUsers { window, activity })
        .sink(view);
}

/// How many users are active, and how many are new.
fn active_users_5min(auth: &Stream<AuthEvent>, grid: &Grid, view: &str) {
    auth.window(grid.short)
        .accumulate(|event| (Activity::of(event), Count::of(event.did(Action::Register))))
        .rows(|(), window, (activity, register_count)| ActiveUsersWithRegistrations {
            window,
            activity,
            register_count,
        })
        .sink(view);
}

/// Logins per minute, and how many of them succeeded.
fn login_rate(auth: &Stream<AuthEvent>, grid: &Grid, view: &str) {
    auth.filter(|event| event.did(Action::Login))
        .window(grid.micro)
        .accumulate(Logins::of)
        .rows(LoginRate::new)
        .sink(view);
}

/// From when to when each user was active.
fn session_activity(auth: &Stream<AuthEvent>, grid: &Grid, view: &str) {
    auth.key_by(|event| event.user_id.clone())
        .window(grid.sliding)
        .accumulate_with(Session::of)
        .rows(SessionActivity::new)
        .sink(view);

    let many = grid.alerts.concurrent_sessions;
    if many.is_on() {
        auth.filter(|event| event.did(Action::Login) || event.did(Action::Logout))
            .window(grid.sliding)
            .accumulate(Balance::of)
            .alert(many, view, &[], |balance| balance.logged_in() as f64);
    }
}

/// Failed logins of each user, minute by minute.
fn failed_logins(auth: &Stream<AuthEvent>, grid: &Grid, view: &str) {
    let failed = auth.filter(|event| event.did(Action::Login) && event.success == Some(false));
    let many = grid.alerts.failed_logins;
    failed
        .key_by(|event| event.user_id.clone())
        .window(grid.micro)
        .accumulate_with(|_, stamp| Failures::at(stamp.time))
        .alert(many, view, &["user_id"], |failures| failures.failed_attempt_count.get() as f64)
        .rows(|user_id, window, failures| FailedLogins { window, user_id, failures })
        .sink(view);

    if many.is_on() {
        let all = failed.window(grid.micro).accumulate(|_| Count::one());
        all.alert(many, view, &[], |count| count.get() as f64);
    }
}
