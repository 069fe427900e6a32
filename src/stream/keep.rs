//! [`Stream::keep`]: the events of the last while of event time, as a view.
//!
//! ```text
//! events ═by position═► [ Kept: shown when they come, forgotten when t + d is over ] ─► view
//! ```
//!
//! An event is as late for it as for one window that ends at `t + d`.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use super::chunk::Chunk;
use super::events::{Keyed, Keys, Stream};
use super::operator::Root;
use super::panes::PaneStep;
use super::pending::{Item, lead};
use super::retain::Retain;
use super::view::{Stored, View, ViewPlan};
use crate::error::Error;
use crate::keyed::{Live, Open, Pane, Saves};
use crate::parcel::Parcel;
use crate::row::Position;
use crate::time::{Millis, micros};
use crate::window::{SIZE_MAX, Window};

/// What tells events apart: several can be made of one record.
type Place = (Position, u32);

impl<E: Stored + Clone + Send> Stream<E> {
    /// The events of the last `keep` of event time, as a view: each is a row until the watermark
    /// has passed its time by so much.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // How many events each key had in the last hour, whatever the windows.
    /// let rows = Example::updates_flow([("a", 1, 3), ("b", 2, 4), ("a", 61, 5)], |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let recent = events.keep(hours(1)).arrange_by(|event| event.key.clone());
    ///     recent.count(|key, events| Recent { key, events }).sink("recent");
    /// });
    /// assert_eq!(rows, ["recent a 2", "recent b 1"]);
    /// # #[derive(serde::Serialize, serde::Deserialize, Row)]
    /// # struct Recent { key: Text, events: i64 }
    /// ```
    pub fn keep(&self, keep: Duration) -> View<E> {
        let flow = self.flow.clone();
        if micros(keep) <= 0 || SIZE_MAX < keep {
            let error = Error::config(format!("`keep` of events for {keep:?}"));
            let hint = "keep them for a while, such as 1 hour; the longest is 36,500 days";
            flow.with(|plan| plan.errors.push(error.hint(hint)));
        }
        let operator = flow.with(|plan| plan.add_operator());
        let (port, retain) = Retain::fill(&flow, operator, keep, false);
        let keyed = Keyed { stream: self.clone(), keys: places() };
        lead(&keyed, operator, keep, Kept::<E> { retain, events: PhantomData });
        View::of(&flow, ViewPlan::Port(port))
    }
}

/// Tells apart the events of a chunk.
fn places<E: 'static>() -> Keys<Place, E> {
    let made = Cell::new(0u32);
    Rc::new(move |chunk: &Chunk<'_, E>, places: &mut Vec<Place>| {
        chunk.each(|index| {
            made.set(made.get().wrapping_add(1));
            places.push((chunk.stamp(index).position, made.get()));
        });
    })
}

/// Shows events as they come.
struct Kept<E> {
    retain: Retain<Place>,
    events: PhantomData<fn() -> E>,
}

impl<E: Stored + Clone + Send> Root for Kept<E> {
    fn apply(&mut self, parcel: Parcel) {
        let items = parcel.open::<Item<Place, E>>().into_iter();
        let live = items.map(|Item { key, stamp, event, .. }| {
            let window = Window::new(stamp.time, stamp.time);
            Live::Now(Pane { key, window, value: event })
        });
        self.retain.changes(live.collect());
    }

    fn flush(&mut self) {}

    /// What is over, the view forgets by itself.
    fn advance(&mut self, _watermark: Millis) {}

    fn open(&self) -> Open {
        Open { windows: 0, entries: self.retain.len(), first_end: None }
    }
}

/// What it shows is saved where it is retained.
impl<E> Saves for Kept<E> {}

#[cfg(test)]
mod tests;
