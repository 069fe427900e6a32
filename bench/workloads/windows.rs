//! Synthetic windows: events whose keys, windows, skew, disorder and late share are parameters, so
//! that one of them can be changed at a time.
//!
//! Event `n` goes to partition `n mod 4` and depends on the plan and `n` alone. Its place in event
//! time follows from `n`; it happens up to `disorder` before that, as far as a watermark waits, or,
//! if it is one of the late ones, up to two windows before that. Not all of these are refused:
//! windows that end behind the watermark still take them.

mod answer;
mod shape;

use std::fmt::Write;

use highwater::codec::{Field, Wire};
use highwater::error::Result;
use highwater::prelude::Time;
use serde::de::MapAccess;

use super::dice::Dice;

pub use super::PARTITIONS;
pub use answer::{Answer, Values};
pub use shape::Shape;

/// Values are below this, so that groups of many events have less distinct ones.
const VALUES: u64 = 1_000;

/// Where the event time of a backlog begins: 2026-01-01T00:00:00Z, in microseconds since 1970.
const BACKLOG_START_US: i64 = 1_767_225_600_000_000;

/// How long after the last event those come that close windows, in milliseconds.
const CLOSING_MS: i64 = 48 * 3_600_000;

/// An event as engines in Rust decode it.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Its group.
    pub key: Option<i64>,
    /// When it happened.
    pub at: Option<Time>,
    /// What is summed.
    pub value: Option<i64>,
}

impl Wire for Event {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "key" => field.i64(&mut self.key),
            "t" => field.epoch_millis(&mut self.at),
            "value" => field.i64(&mut self.value),
            _ => field.skip(),
        }
    }
}

/// A sequence of events.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many.
    pub events: u64,
    seed: u64,
    /// How many happen in a second of event time.
    rate: u64,
    shape: Shape,
    /// How often each key and all before it come, in some unit; nothing if all come alike.
    cumulated: Vec<f64>,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its group.
    pub key: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What is summed.
    pub value: i64,
}

impl Plan {
    /// A backlog of so many events in a second of event time.
    pub fn backlog(seed: u64, events: u64, rate: u64, shape: Shape) -> Plan {
        let mut sum = 0.0;
        let mut add = |rank: u64| {
            sum += (rank as f64).powf(-shape.skew());
            sum
        };
        let cumulated = match shape.skew() {
            0.0 => vec![],
            _ => (1..=shape.keys).map(&mut add).collect(),
        };
        Plan { events, seed, rate, shape, cumulated }
    }

    /// What event `n` says.
    pub fn facts(&self, n: u64) -> Facts {
        let Shape { keys, size_ms, disorder_ms, .. } = self.shape;
        let mut dice = Dice::of(self.seed, n);
        let key = match self.cumulated.last() {
            None => dice.below(keys),
            Some(all) => {
                let at = dice.unit() * all;
                let before = self.cumulated.partition_point(|cumulated| *cumulated <= at);
                (before as u64).min(keys - 1)
            }
        };
        let value = dice.below(VALUES) as i64;
        let (times, of) = self.shape.late();
        let behind = match dice.chance(times, of) {
            true => disorder_ms + dice.between(1, 2 * size_ms + 1),
            false => dice.between(0, disorder_ms + 1),
        };
        Facts { key: key as i64, at_ms: self.place_ms(n) - behind, value }
    }

    /// Where event `n` is in event time, in milliseconds since 1970.
    fn place_ms(&self, n: u64) -> i64 {
        super::due_us(BACKLOG_START_US, self.rate, n).div_euclid(1_000)
    }

    /// Writes event `n`; returns its partition.
    pub fn write(&self, n: u64, out: &mut String) -> u32 {
        self.write_event(&self.facts(n), out);
        (n % u64::from(PARTITIONS)) as u32
    }

    /// Events that follow a backlog, one in each partition, two days later: they close all windows
    /// before them, and their own rows are not compared.
    ///
    /// # Errors
    ///
    /// Those of `send`.
    pub fn closing(&self, mut send: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        let at_ms = self.place_ms(self.events) + CLOSING_MS;
        let mut out = String::new();
        for partition in 0..PARTITIONS {
            self.write_event(&Facts { key: 0, at_ms, value: 0 }, &mut out);
            send(partition, &out)?;
        }
        Ok(())
    }

    /// How many events a topic holds that was filled by the plan, with those that close windows.
    pub fn records(&self) -> u64 {
        self.events + u64::from(PARTITIONS)
    }

    fn write_event(&self, Facts { key, at_ms, value }: &Facts, out: &mut String) {
        out.clear();
        write!(out, "{{\"key\":{key},\"t\":{at_ms},\"value\":{value},\"pad\":\"")
            .expect("a string takes all that is written to it");
        while out.len() + 2 < self.shape.bytes {
            out.push('x');
        }
        out.push_str("\"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(parameters: &str) -> Plan {
        Plan::backlog(1, 20_000, 1_000, parameters.parse().unwrap())
    }

    fn keys(parameters: &str) -> Vec<usize> {
        let plan = plan(parameters);
        let mut keys = vec![0; 100];
        (0..plan.events).for_each(|n| keys[plan.facts(n).key as usize] += 1);
        keys
    }

    #[test]
    fn events_are_json_of_the_size_that_was_asked_for() {
        for bytes in [100, 160, 4_000] {
            let plan = plan(&format!("bytes={bytes} keys=10_000_000"));
            let mut out = String::new();
            for n in 0..100 {
                assert_eq!(plan.write(n, &mut out), (n % 4) as u32);
                assert_eq!(out.len(), bytes, "{out}");
                let json: serde_json::Value = serde_json::from_str(&out).unwrap();
                assert_eq!(json["t"], plan.facts(n).at_ms);
            }
        }
    }

    #[test]
    fn keys_come_alike_unless_they_are_skewed() {
        let alike = keys("keys=100");
        assert!(alike.iter().all(|count| (120..290).contains(count)), "{alike:?}");
        let skewed = keys("keys=100 skew=1");
        // By Zipf's law the first key comes twice as often as the second, ten times as the tenth.
        let ratio = |rank: usize| skewed[0] as f64 / skewed[rank - 1] as f64;
        assert!((1.8..2.2).contains(&ratio(2)), "{}", ratio(2));
        assert!((8.5..11.5).contains(&ratio(10)), "{}", ratio(10));
        assert!(skewed.iter().all(|count| 0 < *count), "{skewed:?}");
    }

    #[test]
    fn events_are_out_of_order_as_far_as_was_asked_and_late_as_often() {
        let plan = plan("disorder=300ms late=0.05 size=10s slide=10s");
        let behind: Vec<i64> =
            (0..plan.events).map(|n| plan.place_ms(n) - plan.facts(n).at_ms).collect();
        let late = behind.iter().filter(|behind| 300 < **behind).count();
        assert!((900..1_100).contains(&late), "{late}");
        assert_eq!(behind.iter().min(), Some(&0));
        assert!((20_200..=20_300).contains(behind.iter().max().unwrap()));
        assert!(behind.iter().filter(|behind| **behind <= 300).any(|behind| *behind == 300));
    }
}
