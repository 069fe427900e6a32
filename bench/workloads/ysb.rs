//! The Yahoo Streaming Benchmark: views of advertisements, counted per campaign and 10 s.
//!
//! Event `n` goes to partition `n mod 4` and depends on the plan and `n` alone. 100 campaigns have
//! 10 advertisements each, the same in every plan, so that a table of them can stand in a dataflow.

use std::collections::BTreeMap;
use std::fmt::Write;

use highwater::codec::{Field, Wire};
use highwater::error::Result;
use highwater::hash::FixedMap;
use highwater::prelude::{Text, Time};
use serde::de::MapAccess;
use serde::{Deserialize, Serialize};

use super::dice::Dice;

pub use super::PARTITIONS;

/// Length of the windows, in milliseconds.
pub const WINDOW_MS: i64 = 10_000;

/// Campaigns, and advertisements of each.
const CAMPAIGNS: u64 = 100;
const ADS: u64 = 10;

/// Users, and pages.
const USERS: u64 = 100;
const PAGES: u64 = 100;

const AD_TYPES: [&str; 5] = ["banner", "modal", "sponsored-search", "mail", "mobile"];
const EVENT_TYPES: [&str; 3] = ["view", "click", "purchase"];

/// How far from its place an event may be in time, if they are skewed; and one in so many is late
/// by up to a minute.
const SKEW_MS: i64 = 50;
const LATE_ONE_IN: u64 = 100_000;
const LATE_MS: i64 = 60_000;

/// Where the event time of a backlog begins: 2026-01-01T00:00:00Z, in microseconds since 1970.
const BACKLOG_START_US: i64 = 1_767_225_600_000_000;

/// How long after the last event those come that close windows, in milliseconds.
const CLOSING_MS: i64 = 2 * 3_600_000;

/// An event as engines in Rust decode it: what the query reads.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Which advertisement.
    pub ad_id: Option<Text>,
    /// What happened to it.
    pub event_type: Option<Text>,
    /// When.
    pub event_time: Option<Time>,
}

impl Wire for Shown {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "ad_id" => field.text(&mut self.ad_id),
            "event_type" => field.text(&mut self.event_type),
            "event_time" => field.epoch_millis(&mut self.event_time),
            _ => field.skip(),
        }
    }
}

/// A sequence of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Another seed, other events.
    pub seed: u64,
    /// How many.
    pub events: u64,
    /// When the first of them happens, in microseconds since 1970.
    pub start_us: i64,
    /// How many happen in a second of event time.
    pub rate: u64,
    /// Whether events are out of order, a few of them by far.
    pub skewed: bool,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Number of the user.
    pub user: u64,
    /// Number of the page.
    pub page: u64,
    /// Number of the advertisement.
    pub ad: u64,
    /// Of which kind it is.
    pub ad_type: &'static str,
    /// What happened to it.
    pub event_type: &'static str,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Views by window and campaign.
pub type Answer = BTreeMap<(i64, String), i64>;

/// The campaign of each advertisement.
pub fn campaigns() -> FixedMap<Text, Text> {
    (0..CAMPAIGNS * ADS).map(|ad| (uuid("ad", ad).into(), campaign_id(ad).into())).collect()
}

fn campaign_id(ad: u64) -> String {
    uuid("campaign", ad / ADS)
}

/// A text in the form of a UUID, the same for the same thing.
fn uuid(kind: &str, number: u64) -> String {
    let mut dice = Dice::of(kind.len() as u64, number);
    let (a, b) = (dice.bits(), dice.bits());
    let (first, second, third) = (a >> 32, a >> 16 & 0xffff, a & 0xfff);
    let (fourth, fifth) = (b >> 48 & 0x3fff | 0x8000, b & 0xffff_ffff_ffff);
    format!("{first:08x}-{second:04x}-4{third:03x}-{fourth:04x}-{fifth:012x}")
}

impl Plan {
    /// A backlog that is not skewed, so many events in a second of event time.
    pub fn backlog(seed: u64, events: u64, rate: u64) -> Plan {
        Plan { seed, events, start_us: BACKLOG_START_US, rate, skewed: false }
    }

