//! [`Stream`] and [`Keyed`]: events, each once, and events that know their key.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use super::chunk::Chunk;
use super::dedup::Dedup;
use super::differential::{Erased, MergedWindows};
use super::flow::Flow;
use super::node::{Filter, Made, Make, Node, Outbox, Pass, Step};
use super::operator::TypedRoot;
use super::panes::PaneNode;
use super::plan::{From, MakeRoot, RootPlan, Slot, Wanted};
use super::windowed::Windowed;
use crate::aggregate::{Aggregate, Stamp};
use crate::error::Error;
use crate::key::Key;
use crate::keyed::{Behind, FixedWindows, PreAggregate, Sessions};
use crate::lateness::Reach;
use crate::letter::{Letter, Reason, Reject};
use crate::parcel::Parcel;
use crate::row::{Change, Mark, Origin, Row, Rows};
use crate::text::Text;
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
        let keys = move |chunk: &Chunk<'_, E>, keys: &mut Vec<K>| {
            keys.reserve(chunk.len());
            chunk.each(|index| keys.push(key(&chunk.events[index])));
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
        KeyedWindows { stream: self.stream.clone(), keys: self.keys.clone(), windows }
    }
}

/// Events that know their key and their windows.
pub struct KeyedWindows<K, E> {
    stream: Stream<E>,
    keys: Keys<K, E>,
    windows: Windows,
}

impl<K: Key, E: 'static> KeyedWindows<K, E> {
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
        let (operator, slot, shared) = flow.with(|plan| {
            for source in self.stream.sources.iter() {
                let source = &plan.sources[*source];
                source.reaches.borrow_mut().push(Reach::of(windows, source.lateness));
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
            (operator, plan.slots.len() - 1, plan.operators[operator].clone())
        });
        let step = Accumulate {
            slot,
            keys: self.keys.clone(),
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
        Windowed { flow: flow.clone(), operator, windows, panes }
    }
}

/// Makes the state of an `accumulate`, once it is known whether updates are wanted.
fn make_root<K: Key, A: Aggregate>(windows: Windows, panes: &Rc<PaneNode<K, A>>) -> MakeRoot {
    let panes = panes.clone();
    Box::new(move |Wanted { updates, differential }| match windows {
        Windows::Fixed(_) if differential => Box::new(MergedWindows::<K, A>::new(panes, updates)),
        Windows::Fixed(fixed) => {
            Box::new(TypedRoot::new(FixedWindows::<K, A>::new(fixed, updates), panes))
        }
        Windows::Session(session) => {
            Box::new(TypedRoot::new(Sessions::<K, A>::new(session, updates), panes))
        }
    })
}

/// The end of the way before an exchange: key, measure and pre-aggregation in one loop.
struct Accumulate<K, E, A, F> {
    slot: usize,
    keys: Keys<K, E>,
    measure: F,
    column: Vec<K>,
    parts: PreAggregate<K, A>,
    letters: Vec<Letter>,
    place: Rc<RefCell<Text>>,
    late_windows: Rc<Cell<u64>>,
    refused: u64,
    key_bytes_max: usize,
}

impl<K: Key, E, A: Aggregate, F> Accumulate<K, E, A, F> {
    #[cold]
    fn refuse_key(&mut self, chunk: &Chunk<'_, E>, index: usize, key: &K) {
        let (bytes, most) = (key.heap_bytes(), self.key_bytes_max);
        let text = format!("its key has {bytes} bytes, view.key_bytes_max is {most}");
        self.letters.push(chunk.letter(index, Reject::because(text), &self.place.borrow()));
    }

    /// Adds an event that its own partition's watermark has passed.
    #[cold]
    fn add_behind(
        &mut self,
        chunk: &Chunk<'_, E>,
        index: usize,
        behind: Behind,
        key: &K,
        measure: &A,
    ) {
        if chunk.is_undated(index) {
            return;
        }
        let outcome = self.parts.behind(chunk.stamp(index).time, behind, key, measure);
        self.refused += outcome.windows;
        if outcome.taken == 0 {
            let text = format!("all its windows were over at {}", behind.watermark);
            let reject = Reject::new(Reason::Late, text);
            self.letters.push(chunk.letter(index, reject, &self.place.borrow()));
        }
    }
}

impl<K, E, A, F> Step<E> for Accumulate<K, E, A, F>
where
    K: Key,
    A: Aggregate,
    F: Fn(&E, &Stamp) -> A,
{
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        let mut column = std::mem::take(&mut self.column);
        (self.keys)(chunk, &mut column);
        let mut behinds = chunk.behinds();
        for (nth, key) in column.drain(..).enumerate() {
            let index = chunk.index(nth);
            if self.key_bytes_max < key.heap_bytes() {
                self.refuse_key(chunk, index, &key);
                continue;
            }
            let stamp = chunk.stamp(index);
            let measure = (self.measure)(&chunk.events[index], &stamp);
            match behinds.of(chunk.root(index)) {
                Some(behind) if stamp.time.floor_ms() < behind.watermark => {
                    self.add_behind(chunk, index, behind, &key, &measure);
                }
                _ => self.parts.on_time(stamp.time, key, measure),
            }
        }
        self.column = column;
    }

    fn commit(&mut self, out: &mut Outbox) {
        self.late_windows.set(self.late_windows.get() + self.refused);
        self.refused = 0;
        out.letters.append(&mut self.letters);
        let parcels = &mut out.parcels[self.slot];
        self.parts.drain(out.peers, |to, parts| parcels.push(Parcel::new(to, parts)));
    }

    fn abort(&mut self) {
        self.parts.abort();
        self.letters.clear();
        self.refused = 0;
    }
}
