//! [`Stream`] and [`Keyed`]: events, each once, and events that know their key.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use super::accumulate::{Accumulate, OwnTime, make_root};
use super::chunk::Chunk;
use super::dedup::Dedup;
use super::differential::Erased;
use super::flow::Flow;
use super::node::{Filter, Made, Make, Node, Outbox, Pass, Step};
use super::panes::PaneNode;
use super::plan::{From, RootPlan, Slot};
use super::windowed::Windowed;
use crate::aggregate::{Aggregate, Stamp};
use crate::error::Error;
use crate::key::Key;
use crate::keyed::PreAggregate;
use crate::lateness::Reach;
use crate::letter::{Letter, Reason, Reject};
use crate::row::{Change, Mark, Origin, Row, Rows};
use crate::text::Text;
use crate::time::Time;
use crate::window::Windows;

/// Events, each once. A handle: using it twice reads nothing twice.
pub struct Stream<E> {
    pub(super) flow: Flow,
    pub(super) node: Rc<Node<E>>,
    pub(super) sources: Rc<BTreeSet<usize>>,
    /// Stands directly behind its source, which then may have a `dedup`.
    pub(super) dedup: Option<Rc<RefCell<Option<Dedup<E>>>>>,
}

impl<E> Clone for Stream<E> {
    fn clone(&self) -> Stream<E> {
        Stream {
            flow: self.flow.clone(),
            node: self.node.clone(),
            sources: self.sources.clone(),
            dedup: self.dedup.clone(),
        }
    }
}

