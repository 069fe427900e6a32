//! E-learning: what happens on a learning platform, in 25 views.
//!
//! Replaces the five Spark jobs `*_stream_job.py` of the e-learning system. A job is a process of
//! its own, or one of several in one; it reads each of its topics once for all of its views.
//!
//! ```text
//! auth ─────────► auth ─────────────────► who is active, logs in, fails to
//! assessment ───► assessment ───────────► submissions, quizzes, what is graded
//! video ────────► video ────────────────► who watches what, how long, to the end
//! course ───────► course ───────────────► enrolments, materials, downloads
//! profile ──────► profile_notification ─► updates of profiles
//! notification ─►                      └► sent, opened, clicked
//!
//! all but the last ─► rows beyond a threshold ─► alerts
//! ```
//!
//! Three kinds of windows serve all views: T1 is a minute, T5 five minutes, S5/1 five minutes every
//! minute. Rows are final: each leaves when its window has closed.

mod alerts;
mod assessment;
mod auth;
mod course;
mod ignored;
mod profile_notification;
#[cfg(test)]
mod tests;
mod video;

use highwater::prelude::*;
use highwater_datasets::elearning::{Event, Topic};

use alerts::Alerts;

pub use assessment::assessment;
pub use auth::auth;
pub use course::course;
pub use profile_notification::profile_notification;
pub use video::video;

/// How far watermarks run behind, unless `windows.watermark` or a binding says otherwise.
const LATENESS: Duration = minutes(2);

/// Sizes of T1, and of T5 and S5/1, unless `windows.micro` and `windows.short` say otherwise.
const MICRO: Duration = minutes(1);
const SHORT: Duration = minutes(5);

/// How long a backlog waits, unless `stateful.state_timeout` says otherwise.
const STATE_TIMEOUT: Duration = hours(1);

/// Distance between the starts of two windows of S5/1, whatever their size.
const SLIDE: Duration = minutes(1);

/// The job `archive`: a raw copy of every record, for whoever wants to compute again.
pub fn archive(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    parameters.ignore(ignored::IGNORED);
    crate::archive::education(flow, parameters)
}

/// What the views share: their windows, and when their rows are worth an alert.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// T1.
    micro: Tumbling,
    /// T5.
    short: Tumbling,
    /// S5/1.
    sliding: Sliding,
    alerts: Alerts,
}

/// A view of a topic: its name, and the function that describes it and gives it that name.
type View<T> = (&'static str, fn(&Stream<Event<T>>, &Grid, &str));

/// What the parameters say of a job.
struct Job {
    grid: Grid,
    lateness: Duration,
    /// The views that are wanted.
    views: Vec<&'static str>,
    /// How long something that no window bounds is kept.
    state_timeout: Duration,
}

impl Job {
    /// Reads the parameters of a job; `name` is its own, `views` are those that it has, `further`
    /// those that it has only if they are listed.
    fn read(
        (flow, name): (&Flow, &str),
        views: &[&'static str],
        further: &[&'static str],
        parameters: &mut Parameters,
    ) -> Result<Job> {
        let from_config = parameters.choice("windows.from_config", &["on", "off"], "on")? == "on";
        let (micro, short) = (
            parameters.duration("windows.micro", MICRO)?,
            parameters.duration("windows.short", SHORT)?,
        );
        let (micro, short) = if from_config { (micro, short) } else { (MICRO, SHORT) };
        parameters.ignore(ignored::IGNORED);
        Ok(Job {
            grid: Grid {
                micro: Tumbling::new(micro),
                short: Tumbling::new(short),
                sliding: Sliding::new(short, SLIDE),
                alerts: Alerts::read(flow, parameters)?,
            },
            lateness: parameters.duration("windows.watermark", LATENESS)?,
            views: parameters.some_of(&format!("realtime_views.{name}"), views, further)?,
            state_timeout: parameters.duration("stateful.state_timeout", STATE_TIMEOUT)?,
        })
    }

    /// Describes the views of a topic that are wanted; without any, the topic is not read.
    fn read_topic<T: Topic>(&self, flow: &Flow, topic: &str, views: &[View<T>]) {
        for (name, describe) in views.iter().filter(|(name, _)| self.views.contains(name)) {
            let events = flow.source(topic, self.lateness, |event: &Event<T>| event.timestamp);
            describe(&events, &self.grid, name);
        }
    }
}

/// The names of views.
fn names<T>(views: &[View<T>]) -> Vec<&'static str> {
    views.iter().map(|(name, _)| *name).collect()
}

/// How many a minute, over a window of any length.
fn per_minute(count: &Count, window: Window) -> Decimal {
    let micros = window.end.micros() - window.start.micros();
    let minute = i128::from(count.get()) * 60_000_000;
    stats::decimal(minute, micros.into()).unwrap_or(Decimal(0))
}
