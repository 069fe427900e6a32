//! CA-01 and CA-04: who is there, and what each user does.

use highwater::prelude::*;
use highwater_datasets::campus::{Event, EventType};

use super::FIVE;

/// Users who logged in, a minute, every 30 seconds.
pub(super) fn active_users(all: &Stream<Event>) {
    all.filter(|event| event.is(EventType::Login))
        .window(Sliding::new(minutes(1), seconds(30)))
        .accumulate(|event| Distinct::of(&event.user_id))
        .rows(|(), window, active_users| ActiveUsers { window, active_users })
        .sink("active_users");
}

/// What each user does.
pub(super) fn user_activity(all: &Stream<Event>) {
    all.key_by(|event| event.user_id.clone())
        .window(FIVE)
        .accumulate_with(Activity::of)
        .rows(|user_id, window, activity| UserActivity { user_id, window, activity })
        .updates()
        .sink("realtime_user_activity");
}

/// A row of `active_users`.
#[derive(Clone, Row)]
struct ActiveUsers {
    window: Window,
    #[row(i32)]
    active_users: Distinct<Text>,
}

/// A row of `realtime_user_activity`.
#[derive(Clone, Row)]
struct UserActivity {
    user_id: Option<Text>,
    window: Window,
    activity: Activity,
}

/// What the events of a user add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Activity {
    event_count: Count,
    logins: Count,
    logouts: Count,
    videos_watched: Count,
    assignments_submitted: Count,
    course_interactions: Count,
    #[row(i32)]
    distinct_event_types: Distinct<EventType>,
    #[row(required)]
    first_event: Min<Time>,
    #[row(required)]
    last_event: Max<Time>,
}

impl Activity {
    fn of(event: &Event, stamp: &Stamp) -> Activity {
        Activity {
            event_count: Count::one(),
            logins: Count::of(event.is(EventType::Login)),
            logouts: Count::of(event.is(EventType::Logout)),
            videos_watched: Count::of(event.is(EventType::VideoWatched)),
            assignments_submitted: Count::of(event.is(EventType::SubmitAssignment)),
            course_interactions: Count::of(event.is_of_course_topic),
            distinct_event_types: Distinct::of(&event.event_type),
            first_event: Min::of(stamp.time),
            last_event: Max::of(stamp.time),
        }
    }
}
