//! The rows that an engine has written: read from its topic as they come, outside of every engine,
//! and compared with the answer.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use highwater::error::{Error, Result};
use highwater::source::kafka::{ClientSettings, KafkaSource, Options, Setup};
use highwater::source::{Batch, Partition, Source, Start};

use crate::load::{Target, now_us};
use crate::workloads::queries::{Answer, Group, ResultRow};

/// Reads a topic with one partition from its beginning.
pub struct Reader {
    // Dropped before the source that opened it.
    partition: Box<dyn Partition>,
    _source: KafkaSource,
    batch: Batch,
}

/// A row with the instant at which it was there.
#[derive(Clone, Debug)]
pub struct Received {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// The row.
    pub row: ResultRow,
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// The topic is not there.
    pub fn open(target: &Target) -> Result<Reader> {
        let options = Options {
            topic: target.topic.clone(),
            brokers: target.brokers.clone(),
            start: Start::Earliest,
            group: None,
            refresh: Duration::from_secs(600),
            client: ClientSettings::default(),
        };
        let mut source = KafkaSource::connect(&options, Setup::default())?;
        let reader = thread::current();
        let wake = Arc::new(move || reader.unpark());
        let partition = source.open(0, &Start::Earliest, wake)?;
        Ok(Reader { partition, _source: source, batch: Batch::default() })
    }

    /// Takes the rows that are there; waits at most so long for the first of them. A record without
    /// a value takes a row back and is left out.
    ///
    /// # Errors
    ///
    /// The topic is gone, or holds something else than rows.
    pub fn take(&mut self, wait: Duration, rows: &mut Vec<Received>) -> Result<()> {
        self.batch.clear();
        self.partition.poll(&mut self.batch)?;
        if self.batch.records.is_empty() {
            thread::park_timeout(wait);
            self.batch.clear();
            self.partition.poll(&mut self.batch)?;
        }
        let at_us = now_us();
        for record in &self.batch.records {
            let Some(value) = self.batch.slice(&record.value) else { continue };
            let row = serde_json::from_slice(value).map_err(|error| {
                let text = String::from_utf8_lossy(value).into_owned();
                Error::config(format!("an engine wrote {text}, which is no row: {error}"))
            })?;
            rows.push(Received { at_us, row });
        }
        Ok(())
    }
}

/// The newest row of each group, and how they compare with an answer.
pub struct Newest {
    /// Windows that are compared, by where they begin.
    starts: Range<i64>,
    groups: BTreeMap<(i64, String), Group>,
    /// Groups of the answer that are as they should be.
    equal: usize,
}

/// How rows compare with an answer.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Groups that are right.
    pub equal: usize,
    /// Groups with another value.
    pub wrong: usize,
    /// Groups that are not there.
    pub missing: usize,
    /// Groups that should not be there.
    pub extra: usize,
    /// The greatest relative error of a column that is approximate, and allowed to be.
    pub approximate: f64,
    /// Each difference: (start, key, column, expected, got, verdict).
    pub differences: Vec<Difference>,
}

/// One value that is not as expected.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Where the window begins, in milliseconds.
    pub start_ms: i64,
    /// The group.
    pub key: String,
    /// Which column.
    pub column: &'static str,
    /// What the answer has.
    pub expected: Option<i64>,
    /// What the engine has.
    pub got: Option<i64>,
    /// `wrong`, `missing`, `extra` or `approx`.
    pub verdict: &'static str,
}

impl Newest {
    /// Of the windows from a begin up to the last one of an answer. Rows of others are those of
    /// events that only show that an engine is ready, or close windows.
    pub fn from(first_ms: i64, answer: &Answer) -> Newest {
        let end = answer.keys().next_back().map_or(first_ms, |(start, _)| start + 1);
        Newest { starts: first_ms..end, groups: BTreeMap::new(), equal: 0 }
    }

    /// Takes a row. Whether all groups are right can be asked at any time.
    pub fn take(&mut self, row: &ResultRow, answer: &Answer) {
        if !self.starts.contains(&row.start) {
            return;
        }
        let place = (row.start, row.key.clone());
        let group = Group { events: row.events, users: row.users };
        let is_right = |group: &Group| answer.get(&place).is_some_and(|g| g.events == group.events);
        self.equal += usize::from(is_right(&group));
        let before = self.groups.get(&place).is_some_and(is_right);
        self.equal -= usize::from(before);
        self.groups.insert(place, group);
    }

