//! A hash table of values by key, whose hashes are known already, that can be saved in slices.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::Serialize;

use super::saver::Saver;
use crate::aggregate::Aggregate;
use crate::hash;
use crate::key::Key;

/// Keys with their values. The hash of a key comes with it and is never computed again.
///
/// What changes a value gets the [`Saver`] of its state, and what tells the entries of this table
/// from those of others of the state.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    slots: HashTable<Slot<K, V>>,
    /// What was added to large values in the interval of their last change, until a save has got
    /// it.
    added: HashTable<Slot<K, V>>,
    /// The stamp of the interval in which an entry last changed.
    changed: u8,
    /// The bucket with which a save goes on, if it needs this table.
    next: Option<usize>,
}

/// One entry of a table.
#[derive(Clone, Debug)]
pub(crate) struct Slot<K, V> {
    /// The stamp in the upper byte, below it as much of the hash.
    tag: u64,
    pub(crate) key: K,
    pub(crate) value: V,
}

const STAMP_SHIFT: u32 = 56;

/// From this weight on a value is large: a save gets what was added to it, not all of it.
const LARGE: usize = 16;

impl<K, V> Slot<K, V> {
    #[inline]
    fn new(hash: u64, stamp: u8, key: K, value: V) -> Slot<K, V> {
        let tag = (hash & HASH) | (u64::from(stamp) << STAMP_SHIFT);
        Slot { tag, key, value }
    }

    #[inline]
    fn stamp(&self) -> u8 {
        (self.tag >> STAMP_SHIFT) as u8
    }

    fn set_stamp(&mut self, stamp: u8) {
        self.tag = (self.tag & HASH) | (u64::from(stamp) << STAMP_SHIFT);
    }

    /// The hash of its key but for the upper byte.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.tag & HASH
    }

    /// The key group of its key.
    pub(crate) fn group(&self) -> u16 {
        hash::group(self.tag)
    }
}

/// The part of a hash that a slot holds.
const HASH: u64 = (1 << STAMP_SHIFT) - 1;

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table { slots: HashTable::new(), added: HashTable::new(), changed: 0, next: None }
    }
}

impl<K: Key, A: Aggregate> Table<K, A> {
    /// Adds a measure to a key.
    #[inline]
    pub(crate) fn add(
        &mut self,
        (saver, place): (&mut Saver, impl Serialize),
        (hash, key): (u64, K),
        measure: A,
    ) {
        self.mind_growth();
        let found = self.slots.entry(spread(hash), |slot| slot.key == key, |slot| spread(slot.tag));
        match found {
            Entry::Occupied(slot) => {
                let slot = slot.into_mut();
                if slot.stamp() != saver.now() {
                    self.changed = touch(slot, &mut self.added, saver, place);
                    add_apart(slot, &mut self.added, A::weight);
                }
                if let Some(added) = apart(slot, &mut self.added) {
                    added.absorb(measure.clone());
                }
                slot.value.absorb(measure);
            }
            Entry::Vacant(slot) => {
                self.changed = saver.now();
                slot.insert(Slot::new(hash, self.changed, key, measure));
            }
        }
    }

    /// Takes in an entry of another table; for one that is no part of a state.
    pub(crate) fn absorb(&mut self, other: Slot<K, A>) {
        match self.loose(&other) {
            Entry::Occupied(mut found) => found.get_mut().value.absorb(other.value),
            Entry::Vacant(vacant) => {
                vacant.insert(other);
            }
        }
    }

    /// As [`Table::absorb`], of an entry that stays where it is.
    pub(crate) fn absorb_copy(&mut self, other: &Slot<K, A>) {
        match self.loose(other) {
            Entry::Occupied(mut found) => found.get_mut().value.merge(&other.value),
            Entry::Vacant(vacant) => {
                vacant.insert(other.clone());
            }
        }
    }

    fn loose(&mut self, other: &Slot<K, A>) -> Entry<'_, Slot<K, A>> {
        self.slots.entry(spread(other.tag), |slot| slot.key == other.key, |slot| spread(slot.tag))
    }
}

