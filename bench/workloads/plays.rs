//! Plays of videos: JSON events of 160 bytes in four partitions, on which windows are counted.
//!
//! Event `n` goes to partition `n mod 4` and depends on the seed and `n` alone, so that rows are
//! verified without reading a topic. A backlog spans an hour of event time, up to five seconds out
//! of order; live events happen when they are planned to be sent.

use std::fmt::Write;

use highwater::codec::{Field, Wire};
use highwater::hash;
use highwater::prelude::*;
use serde::de::MapAccess;
use serde::{Deserialize, Serialize};

pub use super::PARTITIONS;

/// Bytes of an event.
const EVENT_BYTES: usize = 160;

/// How many users, and how many videos.
const USERS: u64 = 10_000;
const VIDEOS: u64 = 200;

const KINDS: [&str; 6] = ["view", "play", "pause", "seek", "complete", "like"];

/// Where the event time of a backlog begins, 2026-01-01T00:00:00Z, and how long it spans.
const BACKLOG_START_MS: i64 = 1_767_225_600_000;
const BACKLOG_SPAN_MS: i64 = 3_600_000;

/// How far behind its place a backlog event may be.
const DISORDER_MS: u64 = 5_000;

/// An event as engines in Rust decode it.
#[derive(Clone, Debug, Default)]
pub struct Play {
    /// When it happened.
    pub timestamp: Option<Time>,
    /// Who.
    pub user_id: Option<Text>,
    /// Did what.
    pub event_type: Option<Text>,
    /// With which video.
    pub video_id: Option<Text>,
    /// When it was planned to be sent, in microseconds since 1970; 0 in a backlog.
    pub planned_us: Option<i64>,
}

impl Wire for Play {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "timestamp" => field.time(&mut self.timestamp),
            "user_id" => field.text(&mut self.user_id),
            "event_type" => field.text(&mut self.event_type),
            "video_id" => field.text(&mut self.video_id),
            "planned_us" => field.i64(&mut self.planned_us),
            _ => field.skip(),
        }
    }
}

/// A sequence of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Another seed, other users and videos.
    pub seed: u64,
    /// How many.
    pub events: u64,
    /// When they happen.
    pub timing: Timing,
}

/// When the events of a plan happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Within an hour that is long over.
    Backlog,
    /// Event `n` when it is planned to be sent: `n / rate` seconds after the start.
    Live {
        /// Microseconds since 1970 of event 0.
        start_us: i64,
        /// Events a second.
        rate: u64,
    },
}

/// What event `n` says.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Number of the user.
    pub user: u64,
    /// Which of the six kinds.
    pub kind: usize,
    /// Number of the video.
    pub video: u64,
    /// Event time, in milliseconds since 1970.
    pub at_ms: i64,
    /// Planned time, in microseconds since 1970; 0 in a backlog.
    pub planned_us: i64,
}

impl Facts {
    /// The video as events and rows name it.
    pub fn video_id(&self) -> String {
        format!("VID{:03}", self.video)
    }

    /// The kind as events and rows name it.
    pub fn event_type(&self) -> &'static str {
        KINDS[self.kind]
    }
}

impl Plan {
    /// A backlog.
    pub fn backlog(seed: u64, events: u64) -> Plan {
        Plan { seed, events, timing: Timing::Backlog }
    }

    /// What event `n` says.
    pub fn facts(&self, n: u64) -> Facts {
        let bits = hash::of(&(self.seed, n));
        let more = hash::of(&bits);
        let (at_ms, planned_us) = match self.timing {
            Timing::Backlog => {
                let place = i128::from(n) * i128::from(BACKLOG_SPAN_MS) / i128::from(self.events);
                let behind = (more % DISORDER_MS) as i64;
                (BACKLOG_START_MS + (place as i64 - behind).max(0), 0)
            }
            Timing::Live { .. } => {
                let planned = self.planned_us(n);
                (planned.div_euclid(1_000), planned)
            }
        };
        Facts {
            user: bits % USERS,
            kind: ((bits >> 20) % KINDS.len() as u64) as usize,
            video: (bits >> 32) % VIDEOS,
            at_ms,
            planned_us,
        }
    }

