//! [`Windowed`]: one row per key and window, once it is final.
//!
//! `rows`, `filter`, `join`, `trailing` keep the key, so they run inside the operator that keeps
//! the windows: nothing stands behind it in event time, and a shared handle is computed once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::flow::Flow;
use super::join::{Join, Side};
use super::panes::{PaneNode, Terminal, Transform};
use super::plan::{From, JoinPlan};
use super::retain::Retain;
use super::trailing::Trailing;
use super::view::{Arranged, Stored, View, ViewPlan};
use crate::error::Error;
use crate::key::Key;
use crate::keyed::Pane;
use crate::row::Row;
use crate::window::{Window, Windows};

/// One row per key and window. A handle: cloning it or using it twice computes nothing twice.
///
/// ```
/// use highwater::prelude::*;
/// use highwater::testing::Example;
///
/// // Values of events per minute: two events fall into the first one, one into the second.
/// let rows = Example::run([("a", 1, 3), ("a", 59, 4), ("a", 60, 5)], |events| {
///     events
///         .key_by(|event| event.key.clone())
///         .window(Tumbling::new(minutes(1)))
///         .accumulate(|event| Sum::<i64>::of(event.value))
///         .rows(Example::row)
/// });
/// assert_eq!(rows, ["a 00:00 7", "a 01:00 5"]);
/// ```
pub struct Windowed<K, R> {
    pub(super) flow: Flow,
    pub(super) operator: usize,
    pub(super) windows: Windows,
    pub(super) panes: Rc<PaneNode<K, R>>,
    /// Whether a row that was shown while its window is open may go again.
    takes_back: bool,
}

impl<K, R> Clone for Windowed<K, R> {
    fn clone(&self) -> Windowed<K, R> {
        Windowed {
            flow: self.flow.clone(),
            operator: self.operator,
            windows: self.windows,
            panes: self.panes.clone(),
            takes_back: self.takes_back,
        }
    }
}

