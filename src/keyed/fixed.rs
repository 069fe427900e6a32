//! Tumbling and sliding windows: slices that windows share, patches of single windows.
//!
//! ```text
//! slices   | a | b | c | d |          a window's value = its slices merged with its patch
//! windows  [--- 1 ---]                a slice is dropped with the last window that contains it
//!              [--- 2 ---]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use serde::{Deserialize, Serialize};

use super::table::{Slot, Table};
use super::{Live, Open, Pane, Part, Place, State, decode_group, encode_groups};
use crate::aggregate::Aggregate;
use crate::key::Key;
use crate::time::{Millis, Time};
use crate::window::{Fixed, Window};

/// Open tumbling or sliding windows, in the order in which they close.
pub struct FixedWindows<K, A> {
    windows: Fixed,
    slices: BTreeMap<Time, Table<K, A>>,
    patches: BTreeMap<Window, Table<K, A>>,
    /// End of the last window that closed: what a slice's earlier windows may not show again.
    closed: Option<Time>,
    /// Panes touched since the last flush, if updates are wanted.
    touched: Option<BTreeSet<(Window, u64, K)>>,
}

impl<K: Key, A: Aggregate> FixedWindows<K, A> {
    /// No window is open; `updates` says whether [`State::flush`] will be asked.
    pub fn new(windows: Fixed, updates: bool) -> FixedWindows<K, A> {
        FixedWindows {
            windows,
            slices: BTreeMap::new(),
            patches: BTreeMap::new(),
            closed: None,
            touched: updates.then(BTreeSet::new),
        }
    }

    /// The open windows that contain a slice.
    fn windows_of(&self, slice: Time) -> impl Iterator<Item = Window> + use<K, A> {
        let closed = self.closed;
        self.windows.containing(slice).filter(move |window| closed.is_none_or(|c| c < window.end))
    }

    /// The table of a place.
    fn table(&mut self, place: Place) -> &mut Table<K, A> {
        match place {
            Place::At(slice) => self.slices.entry(slice).or_default(),
            Place::Patch(start) => self.patches.entry(self.windows.starting(start)).or_default(),
        }
    }

    /// The open window that closes first.
    fn first(&self) -> Option<Window> {
        let patch = self.patches.first_key_value().map(|(window, _)| *window);
        // A slice is dropped with its last window, so the first slice still has one.
        let slice = self.slices.first_key_value().and_then(|(s, _)| self.windows_of(*s).next());
        patch.into_iter().chain(slice).min()
    }

    /// Closes the first window.
    fn close(&mut self, window: Window) -> Table<K, A> {
        let patch = self.patches.remove(&window).unwrap_or_default();
        let mut parts: Vec<Time> = self.windows.slices(window).collect();
        parts.retain(|slice| self.slices.contains_key(slice));
        self.closed = Some(window.end);

        // Slices whose last window this is are moved, the others are copied.
        let mut sum = Table::default();
        for slice in parts {
            if self.windows.last_end(slice) <= window.end {
                let table = self.slices.remove(&slice).expect("it was found above");
                if sum.is_empty() {
                    sum = table;
                } else {
                    absorb(&mut sum, table);
                }
            } else {
                let table = &self.slices[&slice];
                sum.reserve(table.len().saturating_sub(sum.len()));
                table.iter().for_each(|slot| sum.add_copy(slot));
            }
        }
        if sum.is_empty() {
            patch
        } else {
            absorb(&mut sum, patch);
            sum
        }
    }

    fn value(&self, window: Window, hash: u64, key: &K) -> Option<A> {
        let slices = self.windows.slices(window).filter_map(|slice| self.slices.get(&slice));
        let tables = slices.chain(self.patches.get(&window));
        let mut found = tables.filter_map(|table| table.get(hash, key));
        let mut value = found.next()?.clone();
        found.for_each(|more| value.merge(more));
        Some(value)
    }
}

fn absorb<K: Key, A: Aggregate>(sum: &mut Table<K, A>, other: Table<K, A>) {
    for Slot { hash, key, value } in other {
        sum.add(hash, key, value);
    }
}

impl<K: Key, A: Aggregate> State<K, A> for FixedWindows<K, A> {
    fn apply(&mut self, part: Part<K, A>) {
        let Part { hash, place, key, measure } = part;
        if let Some(mut touched) = self.touched.take() {
            let windows: Vec<Window> = match place {
                Place::At(slice) => self.windows_of(slice).collect(),
                Place::Patch(start) => vec![self.windows.starting(start)],
            };
            touched.extend(windows.into_iter().map(|window| (window, hash, key.clone())));
            self.touched = Some(touched);
        }
        self.table(place).add(hash, key, measure);
    }

    fn apply_all(&mut self, parts: Vec<Part<K, A>>) {
        if self.touched.is_some() {
            return parts.into_iter().for_each(|part| self.apply(part));
        }
        // Neighbours mostly add to the same slice: it is looked for once.
        let mut parts = parts.into_iter().peekable();
        while let Some(place) = parts.peek().map(|part| part.place) {
            let table = self.table(place);
            while let Some(part) = parts.next_if(|part| part.place == place) {
                table.add(part.hash, part.key, part.measure);
            }
        }
    }

    fn flush(&mut self, changes: &mut Vec<Live<K, A>>) {
        let Some(touched) = &mut self.touched else { return };
        for (window, hash, key) in take(touched) {
            let value = self.value(window, hash, &key).expect("a touched pane has a value");
            changes.push(Live::Now(Pane { key, window, value }));
        }
    }

    fn advance(&mut self, watermark: Millis, finals: &mut Vec<Pane<K, A>>) {
        while let Some(window) = self.first() {
            if !Fixed::is_closed(window, watermark) {
                break;
            }
            let table = self.close(window);
            finals.reserve(table.len());
            finals.extend(table.into_iter().map(|Slot { key, value, .. }| Pane {
                key,
                window,
                value,
            }));
        }
    }

    fn open(&self) -> Open {
        let mut windows: BTreeSet<Window> = self.patches.keys().copied().collect();
        self.slices.keys().for_each(|slice| windows.extend(self.windows_of(*slice)));
        Open {
            windows: windows.len() as u64,
            entries: self.groups(),
            first_end: windows.first().map(|window| window.end),
        }
    }

    fn groups(&self) -> u64 {
        let tables = self.slices.values().chain(self.patches.values());
        tables.map(|table| table.len() as u64).sum()
    }

    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        let slices = self.slices.iter().map(|(slice, table)| (Place::At(*slice), table));
        let patches = self.patches.iter().map(|(w, table)| (Place::Patch(w.start), table));
        let entries = slices.chain(patches).flat_map(|(place, table)| {
            table.iter().map(move |slot| {
                let entry = Saved { hash: slot.hash, place, key: &slot.key, value: &slot.value };
                (slot.hash, (self.closed, entry))
            })
        });
        encode_groups(entries)
    }

    fn restore(&mut self, bytes: &[u8]) {
        for (closed, saved) in decode_group::<(Option<Time>, Saved<K, A>)>(bytes) {
            self.closed = self.closed.max(closed);
            let Saved { hash, place, key, value } = saved;
            // What is open is shown again, as nobody remembers what was shown.
            self.apply(Part { hash, place, key, measure: value });
        }
    }
}

/// An entry of a snapshot.
#[derive(Serialize, Deserialize)]
struct Saved<K, A> {
    hash: u64,
    place: Place,
    key: K,
    value: A,
}

#[cfg(test)]
mod tests;
