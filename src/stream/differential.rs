//! The same windows kept by differential dataflow: what an `accumulate` needs to be there without
//! types, and the state behind it.
//!
//! ```text
//! parts ─unpack─► ((root, hash, window, key), measure) ─reduce by merge─► merged ─► MergedWindows
//! ```
//!
//! Keys and measures are bytes, so one differential dataflow serves all views; types come back
//! when a pane is shown or closed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::operator::Root;
use super::panes::PaneNode;
use crate::aggregate::Aggregate;
use crate::hash::{self, FixedMap};
use crate::key::Key;
use crate::keyed::{Live, Open, Pane, Part, Place, Saved, Saves, entries, head};
use crate::parcel::Parcel;
use crate::time::{Millis, Time};
use crate::window::{Fixed, Window};

/// What a part adds to, in a collection: root, hash of the key, window, bytes of the key.
pub type LooseKey = (u32, u64, Window, Vec<u8>);

/// A part in a collection: what it adds to, and the bytes of its measure.
pub type Loose = (LooseKey, Vec<u8>);

/// What differential dataflow needs to know of an `accumulate` over fixed windows.
#[derive(Clone)]
pub struct Erased {
    /// Takes a parcel apart: a part per window that it adds to.
    pub unpack: Unpack,
    /// Merges measures, each as often as its number says.
    pub merge: Merge,
}

/// Takes a parcel apart.
pub type Unpack = Rc<dyn Fn(Parcel) -> Vec<Loose>>;

/// Merges measures, each as often as its number says.
pub type Merge = fn(&[(&Vec<u8>, isize)]) -> Vec<u8>;

impl Erased {
    /// For the `accumulate` with this number.
    pub(super) fn new<K: Key, A: Aggregate>(root: u32, windows: Fixed) -> Erased {
        let unpack = move |parcel: Parcel| {
            let mut loose = Vec::new();
            for Part { hash, place, key, measure } in parcel.open::<Part<K, A>>() {
                let (key, measure) = (encode(&key), encode(&measure));
                let mut add =
                    |window| loose.push(((root, hash, window, key.clone()), measure.clone()));
                match place {
                    Place::At(slice) => windows.containing(slice).for_each(&mut add),
                    Place::Patch(start) => add(windows.starting(start)),
                }
            }
            loose
        };
        Erased { unpack: Rc::new(unpack), merge: merge::<A> }
    }
}

fn merge<A: Aggregate>(measures: &[(&Vec<u8>, isize)]) -> Vec<u8> {
    let mut sum = A::default();
    for (bytes, count) in measures {
        let measure: A = decode(bytes);
        (0..*count).for_each(|_| sum.merge(&measure));
    }
    encode(&sum)
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serialize(value).expect("keys and aggregates serialise")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    bincode::deserialize(bytes).expect("bytes that this process wrote")
}

/// A change of what a window holds for a key, from the collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Merged {
    /// -1 takes a value back, 1 sets one; in this order.
    pub change: isize,
    /// The window.
    pub window: Window,
    /// The fixed hash of the key.
    pub hash: u64,
    /// Bytes of the key.
    pub key: Vec<u8>,
    /// Bytes of the aggregate.
    pub value: Vec<u8>,
}

/// By the bytes of the key: what a window holds for it.
type Panes = FixedMap<Vec<u8>, Value>;

struct Value {
    /// The fixed hash of the key.
    hash: u64,
    /// Bytes of the aggregate.
    bytes: Vec<u8>,
    /// Whether the last save has it.
    saved: bool,
}

/// An entry of a save: window, hash and bytes of the key, bytes of the aggregate.
type Entry = (Window, u64, Vec<u8>, Vec<u8>);

/// Open windows, as the collection last said.
pub(super) struct MergedWindows<K, A> {
    panes: Rc<PaneNode<K, A>>,
    open: BTreeMap<Window, Panes>,
    /// End of the last window that closed: what the collection takes back of it is no news.
    closed: Option<Time>,
    touched: Option<BTreeSet<(Window, Vec<u8>)>>,
    /// What was saved since it was last asked.
    saved: Option<Saved>,
    restored: Restored,
}

/// What was restored, until the collection is told of it.
#[derive(Default)]
struct Restored {
    /// By key group, the end of the last window that had closed.
    closed: BTreeMap<u16, Option<Time>>,
    entries: BTreeMap<(Window, Vec<u8>), (u64, Vec<u8>)>,
}