    /// What event `n` says.
    pub fn facts(&self, n: u64) -> Facts {
        let mut dice = Dice::of(self.seed, n);
        let mut at_ms = self.planned_us(n).div_euclid(1_000);
        if self.skewed {
            at_ms += dice.between(-SKEW_MS, SKEW_MS + 1);
            if dice.chance(1, LATE_ONE_IN) {
                at_ms -= dice.between(0, LATE_MS);
            }
        }
        Facts {
            user: dice.below(USERS),
            page: dice.below(PAGES),
            ad: dice.below(CAMPAIGNS * ADS),
            ad_type: dice.pick(&AD_TYPES),
            event_type: dice.pick(&EVENT_TYPES),
            at_ms,
        }
    }

    /// When event `n` happens if it is not skewed, in microseconds since 1970.
    pub fn planned_us(&self, n: u64) -> i64 {
        super::due_us(self.start_us, self.rate, n)
    }

    /// Writes event `n`; returns its partition.
    pub fn write(&self, n: u64, out: &mut String) -> u32 {
        self.facts(n).write(out);
        (n % u64::from(PARTITIONS)) as u32
    }

    /// Events that follow a backlog, a click in each partition, two hours later: they close all
    /// windows before them, and are not counted.
    ///
    /// # Errors
    ///
    /// Those of `send`.
    pub fn closing(&self, mut send: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        let at_ms = self.planned_us(self.events).div_euclid(1_000) + CLOSING_MS;
        let mut out = String::new();
        for partition in 0..PARTITIONS {
            Facts { at_ms, event_type: "click", ..self.facts(0) }.write(&mut out);
            send(partition, &out)?;
        }
        Ok(())
    }

    /// How many events a topic holds that was filled by the plan, with those that close windows.
    pub fn records(&self) -> u64 {
        self.events + u64::from(PARTITIONS)
    }

    /// The rows of the plan, computed from its events one by one: none is too late.
    pub fn answer(&self) -> Answer {
        let mut answer = Answer::new();
        for facts in (0..self.events).map(|n| self.facts(n)) {
            if facts.event_type == "view" {
                let start = facts.at_ms.div_euclid(WINDOW_MS) * WINDOW_MS;
                *answer.entry((start, campaign_id(facts.ad))).or_default() += 1;
            }
        }
        answer
    }
}

impl Facts {
    fn write(&self, out: &mut String) {
        out.clear();
        let Facts { user, page, ad, ad_type, event_type, at_ms } = *self;
        let (user, page, ad) = (uuid("user", user), uuid("a page", page), uuid("ad", ad));
        write!(
            out,
            "{{\"user_id\":\"{user}\",\"page_id\":\"{page}\",\"ad_id\":\"{ad}\",\
             \"ad_type\":\"{ad_type}\",\"event_type\":\"{event_type}\",\"event_time\":\"{at_ms}\",\
             \"ip_address\":\"1.2.3.4\"}}",
        )
        .expect("a string takes all that is written to it");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PLAN: Plan =
        Plan { seed: 1, events: 6_000, start_us: BACKLOG_START_US, rate: 200, skewed: false };

    #[test]
    fn events_are_json_of_about_250_bytes() {
        let mut out = String::new();
        for n in 0..1_000 {
            assert_eq!(PLAN.write(n, &mut out), (n % 4) as u32);
            assert!((230..290).contains(&out.len()), "{out}");
            let json: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(json["event_time"], PLAN.facts(n).at_ms.to_string());
        }
    }

    #[test]
    fn a_campaign_has_ten_advertisements_and_all_ids_differ() {
        let campaigns = campaigns();
        assert_eq!(campaigns.len(), 1_000);
        let ids: BTreeSet<&Text> = campaigns.values().collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| campaigns.values().filter(|of| of == id).count() == 10));
    }

    #[test]
    fn a_third_of_the_events_are_views_in_the_windows_that_the_plan_spans() {
        let answer = PLAN.answer();
        let views: i64 = answer.values().sum();
        assert!((1_850..2_150).contains(&views), "{views}");
        let starts: BTreeSet<i64> = answer.keys().map(|(start, _)| *start).collect();
        assert!(starts.into_iter().eq([0, 10_000, 20_000].map(|ms| 1_767_225_600_000 + ms)));
    }

    #[test]
    fn skew_moves_an_event_by_50_ms_at_most() {
        let skewed = Plan { skewed: true, ..PLAN };
        let moved = |n| skewed.facts(n).at_ms - PLAN.facts(n).at_ms;
        let moved: BTreeSet<i64> = (0..PLAN.events).map(moved).collect();
        assert_eq!((moved.first(), moved.last()), (Some(&-50), Some(&50)));
    }
}
