//! The job `profile_notification`: updates of profiles; what is sent, opened and clicked.

mod delivery;
mod rates;
mod totals;

use highwater::prelude::*;
use highwater_datasets::elearning::ProfileEvent;
use highwater_datasets::elearning::{Action, Notification, NotificationEvent, Profile};

use super::{Grid, Job, View, names};
use delivery::{Delivery, DeliveryStatus};
use rates::{ClickRate, Clicks, Engagement, EngagementMetrics};
use totals::{ProfileUpdates, Sent, SentNotifications, Updates};

const PROFILE_VIEWS: [View<Profile>; 1] = [("profile_realtime_updates_1min", updates_1min)];

const NOTIFICATION_VIEWS: [View<Notification>; 4] = [
    ("notification_realtime_sent_1min", sent_1min),
    ("notification_realtime_click_rate_5min", click_rate_5min),
    ("notification_realtime_delivery_status", delivery_status),
    ("notification_realtime_engagement_metrics", engagement_metrics),
];

/// Reads the parameters and builds the dataflow.
pub fn profile_notification(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let views = [names(&PROFILE_VIEWS), names(&NOTIFICATION_VIEWS)].concat();
    let job = Job::read((flow, "profile_notification"), &views, &[], parameters)?;
    job.read_topic(flow, "profile", &PROFILE_VIEWS);
    job.read_topic(flow, "notification", &NOTIFICATION_VIEWS);
    Ok(())
}

/// How many profiles change, minute by minute.
fn updates_1min(profile: &Stream<ProfileEvent>, grid: &Grid, view: &str) {
    profile
        .window(grid.micro)
        .accumulate(Updates::of)
        .rows(|(), window, updates| ProfileUpdates { window, updates })
        .sink(view);
}

/// How many notifications are sent, minute by minute.
fn sent_1min(notification: &Stream<NotificationEvent>, grid: &Grid, view: &str) {
    notification
        .filter(|event| event.did(Action::SendNotification))
        .window(grid.micro)
        .accumulate(Sent::of)
        .rows(|(), window, sent| SentNotifications { window, sent })
        .sink(view);
}

/// How many of the notifications of each type that was sent are clicked.
fn click_rate_5min(notification: &Stream<NotificationEvent>, grid: &Grid, view: &str) {
    notification
        .key_by(|event| event.notification_type.clone())
        .window(grid.short)
        .accumulate(Clicks::of)
        .filter(Clicks::was_sent)
        .rows(ClickRate::new)
        .sink(view);
}

/// When each notification was sent, opened and clicked.
fn delivery_status(notification: &Stream<NotificationEvent>, grid: &Grid, view: &str) {
    notification
        .key_by(|event| (event.notification_id.clone(), event.notification_type.clone()))
        .window(grid.short)
        .accumulate_with(Delivery::of)
        .rows(DeliveryStatus::new)
        .sink(view);
}

/// What each user does with notifications: five minutes, every minute.
fn engagement_metrics(notification: &Stream<NotificationEvent>, grid: &Grid, view: &str) {
    notification
        .key_by(|event| event.user_id.clone())
        .window(grid.sliding)
        .accumulate(Engagement::of)
        .rows(EngagementMetrics::new)
        .sink(view);
}
