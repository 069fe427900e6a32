//! [`View`] and [`Arranged`]: tables that change, kept by differential dataflow behind the windows.
//!
//! ```text
//! updates() ─► View ─ map, filter, concat ─► arrange_by ─► join, left_join, top, count, reduce
//! keep(d)  ──►                  table(port) ─┘                                         └─► sink
//! ```
//!
//! They live in the scope of ticks: there is no way back into event time, so a view has no windows.
//! Rows and keys cross it as bytes, so that one compiled dataflow serves all views; what is
//! described here are functions between bytes, and who reads what.

use std::marker::PhantomData;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::flow::Flow;
use super::plan::From;
use crate::key::Key;
use crate::row::{Mark, Row, Rows};

/// What rows of views are: written to the wire, and kept as bytes.
pub trait Stored: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Stored for T {}

/// How a view comes to be.
pub enum ViewPlan {
    /// The changes that a port carries.
    Port(usize),
    /// Rows made of each row of another view.
    Each(usize, Make),
    /// The rows of both.
    Concat(usize, usize),
    /// A view by key.
    Arrange(usize, Locate),
    /// Pairs of two arrangements, and what becomes of left rows that are alone.
    Join {
        /// An arrangement.
        left: usize,
        /// Another one.
        right: usize,
        /// Makes a row of two.
        pair: Pair,
        /// Makes a row of a left one without a partner; none in an inner join.
        alone: Option<Make>,
    },
    /// Rows made of all rows of a key.
    Reduce(usize, Reduce),
}

/// Makes rows of one.
pub type Make = Rc<dyn Fn(&[u8], &mut Vec<Vec<u8>>)>;

/// The key of a row: see [`is_null_key`].
pub type Locate = Rc<dyn Fn(&[u8]) -> Vec<u8>>;

/// Makes a row of two.
pub type Pair = Rc<dyn Fn(&[u8], &[u8]) -> Vec<u8>>;

/// Makes rows of a key and all of its rows, each as often as its number says.
pub type Reduce = Rc<dyn Fn(&[u8], &[(&Vec<u8>, isize)], &mut Vec<(Vec<u8>, isize)>)>;

/// Puts a row of a view as the cells of a sink.
pub type Put = Rc<dyn Fn(&[u8], Mark, &mut Rows) -> Result<(), String>>;

/// Whether the bytes of a key stand for NULL, which joins nothing.
pub fn is_null_key(key: &[u8]) -> bool {
    key.first() == Some(&0)
}

fn key_bytes<K: Key>(key: &K) -> Vec<u8> {
    let mut bytes = vec![u8::from(!key.is_null())];
    bincode::serialize_into(&mut bytes, key).expect("keys serialise");
    bytes
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serialize(value).expect("rows of views serialise")
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    bincode::deserialize(bytes).expect("bytes that a process with the same dataflow wrote")
}

/// A table that changes: a row can come, be replaced, go. A handle, as all types here.
pub struct View<R> {
    pub(super) flow: Flow,
    node: usize,
    rows: PhantomData<fn() -> R>,
}

impl<R> Clone for View<R> {
    fn clone(&self) -> View<R> {
        View { flow: self.flow.clone(), node: self.node, rows: PhantomData }
    }
}

impl<R: Stored> View<R> {
    pub(super) fn of(flow: &Flow, plan: ViewPlan) -> View<R> {
        let node = flow.with(|all| {
            all.views.push(plan);
            all.views.len() - 1
        });
        View { flow: flow.clone(), node, rows: PhantomData }
    }

    fn each<S: Stored>(&self, make: impl Fn(R, &mut Vec<Vec<u8>>) + 'static) -> View<S> {
        let make = move |row: &[u8], made: &mut Vec<Vec<u8>>| make(decode(row), made);
        View::of(&self.flow, ViewPlan::Each(self.node, Rc::new(make)))
    }

    /// Makes another row of each.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::updates_flow([("a", 1, 3), ("a", 2, 4)], |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let keyed = events.key_by(|event| event.key.clone());
    ///     let windows = keyed.window(Tumbling::new(minutes(1)));
    ///     let counts = windows.accumulate(|_| Count::one()).updates().view();
    ///     counts.map(|count| Total { total: 10 * count.get() }).sink("totals");
    /// });
    /// assert_eq!(rows, ["totals 20"]);
    /// # #[derive(serde::Serialize, serde::Deserialize, Row)]
    /// # struct Total { total: i64 }
    /// ```
    pub fn map<S: Stored>(&self, make: impl Fn(R) -> S + 'static) -> View<S> {
        self.each(move |row, made| made.push(encode(&make(row))))
    }

