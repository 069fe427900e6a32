//! What an engine is to compute, and from which events: one value that experiments name, engines
//! are told, and the harness verifies by.

use std::fmt;

use highwater::error::{Error, Result, nearest};
use serde::{Deserialize, Serialize};

use super::system::System;
use super::{nexmark, plays, queries, transfers, windows, ysb};

/// The seed of all plans.
pub const SEED: u64 = 1;

/// Events of NEXMark and of YSB in a second of event time: a window of ten seconds has 100,000.
pub const RATE: u64 = 10_000;

/// Partitions of each topic that is no system's own.
pub const PARTITIONS: u32 = 4;

/// Names of queries of NEXMark begin so, for other benchmarks have a `q5` too.
const NEXMARK: &str = "nexmark_";

/// The query whose name is followed by parameters.
const WINDOWS: &str = "windows";

/// How far watermarks run behind, in milliseconds, where the events do not say: twice as far as
/// they are out of order.
pub const DELAY_MS: i64 = 10_000;

/// A query over the events of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Workload {
    /// Plays of videos, in windows.
    Plays(queries::Query),
    /// NEXMark.
    Nexmark(nexmark::query::Query),
    /// The Yahoo Streaming Benchmark.
    Ysb,
    /// The views of a system.
    System(System),
    /// Balances of accounts, whose sum is always 0.
    Transfers,
    /// Synthetic windows, whose parameters are part of the name: `windows keys=100`.
    Windows(windows::Shape),
}

/// Which record of an input comes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of its topics.
    pub topic: usize,
    /// Which partition of it.
    pub partition: u32,
}

/// A backlog: events that depend on their number alone.
pub trait Events {
    /// What stands behind the name of an input, and how many partitions there are: its topics.
    fn topics(&self) -> Vec<(&'static str, u32)>;

    /// How many events, without those that close windows.
    fn count(&self) -> u64;

    /// Writes event `n`; returns where it goes.
    fn write(&self, n: u64, out: &mut String) -> Place;

    /// Events that follow all others and close their windows in every engine; no row that is
    /// compared has anything of them.
    ///
    /// # Errors
    ///
    /// Those of `send`.
    fn closing(&self, send: &mut dyn FnMut(Place, &str) -> Result<()>) -> Result<()>;

    /// How many events there are with those that close windows.
    fn records(&self) -> u64;
}

impl Workload {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Workload> {
        let plays = queries::Query::ALL.into_iter().map(Workload::Plays);
        let nexmark = nexmark::query::Query::ALL.into_iter().map(Workload::Nexmark);
        let systems = System::ALL.into_iter().map(Workload::System);
        let windows = Workload::Windows(windows::Shape::default());
        let others = [Workload::Ysb, Workload::Transfers, windows];
        plays.chain(nexmark).chain(systems).chain(others)
    }

    /// The workload of a name.
    ///
    /// # Errors
    ///
    /// There is none; with those that there are. Parameters behind it are wrong.
    pub fn named(name: &str) -> Result<Workload> {
        if let Some((WINDOWS, parameters)) = name.split_once(' ') {
            return Ok(Workload::Windows(parameters.parse()?));
        }
        if let Some(found) = Workload::all().find(|known| known.to_string() == name) {
            return Ok(found);
        }
        let names: Vec<String> = Workload::all().map(|known| known.to_string()).collect();
        let near = nearest(name, names.iter().map(String::as_str));
        let hint = if near.is_empty() { names.join(", ") } else { near.join(", ") };
        Err(Error::config(format!("there is no query `{name}`")).hint(format!("there is {hint}")))
    }

    /// The name of its input: that of the source in the job of Highwater.
    pub fn source(self) -> &'static str {
        match self {
            Workload::Plays(_) => "plays",
            Workload::Nexmark(_) => "nexmark",
            Workload::Ysb => "ysb",
            Workload::System(system) => system.name(),
            Workload::Transfers => "transfers",
            Workload::Windows(_) => WINDOWS,
        }
    }

    /// The name of a backlog of so many events: that of its topic, or what those of several begin
    /// with. Two queries over the same events share it.
    pub fn input(self, events: u64) -> String {
        match self {
            Workload::Windows(shape) => format!("{WINDOWS}-{}-{events}", shape.of_input()),
            _ => format!("{}-{events}", self.source()),
        }
    }

    /// How far watermarks run behind, in milliseconds.
    pub fn delay_ms(self) -> i64 {
        match self {
            Workload::Windows(shape) => shape.disorder_ms,
            _ => DELAY_MS,
        }
    }