impl<K: Key, R: Clone + 'static> Windowed<K, R> {
    /// The panes of an operator. Sessions grow and merge, so what was shown of them goes again.
    pub(super) fn new(
        flow: &Flow,
        operator: usize,
        windows: Windows,
        panes: Rc<PaneNode<K, R>>,
    ) -> Windowed<K, R> {
        let takes_back = matches!(windows, Windows::Session(_));
        Windowed { flow: flow.clone(), operator, windows, panes, takes_back }
    }

    pub(super) fn below<S: Clone + 'static>(&self, panes: Rc<PaneNode<K, S>>) -> Windowed<K, S> {
        let takes_back = self.takes_back;
        Windowed { takes_back, ..Windowed::new(&self.flow, self.operator, self.windows, panes) }
    }

    /// As [`Windowed::below`], of a step that may make no row of a pane that had one.
    fn below_filter<S: Clone + 'static>(&self, panes: Rc<PaneNode<K, S>>) -> Windowed<K, S> {
        Windowed { takes_back: true, ..self.below(panes) }
    }

    /// Names the columns: makes a row of each key, window and aggregate.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    ///
    /// #[derive(Clone, Row)]
    /// struct Busy {
    ///     name: Text,
    ///     window: Window,
    ///     busy: bool,
    /// }
    ///
    /// let rows = Example::run([("a", 1, 3), ("a", 2, 4)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|_| Count::one())
    ///         .rows(|name, window, count| Busy { name, window, busy: 1 < count.get() })
    /// });
    /// assert_eq!(rows, ["a 00:00 01:00 true"]);
    /// ```
    pub fn rows<S: Clone + 'static>(
        &self,
        row: impl Fn(K, Window, R) -> S + 'static,
    ) -> Windowed<K, S> {
        let below = PaneNode::new();
        let make = move |pane: Pane<K, R>| {
            let Pane { key, window, value } = pane;
            let value = row(key.clone(), window, value);
            Some(Pane { key, window, value })
        };
        self.panes.push(Transform { make, vanishes: false, below: below.clone() });
        self.below(below)
    }

    /// Keeps the rows that a function finds true.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("a", 2, 4), ("b", 3, 5)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|_| Count::one())
    ///         .filter(|count| 1 < count.get())
    ///         .rows(Example::row)
    /// });
    /// assert_eq!(rows, ["a 00:00 2"]);
    /// ```
    pub fn filter(&self, keep: impl Fn(&R) -> bool + 'static) -> Windowed<K, R> {
        let below = PaneNode::new();
        let make = move |pane: Pane<K, R>| keep(&pane.value).then_some(pane);
        self.panes.push(Transform { make, vanishes: true, below: below.clone() });
        self.below_filter(below)
    }

    /// Makes another row of each, or none.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 3), ("b", 3, -5)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|event| Sum::<f64>::of(event.value))
    ///         .filter_map(|sum| sum.get().filter(|sum| 0.0 < *sum).map(f64::sqrt))
    ///         .filter_map(|root| Some(stats::round2(root)))
    ///         .rows(Example::row)
    /// });
    /// assert_eq!(rows, ["a 00:00 1.73"]);
    /// ```
    pub fn filter_map<S: Clone + 'static>(
        &self,
        make: impl Fn(R) -> Option<S> + 'static,
    ) -> Windowed<K, S> {
        let below = PaneNode::new();
        let make = move |pane: Pane<K, R>| {
            let Pane { key, window, value } = pane;
            make(value).map(|value| Pane { key, window, value })
        };
        self.panes.push(Transform { make, vanishes: true, below: below.clone() });
        self.below_filter(below)
    }

    /// Pairs each row with the row of the same key and window on the other side, if there is one.
    /// Both must have the same windows. A NULL key joins nothing, but its left rows stay.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 1), ("a", 2, 20), ("b", 3, 1)], |events| {
    ///     let count = |least| {
    ///         let events = events.filter(move |event| least <= event.value);
    ///         let events = events.key_by(|event| event.key.clone());
    ///         events.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one())
    ///     };
    ///     let (all, large) = (count(0), count(10));
    ///     all.left_join(large, |key, window, all, large| {
    ///         Example::row(key, window, stats::percent(large.map_or(0, |n| n.get()), all.get()))
    ///     })
    /// });
    /// assert_eq!(rows, ["a 00:00 50", "b 00:00 0"]);
    /// ```
    pub fn left_join<S, T>(
        &self,
        right: Windowed<K, S>,
        pair: impl Fn(K, Window, R, Option<S>) -> T + 'static,
    ) -> Windowed<K, T>
    where
        S: Clone + 'static,
        T: Clone + 'static,
    {
        self.joined(right, move |key, window, left, right| Some(pair(key, window, left, right)))
    }

    /// Pairs the rows of equal key and window; rows without a partner are left out. Both must have
    /// the same windows. A NULL key joins nothing.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::run([("a", 1, 1), ("a", 2, 20), ("b", 3, 1)], |events| {
    ///     let count = |least| {
    ///         let events = events.filter(move |event| least <= event.value);
    ///         let events = events.key_by(|event| event.key.clone());
    ///         events.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one())
    ///     };
    ///     let (all, large) = (count(0), count(10));
    ///     all.join(large, |key, window, all, large| {
    ///         Example::row(key, window, stats::percent(large.get(), all.get()))
    ///     })
    /// });
    /// assert_eq!(rows, ["a 00:00 50"]);
    /// ```
    pub fn join<S, T>(
        &self,
        right: Windowed<K, S>,
        pair: impl Fn(K, Window, R, S) -> T + 'static,
    ) -> Windowed<K, T>
    where
        S: Clone + 'static,
        T: Clone + 'static,
    {
        self.joined(right, move |key, window, left, right| {
            right.map(|right| pair(key, window, left, right))
        })
    }

    fn joined<S, T>(
        &self,
        right: Windowed<K, S>,
        pair: impl Fn(K, Window, R, Option<S>) -> Option<T> + 'static,
    ) -> Windowed<K, T>
    where
        S: Clone + 'static,
        T: Clone + 'static,
    {
        let below = PaneNode::new();
        let join = Join::new(pair, below.clone());
        self.panes.push(Side::left(&join));
        right.panes.push(Side::right(&join));
        let operator = self.flow.with(|plan| {
            let equal = self.windows == right.windows;
            if !equal || matches!(self.windows, Windows::Session(_)) {
                let (left, right) = (self.windows, right.windows);
                let error = Error::config(format!(
                    "a join needs equal tumbling or sliding windows, not {left:?} and {right:?}"
                ));
                plan.errors.push(error.hint("give both sides of the join the same window(…)"));
            }
            let operator = plan.join_operators(self.operator, right.operator);
            plan.joins.push(JoinPlan { operator, settle: join });
            operator
        });
        let takes_back = self.takes_back || right.takes_back;
        Windowed { takes_back, ..Windowed::new(&self.flow, operator, self.windows, below) }
    }

    /// Shows each final row the last `count` rows of its key before it, oldest first, and takes
    /// what the function makes of it. Updates pass as they are: only a closed row is compared.
    ///
    /// A key's rows are forgotten when `forget_after` of event time lies between two of
    /// them (24 h unless the view's binding says otherwise).
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // Each minute's sum minus that of the minute before.
    /// let rows = Example::run([("a", 1, 3), ("a", 61, 10), ("a", 121, 4)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|event| Max::of(event.value))
    ///         .rows(|key, window, max| (Example::row(key, window, None), max.get().copied()))
    ///         .trailing(1, |past, (mut row, value)| {
    ///             row.value = past.last().and_then(|(_, before)| Some(value? - (*before)?));
    ///             (row, value)
    ///         })
    ///         .rows(|_, _, (row, _)| row)
    /// });
    /// assert_eq!(rows, ["a 00:00 NULL", "a 01:00 7", "a 02:00 -6"]);
    /// ```
    pub fn trailing(&self, count: usize, compare: impl Fn(&[R], R) -> R + 'static) -> Windowed<K, R>
    where
        R: serde::Serialize + serde::de::DeserializeOwned,
    {
        let below = PaneNode::new();
        let forget_after = Rc::new(Cell::new(Duration::ZERO));
        let trailing = Trailing::new(count, forget_after.clone(), compare, below.clone());
        // Set once it is known which views the operator feeds.
        self.flow.with(|plan| plan.histories.push((self.operator, forget_after)));
        self.panes.push(trailing.clone());
        self.flow.with(|plan| plan.durables.push((self.operator, trailing.state())));
        self.below(below)
    }

    /// Declares that rows are shown while their window is open, each time they change.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // What a table holds after three events when more may come: the second minute is open.
    /// let rows = Example::updates([("a", 1, 3), ("a", 2, 4), ("a", 61, 5)], |events| {
    ///     events
    ///         .key_by(|event| event.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|_| Count::one())
    ///         .rows(Example::row)
    ///         .updates()
    /// });
    /// assert_eq!(rows, ["a 00:00 2", "a 01:00 1"]);
    /// ```
    pub fn updates(&self) -> Updates<K, R> {
        self.flow.with(|plan| {
            let operator = plan.operator(self.operator);
            plan.operators[operator].updates.set(true);
            plan.operators[self.operator].updates.set(true);
        });
        Updates(self.clone())
    }
}

