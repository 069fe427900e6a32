//! The rows of the job `profile_notification` that say which share was opened or clicked.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, NotificationEvent};

/// What becomes of the notifications of a type.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Clicks {
    sent: Count,
    clicked: Count,
    unique_users: Distinct<Text>,
}

/// A row of `notification_realtime_click_rate_5min`.
#[derive(Clone, Row)]
pub(super) struct ClickRate {
    window: Window,
    notification_type: Option<Text>,
    clicks: Clicks,
    #[row(required)]
    click_through_rate_pct: Option<f64>,
}

/// What a user does with notifications.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Engagement {
    total_events: Count,
    notifications_received: Count,
    notifications_viewed: Count,
    notifications_clicked: Count,
    unique_notification_types: Distinct<Text>,
}

/// A row of `notification_realtime_engagement_metrics`.
#[derive(Clone, Row)]
pub(super) struct EngagementMetrics {
    window: Window,
    user_id: Option<Text>,
    engagement: Engagement,
    view_rate_pct: Option<f64>,
    click_rate_pct: Option<f64>,
}

impl Clicks {
    pub(super) fn of(event: &NotificationEvent) -> Clicks {
        Clicks {
            sent: Count::of(event.did(Action::SendNotification)),
            clicked: Count::of(event.did(Action::ClickNotification)),
            unique_users: Distinct::of(&event.user_id),
        }
    }

    pub(super) fn was_sent(&self) -> bool {
        0 < self.sent.get()
    }
}

impl ClickRate {
    pub(super) fn new(
        notification_type: Option<Text>,
        window: Window,
        clicks: Clicks,
    ) -> ClickRate {
        let click_through_rate_pct = stats::percent(clicks.clicked.get(), clicks.sent.get());
        ClickRate { window, notification_type, clicks, click_through_rate_pct }
    }
}

impl Engagement {
    pub(super) fn of(event: &NotificationEvent) -> Engagement {
        Engagement {
            total_events: Count::one(),
            notifications_received: Count::of(event.did(Action::SendNotification)),
            notifications_viewed: Count::of(event.did(Action::ViewNotification)),
            notifications_clicked: Count::of(event.did(Action::ClickNotification)),
            unique_notification_types: Distinct::of(&event.notification_type),
        }
    }
}

impl EngagementMetrics {
    pub(super) fn new(
        user_id: Option<Text>,
        window: Window,
        engagement: Engagement,
    ) -> EngagementMetrics {
        let received = engagement.notifications_received.get();
        EngagementMetrics {
            window,
            user_id,
            view_rate_pct: stats::percent(engagement.notifications_viewed.get(), received),
            click_rate_pct: stats::percent(engagement.notifications_clicked.get(), received),
            engagement,
        }
    }
}
