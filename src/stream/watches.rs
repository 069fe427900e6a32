//! [`Alerts::operational`] and [`Keyed::silence`]: which operational alerts a dataflow declares,
//! and how the keys that have come get to the one place that decides.
//!
//! ```text
//! events ─► keys ─► set of this second ── once a second, as text ──► facts of the worker
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::alerts::{Alerts, object};
use super::chunk::Chunk;
use super::events::{Keyed, Keys};
use super::flow::Flow;
use super::node::{Outbox, Step};
use super::plan::{From, Plan};
use crate::alert::watch::{Condition, Measure};
use crate::alert::{self, Alert, Raised};
use crate::error::{Error, Result};
use crate::hash::FixedSet;
use crate::key::Key;
use crate::row::Field;
use crate::sink::text::JsonNames;
use crate::text::Text;

/// The operational alerts of a plan.
#[derive(Default)]
pub struct Watches {
    /// What is watched.
    pub conditions: Vec<Condition>,
    /// Where keys are noted, of conditions that watch for them.
    pub seen: Vec<(usize, Rc<RefCell<dyn SeenKeys>>)>,
    /// Whether bounded input is watched, too.
    pub always: bool,
}

/// Keys that have come of late.
pub trait SeenKeys {
    /// Begins to note them; before, nothing is noted.
    fn begin(&mut self);

    /// Takes out what was noted, as JSON objects.
    fn take(&mut self) -> Vec<Text>;
}

/// The alert about keys that fall silent; see [`Keyed::silence`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// Its name, and after how many seconds it is raised.
    pub alert: Alert,
    /// How many keys are remembered.
    pub keys_max: usize,
}

impl Alerts<'_> {
    /// An operational alert: the running job raises it about itself, by the clock, when a measure
    /// goes beyond the threshold, and again only after it came back. Its rows have no window.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::stream::{Flow, Settings};
    /// # let flow = Flow::new(Settings::default());
    /// # let mut parameters = Parameters::new(&toml::toml! { alerts.shop.failed_events = 10 });
    /// let mut alerts = flow.alerts(&mut parameters)?;
    /// alerts.operational("shop.failed_events", Measure::FailedEvents, 0.0)?;
    /// assert_eq!(flow.take().view_names(), ["alerts"]);
    /// # Ok::<(), highwater::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A parameter cannot be read.
    pub fn operational(
        &mut self,
        name: &'static str,
        measure: Measure,
        threshold: f64,
    ) -> Result<()> {
        let alert = match measure.is_below() {
            true => self.below(name, threshold)?,
            false => self.above(name, threshold)?,
        };
        let over = match measure.over() {
            Some(over) => self.parameters.duration(&format!("alerts.{name}.over"), over)?,
            None => Duration::ZERO,
        };
        if self.by_the_clock()? && alert.is_on() {
            self.flow.watch(Condition::new(alert, measure, over));
        }
        Ok(())
    }

    /// An operational alert about keys that fall silent for so many seconds.
    ///
    /// # Errors
    ///
    /// A parameter cannot be read.
    pub fn silence(&mut self, name: &'static str, seconds: f64) -> Result<Silence> {
        let alert = self.above(name, seconds)?;
        let keys_max = self.parameters.integer(&format!("alerts.{name}.keys_max"), KEYS_MAX)?;
        let alert = if self.by_the_clock()? { alert } else { alert.off() };
        Ok(Silence { alert, keys_max: keys_max.max(0) as usize })
    }

    /// Whether the job is watched at all; notes whether it is over bounded input.
    fn by_the_clock(&mut self) -> Result<bool> {
        let words = ["auto", "on", "off"];
        let word = self.parameters.choice("alerts.operational", &words, "auto")?;
        self.flow.with(|plan| plan.watches.always = word == "on");
        Ok(word != "off")
    }
}

/// `alerts.NAME.keys_max`.
const KEYS_MAX: i64 = 10_000;

impl Flow {
    /// Adds an operational alert; returns its number.
    fn watch(&self, condition: Condition) -> usize {
        self.with(|plan| {
            plan.watches.conditions.push(condition);
            plan.watches.conditions.len() - 1
        })
    }

    /// Makes the operational alerts a part of the view of all alerts: its last one.
    pub(super) fn add_watched_port(&self) {
        if self.with(|plan| !plan.watches.conditions.is_empty()) {
            // What is raised does not come through the rows of the port.
            drop(self.add_port::<Raised>(alert::VIEW, From::Job, false));
        }
    }
}

