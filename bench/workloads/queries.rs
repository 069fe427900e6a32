//! The queries over plays, and the rows they must make.

use std::collections::BTreeMap;
use std::fmt;

use highwater::hash::FixedSet;
use serde::{Deserialize, Serialize};

use super::plays::Plan;

/// A query that every engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Events of each video and minute.
    Count,
    /// Events and distinct users of each kind, in five minutes, every minute.
    Distinct,
    /// Events of each video in ten seconds, and when the latest of them was planned.
    Latest,
}

/// A row as every engine writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRow {
    /// The group.
    pub key: String,
    /// Where its window begins, in milliseconds since 1970.
    pub start: i64,
    /// Events of the window.
    pub events: i64,
    /// Distinct users, where they are asked for.
    #[serde(default)]
    pub users: Option<i64>,
    /// The latest planned time, where it is asked for.
    #[serde(default)]
    pub planned_us: Option<i64>,
}

/// What a group must have in the end: events and users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Events.
    pub events: i64,
    /// Distinct users, if the query asks.
    pub users: Option<i64>,
}

/// All groups of a query by (start, key).
pub type Answer = BTreeMap<(i64, String), Group>;

impl Query {
    /// All of them.
    pub const ALL: [Query; 3] = [Query::Count, Query::Distinct, Query::Latest];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Query::Count => "count",
            Query::Distinct => "distinct",
            Query::Latest => "latest",
        }
    }

    /// Length of its windows and how far apart they begin, in milliseconds.
    pub fn window_ms(self) -> (i64, i64) {
        match self {
            Query::Count => (60_000, 60_000),
            Query::Distinct => (300_000, 60_000),
            Query::Latest => (10_000, 10_000),
        }
    }

    /// The rows of a plan, computed from its events one by one.
    pub fn answer(self, plan: &Plan) -> Answer {
        let (size, slide) = self.window_ms();
        let mut groups: BTreeMap<(i64, String), (i64, FixedSet<u64>)> = BTreeMap::new();
        for n in 0..plan.events {
            let facts = plan.facts(n);
            let last = facts.at_ms.div_euclid(slide) * slide;
            for back in 0..size / slide {
                let key = match self {
                    Query::Distinct => facts.event_type().into(),
                    Query::Count | Query::Latest => facts.video_id(),
                };
                let group = groups.entry((last - back * slide, key)).or_default();
                group.0 += 1;
                if self == Query::Distinct {
                    group.1.insert(facts.user);
                }
            }
        }
        let users = |users: &FixedSet<u64>| {
            (self == Query::Distinct).then(|| i64::try_from(users.len()).unwrap_or(i64::MAX))
        };
        let group = |(place, (events, seen)): ((i64, String), (i64, FixedSet<u64>))| {
            (place, Group { events, users: users(&seen) })
        };
        groups.into_iter().map(group).collect()
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::plays::Timing;

    #[test]
    fn each_event_is_in_as_many_windows_as_cover_it() {
        let plan = Plan { seed: 3, events: 5_000, timing: Timing::Backlog };
        let sum = |query: Query| -> i64 { query.answer(&plan).values().map(|g| g.events).sum() };
        assert_eq!((sum(Query::Count), sum(Query::Distinct)), (5_000, 25_000));
        let answer = Query::Distinct.answer(&plan);
        assert!(answer.values().all(|group| group.users.unwrap_or(0) <= group.events));
        assert_eq!(answer.len(), 6 * 64);
    }
}
