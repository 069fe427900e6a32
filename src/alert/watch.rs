//! Operational alerts: what a running job notices about itself.
//!
//! ```text
//! each process, once a second ── Facts ──► Watch ──► what holds now and did not hold before
//! ```
//!
//! A [`Watch`] is a plain value in one place of a job. Time comes in as an argument, since the
//! start of the job, so tests step it. An alert is raised at most once for each episode of an
//! (alert, view, key): when its condition begins to hold, and again only after it did not; an
//! episode that becomes critical is raised once more.

mod measure;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::measure::{Condition, Measure};
use self::measure::{Latest, Reading, State};
use super::{Raised, Severity};
use crate::text::Text;

/// What a worker says of itself, and for its process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The worker.
    pub worker: usize,
    /// What is known of the whole process; one worker says it.
    pub process: Option<ProcessFacts>,
    /// Keys that have come since the last facts, with the condition that watches for them.
    pub seen: Vec<(usize, Text)>,
}

/// What a process knows of a job. Counts are totals since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Events read.
    pub read: u64,
    /// Of these, the ones that were used, or dropped as duplicates on purpose.
    pub used: u64,
    /// Records, events and rows that nobody could use; not those that were late.
    pub failed: u64,
    /// Records between here and the ends of the partitions, where sources tell.
    pub lag: u64,
    /// Whether records have come since the last facts, or wait to be read.
    pub arriving: bool,
    /// Reading has stopped for so long, as sinks or exchanges lag.
    pub held: Option<Duration>,
    /// How far the frontier is behind the time of day, less the lateness.
    pub behind: Option<Duration>,
    /// Rows written of watched views.
    pub rows: Vec<(Text, u64)>,
    /// What records of the last second have waited, of watched views.
    pub delays: Vec<(Text, Duration)>,
    /// The sinks.
    pub sinks: Vec<SinkFacts>,
}

/// What a process knows of the writers of a sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinkFacts {
    /// The view that is written.
    pub view: Text,
    /// The kind of sink.
    pub kind: Text,
    /// How many tries have failed since the start.
    pub failed: u64,
    /// Since when nothing can be written: all tries have failed.
    pub away: Option<Duration>,
}

/// Decides which alerts are raised.
pub struct Watch {
    system: Text,
    conditions: Vec<(Condition, State)>,
    latest: Latest,
    /// Which alerts hold: by condition, view and key.
    active: BTreeMap<(usize, Text, Text), Severity>,
}

impl Watch {
    /// A watch over some conditions of a job that began then.
    pub fn new(system: Text, conditions: Vec<Condition>, begun: Duration) -> Watch {
        let state = |condition: Condition| {
            let state = State::new(&condition, begun);
            (condition, state)
        };
        Watch {
            system,
            conditions: conditions.into_iter().map(state).collect(),
            latest: Latest::new(begun),
            active: BTreeMap::new(),
        }
    }

    /// Takes in what a worker says.
    pub fn hear(&mut self, now: Duration, facts: Facts) {
        self.latest.pass(now);
        for (condition, key) in facts.seen {
            if let Some((condition, state)) = self.conditions.get_mut(condition) {
                state.saw(condition, key, self.latest.listening());
            }
        }
        if let Some(process) = facts.process {
            for (condition, state) in &mut self.conditions {
                state.hear(condition, now, &process);
            }
            self.latest.hear(facts.worker, process);
        }
    }

    /// The alerts to raise now.
    pub fn judge(&mut self, now: Duration) -> Vec<Raised> {
        self.latest.pass(now);
        let (mut raised, mut active) = (Vec::new(), BTreeMap::new());
        for (index, (condition, state)) in self.conditions.iter_mut().enumerate() {
            for Reading { view, key, value } in state.read(condition, now, &self.latest) {
                let Some((threshold, severity)) = condition.alert.judge(value) else { continue };
                let held = self.active.get(&(index, view.clone(), key.clone()));
                if held.is_none_or(|held| *held < severity) {
                    raised.push(Raised {
                        alert: condition.alert.name().into(),
                        system: self.system.clone(),
                        view: view.clone(),
                        window: None,
                        key: key.clone(),
                        value,
                        threshold,
                        severity: severity.name().into(),
                    });
                }
                active.insert((index, view, key), severity);
            }
        }
        self.active = active;
        raised
    }

    /// Alerts that cannot watch all keys, as there are more than they may remember; each is told
    /// once.
    pub fn full(&mut self) -> Vec<&'static str> {
        let full = self
            .conditions
            .iter_mut()
            .filter_map(|(condition, state)| state.is_newly_full().then(|| condition.alert.name()));
        full.collect()
    }
}

#[cfg(test)]
mod tests;