    /// When event `n` of a live plan is to be sent, in microseconds since 1970; 0 in a backlog.
    pub fn planned_us(&self, n: u64) -> i64 {
        match self.timing {
            Timing::Backlog => 0,
            Timing::Live { start_us, rate } => super::due_us(start_us, rate, n),
        }
    }

    /// Writes event `n`; returns its partition.
    pub fn write(&self, n: u64, out: &mut String) -> u32 {
        write_event(&self.facts(n), out);
        (n % u64::from(PARTITIONS)) as u32
    }

    /// Events that follow a backlog in each partition, two hours later, one of each video: they
    /// close all windows before them in every engine. Their own rows are not compared.
    pub fn closing(&self, mut send: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        let mut out = String::new();
        for partition in 0..PARTITIONS {
            for video in 0..VIDEOS {
                let at_ms = BACKLOG_START_MS + 3 * BACKLOG_SPAN_MS;
                let kind = video as usize % KINDS.len();
                write_event(&Facts { user: 0, kind, video, at_ms, planned_us: 0 }, &mut out);
                send(partition, &out)?;
            }
        }
        Ok(())
    }

    /// How many events a topic holds that was filled by the plan, with those that close windows.
    pub fn records(&self) -> u64 {
        match self.timing {
            Timing::Backlog => self.events + u64::from(PARTITIONS) * VIDEOS,
            Timing::Live { .. } => self.events,
        }
    }

    /// Writes an event of another time, which rows are compared without.
    pub fn write_probe(at_ms: i64, out: &mut String) {
        write_event(&Facts { user: 0, kind: 0, video: 0, at_ms, planned_us: 0 }, out);
    }
}

fn write_event(facts: &Facts, out: &mut String) {
    out.clear();
    let Facts { user, video, planned_us, .. } = facts;
    let mut at = Time::from_micros(facts.at_ms * 1_000).to_string();
    // Milliseconds, as most producers write.
    at.truncate("2026-01-01T00:00:00.000".len());
    let kind = facts.event_type();
    write!(
        out,
        "{{\"user_id\":\"u{user:05}\",\"event_type\":\"{kind}\",\"video_id\":\"VID{video:03}\",\
         \"timestamp\":\"{at}Z\",\"value\":{}.{:02},\"planned_us\":{planned_us},\"pad\":\"",
        user % 100,
        video % 100,
    )
    .expect("a string takes all that is written to it");
    while out.len() + 2 < EVENT_BYTES {
        out.push('x');
    }
    out.push_str("\"}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: Timing = Timing::Live { start_us: 1_800_000_000_000_000, rate: 2_000 };

    #[test]
    fn every_event_has_160_bytes_and_is_json() {
        for timing in [Timing::Backlog, LIVE] {
            let plan = Plan { seed: 1, events: 1_000, timing };
            let mut out = String::new();
            for n in 0..plan.events {
                assert_eq!(plan.write(n, &mut out), (n % 4) as u32);
                assert_eq!(out.len(), EVENT_BYTES, "{out}");
                serde_json::from_str::<serde_json::Value>(&out).unwrap();
            }
        }
    }

    #[test]
    fn an_event_depends_on_the_seed_and_on_its_number_alone() {
        let plan = Plan { seed: 1, events: 1_000, timing: LIVE };
        let longer = Plan { events: 2_000, ..plan };
        let (mut one, mut two) = (String::new(), String::new());
        plan.write(77, &mut one);
        longer.write(77, &mut two);
        assert_eq!(one, two);
        Plan { seed: 2, ..plan }.write(77, &mut two);
        assert_ne!(one, two);
    }

    #[test]
    fn closing_events_come_after_every_window_of_the_backlog() {
        let plan = Plan { seed: 1, events: 10, timing: Timing::Backlog };
        let mut sent = 0;
        plan.closing(|_, event| {
            assert!(event.contains("2026-01-01T03:00:00.000Z"), "{event}");
            sent += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(plan.events + sent, plan.records());
    }
}
