//! Tumbling and sliding windows: slices that windows share, patches of single windows.
//!
//! ```text
//! slices   | a | b | c | d |          a window's value = its slices merged with its patch
//! windows  [--- 1 ---]                a slice is dropped with the last window that contains it
//!              [--- 2 ---]
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::take;

use super::saver::{Saved, Saver, Saves, entries, head};
use super::table::{Slot, Table};
use super::{Live, Open, Pane, Part, Place, State};
use crate::aggregate::Aggregate;
use crate::hash;
use crate::key::Key;
use crate::time::{Millis, Time};
use crate::window::{Fixed, Window};

/// Open tumbling or sliding windows, in the order in which they close.
pub struct FixedWindows<K, A> {
    tables: Tables<K, A>,
    /// The watermark: windows that it has reached are over, and a slice does not show them again.
    passed: Millis,
    /// Key groups that were further when they were restored, and how far: windows that are over
    /// for them alone do without their entries.
    ahead: BTreeMap<u16, Millis>,
    /// Panes touched since the last flush, if updates are wanted.
    touched: Option<BTreeSet<(Window, u64, K)>>,
    saver: Saver,
    /// Places whose tables the save under way still needs.
    due: VecDeque<Place>,
}

struct Tables<K, A> {
    windows: Fixed,
    slices: BTreeMap<Time, Table<K, A>>,
    patches: BTreeMap<Window, Table<K, A>>,
}

impl<K, A> Tables<K, A> {
    /// The table of a place.
    fn at(&mut self, place: Place) -> &mut Table<K, A> {
        match place {
            Place::At(slice) => self.slices.entry(slice).or_default(),
            Place::Patch(start) => self.patches.entry(self.windows.starting(start)).or_default(),
        }
    }