impl<K: Eq + Serialize, V: Serialize> Table<K, V> {
    pub(crate) fn get(&self, hash: u64, key: &K) -> Option<&V> {
        let slot = self.slots.find(spread(hash), |slot| slot.key == *key);
        slot.map(|slot| &slot.value)
    }

    /// The value of a key, to be changed.
    pub(crate) fn get_mut(
        &mut self,
        (saver, place): (&mut Saver, impl Serialize),
        (hash, key): (u64, &K),
    ) -> Option<&mut V> {
        let slot = self.slots.find_mut(spread(hash), |slot| slot.key == *key)?;
        if slot.stamp() != saver.now() {
            self.changed = touch(slot, &mut self.added, saver, place);
        }
        Some(&mut slot.value)
    }

    /// The value of a key, to be added to. If it is large, a save gets what was added to it: then
    /// this is to be added to another value as well, which begins as the default.
    ///
    /// A value that has only been added to in an interval is its last save merged with that. What
    /// else happens to it must be such that a restore does it by itself, from the head.
    pub(crate) fn grow(
        &mut self,
        (saver, place): (&mut Saver, impl Serialize),
        (hash, key): (u64, &K),
        weight: impl FnOnce(&V) -> usize,
    ) -> Option<(&mut V, Option<&mut V>)>
    where
        K: Clone,
        V: Default,
    {
        let slot = self.slots.find_mut(spread(hash), |slot| slot.key == *key)?;
        if slot.stamp() != saver.now() {
            self.changed = touch(slot, &mut self.added, saver, place);
            add_apart(slot, &mut self.added, weight);
        }
        let added = apart(slot, &mut self.added);
        Some((&mut slot.value, added))
    }

    /// Gives a key a value; returns the one before.
    pub(crate) fn insert(
        &mut self,
        (saver, place): (&mut Saver, impl Serialize),
        (hash, key): (u64, K),
        value: V,
    ) -> Option<V> {
        if let Some(before) = self.get_mut((&mut *saver, place), (hash, &key)) {
            return Some(std::mem::replace(before, value));
        }
        self.insert_new(saver, (hash, key), value);
        None
    }

    /// Adds a key that is not there.
    pub(crate) fn insert_new(&mut self, saver: &Saver, (hash, key): (u64, K), value: V) {
        self.mind_growth();
        self.changed = saver.now();
        let slot = Slot::new(hash, self.changed, key, value);
        self.slots.insert_unique(spread(hash), slot, |slot| spread(slot.tag));
    }

    /// Takes a key out.
    pub(crate) fn remove(
        &mut self,
        (saver, place): (&mut Saver, impl Serialize),
        (hash, key): (u64, &K),
    ) -> Option<V> {
        let found = self.slots.find_entry(spread(hash), |slot| slot.key == *key);
        let mut found = found.ok()?;
        if found.get().stamp() != saver.now() {
            touch(found.get_mut(), &mut self.added, saver, place);
        }
        take_apart(found.get(), &mut self.added);
        Some(found.remove().0.value)
    }

    /// An interval is about to end: whether this table has something to be saved.
    pub(crate) fn begin_save(&mut self, saver: &Saver, whole: bool) -> bool {
        if !self.slots.is_empty() && (whole || self.changed == saver.now()) {
            self.next = Some(0);
        }
        self.next.is_some()
    }

    /// Goes on saving; whether that is done.
    pub(crate) fn save(
        &mut self,
        (saver, place): (&mut Saver, impl Serialize + Copy),
        budget: &mut usize,
    ) -> bool {
        let Some(mut next) = self.next else { return true };
        let buckets = self.slots.num_buckets();
        while next < buckets {
            if *budget == 0 {
                self.next = Some(next);
                return false;
            }
            *budget -= 1;
            if let Some(slot) = self.slots.get_bucket_mut(next)
                && saver.needs(slot.stamp())
            {
                write(slot, &mut self.added, saver, place);
                slot.set_stamp(saver.got());
                saver.pay(budget);
            }
            next += 1;
        }
        self.next = None;
        true
    }

