//! The systems whole: all views of one over all its topics, in the dialect of the jobs that it
//! replaces. What tells the five apart is a table, in `about`.

mod about;

use std::fmt;
use std::sync::Arc;

use highwater::dataset::{Generator, GeneratorOptions, Made, find};
use highwater::error::{Error, Result};
use highwater::prelude::Time;
use highwater_dataflows::DATAFLOWS;
use highwater_datasets::GENERATORS;

use super::{Events, Place};

/// Where event time begins: 2026-01-01T00:00:00Z, in seconds since 1970.
const START_S: i64 = 1_767_225_600;

/// How long after the last event those come that close windows, in seconds.
const CLOSING_S: i64 = 2 * 3_600;

/// A system of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// What students and teachers of a university do.
    Campus,
    /// Chat of live streams.
    Chat,
    /// An e-learning platform.
    Elearning,
    /// Prices and prediction markets.
    Market,
    /// A web shop.
    Shop,
}

/// A topic of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The name of its source in the jobs.
    pub source: &'static str,
    /// What stands behind the name of an input.
    pub suffix: &'static str,
    /// How many partitions it has.
    pub partitions: u32,
    /// Events that close windows.
    closing: &'static [&'static str],
}

/// A view of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// The columns by which a row is told from others.
    pub key: Vec<String>,
    /// Why its rows are not compared, nor written; none if they are.
    pub unlike: Option<&'static str>,
}

/// Generated events.
pub struct Backlog {
    generator: Arc<dyn Generator>,
    topics: Vec<Topic>,
    rate: u32,
    events: u64,
}

impl System {
    /// All of them.
    pub const ALL: [System; 5] =
        [System::Campus, System::Chat, System::Elearning, System::Market, System::Shop];

