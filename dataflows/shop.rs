//! The shop: what visitors of an e-commerce site do.
//!
//! Replaces the Spark job `streaming_consumer.py` of the e-commerce pipeline. It reads one topic
//! once for all of its views.
//!
//! ```text
//! events ─┬───────────────────────────────────────────────────► raw_events
//!         ├─► 1 min, by type ─────────────────────────────────► event_counts
//!         ├─► 5 min, every minute, by user ───────────────────► user_activity
//!         ├─► 10 min, purchases ──────────────────────────────► purchase_metrics
//!         ├─► 5 min by session, or sessions by user ──────────► session_metrics
//!         ├─► 10 min, by device and location ─────────────────► device_stats
//!         ├─► 10 min, reviews by item ────────────────────────► review_metrics
//!         └─► 1 min, logins, of which too many fail ──────────► alerts
//! ```
//!
//! Alerts are raised, too, when the running job lags, uses too few of its events, or some fail.
//!
//! The raw events have no window, so no event is late for all views: what a window refuses is
//! counted for its view.

mod activity;
mod devices;
mod logins;
mod raw;
mod sales;
mod sessions;
#[cfg(test)]
mod tests;

use highwater::prelude::*;
use highwater_datasets::shop::Event;

use activity::{event_counts, user_activity};
use devices::{device_stats, device_stats_in_struct};
use logins::login_failures;
use raw::raw_events;
use sales::{purchase_metrics, review_metrics};
use sessions::{session_metrics, user_sessions};

/// The arguments of the job.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// In which order lists of event types are.
    pub lists: Lists,
    /// What a session is.
    pub sessions: Sessions,
    /// How the window stands in the rows of `device_stats`.
    pub device_window: DeviceWindow,
    /// Which share of failed logins is worth an alert.
    pub login_failures: Alert,
}

/// In which order lists of event types are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// By event time.
    EventTime,
    /// As they were read, partition by partition.
    Arrival,
}

/// What a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// What has the same `session_id` in five minutes, as in the replaced system.
    Tumbling,
    /// A visit of a user, without a silence of more than half an hour.
    Session,
}

/// How the window stands in the rows of `device_stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceWindow {
    /// As `window_start` and `window_end`.
    Flat,
    /// As the parts `start` and `end` of `window`, as in the replaced system.
    Struct,
}

/// How far watermarks run behind, unless a binding says otherwise.
const LATENESS: Duration = minutes(5);

impl Lists {
    /// Where an event stands in a list.
    fn place(self, stamp: &Stamp) -> Stamp {
        match self {
            Lists::EventTime => *stamp,
            Lists::Arrival => Stamp { time: Time::default(), ..*stamp },
        }
    }
}

/// Builds the dataflow.
pub fn events(flow: &Flow, settings: Settings) {
    let events = flow.source("events", LATENESS, Event::time);
    raw_events(&events);
    event_counts(&events);
    user_activity(&events, settings.lists);
    purchase_metrics(&events);
    match settings.sessions {
        Sessions::Tumbling => session_metrics(&events, settings.lists),
        Sessions::Session => user_sessions(&events, settings.lists),
    }
    match settings.device_window {
        DeviceWindow::Flat => device_stats(&events),
        DeviceWindow::Struct => device_stats_in_struct(&events),
    }
    review_metrics(&events);
    login_failures(&events, settings.login_failures);
}

/// Reads the arguments from `[parameters]` and builds the dataflow.
pub fn entry(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let lists = parameters.choice("lists", &["event_time", "arrival"], "event_time")?;
    let sessions = parameters.choice("session_metrics", &["tumbling", "session"], "tumbling")?;
    let window = parameters.choice("device_stats.window", &["flat", "struct"], "flat")?;
    let mut alerts = flow.alerts(parameters)?;
    let login_failures = alerts.above("shop.login_failures", 0.2)?;
    let delay = Measure::EventDelay { view: "raw_events" };
    alerts.operational("shop.processing_delay", delay, 5.0)?;
    alerts.operational("shop.processing_ratio", Measure::UsedShare, 0.9)?;
    alerts.operational("shop.failed_events", Measure::FailedEvents, 0.0)?;
    parameters.ignore(&[
        Ignored { name: "spark.sql.shuffle.partitions", why: "work is sharded by worker" },
        Ignored { name: "spark.streaming.backpressure.enabled", why: "it is always on" },
        Ignored { name: "spark.*", why: "there is no Spark" },
    ]);
    events(
        flow,
        Settings {
            lists: if lists == "arrival" { Lists::Arrival } else { Lists::EventTime },
            sessions: if sessions == "session" { Sessions::Session } else { Sessions::Tumbling },
            device_window: if window == "struct" {
                DeviceWindow::Struct
            } else {
                DeviceWindow::Flat
            },
            login_failures,
        },
    );
    Ok(())
}
