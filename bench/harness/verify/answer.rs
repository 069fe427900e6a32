//! The rows that must come of a backlog.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use highwater::error::Result;
use highwater::hash::FixedMap;

use super::tables::{self, Table};
use super::{Balances, Check, Lines, Newest, Tables, Windows};
use crate::workloads::nexmark::query::{Line, Query};
use crate::workloads::{RATE, SEED, Workload, nexmark, plays, queries, transfers, windows, ysb};

/// The rows that must come of a backlog.
pub enum Answer {
    /// One newest row of each group.
    Groups(Arc<queries::Answer>),
    /// Rows, and how often each of them.
    Lines(Query, Arc<FixedMap<Line, i64>>),
    /// Rows of many views.
    Tables(Arc<Table>),
    /// What each account has in the end.
    Balances(Arc<BTreeMap<i64, i64>>),
    /// Rows of windows, and records that none of them takes.
    Windows(Arc<windows::Answer>),
}

impl Answer {
    /// The rows that the backlog of so many events must make. They are computed from the events
    /// one by one, without any engine, but for those of systems: their views are those of Highwater
    /// over the same records in files, in a process of its own; the rows of Spark, which share
    /// nothing with them, are compared with the same answer.
    ///
    /// # Errors
    ///
    /// That process fails; `work`, where its files are, cannot be written.
    pub fn of(workload: Workload, events: u64, work: &Path) -> Result<Answer> {
        Ok(match workload {
            Workload::Plays(query) => {
                let plan = plays::Plan::backlog(SEED, events);
                Answer::Groups(Arc::new(query.answer(&plan)))
            }
            Workload::Nexmark(query) => {
                let plan = nexmark::Plan::backlog(SEED, events, RATE);
                let mut lines: FixedMap<Line, i64> = FixedMap::default();
                for line in nexmark::answers::answer(query, plan.facts()) {
                    *lines.entry(line).or_default() += 1;
                }
                Answer::Lines(query, Arc::new(lines))
            }
            Workload::Ysb => {
                let views = ysb::Plan::backlog(SEED, events, RATE).answer().into_iter();
                let group = |events| queries::Group { events, users: None };
                let groups = views.map(|(place, events)| (place, group(events)));
                Answer::Groups(Arc::new(groups.collect()))
            }
            Workload::Transfers => {
                let plan = transfers::Plan { seed: SEED, transfers: events };
                Answer::Balances(Arc::new(transfers::balances(&plan.arrivals())))
            }
            Workload::System(system) => {
                Answer::Tables(Arc::new(tables::answer(system, events, work)?))
            }
            Workload::Windows(shape) => {
                let plan = windows::Plan::backlog(SEED, events, RATE, shape);
                Answer::Windows(Arc::new(plan.answer()))
            }
        })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        match self {
            Answer::Groups(groups) => groups.len(),
            Answer::Lines(_, lines) => {
                usize::try_from(lines.values().sum::<i64>()).unwrap_or(usize::MAX)
            }
            Answer::Tables(table) => table.rows.len(),
            Answer::Balances(balances) => balances.len(),
            Answer::Windows(answer) => answer.rows.len() + answer.refused.len(),
        }
    }

    /// What compares rows with it.
    pub fn check(&self) -> Box<dyn Check> {
        match self {
            Answer::Groups(groups) => Box::new(Newest::from(i64::MIN, groups.clone())),
            Answer::Lines(query, lines) => Box::new(Lines::new(*query, lines.clone())),
            Answer::Tables(table) => Box::new(Tables::new(table.clone())),
            Answer::Balances(balances) => Box::new(Balances::new(balances.clone())),
            Answer::Windows(answer) => Box::new(Windows::new(answer.clone())),
        }
    }
}