impl<E: 'static> Stream<E> {
    fn below<U>(&self, node: Rc<Node<U>>) -> Stream<U> {
        Stream { flow: self.flow.clone(), node, sources: self.sources.clone(), dedup: None }
    }

    fn make<U: 'static>(
        &self,
        step: &str,
        make: impl Fn(&E, &mut Vec<U>) -> Result<(), Reject> + 'static,
    ) -> Stream<U> {
        let below = Node::new();
        let place = Rc::new(RefCell::new(Text::from(step)));
        let step = Make {
            make,
            made: Made::new(),
            letters: Vec::new(),
            place: place.clone(),
            below: below.clone(),
            of: PhantomData,
        };
        self.node.push(place, Box::new(step));
        self.below(below)
    }

    /// Keeps the events that a function finds true.
    ///
    /// ```
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("a", 2, 40)], |events| {
    ///     events.filter(|event| 10 <= event.value)
    /// });
    /// assert_eq!(rows, ["a 00:02 40"]);
    /// ```
    pub fn filter(&self, keep: impl Fn(&E) -> bool + 'static) -> Stream<E> {
        let below = Node::new();
        let step = Filter { keep, selected: Vec::new(), below: below.clone() };
        self.node.push(Rc::new(RefCell::new("filter".into())), Box::new(step));
        self.below(below)
    }

    /// Makes another event of each.
    ///
    /// ```
    /// # use highwater::testing::{Example, example::Event};
    /// let rows = Example::run([("a", 1, 3)], |events| {
    ///     events.map(|event| Event { value: -event.value, ..event.clone() })
    /// });
    /// assert_eq!(rows, ["a 00:01 -3"]);
    /// ```
    pub fn map<U: 'static>(&self, make: impl Fn(&E) -> U + 'static) -> Stream<U> {
        self.make("map", move |event, made| {
            made.push(make(event));
            Ok(())
        })
    }

    /// Makes another event of each, or none.
    ///
    /// ```
    /// # use highwater::testing::{Example, example::Event};
    /// let rows = Example::run([("a", 1, 8), ("a", 2, 3)], |events| {
    ///     events.filter_map(|event| {
    ///         let half = (event.value % 2 == 0).then_some(event.value / 2)?;
    ///         Some(Event { value: half, ..event.clone() })
    ///     })
    /// });
    /// assert_eq!(rows, ["a 00:01 4"]);
    /// ```
    pub fn filter_map<U: 'static>(&self, make: impl Fn(&E) -> Option<U> + 'static) -> Stream<U> {
        self.make("filter_map", move |event, made| {
            made.extend(make(event));
            Ok(())
        })
    }

    /// Makes any number of events of each.
    ///
    /// ```
    /// # use highwater::testing::{Example, example::Event};
    /// let rows = Example::run([("a b", 1, 3)], |events| {
    ///     events.flat_map(|event| {
    ///         let word = |word: &str| Event { key: word.into(), ..event.clone() };
    ///         event.key.split(' ').map(word).collect::<Vec<_>>()
    ///     })
    /// });
    /// assert_eq!(rows, ["a 00:01 3", "b 00:01 3"]);
    /// ```
    pub fn flat_map<I>(&self, make: impl Fn(&E) -> I + 'static) -> Stream<I::Item>
    where
        I: IntoIterator,
        I::Item: 'static,
    {
        self.make("flat_map", move |event, made| {
            made.extend(make(event));
            Ok(())
        })
    }

    /// Makes another event of each, or a dead letter `rejected` with the text of the refusal.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::{Example, example::Event};
    ///
    /// fn checked(event: &Event) -> Result<Event, Reject> {
    ///     if event.value < 0 {
    ///         return Err(Reject::because(format!("{} is negative", event.value)));
    ///     }
    ///     Ok(event.clone())
    /// }
    /// let events = [("a", 1, 3), ("a", 2, -3)];
    /// let letters = Example::letters(events, |events| events.try_map(checked));
    /// assert_eq!(letters, ["1 rejected: -3 is negative"]);
    /// ```
    pub fn try_map<U: 'static>(
        &self,
        make: impl Fn(&E) -> Result<U, Reject> + 'static,
    ) -> Stream<U> {
        self.make("try_map", move |event, made| {
            made.push(make(event)?);
            Ok(())
        })
    }

    /// The events of both streams.
    ///
    /// ```
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("b", 2, 4), ("c", 3, 5)], |events| {
    ///     let first = events.filter(|event| event.key == "a");
    ///     let last = events.filter(|event| event.key == "c");
    ///     first.concat(&last)
    /// });
    /// assert_eq!(rows, ["a 00:01 3", "c 00:03 5"]);
    /// ```
    pub fn concat(&self, other: &Stream<E>) -> Stream<E> {
        let below = Node::new();
        for stream in [self, other] {
            let place = Rc::new(RefCell::new("concat".into()));
            stream.node.push(place, Box::new(Pass(below.clone())));
        }
        let sources = self.sources.union(&other.sources).copied().collect();
        Stream { flow: self.flow.clone(), node: below, sources: Rc::new(sources), dedup: None }
    }

    /// Drops events whose key their partition has shown before, within `memory` of event time. An
    /// event whose key is NULL is never a duplicate. Stands directly behind its source, as
    /// duplicates are part of the source's ledger.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 7), ("a", 2, 8), ("b", 3, 7)], |events| {
    ///     events.dedup(|event| event.value, hours(1))
    /// });
    /// assert_eq!(rows, ["a 00:01 7", "a 00:02 8"]);
    /// ```
    pub fn dedup<K: Key>(&self, key: impl Fn(&E) -> K + 'static, memory: Duration) -> Stream<E> {
        let refuse = |why: &str| {
            let hint = "call dedup directly on flow.source(…), once, and use what it returns";
            self.flow.with(|plan| plan.errors.push(Error::config(why).hint(hint)));
        };
        match &self.dedup {
            None => refuse("`dedup` stands behind another step"),
            Some(dedup) if dedup.borrow().is_some() => refuse("a source has two `dedup`s"),
            Some(dedup) => *dedup.borrow_mut() = Some(Dedup::new(key, memory)),
        }
        self.clone()
    }

    /// Groups the events.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("b", 2, 4), ("a", 3, 5)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|_| Count::one())
    ///         .rows(Example::row)
    /// });
    /// assert_eq!(rows, ["a 00:00 2", "b 00:00 1"]);
    /// ```
    pub fn key_by<K: Key>(&self, key: impl Fn(&E) -> K + 'static) -> Keyed<K, E> {
        let keys = move |chunk: &Chunk<'_, E>, keys: &mut Vec<K>| match chunk.selected {
            // By index: a reference to the function would be called instead of inlined.
            None => keys.extend((0..chunk.len()).map(|index| key(&chunk.events[index]))),
            Some(_) => {
                keys.reserve(chunk.len());
                chunk.each(|index| keys.push(key(&chunk.events[index])));
            }
        };
        Keyed { stream: self.clone(), keys: Rc::new(keys) }
    }

    /// Windows over all events together: `key_by(|_| ())`.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("b", 2, 4), ("a", 60, 5)], |events| {
    ///     events
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|_| Count::one())
    ///         .rows(Example::row)
    /// });
    /// assert_eq!(rows, ["00:00 2", "01:00 1"]);
    /// ```
    pub fn window(&self, windows: impl Into<Windows>) -> KeyedWindows<(), E> {
        self.key_by(|_| ()).window(windows)
    }
}