    /// Keeps the rows that a function finds true.
    pub fn filter(&self, keep: impl Fn(&R) -> bool + 'static) -> View<R> {
        self.each(move |row, made| {
            if keep(&row) {
                made.push(encode(&row));
            }
        })
    }

    /// Makes another row of each, or none.
    pub fn filter_map<S: Stored>(&self, make: impl Fn(R) -> Option<S> + 'static) -> View<S> {
        self.each(move |row, made| made.extend(make(row).map(|row| encode(&row))))
    }

    /// Makes any number of other rows of each.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let rows = Example::updates_flow([("a", 1, 3), ("b", 2, 4)], |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let windows = events.window(Tumbling::new(minutes(1)));
    ///     let sums = windows.accumulate(|event| Sum::<i64>::of(event.value)).updates().view();
    ///     sums.flat_map(|_| [Number { number: 1 }, Number { number: 2 }]).sink("numbers");
    /// });
    /// assert_eq!(rows, ["numbers 1", "numbers 2"]);
    /// # #[derive(serde::Serialize, serde::Deserialize, Row)]
    /// # struct Number { number: i64 }
    /// ```
    pub fn flat_map<S: Stored, I: IntoIterator<Item = S>>(
        &self,
        make: impl Fn(R) -> I + 'static,
    ) -> View<S> {
        self.each(move |row, made| made.extend(make(row).into_iter().map(|row| encode(&row))))
    }

    /// The rows of both.
    pub fn concat(&self, other: &View<R>) -> View<R> {
        View::of(&self.flow, ViewPlan::Concat(self.node, other.node))
    }

    /// Indexes the rows by a key.
    pub fn arrange_by<K: Key>(&self, key: impl Fn(&R) -> K + 'static) -> Arranged<K, R> {
        let locate = move |row: &[u8]| key_bytes(&key(&decode(row)));
        let arranged = View::of(&self.flow, ViewPlan::Arrange(self.node, Rc::new(locate)));
        Arranged { view: arranged, key: PhantomData }
    }
}

impl<R: Row + Stored> View<R> {
    /// Names the view: per epoch, an upsert of each key that changed and a delete of each that
    /// went. The key is that of the view's binding; a key that holds a window is not deleted when
    /// the window is merely forgotten.
    ///
    /// The example at [`View::map`] ends with one.
    pub fn sink(&self, view: &str) {
        let put = |row: &[u8], mark: Mark, rows: &mut Rows| rows.put::<R>(mark, &decode(row));
        self.flow.add_port::<R>(view, From::View(self.node), true);
        self.flow.with(|plan| plan.view_rows.push((plan.ports.len() - 1, Rc::new(put))));
    }
}

/// A view by key.
pub struct Arranged<K, R> {
    view: View<R>,
    key: PhantomData<fn() -> K>,
}

impl<K, R> Clone for Arranged<K, R> {
    fn clone(&self) -> Arranged<K, R> {
        Arranged { view: self.view.clone(), key: PhantomData }
    }
}

