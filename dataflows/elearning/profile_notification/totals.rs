//! The rows of the job `profile_notification` over all users together.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, NotificationEvent, ProfileEvent};

/// How profiles change.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Updates {
    users_updated_profile: Distinct<Text>,
    total_updates: Count,
    general_updates: Count,
    avatar_changes: Count,
    unique_fields_updated: Distinct<Text>,
}

/// A row of `profile_realtime_updates_1min`.
#[derive(Clone, Row)]
pub(super) struct ProfileUpdates {
    pub(super) window: Window,
    pub(super) updates: Updates,
}

/// Notifications that are sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Sent {
    total_sent: Count,
    unique_recipients: Distinct<Text>,
    unique_types: Distinct<Text>,
}

/// A row of `notification_realtime_sent_1min`.
#[derive(Clone, Row)]
pub(super) struct SentNotifications {
    pub(super) window: Window,
    pub(super) sent: Sent,
}

impl Updates {
    pub(super) fn of(event: &ProfileEvent) -> Updates {
        let mut fields = Distinct::default();
        event.changed().for_each(|field| fields.absorb(Distinct::of(field)));
        Updates {
            users_updated_profile: Distinct::of(&event.user_id),
            total_updates: Count::one(),
            general_updates: Count::of(event.did(Action::UpdateProfile)),
            avatar_changes: Count::of(event.did(Action::ChangeAvatar)),
            unique_fields_updated: fields,
        }
    }
}

impl Sent {
    pub(super) fn of(event: &NotificationEvent) -> Sent {
        Sent {
            total_sent: Count::one(),
            unique_recipients: Distinct::of(&event.user_id),
            unique_types: Distinct::of(&event.notification_type),
        }
    }
}