impl<E: Row + 'static> Stream<E> {
    /// Names the view: each event is a row.
    ///
    /// ```
    /// # use highwater::testing::Example;
    /// let rows = Example::flow([("a", 1, 3)], |flow| {
    ///     let events = flow.source("events", highwater::time::seconds(10), Example::time);
    ///     events.sink("all");
    ///     events.filter(|event| event.value < 0).sink("negative");
    /// });
    /// assert_eq!(rows, ["all a 00:01 3"]);
    /// ```
    pub fn sink(&self, view: &str) {
        let rows = self.flow.add_port::<E>(view, From::Sources((*self.sources).clone()), false);
        let port = self.flow.with(|plan| {
            for source in self.sources.iter() {
                plan.sources[*source].reaches.borrow_mut().push(Reach::Always);
            }
            plan.ports.len() - 1
        });
        drop(rows);
        let step = RowStep { view: view.into(), port, rows: Rows::default(), letters: vec![] };
        self.node.push(Rc::new(RefCell::new(view.into())), Box::new(step));
    }
}

/// Turns events into rows.
struct RowStep {
    view: Text,
    port: usize,
    rows: Rows,
    letters: Vec<Letter>,
}

impl<E: Row> Step<E> for RowStep {
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        let (rows, letters, view) = (&mut self.rows, &mut self.letters, &self.view);
        chunk.each(|index| {
            let origin = Origin::Record(chunk.stamp(index).position);
            let mark = Mark { change: Change::Final, origin };
            if let Err(misfit) = rows.put(mark, &chunk.events[index]) {
                let reject = Reject::new(Reason::RejectedBySink, misfit);
                letters.push(chunk.letter(index, reject, view));
            }
        });
    }

    fn commit(&mut self, out: &mut Outbox) {
        out.rows[self.port].append(std::mem::take(&mut self.rows));
        out.letters.append(&mut self.letters);
    }

    fn abort(&mut self) {
        self.rows = Rows::default();
        self.letters.clear();
    }
}

/// Writes the keys of a chunk's selected events, in order.
pub(super) type Keys<K, E> = Rc<dyn Fn(&Chunk<'_, E>, &mut Vec<K>)>;

/// Events that know their key.
pub struct Keyed<K, E> {
    pub(super) stream: Stream<E>,
    pub(super) keys: Keys<K, E>,
}

impl<K: Key, E: 'static> Keyed<K, E> {
    /// Cuts event time into windows.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("a", 31, 4)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Sliding::new(minutes(1), seconds(30)).offset(seconds(15)))
    ///         .accumulate(|_| Count::one())
    ///         .rows(|key, window, count| Example::row(key, window, count.get()))
    ///         .filter(|row| Time::default() <= row.window.start)
    /// });
    /// assert_eq!(rows, ["a 00:15 1"]);
    /// ```
    pub fn window(&self, windows: impl Into<Windows>) -> KeyedWindows<K, E> {
        let windows = windows.into();
        self.stream.flow.with(|plan| plan.errors.extend(windows.check().err()));
        let (stream, keys) = (self.stream.clone(), self.keys.clone());
        KeyedWindows { stream, keys, windows, own: None }
    }
}