impl Plan {
    /// What is wrong with the operational alerts: views that there are not.
    pub(super) fn lost_watches(&self) -> Vec<Error> {
        let watched = self.watches.conditions.iter();
        let watched = watched.filter_map(|condition| Some((condition, condition.measure.view()?)));
        let lost = watched.filter(|(_, view)| self.parts(view).next().is_none());
        let error = |(condition, view): (&Condition, &str)| {
            let name = condition.alert.name();
            let error = Error::config(format!("alert `{name}` watches a view `{view}`"));
            error.hint(format!("there is none; there is `{}`", self.view_names().join("`, `")))
        };
        lost.map(error).collect()
    }
}

impl<K: Key + Field, E: 'static> Keyed<K, E> {
    /// Raises an operational alert for each key of which nothing has come for too long, by the
    /// clock of arrival. `view` is what its rows name, `key` are the names of the columns of the
    /// key. A key that was never seen is not missed, unless it is one of `known`: those are waited
    /// for from the start.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::stream::{Flow, Settings};
    /// # use highwater::testing::{Example, example::Event};
    /// fn watched(prices: &Stream<Event>, silence: Silence) {
    ///     let known = ["BTCUSDT", "ETHUSDT"].map(Text::from);
    ///     prices.key_by(|price| price.key.clone()).silence(silence, "prices", &["symbol"], known);
    /// }
    ///
    /// # let flow = Flow::new(Settings::default());
    /// let mut parameters = Parameters::new(&toml::toml! { alerts.quiet = 60 });
    /// let silence = flow.alerts(&mut parameters)?.silence("quiet", 30.0)?;
    /// watched(&flow.source("prices", seconds(10), Example::time), silence);
    /// assert_eq!(flow.take().view_names(), ["alerts"]);
    /// # Ok::<(), highwater::error::Error>(())
    /// ```
    ///
    /// While it is on, each event costs a look into a set of the keys of the last second.
    pub fn silence(
        &self,
        silence: Silence,
        view: &str,
        key: &[&str],
        known: impl IntoIterator<Item = K>,
    ) {
        let mut columns = Vec::new();
        K::columns("", false, &mut columns);
        let flow = &self.stream.flow;
        if columns.len() != key.len() {
            let (parts, named, name) = (columns.len(), key.len(), silence.alert.name());
            let error = Error::config(format!(
                "the key of alert `{name}` has {parts} columns, and {named} are named"
            ));
            let error = error.hint("name each column of the key once, in its order");
            flow.with(|plan| plan.errors.push(error));
        }
        if !silence.alert.is_on() {
            return;
        }
        let names = JsonNames::new(key.iter().copied());
        let known = known.into_iter().map(|key| object(&names, &key)).collect();
        let condition = Condition::new(silence.alert, Measure::Silence, Duration::ZERO);
        let keys_max = silence.keys_max;
        let index = flow.watch(Condition { view: view.into(), known, keys_max, ..condition });
        let (keys, on) = (FixedSet::default(), false);
        let noted = Rc::new(RefCell::new(Noted { keys, names, keys_max, on }));
        flow.with(|plan| plan.watches.seen.push((index, noted.clone())));
        let step = NoteStep { keys: self.keys.clone(), scratch: Vec::new(), noted };
        self.stream.node.push(Rc::new(RefCell::new("silence".into())), Box::new(step));
    }
}

/// The keys that have come since the last facts.
struct Noted<K> {
    keys: FixedSet<K>,
    names: JsonNames,
    keys_max: usize,
    on: bool,
}

impl<K: Key + Field> SeenKeys for Noted<K> {
    fn begin(&mut self) {
        self.on = true;
    }

    fn take(&mut self) -> Vec<Text> {
        let Noted { keys, names, .. } = self;
        keys.drain().map(|key| object(names, &key)).collect()
    }
}

/// Notes the keys of events.
struct NoteStep<K, E> {
    keys: Keys<K, E>,
    scratch: Vec<K>,
    noted: Rc<RefCell<Noted<K>>>,
}

impl<K: Key, E> Step<E> for NoteStep<K, E> {
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        if self.noted.borrow().on {
            (self.keys)(chunk, &mut self.scratch);
        }
    }

    fn commit(&mut self, _out: &mut Outbox) {
        let mut noted = self.noted.borrow_mut();
        for key in self.scratch.drain(..) {
            // One more than may be remembered, so that it is known that there are too many.
            if noted.keys.len() <= noted.keys_max {
                noted.keys.insert(key);
            }
        }
    }

    fn abort(&mut self) {
        self.scratch.clear();
    }
}

#[cfg(test)]
mod tests;
