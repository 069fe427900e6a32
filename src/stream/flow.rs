//! [`Flow`]: where a dataflow function begins.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::dedup::Dedup;
use super::events::Stream;
use super::intake::{SourceIntake, SourceOptions};
use super::node::Node;
use super::plan::{From, Plan, Port, SourcePlan};
use super::times::TimeColumn;
use crate::codec::Wire;
use crate::lateness::Lateness;
use crate::row::{Row, Rows, Schema};
use crate::text::Text;
use crate::time::{Time, hours};

/// Where a dataflow function begins: it names the sources.
#[derive(Clone)]
pub struct Flow {
    inner: Rc<Inner>,
}

struct Inner {
    settings: Settings,
    plan: RefCell<Plan>,
    streams: RefCell<BTreeMap<Text, Box<dyn Any>>>,
}

/// What bindings say about the description.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By source.
    pub sources: BTreeMap<Text, SourceOptions>,
    /// `view.key_bytes_max`.
    pub key_bytes_max: usize,
    /// Key columns, by view.
    pub keys: BTreeMap<Text, Vec<String>>,
    /// Views with `engine = "differential"`.
    pub differential: BTreeSet<Text>,
    /// Views with `fill_gaps`.
    pub filled: BTreeSet<Text>,
    /// `keep`, by view.
    pub keep: BTreeMap<Text, Duration>,
    /// `keys_max`, by view.
    pub keys_max: BTreeMap<Text, u64>,
    /// `forget_after` of trailing histories and of filled gaps, by view.
    pub forget: BTreeMap<Text, Duration>,
    /// The same for views of which it says nothing.
    pub forget_after: Duration,
    /// Whether the view `alerts` is bound; what is not bound is not computed.
    pub alerts: bool,
    /// Name of the system, which rows of alerts hold.
    pub system: Text,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sources: BTreeMap::new(),
            key_bytes_max: 1 << 10,
            keys: BTreeMap::new(),
            differential: BTreeSet::new(),
            filled: BTreeSet::new(),
            keep: BTreeMap::new(),
            keys_max: BTreeMap::new(),
            forget: BTreeMap::new(),
            forget_after: hours(24),
            alerts: true,
            system: Text::default(),
        }
    }
}

impl Flow {
    /// An empty description.
    ///
    /// ```
    /// use highwater::stream::{Flow, Settings};
    ///
    /// assert!(Flow::new(Settings::default()).take().view_names().is_empty());
    /// ```
    pub fn new(settings: Settings) -> Flow {
        let streams = RefCell::default();
        Flow { inner: Rc::new(Inner { settings, plan: RefCell::default(), streams }) }
    }

    /// The events of a source: its name is the port that a binding binds; `lateness` says how far
    /// its watermarks run behind, `time` when an event happened. An event without a time is a
    /// dead letter. The same name is the same source.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let events = [("a", 10, 1), ("a", 1, 2), ("a", 100, 3), ("a", 2, 4)];
    /// let rows = Example::flow(events, |flow| {
    ///     // Events may be up to a minute older than the latest one before them.
    ///     let events = flow.source("events", Lateness::Strict(minutes(1)), Example::time);
    ///     let windows = events.window(Tumbling::new(minutes(5)));
    ///     let sums = windows.accumulate(|event| Sum::<i64>::of(event.value));
    ///     sums.rows(Example::row).sink("sums");
    /// });
    /// assert_eq!(rows, ["sums 00:00 6"]);
    /// ```
    pub fn source<E: Wire, T: Into<Option<Time>>>(
        &self,
        name: &str,
        lateness: impl Into<Lateness>,
        time: impl Fn(&E) -> T + 'static,
    ) -> Stream<E> {
        let streams = self.inner.streams.borrow();
        if let Some(stream) = streams.get(name).and_then(|stream| stream.downcast_ref()) {
            return Stream::clone(stream);
        }
        drop(streams);
        let stream = self.add_source(name, lateness.into(), time);
        self.inner.streams.borrow_mut().insert(name.into(), Box::new(stream.clone()));
        stream
    }