/// Events that know their key and their windows.
pub struct KeyedWindows<K, E> {
    stream: Stream<E>,
    keys: Keys<K, E>,
    windows: Windows,
    own: Option<OwnTime<E>>,
}

impl<K: Key, E: 'static> KeyedWindows<K, E> {
    /// Puts each event where another time of it belongs; without one it is left out. The windows
    /// close as all others do, by the watermarks, so that time should not lie behind the event
    /// time by more than the lateness; what comes too late for its window is a letter of the view.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // The value is the second in which a job began; it is reported at its end.
    /// let rows = Example::flow([("a", 59, 30), ("a", 61, 40), ("a", 90, 70)], |flow| {
    ///     let reports = flow.source("events", minutes(1), Example::time);
    ///     let windows = reports.key_by(|job| job.key.clone()).window(Tumbling::new(minutes(1)));
    ///     let begun = windows.by(|job| Some(Time::from_seconds(job.value)));
    ///     begun.accumulate(|_| Count::one()).rows(Example::row).sink("begun");
    /// });
    /// assert_eq!(rows, ["begun a 00:00 2", "begun a 01:00 1"]);
    /// ```
    pub fn by(mut self, time: impl Fn(&E) -> Option<Time> + 'static) -> KeyedWindows<K, E> {
        self.own = Some(Rc::new(time));
        self
    }

    /// Adds the measure of each event to its windows.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("a", 59, 4)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|event| (Count::one(), Max::of(event.value)))
    ///         .rows(|key, window, (count, max)| {
    ///             let row = (count.get(), max.get().copied());
    ///             Example::row(key, window, format!("{row:?}"))
    ///         })
    /// });
    /// assert_eq!(rows, ["a 00:00 (2, Some(4))"]);
    /// ```
    pub fn accumulate<A: Aggregate>(&self, measure: impl Fn(&E) -> A + 'static) -> Windowed<K, A> {
        self.accumulate_with(move |event, _| measure(event))
    }

    /// As [`KeyedWindows::accumulate`], for measures that need the event's time or position.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // What came last by event time, though it was read first.
    /// let rows = Example::run([("a", 30, 3), ("a", 29, 4)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate_with(|event, stamp| Last::of(event.value, *stamp))
    ///         .rows(Example::row)
    /// });
    /// assert_eq!(rows, ["a 00:00 3"]);
    /// ```
    pub fn accumulate_with<A: Aggregate>(
        &self,
        measure: impl Fn(&E, &Stamp) -> A + 'static,
    ) -> Windowed<K, A> {
        let (flow, windows) = (&self.stream.flow, self.windows);
        let panes = PaneNode::new();
        let (operator, slot, shared, strict) = flow.with(|plan| {
            let mut strict = false;
            for source in self.stream.sources.iter() {
                let source = &plan.sources[*source];
                let reach = Reach::of(windows, source.lateness);
                strict |= reach == Reach::Strict;
                let reach = if self.own.is_some() { Reach::Own } else { reach };
                source.reaches.borrow_mut().push(reach);
            }
            let operator = plan.add_operator();
            let sources = (*self.stream.sources).clone();
            plan.slots.push(Slot { sources, root: plan.roots.len() });
            plan.root_operators.push(operator);
            let erased = match windows {
                Windows::Fixed(fixed) => Some(Erased::new::<K, A>(plan.roots.len() as u32, fixed)),
                Windows::Session(_) => None,
            };
            let make = make_root(windows, &panes);
            let windows = Some(windows);
            plan.roots.push(RootPlan { operator, windows, make, erased });
            (operator, plan.slots.len() - 1, plan.operators[operator].clone(), strict)
        });
        let step = Accumulate {
            slot,
            keys: self.keys.clone(),
            own: self.own.clone().map(|time| (time, strict)),
            measure,
            column: Vec::new(),
            parts: PreAggregate::new(windows),
            letters: Vec::new(),
            place: shared.place.clone(),
            late_windows: shared.late_windows.clone(),
            refused: 0,
            key_bytes_max: flow.key_bytes_max(),
        };
        self.stream.node.push(shared.place.clone(), Box::new(step));
        Windowed::new(flow, operator, windows, panes)
    }
}