impl<K: Key, A: Aggregate> MergedWindows<K, A> {
    pub(super) fn new(panes: Rc<PaneNode<K, A>>, updates: bool) -> MergedWindows<K, A> {
        let touched = updates.then(BTreeSet::new);
        let (open, restored) = (BTreeMap::new(), Restored::default());
        MergedWindows { panes, open, closed: None, touched, saved: None, restored }
    }

    fn pane(window: Window, key: &[u8], value: &[u8]) -> Pane<K, A> {
        Pane { key: decode(key), window, value: decode(value) }
    }
}

impl<K: Key, A: Aggregate> Root for MergedWindows<K, A> {
    fn apply(&mut self, parcel: Parcel) {
        for Merged { change, window, hash, key, value } in parcel.open::<Merged>() {
            if self.closed.is_some_and(|closed| window.end <= closed) {
                continue;
            }
            let panes = self.open.entry(window).or_default();
            if 0 < change {
                if let Some(touched) = &mut self.touched {
                    touched.insert((window, key.clone()));
                }
                panes.insert(key, Value { hash, bytes: value, saved: false });
            } else if panes.get(&key).is_some_and(|now| now.bytes == value) {
                panes.remove(&key);
            }
        }
    }

    fn flush(&mut self) {
        let Some(touched) = &mut self.touched else { return };
        let touched = take(touched);
        let found = touched.iter().filter_map(|(window, key)| {
            let value = self.open.get(window)?.get(key)?;
            Some(Live::Now(Self::pane(*window, key, &value.bytes)))
        });
        let changes = found.collect();
        self.panes.changes(changes);
    }

    fn advance(&mut self, watermark: Millis) {
        let mut finals = Vec::new();
        while let Some(first) = self.open.first_entry() {
            let window = *first.key();
            if !Fixed::is_closed(window, watermark) {
                break;
            }
            let panes = first.remove();
            finals.extend(panes.iter().map(|(key, value)| Self::pane(window, key, &value.bytes)));
            self.closed = Some(window.end);
        }
        self.panes.finals(finals);
    }

    fn open(&self) -> Open {
        Open {
            windows: self.open.len() as u64,
            entries: self.groups(),
            first_end: self.open.first_key_value().map(|(window, _)| window.end),
        }
    }

    fn groups(&self) -> u64 {
        self.open.values().map(|panes| panes.len() as u64).sum()
    }

    fn restored_parts(&mut self, root: u32) -> Vec<Loose> {
        let entries = take(&mut self.restored.entries).into_iter();
        entries.map(|((window, key), (hash, value))| ((root, hash, window, key), value)).collect()
    }
}

/// What the collection has merged is saved, not what it merged: as one part each, it makes the same
/// again. An aggregate is never taken apart, so nothing is lost by that.
///
/// A save is made in one go.
impl<K, A> Saves for MergedWindows<K, A> {
    fn begin_save(&mut self, whole: bool) {
        let mut groups: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for (window, panes) in &mut self.open {
            for (key, value) in panes.iter_mut().filter(|(_, value)| whole || !value.saved) {
                let bytes = groups.entry(hash::group(value.hash).into()).or_default();
                let entry = (window, value.hash, key, &value.bytes);
                bincode::serialize_into(bytes, &entry).expect("a vector takes every byte");
                value.saved = true;
            }
        }
        let groups = groups.into_iter().collect();
        self.saved = Some(Saved { whole, head: encode(&self.closed), groups, added: Vec::new() });
    }

    fn save(&mut self, _budget: &mut usize) -> Option<Saved> {
        Some(self.saved.take().expect("a save was begun"))
    }

    fn restore_head(&mut self, group: u16, bytes: &[u8]) {
        self.restored.closed.insert(group, head(bytes));
    }

    fn restore(&mut self, bytes: &[u8]) {
        for (window, hash, key, value) in entries::<Entry>(bytes) {
            self.restored.entries.insert((window, key), (hash, value));
        }
    }

    /// A window that had closed was not taken out of earlier saves.
    fn restored(&mut self) {
        let Restored { closed, entries } = &mut self.restored;
        let is_open = |window: &Window, hash: u64| {
            let closed = closed.get(&hash::group(hash)).copied().flatten();
            closed.is_none_or(|closed| closed < window.end)
        };
        entries.retain(|(window, _), (hash, _)| is_open(window, *hash));
    }
}

#[cfg(test)]
mod tests;
