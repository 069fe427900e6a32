//! CA-08: visits of each user.

use highwater::prelude::*;
use highwater_datasets::campus::{Event, EventType};

/// A visit ends after half an hour of silence.
const GAP: Duration = minutes(30);

/// Visits, shown while they last; one that begins earlier than was known, or becomes one with
/// another, has another key, so its old row is deleted.
pub(super) fn user_sessions(all: &Stream<Event>) {
    all.key_by(|event| event.user_id.clone())
        .window(Session::new(GAP))
        .accumulate_with(Visit::of)
        .rows(UserSession::new)
        .trailing(0, |_, session| UserSession { is_open: false, ..session })
        .updates()
        .sink("realtime_user_sessions");
}

/// What the events of a visit add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Visit {
    event_count: Count,
    last: Max<Time>,
    first_type: First<Option<EventType>>,
    last_type: Last<Option<EventType>>,
}

/// A row of `realtime_user_sessions`.
#[derive(Clone, Serialize, Deserialize, Row)]
struct UserSession {
    user_id: Option<Text>,
    session_start: Time,
    session_end: Time,
    #[row(required)]
    last_event: Max<Time>,
    event_count: Count,
    duration_seconds: i64,
    first_event_type: Option<Text>,
    last_event_type: Option<Text>,
    is_open: bool,
}

impl Visit {
    fn of(event: &Event, stamp: &Stamp) -> Visit {
        Visit {
            event_count: Count::one(),
            last: Max::of(stamp.time),
            first_type: First::of(Some(event.event_type.clone()), *stamp),
            last_type: Last::of(Some(event.event_type.clone()), *stamp),
        }
    }
}

impl UserSession {
    /// The row of a visit that may go on.
    fn new(user_id: Option<Text>, window: Window, visit: Visit) -> UserSession {
        let name = |kind: Option<&Option<EventType>>| Some(kind?.as_ref()?.name());
        let last = visit.last.get().copied().unwrap_or(window.start);
        UserSession {
            user_id,
            session_start: window.start,
            session_end: window.end,
            last_event: visit.last,
            event_count: visit.event_count,
            duration_seconds: last.seconds() - window.start.seconds(),
            first_event_type: name(visit.first_type.get()),
            last_event_type: name(visit.last_type.get()),
            is_open: true,
        }
    }
}
