//! Chat telemetry: what the chat of each live stream is doing, minute by minute.
//!
//! Replaces the Spark job `spark_streaming_job.py` of the chat telemetry system.
//!
//! ```text
//! chat ─────► 1 min, every 10 s ──┐
//!                                 ├─► z-score over the last 10 ──► chat_summary_minute
//! viewers ──► 1 min, every 10 s ──┘                           └──► moments
//!                                                                    └► many in 10 min ► alerts
//! ```
//!
//! Alerts are raised, too, when the running job lags, cannot write, or finds no moment in a day.
//!
//! A window closes when the frontier reaches its end, for then no message of that minute can still
//! arrive. A message all of whose windows are over is a dead letter.

mod lexicon;
mod recent;
#[cfg(test)]
mod tests;
mod views;

use highwater::prelude::*;
use highwater_datasets::chat::{Message, Viewers};

pub use views::{Chat, Moment, Summary};

/// The arguments of the job.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of a window; `chat_rate` is per second of it.
    pub window: Duration,
    /// Distance between the starts of two windows.
    pub slide: Duration,
    /// How a window is compared with those before it.
    pub baseline: Baseline,
    /// Which emotes are named.
    pub emotes: Emotes,
    /// How many moments of a stream in ten minutes are worth an alert.
    pub anomaly_rate: Alert,
}

/// How far watermarks run behind, unless a binding says otherwise.
const LATENESS: Duration = seconds(10);

/// How many earlier windows of the same stream a window is compared with.
pub const HISTORY: usize = 10;

/// How a window is compared with those before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// How many standard deviations make an anomaly; only spikes upward do.
    pub threshold: f64,
    /// Whether the window is compared with itself too, as the replaced system does.
    pub inclusive: bool,
    /// With fewer earlier windows there is no z-score; of no effect when inclusive.
    pub min_windows: usize,
}

/// Which emotes of a window are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emotes {
    /// The ten most frequent, by count, then name.
    Frequency,
    /// The first ten in the alphabet, with their repetitions, as the replaced system does.
    Alphabetical,
}

/// Builds the dataflow.
pub fn chat(flow: &Flow, settings: Settings) {
    let windows = Sliding::new(settings.window, settings.slide);
    let Settings { slide, baseline, emotes, anomaly_rate, .. } = settings;

    let chat = flow
        .source("chat", LATENESS, |message: &Message| message.timestamp)
        .key_by(|message| message.stream_id.clone())
        .window(windows)
        .accumulate(Chat::of);

    let audience = flow
        .source("viewers", LATENESS, |sample: &Viewers| sample.timestamp)
        .key_by(|sample| sample.stream_id.clone())
        .window(windows)
        .accumulate(|sample| Mean::of(sample.viewer_count));

    let summaries = chat
        .left_join(audience, move |key, window, chat, viewers| {
            Summary::new(key, window, chat, viewers, emotes)
        })
        .trailing(HISTORY, move |past, summary| summary.compared_with(past, baseline));

    summaries.updates().sink("chat_summary_minute");

    let moments = summaries.filter_map(Moment::spike);
    moments.sink("moments");
    recent::watch(&moments, slide, anomaly_rate);
}

/// Reads the arguments from `[parameters]` and builds the dataflow.
pub fn entry(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let from_config = parameters.choice("windows.from_config", &["on", "off"], "on")? == "on";
    let (window, slide) =
        (parameters.duration("window", minutes(1))?, parameters.duration("slide", seconds(10))?);
    let baseline = Baseline {
        threshold: parameters.f64("threshold", 3.0)?,
        inclusive: parameters.choice(
            "zscore.baseline",
            &["exclusive", "inclusive"],
            "exclusive",
        )? == "inclusive",
        min_windows: parameters.integer("zscore.min_windows", 5)?.max(0) as usize,
    };
    let emotes =
        match parameters.choice("top_emotes", &["frequency", "alphabetical"], "frequency")? {
            "alphabetical" => Emotes::Alphabetical,
            _ => Emotes::Frequency,
        };
    let (window, slide) = if from_config { (window, slide) } else { (minutes(1), seconds(10)) };
    let mut alerts = flow.alerts(parameters)?;
    let anomaly_rate = alerts.above("chat.anomaly_rate", 10.0)?;
    alerts.operational("chat.processing_delay", Measure::FrontierDelay, 30.0)?;
    alerts.operational("chat.failed_writes", Measure::FailedWrites, 3.0)?;
    alerts.operational("chat.database", Measure::SinkAway { kind: "postgres" }, 1.0)?;
    alerts.operational("chat.no_moment", Measure::NoRows { view: "moments" }, 86_400.0)?;
    chat(flow, Settings { window, slide, baseline, emotes, anomaly_rate });
    Ok(())
}