    fn add_source<E: Wire, T: Into<Option<Time>>>(
        &self,
        name: &str,
        lateness: Lateness,
        time: impl Fn(&E) -> T + 'static,
    ) -> Stream<E> {
        let options = self.source_options(name);
        let delay = options.lateness.unwrap_or(lateness.delay());
        let lateness = match options.strict.unwrap_or(lateness.is_strict()) {
            true => Lateness::Strict(delay),
            false => Lateness::Window(delay),
        };
        let node = Node::new();
        let dedup: Rc<RefCell<Option<Dedup<E>>>> = Rc::default();
        let reaches: Rc<RefCell<_>> = Rc::default();
        let source = self.with(|plan| {
            let index = plan.sources.len();
            let intake = SourceIntake {
                index: index as u32,
                name: name.into(),
                lateness,
                reaches: reaches.clone(),
                options,
                node: node.clone(),
                dedup: dedup.clone(),
                times: Box::new(move |events: &[E], times: &mut TimeColumn| {
                    times.extend(events.iter().map(|event| time(event).into()));
                }),
                decoder: Default::default(),
                judge: Default::default(),
            };
            let intake = Box::new(intake);
            let (name, is_table) = (name.into(), false);
            plan.add_source(SourcePlan { name, lateness, is_table, reaches, intake });
            index
        });
        let sources = Rc::new(BTreeSet::from([source]));
        Stream { flow: self.clone(), node, sources, dedup: Some(dedup) }
    }

    /// Ends the description: what was described moves out, and nothing is left.
    ///
    /// ```
    /// use highwater::stream::{Flow, Settings};
    /// use highwater::testing::Example;
    ///
    /// let flow = Flow::new(Settings::default());
    /// flow.source("events", highwater::time::seconds(10), Example::time).sink("all");
    /// let plan = flow.take();
    /// assert_eq!((plan.source_names(), plan.view_names()), (vec!["events"], vec!["all"]));
    /// ```
    pub fn take(&self) -> Plan {
        self.add_watched_port();
        let Settings { filled, keys_max, forget, forget_after, .. } = self.inner.settings.clone();
        let plan = self.inner.plan.take();
        let mut plan = Plan { filled, keys_max, forget, forget_after, ..plan };
        plan.retain(&self.inner.settings.keep);
        plan.errors.extend(plan.lost_watches());
        plan
    }

    /// What a binding says about a source.
    pub(super) fn source_options(&self, name: &str) -> SourceOptions {
        self.inner.settings.sources.get(name).cloned().unwrap_or_default()
    }

    /// What bindings say.
    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(super) fn key_bytes_max(&self) -> usize {
        self.inner.settings.key_bytes_max
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Plan) -> T) -> T {
        f(&mut self.inner.plan.borrow_mut())
    }

    /// Adds a view, or a part of one that is there: all rows of one name are one view.
    pub(super) fn add_port<R: Row>(
        &self,
        view: &str,
        from: From,
        updates: bool,
    ) -> Rc<RefCell<Rows>> {
        let rows: Rc<RefCell<Rows>> = Rc::default();
        self.with(|plan| {
            let (view, schema) = (view.into(), Schema::of::<R>());
            let (inner, retained, rows) = (false, None, rows.clone());
            let takes_back = matches!(from, From::View(_));
            let port = Port { view, schema, from, updates, takes_back, inner, retained, rows };
            plan.errors.extend(plan.clash(&port));
            plan.ports.push(port);
        });
        rows
    }

    /// Adds a way into the views of the scope of ticks; returns the port, and where its rows go.
    pub(super) fn add_inner_port(&self, from: From, updates: bool) -> (usize, Rc<RefCell<Rows>>) {
        let rows: Rc<RefCell<Rows>> = Rc::default();
        let (view, schema) = (Text::default(), Arc::default());
        let (inner, retained) = (true, None);
        let (takes_back, rows_of) = (false, rows.clone());
        let port = Port { view, schema, from, updates, takes_back, inner, retained, rows: rows_of };
        let port = self.with(|plan| {
            plan.ports.push(port);
            plan.ports.len() - 1
        });
        (port, rows)
    }
}
