//! The system `elearning` whole: 25 views over six topics, in the dialect of the jobs that it
//! replaces.

use std::sync::Arc;

use highwater::dataset::{Generator, GeneratorOptions, Made, find};
use highwater::error::{Error, Result};
use highwater::prelude::Time;
use highwater_datasets::GENERATORS;

use super::{Events, Place};

/// Events of all topics in a second of event time.
const RATE: u32 = 1_000;

/// Where event time begins: 2026-01-01T00:00:00Z, in seconds since 1970.
const START_S: i64 = 1_767_225_600;

/// How long after the last event those come that close windows, in seconds.
const CLOSING_S: i64 = 2 * 3_600;

/// What events say that close the windows of a topic, beside their time: an engine may look at the
/// time of events only behind a filter, so there is one that passes each filter of the views.
const CLOSING: [(&str, &[&str]); 6] = [
    ("auth", &[r#""action":"LOGIN","success":false"#]),
    (
        "assessment",
        &[
            r#""action":"SUBMIT_ASSIGNMENT","assignment_id":"none""#,
            r#""action":"GRADE_ASSIGNMENT","assignment_id":"none""#,
            r#""action":"START_QUIZ","quiz_id":"none""#,
        ],
    ),
    ("video", &[r#""action":"START_VIDEO","video_id":"none","watch_duration_seconds":1"#]),
    (
        "course",
        &[
            r#""action":"ENROLL_COURSE""#,
            r#""action":"ACCESS_MATERIAL","material_id":"none""#,
            r#""action":"DOWNLOAD_RESOURCE","resource_id":"none""#,
        ],
    ),
    ("profile", &[r#""action":"UPDATE_PROFILE","field_name":"none""#]),
    ("notification", &[r#""action":"SEND_NOTIFICATION","notification_id":"none""#]),
];

/// A topic of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The name of its source in the jobs.
    pub source: &'static str,
    /// What stands behind the name of an input.
    pub suffix: &'static str,
    /// How many partitions it has.
    pub partitions: u32,
}

/// Generated events.
pub struct Backlog {
    generator: Arc<dyn Generator>,
    topics: Vec<Topic>,
    events: u64,
}

/// The topics, in the order of [`Place::topic`].
///
/// # Errors
///
/// The data set is gone.
pub fn topics() -> Result<Vec<Topic>> {
    let (kind, _) = find(GENERATORS, "elearning")?;
    let topic = |topic: &highwater::dataset::TopicKind| Topic {
        source: topic.short,
        suffix: topic.name,
        partitions: topic.partitions,
    };
    Ok(kind.topics.iter().map(topic).collect())
}

impl Topic {
    /// What its events say that close windows.
    fn closing(&self) -> impl Iterator<Item = &'static str> + use<> {
        let source = self.source;
        let own = CLOSING.iter().filter(move |(known, _)| *known == source);
        own.flat_map(|(_, says)| says.iter().copied())
    }
}

impl Backlog {
    /// So many events from a seed.
    ///
    /// # Errors
    ///
    /// The data set is gone.
    pub fn new(seed: u64, events: u64) -> Result<Backlog> {
        let (kind, topics) = find(GENERATORS, "elearning")?;
        let mut options = GeneratorOptions::new(topics, Time::from_seconds(START_S));
        options.seed = seed;
        options.rate = Some(f64::from(RATE));
        options.events = Some(events);
        Ok(Backlog { generator: (kind.make)(&options)?, topics: self::topics()?, events })
    }
}

impl Events for Backlog {
    fn topics(&self) -> Vec<(&'static str, u32)> {
        self.topics.iter().map(|topic| (topic.suffix, topic.partitions)).collect()
    }

    fn count(&self) -> u64 {
        self.events
    }

    fn write(&self, n: u64, out: &mut String) -> Place {
        let mut made = Made::default();
        self.generator.make(n, &mut made);
        out.clear();
        out.push_str(&String::from_utf8_lossy(&made.value));
        Place { topic: made.topic, partition: made.partition }
    }

    fn closing(&self, send: &mut dyn FnMut(Place, &str) -> Result<()>) -> Result<()> {
        let span = i64::try_from(self.events / u64::from(RATE)).map_err(Error::bug)?;
        let at = Time::from_seconds(START_S + span + CLOSING_S);
        for (topic, of) in self.topics.iter().enumerate() {
            for says in of.closing() {
                let event = format!(r#"{{"timestamp":"{at}","user_id":"nobody",{says}}}"#);
                for partition in 0..of.partitions {
                    send(Place { topic, partition }, &event)?;
                }
            }
        }
        Ok(())
    }

    fn records(&self) -> u64 {
        let closing = |of: &Topic| u64::from(of.partitions) * of.closing().count() as u64;
        self.events + self.topics.iter().map(closing).sum::<u64>()
    }
}