impl<K: Key, R: Stored + Clone> Windowed<K, R> {
    /// The closed rows of the last `keep` of event time, as a view.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // How many minutes of the last hour had events; the second one is still open.
    /// let rows = Example::updates_flow([("a", 1, 3), ("a", 2, 4), ("a", 61, 5)], |flow| {
    ///     let events = flow.source("events", seconds(0), Example::time);
    ///     let minutely = events.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one());
    ///     let busy = minutely.rows(|(), window, _| window).keep(hours(1));
    ///     busy.arrange_by(|_| ()).count(|(), minutes| Busy { minutes }).sink("busy");
    /// });
    /// assert_eq!(rows, ["busy 1"]);
    /// # #[derive(serde::Serialize, serde::Deserialize, Row)]
    /// # struct Busy { minutes: i64 }
    /// ```
    pub fn keep(&self, keep: Duration) -> View<R> {
        self.retain(keep, false)
    }

    fn retain(&self, keep: Duration, updates: bool) -> View<R> {
        let (port, retain) = Retain::fill(&self.flow, self.operator, keep, updates);
        self.panes.push(retain);
        View::of(&self.flow, ViewPlan::Port(port))
    }
}

impl<K: Key, R: Row + Clone + 'static> Windowed<K, R> {
    /// Names the view: each row leaves once, when its window has closed.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::flow([("a", 1, 3), ("a", 2, 4)], |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let counts = events.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one());
    ///     counts.rows(Example::row).sink("counts");
    /// });
    /// assert_eq!(rows, ["counts 00:00 2"]);
    /// ```
    pub fn sink(&self, view: &str) {
        self.leave(view, false);
    }

    fn leave(&self, view: &str, updates: bool) {
        let from = From::Operator(self.operator);
        let rows = self.flow.add_port::<R>(view, from, updates);
        let letters = self.flow.with(|plan| {
            if let Some(port) = plan.ports.last_mut() {
                port.takes_back = self.takes_back;
            }
            let operator = plan.operator(self.operator);
            plan.operators[operator].letters.clone()
        });
        let shown = updates.then(BTreeMap::new);
        self.panes.push(Terminal { view: view.into(), rows, letters, shown });
    }
}

/// Rows that are shown while they change; see [`Windowed::updates`].
pub struct Updates<K, R>(Windowed<K, R>);

impl<K: Key, R: Row + Clone + 'static> Updates<K, R> {
    /// Names the view: upserts of each row that changed, the last one marked final.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::flow([("a", 1, 3), ("a", 2, 4)], |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let counts = events.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one());
    ///     counts.rows(Example::row).updates().sink("counts");
    /// });
    /// assert_eq!(rows, ["counts 00:00 2"]);
    /// ```
    pub fn sink(&self, view: &str) {
        self.0.leave(view, true);
    }
}

impl<K: Key, R: Stored + Clone> Updates<K, R> {
    /// The rows as a view, each as it is now. A closed row stays for the length of its window (of
    /// a session: of its gap) in event time, or for what `keep` of a view's binding says.
    pub fn view(&self) -> View<R> {
        let keep = match self.0.windows {
            Windows::Fixed(fixed) => fixed.size(),
            Windows::Session(session) => session.gap(),
        };
        self.0.retain(keep, true)
    }

    /// The rows by a key: `view().arrange_by(key)`.
    pub fn arrange_by<Q: Key>(&self, key: impl Fn(&R) -> Q + 'static) -> Arranged<Q, R> {
        self.view().arrange_by(key)
    }
}
