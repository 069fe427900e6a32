//! CA-09 and CA-10: what becomes of notifications, and what changes in profiles.

use highwater::prelude::*;
use highwater_datasets::campus::{Event, EventType};

use super::TEN;

/// What becomes of the notifications of each type.
pub(super) fn notifications(notification: &Stream<Event>) {
    notification
        .key_by(|event| event.notification_type.clone())
        .window(TEN)
        .accumulate(Clicks::of)
        .rows(Notifications::new)
        .updates()
        .sink("realtime_notifications");
}

/// What changes in the profile of each user.
pub(super) fn changes(profile: &Stream<Event>) {
    profile
        .key_by(|event| event.user_id.clone())
        .window(TEN)
        .accumulate_with(Changes::of)
        .rows(ProfileChanges::new)
        .updates()
        .sink("realtime_profile_changes");
}

/// What the events of a type of notification add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Clicks {
    sent: Count,
    opened: Count,
    clicked: Count,
    unique_users: Distinct<Text>,
}

/// A row of `realtime_notifications`.
#[derive(Clone, Row)]
struct Notifications {
    notification_type: Option<Text>,
    window: Window,
    clicks: Clicks,
    open_rate_pct: Option<f64>,
    click_rate_pct: Option<f64>,
}

/// What the changes of a profile add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Changes {
    created: Count,
    updates: Count,
    picture_updates: Count,
    password_changes: Count,
    fields: Distinct<Text>,
    last_change: Max<Time>,
}

/// A row of `realtime_profile_changes`.
#[derive(Clone, Row)]
struct ProfileChanges {
    user_id: Option<Text>,
    window: Window,
    created: Count,
    updates: Count,
    picture_updates: Count,
    password_changes: Count,
    fields_changed: Vec<Text>,
    #[row(required)]
    last_change: Max<Time>,
}

impl Clicks {
    fn of(event: &Event) -> Clicks {
        Clicks {
            sent: Count::of(event.is(EventType::NotificationSent)),
            opened: Count::of(event.is(EventType::NotificationOpened)),
            clicked: Count::of(event.is(EventType::NotificationClicked)),
            unique_users: Distinct::of(&event.user_id),
        }
    }
}

impl Notifications {
    fn new(notification_type: Option<Text>, window: Window, clicks: Clicks) -> Notifications {
        let sent = clicks.sent.get();
        Notifications {
            notification_type,
            window,
            open_rate_pct: stats::percent(clicks.opened.get(), sent),
            click_rate_pct: stats::percent(clicks.clicked.get(), sent),
            clicks,
        }
    }
}

impl Changes {
    fn of(event: &Event, stamp: &Stamp) -> Changes {
        let mut fields = Distinct::default();
        for field in event.updated_fields.iter().flatten().flatten() {
            fields.merge(&Distinct::of(field));
        }
        Changes {
            created: Count::of(event.is(EventType::CreateProfile)),
            updates: Count::of(event.is(EventType::UpdateProfile)),
            picture_updates: Count::of(event.is(EventType::ProfilePictureUpdated)),
            password_changes: Count::of(event.is(EventType::PasswordChanged)),
            fields,
            last_change: Max::of(stamp.time),
        }
    }
}

impl ProfileChanges {
    fn new(user_id: Option<Text>, window: Window, changes: Changes) -> ProfileChanges {
        ProfileChanges {
            user_id,
            window,
            created: changes.created,
            updates: changes.updates,
            picture_updates: changes.picture_updates,
            password_changes: changes.password_changes,
            fields_changed: changes.fields.values(),
            last_change: changes.last_change,
        }
    }
}
