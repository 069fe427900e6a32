//! SH-02 and SH-03: what happens, and what each user does.

use highwater::prelude::*;
use highwater_datasets::shop::Event;

use super::Lists;

/// Events of each type, minute by minute.
pub(super) fn event_counts(events: &Stream<Event>) {
    events
        .key_by(|event| event.event_type.clone())
        .window(Tumbling::new(minutes(1)))
        .accumulate(Counts::of)
        .rows(|event_type, window, counts| EventCounts { window, event_type, counts })
        .sink("event_counts");
}

/// What each user did in the last five minutes, every minute.
pub(super) fn user_activity(events: &Stream<Event>, lists: Lists) {
    events
        .key_by(|event| event.user_id.clone())
        .window(Sliding::new(minutes(5), minutes(1)))
        .accumulate_with(move |event, stamp| Activity::of(event, stamp, lists))
        .rows(|user_id, window, activity| UserActivity { window, user_id, activity })
        .sink("user_activity");
}

/// How many events, and of how many users.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Counts {
    count: Count,
    unique_users: Distinct<Text>,
}

/// A row of `event_counts`.
#[derive(Clone, Row)]
struct EventCounts {
    window: Window,
    event_type: Option<Text>,
    counts: Counts,
}

/// What a user did.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Activity {
    event_count: Count,
    event_types: Collect<Text>,
    #[row(required)]
    first_event: Min<Time>,
    #[row(required)]
    last_event: Max<Time>,
}

/// A row of `user_activity`.
#[derive(Clone, Row)]
struct UserActivity {
    window: Window,
    user_id: Option<Text>,
    activity: Activity,
}

impl Counts {
    fn of(event: &Event) -> Counts {
        Counts { count: Count::one(), unique_users: Distinct::of(&event.user_id) }
    }
}

impl Activity {
    fn of(event: &Event, stamp: &Stamp, lists: Lists) -> Activity {
        Activity {
            event_count: Count::one(),
            event_types: Collect::of(event.event_type.clone(), lists.place(stamp)),
            first_event: Min::of(stamp.time),
            last_event: Max::of(stamp.time),
        }
    }
}