    /// What engines call it.
    pub fn query(self) -> &'static str {
        match self {
            Workload::Plays(query) => query.name(),
            Workload::Nexmark(query) => query.name(),
            Workload::Ysb => "ysb",
            Workload::System(system) => system.name(),
            Workload::Transfers => "transfers",
            Workload::Windows(_) => WINDOWS,
        }
    }

    /// Whether Highwater answers it with a view, whose rows are always changes.
    pub fn is_view(self) -> bool {
        use nexmark::query::Query::{Q5, Q7};
        matches!(self, Workload::Nexmark(Q5 | Q7) | Workload::Transfers)
    }

    /// The backlog of so many events.
    ///
    /// # Errors
    ///
    /// Its data set is gone.
    pub fn backlog(self, events: u64) -> Result<Box<dyn Events>> {
        Ok(match self {
            Workload::Plays(_) => Box::new(plays::Plan::backlog(SEED, events)),
            Workload::Nexmark(_) => Box::new(nexmark::Plan::backlog(SEED, events, RATE)),
            Workload::Ysb => Box::new(ysb::Plan::backlog(SEED, events, RATE)),
            Workload::System(system) => Box::new(system.backlog(SEED, events)?),
            Workload::Transfers => {
                let plan = transfers::Plan { seed: SEED, transfers: events };
                Box::new(transfers::Backlog(plan.arrivals()))
            }
            Workload::Windows(shape) => Box::new(windows::Plan::backlog(SEED, events, RATE, shape)),
        })
    }
}

/// When event `n` is due, so many events a second from a start, in microseconds since 1970.
pub(super) fn due_us(start_us: i64, rate: u64, n: u64) -> i64 {
    start_us + (u128::from(n) * 1_000_000 / u128::from(rate.max(1))) as i64
}

/// Plans whose events go to the partitions of one topic in turn.
macro_rules! one_topic {
    ($plan:ty) => {
        impl Events for $plan {
            fn topics(&self) -> Vec<(&'static str, u32)> {
                vec![("", PARTITIONS)]
            }

            fn count(&self) -> u64 {
                self.events
            }

            fn write(&self, n: u64, out: &mut String) -> Place {
                Place { topic: 0, partition: <$plan>::write(self, n, out) }
            }

            fn closing(&self, send: &mut dyn FnMut(Place, &str) -> Result<()>) -> Result<()> {
                <$plan>::closing(self, |partition, event| {
                    send(Place { topic: 0, partition }, event)
                })
            }

            fn records(&self) -> u64 {
                <$plan>::records(self)
            }
        }
    };
}

one_topic!(plays::Plan);
one_topic!(nexmark::Plan);
one_topic!(windows::Plan);
one_topic!(ysb::Plan);

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if matches!(self, Workload::Nexmark(_)) { NEXMARK } else { "" };
        write!(f, "{prefix}{}", self.query())?;
        match self {
            Workload::Windows(shape) if *shape != windows::Shape::default() => {
                write!(f, " {shape}")
            }
            _ => Ok(()),
        }
    }
}

impl TryFrom<String> for Workload {
    type Error = Error;

    fn try_from(name: String) -> Result<Workload> {
        Workload::named(&name)
    }
}

impl From<Workload> for String {
    fn from(workload: Workload) -> String {
        workload.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_a_name_of_its_own_and_is_found_by_it() {
        let mut names: Vec<String> = Workload::all().map(|known| known.to_string()).collect();
        for (known, name) in Workload::all().zip(&names) {
            assert_eq!(Workload::named(name).unwrap(), known);
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        let error = Workload::named("nexmark_q6").unwrap_err().to_string();
        assert!(error.contains("no query `nexmark_q6`") && error.contains("nexmark_q"), "{error}");
    }

    #[test]
    fn parameters_are_part_of_the_name() {
        let shape = "slide=10s".parse().unwrap();
        let slide = Workload::Windows(shape);
        assert_eq!(slide.to_string(), "windows slide=10s");
        assert_eq!(Workload::named("windows slide=10s").unwrap(), slide);
        assert_eq!(slide.input(7), Workload::named("windows").unwrap().input(7));
        assert_ne!(slide.input(7), Workload::named("windows keys=1").unwrap().input(7));
        assert_eq!(Workload::named("windows disorder=3s").unwrap().delay_ms(), 3_000);
        let error = Workload::named("windows slyde=1s").unwrap_err().to_string();
        assert!(error.contains("no parameter `slyde`") && error.contains("slide"), "{error}");
    }

    #[test]
    fn every_backlog_has_as_many_records_as_it_says() {
        for workload in Workload::all() {
            let backlog = workload.backlog(20_000).unwrap();
            let (mut out, mut records) = (String::new(), backlog.count());
            let topics = backlog.topics();
            let place = backlog.write(7, &mut out);
            assert!(place.partition < topics[place.topic].1 && !out.is_empty());
            backlog
                .closing(&mut |place, _| {
                    assert!(place.partition < topics[place.topic].1);
                    records += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(records, backlog.records(), "{workload}");
        }
    }
}
