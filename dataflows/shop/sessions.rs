//! SH-05: what happens in a session: five minutes of a session id, or a true visit of a user.

use highwater::prelude::*;
use highwater_datasets::shop::Event;

use super::Lists;

/// The silence that ends a visit.
const GAP: Duration = minutes(30);

/// What has the same session id in five minutes.
pub(super) fn session_metrics(events: &Stream<Event>, lists: Lists) {
    events
        .key_by(|event| event.session_id.clone())
        .window(Tumbling::new(minutes(5)))
        .accumulate_with(move |event, stamp| Visit::of(event, stamp, lists))
        .rows(SessionMetrics::new)
        .sink("session_metrics");
}

/// Visits of users, from the first event to the last one before a long silence.
pub(super) fn user_sessions(events: &Stream<Event>, lists: Lists) {
    events
        .key_by(|event| event.user_id.clone())
        .window(Session::new(GAP))
        .accumulate_with(move |event, stamp| Visit::of(event, stamp, lists))
        .rows(UserSession::new)
        .sink("session_metrics");
}

/// What the events of a session add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Visit {
    count: Count,
    event_types: Collect<Text>,
    start: Min<Time>,
    end: Max<Time>,
}

/// A row of `session_metrics`.
#[derive(Clone, Row)]
struct SessionMetrics {
    window_start: Time,
    session_id: Option<Text>,
    events_in_session: Count,
    session_events: Collect<Text>,
    #[row(required)]
    session_start: Min<Time>,
    #[row(required)]
    session_end: Max<Time>,
    session_duration_seconds: i64,
}

/// A row of `session_metrics` with true sessions.
#[derive(Clone, Row)]
struct UserSession {
    #[row(required)]
    session_start: Min<Time>,
    #[row(required)]
    session_end: Max<Time>,
    user_id: Option<Text>,
    events_in_session: Count,
    session_events: Collect<Text>,
    session_duration_seconds: i64,
}

impl Visit {
    fn of(event: &Event, stamp: &Stamp, lists: Lists) -> Visit {
        Visit {
            count: Count::one(),
            event_types: Collect::of(event.event_type.clone(), lists.place(stamp)),
            start: Min::of(stamp.time),
            end: Max::of(stamp.time),
        }
    }

    /// From the whole second of the first event to that of the last.
    fn seconds(&self) -> i64 {
        let ends = self.start.get().zip(self.end.get());
        ends.map_or(0, |(start, end)| end.seconds() - start.seconds())
    }
}

impl SessionMetrics {
    fn new(session_id: Option<Text>, window: Window, visit: Visit) -> SessionMetrics {
        SessionMetrics {
            window_start: window.start,
            session_id,
            session_duration_seconds: visit.seconds(),
            events_in_session: visit.count,
            session_events: visit.event_types,
            session_start: visit.start,
            session_end: visit.end,
        }
    }
}

impl UserSession {
    fn new(user_id: Option<Text>, _window: Window, visit: Visit) -> UserSession {
        UserSession {
            session_duration_seconds: visit.seconds(),
            session_start: visit.start,
            session_end: visit.end,
            user_id,
            events_in_session: visit.count,
            session_events: visit.event_types,
        }
    }
}
