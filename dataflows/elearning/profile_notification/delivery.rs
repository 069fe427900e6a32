//! The rows of the job `profile_notification` about the way of each notification.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, NotificationEvent};

/// When a notification was sent, opened and clicked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Delivery {
    sent_count: Count,
    viewed_count: Count,
    clicked_count: Count,
    unique_users: Distinct<Text>,
    sent_time: Min<Time>,
    first_view_time: Min<Time>,
    first_click_time: Min<Time>,
}

/// A row of `notification_realtime_delivery_status`.
#[derive(Clone, Row)]
pub(super) struct DeliveryStatus {
    window: Window,
    notification_id: Option<Text>,
    notification_type: Option<Text>,
    delivery: Delivery,
    time_to_view_seconds: Option<i64>,
    time_to_click_seconds: Option<i64>,
}

impl Delivery {
    pub(super) fn of(event: &NotificationEvent, stamp: &Stamp) -> Delivery {
        let (sent, viewed, clicked) = (
            event.did(Action::SendNotification),
            event.did(Action::ViewNotification),
            event.did(Action::ClickNotification),
        );
        let time = |happened: bool| Min::of(happened.then_some(stamp.time));
        Delivery {
            sent_count: Count::of(sent),
            viewed_count: Count::of(viewed),
            clicked_count: Count::of(clicked),
            unique_users: Distinct::of(&event.user_id),
            sent_time: time(sent),
            first_view_time: time(viewed),
            first_click_time: time(clicked),
        }
    }

    /// Whole seconds from the sending to a later, or even an earlier, time.
    fn seconds_to(&self, time: &Min<Time>) -> Option<i64> {
        Some(time.get()?.seconds() - self.sent_time.get()?.seconds())
    }
}

impl DeliveryStatus {
    pub(super) fn new(
        (notification_id, notification_type): (Option<Text>, Option<Text>),
        window: Window,
        delivery: Delivery,
    ) -> DeliveryStatus {
        DeliveryStatus {
            window,
            notification_id,
            notification_type,
            time_to_view_seconds: delivery.seconds_to(&delivery.first_view_time),
            time_to_click_seconds: delivery.seconds_to(&delivery.first_click_time),
            delivery,
        }
    }
}