impl<K: Key, R: Stored> Arranged<K, R> {
    /// Pairs the rows of equal keys. A NULL key joins nothing.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// let events = [("a", 1, 3), ("a", 2, 4), ("b", 3, 5)];
    /// let rows = Example::updates_flow(events, |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let keyed = events.key_by(|event| event.key.clone());
    ///     let by_name = |size| {
    ///         let counts = keyed.window(Tumbling::new(size)).accumulate(|_| Count::one());
    ///         let rows = counts.rows(|name, _, count| Named { name, count: count.get() });
    ///         rows.updates().arrange_by(|row| row.name.clone())
    ///     };
    ///     let (minutely, hourly) = (by_name(minutes(1)), by_name(hours(1)));
    ///     let sums = minutely.join(&hourly, |a, b| Named { count: a.count + b.count, ..a });
    ///     sums.sink("sums");
    /// });
    /// assert_eq!(rows, ["sums a 4", "sums b 2"]);
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize, Row)]
    /// # struct Named { name: Text, count: i64 }
    /// ```
    pub fn join<S: Stored, T: Stored>(
        &self,
        right: &Arranged<K, S>,
        pair: impl Fn(R, S) -> T + 'static,
    ) -> View<T> {
        let pair = move |left: &[u8], right: &[u8]| encode(&pair(decode(left), decode(right)));
        let (left, right) = (self.view.node, right.view.node);
        let plan = ViewPlan::Join { left, right, pair: Rc::new(pair), alone: None };
        View::of(&self.view.flow, plan)
    }

    /// Pairs each row with each row of the same key on the other side, or with none if there is
    /// none. A NULL key joins nothing, but its rows stay. A right side that is kept for less time
    /// than the left one loses its rows first, and the pairs change once more.
    pub fn left_join<S: Stored, T: Stored>(
        &self,
        right: &Arranged<K, S>,
        pair: impl Fn(R, Option<S>) -> T + 'static,
    ) -> View<T> {
        let pair = Rc::new(pair);
        let both = pair.clone();
        let both =
            move |left: &[u8], right: &[u8]| encode(&both(decode(left), Some(decode(right))));
        let alone = move |left: &[u8], made: &mut Vec<Vec<u8>>| {
            made.push(encode(&pair(decode(left), None)));
        };
        let (left, right, alone) = (self.view.node, right.view.node, Some(Rc::new(alone) as Make));
        let plan = ViewPlan::Join { left, right, pair: Rc::new(both), alone };
        View::of(&self.view.flow, plan)
    }

    /// The first rows of each key in the order of a rank. Make the rank total, so that ties are
    /// decided by it; rows of equal rank are taken in the order of their bytes.
    ///
    /// ```
    /// use std::cmp::Reverse;
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // The two keys with most events of each minute, while it runs.
    /// let events = [("a", 1, 0), ("b", 2, 0), ("b", 3, 0), ("c", 4, 0), ("c", 5, 0), ("c", 6, 0)];
    /// let rows = Example::updates_flow(events, |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let keyed = events.key_by(|event| event.key.clone());
    ///     let counts = keyed.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one());
    ///     let rows = counts.rows(|name, window, count| Busy { name, window, count: count.get() });
    ///     let by_window = rows.updates().arrange_by(|row| row.window);
    ///     by_window.top(2, |row| (Reverse(row.count), row.name.clone())).sink("busiest");
    /// });
    /// assert_eq!(rows, ["busiest b 00:00 01:00 2", "busiest c 00:00 01:00 3"]);
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize, Row)]
    /// # struct Busy { name: Text, window: Window, count: i64 }
    /// ```
    pub fn top<O: Ord>(&self, count: usize, rank: impl Fn(&R) -> O + 'static) -> View<R> {
        self.reduced(move |_, rows, made| {
            let mut ranked: Vec<(O, &Vec<u8>)> = Vec::with_capacity(rows.len());
            for (row, times) in rows {
                let times = (*times).max(0) as usize;
                ranked.extend((0..times.min(count)).map(|_| (rank(&decode(row)), *row)));
            }
            ranked.sort();
            let mut first: Vec<Vec<u8>> =
                ranked.into_iter().take(count).map(|(_, row)| row.clone()).collect();
            // Differential dataflow wants each row once, with how often it is there.
            first.sort();
            for same in first.chunk_by(|a, b| a == b) {
                made.push((same[0].clone(), same.len() as isize));
            }
        })
    }

    /// How many rows each key has.
    pub fn count<T: Stored>(&self, row: impl Fn(K, i64) -> T + 'static) -> View<T> {
        self.reduced(move |key, rows, made| {
            let count = rows.iter().map(|(_, times)| *times as i64).sum();
            made.push((encode(&row(decode(&key[1..]), count)), 1));
        })
    }

    /// Makes a row of all rows of a key, or none.
    pub fn reduce<T: Stored>(&self, row: impl Fn(K, Vec<R>) -> Option<T> + 'static) -> View<T> {
        self.reduced(move |key, rows, made| {
            let each =
                rows.iter().flat_map(|(row, times)| (0..(*times).max(0)).map(|_| decode(row)));
            let rows = each.collect();
            made.extend(row(decode(&key[1..]), rows).map(|row| (encode(&row), 1)));
        })
    }

    fn reduced<T: Stored>(
        &self,
        reduce: impl Fn(&[u8], &[(&Vec<u8>, isize)], &mut Vec<(Vec<u8>, isize)>) + 'static,
    ) -> View<T> {
        View::of(&self.view.flow, ViewPlan::Reduce(self.view.node, Rc::new(reduce)))
    }
}