    /// Whether every group of the answer has its events.
    pub fn is_complete(&self, answer: &Answer) -> bool {
        self.equal == answer.len()
    }

    /// Compares all of them; `approximate` allows the distinct users to be estimates.
    pub fn compare(&self, answer: &Answer, approximate: bool) -> Verdict {
        let mut verdict = Verdict::default();
        for (place, expected) in answer {
            let Some(got) = self.groups.get(place) else {
                verdict.missing += 1;
                verdict.note(place, "events", (Some(expected.events), None), "missing");
                continue;
            };
            let mut right = expected.events == got.events;
            if !right {
                verdict.note(place, "events", (Some(expected.events), Some(got.events)), "wrong");
            }
            if expected.users != got.users {
                let (is, kind) = if approximate { (right, "approx") } else { (false, "wrong") };
                right = is;
                verdict.note(place, "users", (expected.users, got.users), kind);
                if let (Some(expected), Some(got)) = (expected.users, got.users) {
                    let error = (got - expected).abs() as f64 / expected.max(1) as f64;
                    verdict.approximate = verdict.approximate.max(error);
                }
            }
            verdict.equal += usize::from(right);
            verdict.wrong += usize::from(!right);
        }
        for (place, got) in &self.groups {
            if !answer.contains_key(place) {
                verdict.extra += 1;
                verdict.note(place, "events", (None, Some(got.events)), "extra");
            }
        }
        verdict
    }
}

impl Verdict {
    /// Whether every row is right, and none too many.
    pub fn is_equal(&self) -> bool {
        self.wrong + self.missing + self.extra == 0
    }

    fn note(
        &mut self,
        (start_ms, key): &(i64, String),
        column: &'static str,
        (expected, got): (Option<i64>, Option<i64>),
        verdict: &'static str,
    ) {
        let (start_ms, key) = (*start_ms, key.clone());
        self.differences.push(Difference { start_ms, key, column, expected, got, verdict });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, start: i64, events: i64, users: Option<i64>) -> ResultRow {
        ResultRow { key: key.into(), start, events, users, planned_us: None }
    }

    fn answer() -> Answer {
        let group = |events, users| Group { events, users: Some(users) };
        Answer::from([((0, "a".into()), group(3, 2)), ((0, "b".into()), group(1, 1))])
    }

    #[test]
    fn the_newest_row_of_a_group_counts_and_rows_beyond_the_end_do_not() {
        let answer = answer();
        let mut newest = Newest::from(0, &answer);
        for (key, start, events, users) in
            [("a", 0, 2, 2), ("b", 0, 1, 1), ("a", 0, 3, 2), ("a", 60, 9, 9)]
        {
            assert!(!newest.is_complete(&answer));
            newest.take(&row(key, start, events, Some(users)), &answer);
            if events == 3 {
                break;
            }
        }
        assert!(newest.is_complete(&answer));
        assert!(newest.compare(&answer, false).is_equal());
    }

    #[test]
    fn a_row_that_turns_wrong_is_no_longer_right() {
        let answer = answer();
        let mut newest = Newest::from(0, &answer);
        for (key, events) in [("b", 1), ("a", 3), ("a", 4)] {
            newest.take(&row(key, 0, events, Some(2)), &answer);
        }
        assert!(!newest.is_complete(&answer));
    }

    #[test]
    fn every_difference_is_named() {
        let answer = answer();
        let mut newest = Newest::from(0, &answer);
        newest.take(&row("a", 0, 3, Some(1)), &answer);
        newest.take(&row("c", 0, 1, Some(1)), &answer);
        let strict = newest.compare(&answer, false);
        assert_eq!((strict.equal, strict.wrong, strict.missing, strict.extra), (0, 1, 1, 1));
        let kinds: Vec<_> = strict.differences.iter().map(|d| (d.column, d.verdict)).collect();
        assert_eq!(kinds, [("users", "wrong"), ("events", "missing"), ("events", "extra")]);
        let loose = newest.compare(&answer, true);
        assert_eq!((loose.equal, loose.wrong, loose.approximate), (1, 0, 0.5));
    }
}