    fn get_mut(&mut self, place: Place) -> Option<&mut Table<K, A>> {
        match place {
            Place::At(slice) => self.slices.get_mut(&slice),
            Place::Patch(start) => self.patches.get_mut(&self.windows.starting(start)),
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (Place, &mut Table<K, A>)> {
        let patches = self.patches.iter_mut().map(|(w, table)| (Place::Patch(w.start), table));
        patches.chain(self.slices.iter_mut().map(|(slice, table)| (Place::At(*slice), table)))
    }
}

impl<K: Key, A: Aggregate> FixedWindows<K, A> {
    /// No window is open; `updates` says whether [`State::flush`] will be asked.
    pub fn new(windows: Fixed, updates: bool) -> FixedWindows<K, A> {
        FixedWindows {
            tables: Tables { windows, slices: BTreeMap::new(), patches: BTreeMap::new() },
            passed: Millis::MIN,
            ahead: BTreeMap::new(),
            touched: updates.then(BTreeSet::new),
            saver: Saver::default(),
            due: VecDeque::new(),
        }
    }

    /// The open windows that contain a slice.
    fn windows_of(&self, slice: Time) -> impl Iterator<Item = Window> + use<K, A> {
        let passed = self.passed;
        let windows = self.tables.windows.containing(slice);
        windows.filter(move |window| !Fixed::is_closed(*window, passed))
    }

    /// Whether a window is over for a key group.
    fn is_over(&self, window: Window, group: u16) -> bool {
        let ahead = self.ahead.get(&group);
        ahead.is_some_and(|passed| Fixed::is_closed(window, *passed))
    }

    /// The open windows to which an entry adds.
    fn windows_at(&self, place: Place, group: u16) -> Vec<Window> {
        match place {
            Place::At(slice) => {
                let windows = self.windows_of(slice);
                windows.filter(|window| !self.is_over(*window, group)).collect()
            }
            Place::Patch(start) => vec![self.tables.windows.starting(start)],
        }
    }

    /// The open window that closes first.
    fn first(&self) -> Option<Window> {
        let Tables { patches, slices, .. } = &self.tables;
        let patch = patches.first_key_value().map(|(window, _)| *window);
        // A slice is dropped with its last window, so the first slice still has one.
        let slice = slices.first_key_value().and_then(|(s, _)| self.windows_of(*s).next());
        patch.into_iter().chain(slice).min()
    }

    /// Closes the first window.
    fn close(&mut self, window: Window) -> Table<K, A> {
        let patch = self.take(Place::Patch(window.start)).unwrap_or_default();
        let mut parts: Vec<Time> = self.tables.windows.slices(window).collect();
        parts.retain(|slice| self.tables.slices.contains_key(slice));
        self.passed = self.passed.max(window.end.floor_ms());

        // Slices whose last window this is are moved, the others are copied.
        let mut sum = Table::default();
        for slice in parts {
            if self.tables.windows.last_end(slice) <= window.end {
                let table = self.take(Place::At(slice)).expect("it was found above");
                if sum.is_empty() {
                    sum = table;
                } else {
                    absorb(&mut sum, table);
                }
            } else {
                let table = &self.tables.slices[&slice];
                sum.reserve(table.len().saturating_sub(sum.len()));
                if self.ahead.is_empty() {
                    table.iter().for_each(|slot| sum.absorb_copy(slot));
                } else {
                    let slots = table.iter().filter(|slot| !self.is_over(window, slot.group()));
                    slots.for_each(|slot| sum.absorb_copy(slot));
                }
            }
        }
        if sum.is_empty() {
            patch
        } else {
            absorb(&mut sum, patch);
            sum
        }
    }

    /// Takes a table out, once a save under way has what it needs of it.
    fn take(&mut self, place: Place) -> Option<Table<K, A>> {
        let table = self.tables.get_mut(place)?;
        table.save_rest((&mut self.saver, place));
        match place {
            Place::At(slice) => self.tables.slices.remove(&slice),
            Place::Patch(start) => self.tables.patches.remove(&self.tables.windows.starting(start)),
        }
    }

    /// Whether an entry that was saved is still part of an open window. One that has closed since
    /// is in no later save.
    fn restores(&self, place: Place, hash: u64) -> bool {
        let last = match place {
            Place::At(slice) => self.tables.windows.containing(slice).last(),
            Place::Patch(start) => Some(self.tables.windows.starting(start)),
        };
        !self.is_over(last.expect("a slice has windows"), hash::group(hash))
    }

    fn value(&self, window: Window, hash: u64, key: &K) -> Option<A> {
        let Tables { windows, slices, patches } = &self.tables;
        let slices = windows.slices(window).filter_map(|slice| slices.get(&slice));
        let tables = slices.chain(patches.get(&window));
        let mut found = tables.filter_map(|table| table.get(hash, key));
        let mut value = found.next()?.clone();
        found.for_each(|more| value.merge(more));
        Some(value)
    }
}

fn absorb<K: Key, A: Aggregate>(sum: &mut Table<K, A>, other: Table<K, A>) {
    other.into_iter().for_each(|slot| sum.absorb(slot));
}

impl<K: Key, A: Aggregate> State<K, A> for FixedWindows<K, A> {
    fn apply(&mut self, part: Part<K, A>) {
        let Part { hash, place, key, measure } = part;
        if let Some(mut touched) = self.touched.take() {
            let windows = self.windows_at(place, hash::group(hash)).into_iter();
            touched.extend(windows.map(|window| (window, hash, key.clone())));
            self.touched = Some(touched);
        }
        self.tables.at(place).add((&mut self.saver, place), (hash, key), measure);
    }

    fn apply_all(&mut self, parts: Vec<Part<K, A>>) {
        if self.touched.is_some() {
            return parts.into_iter().for_each(|part| self.apply(part));
        }
        // Neighbours mostly add to the same slice: it is looked for once.
        let mut parts = parts.into_iter().peekable();
        while let Some(place) = parts.peek().map(|part| part.place) {
            let table = self.tables.at(place);
            while let Some(part) = parts.next_if(|part| part.place == place) {
                let saver = (&mut self.saver, place);
                table.add(saver, (part.hash, part.key), part.measure);
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
        self.passed = self.passed.max(watermark);
        if !self.ahead.is_empty() {
            self.ahead.retain(|_, passed| self.passed < *passed);
        }
    }

    fn open(&self) -> Open {
        let mut windows: BTreeSet<Window> = self.tables.patches.keys().copied().collect();
        self.tables.slices.keys().for_each(|slice| windows.extend(self.windows_of(*slice)));
        Open {
            windows: windows.len() as u64,
            entries: self.groups(),
            first_end: windows.first().map(|window| window.end),
        }
    }

    fn groups(&self) -> u64 {
        let tables = self.tables.slices.values().chain(self.tables.patches.values());
        tables.map(|table| table.len() as u64).sum()
    }
}

impl<K: Key, A: Aggregate> Saves for FixedWindows<K, A> {
    fn begin_save(&mut self, whole: bool) {
        for (place, table) in self.tables.all_mut() {
            if table.begin_save(&self.saver, whole) {
                self.due.push_back(place);
            }
        }
        // Groups that are ahead of the others are for as long as this is saved.
        self.saver.begin(whole, &(self.passed, &self.ahead));
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        while let Some(place) = self.due.front() {
            // The table of a window that has closed was saved before.
            if let Some(table) = self.tables.get_mut(*place)
                && !table.save((&mut self.saver, *place), budget)
            {
                return None;
            }
            self.due.pop_front();
        }
        Some(self.saver.finish())
    }

    fn restore_head(&mut self, group: u16, bytes: &[u8]) {
        let (passed, ahead): (Millis, BTreeMap<u16, Millis>) = head(bytes);
        self.ahead.insert(group, ahead.get(&group).copied().unwrap_or(passed));
    }

    fn restore(&mut self, bytes: &[u8]) {
        for (place, key, value) in entries::<(Place, K, A)>(bytes) {
            let hash = hash::of(&key);
            if self.restores(place, hash) {
                self.tables.at(place).insert((&mut self.saver, place), (hash, key), value);
            }
        }
    }

    fn restore_added(&mut self, bytes: &[u8]) {
        for (place, key, value) in entries::<(Place, K, A)>(bytes) {
            let hash = hash::of(&key);
            if self.restores(place, hash) {
                self.tables.at(place).add((&mut self.saver, place), (hash, key), value);
            }
        }
    }

    fn restored(&mut self) {
        self.passed = self.ahead.values().copied().min().unwrap_or(Millis::MIN);
        self.ahead.retain(|_, passed| self.passed < *passed);
        // What is open is shown again, as nobody remembers what was shown.
        if let Some(mut touched) = self.touched.take() {
            let slices = self.tables.slices.iter().map(|(slice, table)| (Place::At(*slice), table));
            let patches = self.tables.patches.iter();
            let patches = patches.map(|(window, table)| (Place::Patch(window.start), table));
            for (place, table) in slices.chain(patches) {
                for slot in table.iter() {
                    let windows = self.windows_at(place, slot.group()).into_iter();
                    touched.extend(windows.map(|window| (window, slot.hash(), slot.key.clone())));
                }
            }
            self.touched = Some(touched);
        }
    }

    fn resume(&mut self) {
        self.saver.resume();
    }
}

#[cfg(test)]
mod tests;