    /// Saves what a save under way still needs.
    pub(crate) fn save_rest(&mut self, saver: (&mut Saver, impl Serialize + Copy)) {
        let mut budget = usize::MAX;
        self.save(saver, &mut budget);
    }

    /// A scan begins anew when entries are about to change their buckets: those that were saved
    /// are stamped.
    #[inline]
    fn mind_growth(&mut self) {
        if self.next.is_some() && self.slots.len() == self.slots.capacity() {
            self.next = Some(0);
        }
    }
}

impl<K, V> Table<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Makes room; for a table that is no part of a state.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.slots.reserve(more, |slot| spread(slot.tag));
    }

    /// Drops entries; for a state that is restored.
    pub(crate) fn retain(&mut self, stays: impl FnMut(&mut Slot<K, V>) -> bool) {
        self.slots.retain(stays);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<K, V>> {
        self.slots.iter()
    }
}

/// An entry is about to change for the first time in this interval: what a save under way needs of
/// it is saved. Returns the stamp of now.
#[cold]
fn touch<K: Eq + Serialize, V: Serialize>(
    slot: &mut Slot<K, V>,
    added: &mut HashTable<Slot<K, V>>,
    saver: &mut Saver,
    place: impl Serialize,
) -> u8 {
    if saver.needs(slot.stamp()) {
        write(slot, added, saver, place);
    }
    slot.set_stamp(saver.now());
    saver.now()
}

/// Saves an entry, or what was added to it since it was saved last.
fn write<K: Eq + Serialize, V: Serialize>(
    slot: &Slot<K, V>,
    added: &mut HashTable<Slot<K, V>>,
    saver: &mut Saver,
    place: impl Serialize,
) {
    let group = slot.group().into();
    match take_apart(slot, added) {
        Some(added) if !saver.is_whole() => {
            saver.write_added(group, &(place, &slot.key, &added));
        }
        _ => saver.write(group, &(place, &slot.key, &slot.value)),
    }
}

/// From here on what is added to an entry is kept apart as well, if its value is large. Only an
/// entry that was saved, and has not changed since, may come here.
fn add_apart<K: Clone, V: Default>(
    slot: &Slot<K, V>,
    added: &mut HashTable<Slot<K, V>>,
    weight: impl FnOnce(&V) -> usize,
) {
    if LARGE <= weight(&slot.value) {
        let apart = Slot { tag: slot.tag, key: slot.key.clone(), value: V::default() };
        added.insert_unique(spread(slot.tag), apart, |slot| spread(slot.tag));
    }
}

/// What was added to an entry, if that is kept apart.
#[inline]
fn apart<'a, K: Eq, V>(
    slot: &Slot<K, V>,
    added: &'a mut HashTable<Slot<K, V>>,
) -> Option<&'a mut V> {
    if added.is_empty() {
        return None;
    }
    let found = added.find_mut(spread(slot.tag), |other| other.key == slot.key);
    found.map(|found| &mut found.value)
}

fn take_apart<K: Eq, V>(slot: &Slot<K, V>, added: &mut HashTable<Slot<K, V>>) -> Option<V> {
    if added.is_empty() {
        return None;
    }
    let found = added.find_entry(spread(slot.tag), |other| other.key == slot.key);
    found.ok().map(|found| found.remove().0.value)
}

impl<K, V> IntoIterator for Table<K, V> {
    type Item = Slot<K, V>;
    type IntoIter = hashbrown::hash_table::IntoIter<Slot<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.slots.into_iter()
    }
}

/// Keys of one worker share low bits of their hash (they chose the worker), and a table takes its
/// buckets from the low bits: so it gets them turned round. The upper byte is a stamp and does not
/// count; the second byte stands in for it.
#[inline]
fn spread(tag: u64) -> u64 {
    (tag & HASH).rotate_left(32) | ((tag & 0xff00) << 16)
}