    /// What the product calls it.
    pub fn name(self) -> &'static str {
        match self {
            System::Campus => "campus",
            System::Chat => "chat",
            System::Elearning => "elearning",
            System::Market => "market",
            System::Shop => "shop",
        }
    }

    /// The topics, in the order of [`Place::topic`].
    ///
    /// # Errors
    ///
    /// The data set is gone.
    pub fn topics(self) -> Result<Vec<Topic>> {
        let (kind, _) = find(GENERATORS, self.name())?;
        let topics = kind.topics.iter().filter_map(|topic| {
            let port = self.about().ports.iter().find(|port| port.topic == topic.short)?;
            Some(Topic {
                source: port.source,
                suffix: topic.name,
                partitions: topic.partitions,
                closing: port.closing,
            })
        });
        Ok(topics.collect())
    }

    /// The views in its job file, alerts apart.
    ///
    /// # Errors
    ///
    /// The job file is gone, or is none.
    pub fn views(self) -> Result<Vec<View>> {
        let dataflow = DATAFLOWS.iter().find(|dataflow| dataflow.system == self.name());
        let file: toml::Table =
            toml::from_str(dataflow.map_or("", |dataflow| dataflow.file.1)).map_err(Error::bug)?;
        let keys = file.get("view").and_then(toml::Value::as_table).into_iter().flatten();
        let keys = keys.filter(|(name, _)| *name != "alerts").map(|(name, settings)| {
            let key = settings.get("key").and_then(toml::Value::as_array).into_iter().flatten();
            (name.clone(), key.filter_map(toml::Value::as_str).map(str::to_owned).collect())
        });
        let more = self.about().keys.iter().map(|(name, key)| {
            ((*name).to_owned(), key.iter().map(|column| (*column).to_owned()).collect())
        });
        let views = keys.chain(more).map(|(name, key): (String, Vec<String>)| {
            let unlike = self.unlike(&name);
            View { name, key, unlike }
        });
        Ok(views.collect())
    }

    /// Why a view, or a column of one as `view.column`, is not compared; none if it is.
    pub fn unlike(self, name: &str) -> Option<&'static str> {
        self.about().unlike.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
    }

    /// Whether a column counts what differs, or is divided by such a count: that of an engine that
    /// estimates may be off.
    pub fn is_estimated(self, column: &str) -> bool {
        self.about().estimated.contains(&column)
    }

    /// The first lines of a job file of it: no alerts, which no peer raises, and a lateness if one
    /// is given.
    pub fn settings(self, lateness_ms: Option<i64>) -> String {
        let mut text = String::from(self.about().settings);
        if let Some(ms) = lateness_ms {
            text.push_str(&format!("[source.\"*\"]\nlateness = \"{ms}ms\"\n"));
        }
        for (name, key) in self.about().keys {
            text.push_str(&format!("[view.{name}]\nkey = {key:?}\n"));
        }
        text
    }

    /// So many events from a seed.
    ///
    /// # Errors
    ///
    /// The data set is gone.
    pub fn backlog(self, seed: u64, events: u64) -> Result<Backlog> {
        let topics = self.topics()?;
        let (kind, _) = find(GENERATORS, self.name())?;
        let is_read = |name| topics.iter().any(|topic| topic.suffix == name);
        let written = (0..kind.topics.len()).filter(|at| is_read(kind.topics[*at].name)).collect();
        let options = toml::from_str(self.about().options).map_err(Error::bug)?;
        let start = Time::from_seconds(START_S);
        let mut options = GeneratorOptions::read(kind, written, &options, start)?;
        let rate = self.about().rate;
        options.seed = seed;
        options.rate = Some(f64::from(rate));
        options.events = Some(events);
        Ok(Backlog { generator: (kind.make)(&options)?, topics, rate, events })
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
        let value = String::from_utf8_lossy(&made.value);
        out.clear();
        // A message alone in an array is as good as one without it, which Spark can read.
        let one = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        out.push_str(one.unwrap_or(&value));
        Place { topic: made.topic, partition: made.partition }
    }

    fn closing(&self, send: &mut dyn FnMut(Place, &str) -> Result<()>) -> Result<()> {
        let span = i64::try_from(self.events / u64::from(self.rate)).map_err(Error::bug)?;
        let at = Time::from_seconds(START_S + span + CLOSING_S);
        let millis = (at.micros() / 1_000).to_string();
        for (topic, of) in self.topics.iter().enumerate() {
            for event in of.closing {
                let event = event.replace("@time", &at.to_string()).replace("@millis", &millis);
                for partition in 0..of.partitions {
                    send(Place { topic, partition }, &event)?;
                }
            }
        }
        Ok(())
    }

    fn records(&self) -> u64 {
        let closing = |of: &Topic| u64::from(of.partitions) * of.closing.len() as u64;
        self.events + self.topics.iter().map(closing).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_event_is_one_object() {
        for system in System::ALL {
            let backlog = system.backlog(1, 4_000).unwrap();
            let mut out = String::new();
            for n in 0..4_000 {
                let place = backlog.write(n, &mut out);
                assert!(place.topic < backlog.topics.len(), "{system}");
                let event: Value = serde_json::from_str(&out).unwrap();
                assert!(event.is_object(), "{system}: {out}");
            }
            let mut close = |_: Place, event: &str| {
                let event: Value = serde_json::from_str(event).unwrap();
                assert!(event.is_object() && !event.to_string().contains('@'), "{event}");
                Ok(())
            };
            backlog.closing(&mut close).unwrap();
        }
    }

    #[test]
    fn what_is_not_compared_and_what_is_estimated_is_there() {
        for system in System::ALL {
            let views = system.views().unwrap();
            assert!(views.iter().all(|view| !view.key.is_empty()), "{system}: {views:?}");
            let compared = views.iter().filter(|view| view.unlike.is_none()).count();
            assert!(0 < compared);
            for (name, why) in system.about().unlike {
                let view = name.split('.').next().unwrap();
                assert!(views.iter().any(|known| known.name == view), "{system}: {name}");
                assert!(!why.is_empty());
            }
            let columns = system.about().estimated;
            assert!(columns.is_sorted(), "{system}: {columns:?}");
        }
        let count = |system: System| {
            system.views().unwrap().iter().filter(|view| view.unlike.is_none()).count()
        };
        assert_eq!(System::ALL.map(count), [10, 1, 25, 4, 7]);
    }
}
