//! A hash table of aggregates by key whose hashes are known already.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::aggregate::Aggregate;
use crate::key::Key;

/// Keys with their aggregates. The hash of a key comes with it and is never computed again.
#[derive(Clone, Debug)]
pub(super) struct Table<K, A>(HashTable<Slot<K, A>>);

/// One entry of a table.
#[derive(Clone, Debug)]
pub(super) struct Slot<K, A> {
    pub(super) hash: u64,
    pub(super) key: K,
    pub(super) value: A,
}

impl<K, A> Default for Table<K, A> {
    fn default() -> Table<K, A> {
        Table(HashTable::new())
    }
}

impl<K: Key, A: Aggregate> Table<K, A> {
    /// Adds a measure to a key.
    pub(super) fn add(&mut self, hash: u64, key: K, measure: A) {
        match self.entry(hash, &key) {
            Entry::Occupied(mut slot) => slot.get_mut().value.absorb(measure),
            Entry::Vacant(slot) => {
                slot.insert(Slot { hash, key, value: measure });
            }
        }
    }

    /// Adds a copy of a measure to a key.
    pub(super) fn add_copy(&mut self, slot: &Slot<K, A>) {
        match self.entry(slot.hash, &slot.key) {
            Entry::Occupied(mut found) => found.get_mut().value.merge(&slot.value),
            Entry::Vacant(vacant) => {
                vacant.insert(slot.clone());
            }
        }
    }

    fn entry(&mut self, hash: u64, key: &K) -> Entry<'_, Slot<K, A>> {
        self.0.entry(spread(hash), |slot| slot.key == *key, |slot| spread(slot.hash))
    }

    pub(super) fn get(&self, hash: u64, key: &K) -> Option<&A> {
        let slot = self.0.find(spread(hash), |slot| slot.key == *key);
        slot.map(|slot| &slot.value)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.0.reserve(more, |slot| spread(slot.hash));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot<K, A>> {
        self.0.iter()
    }
}

impl<K, A> IntoIterator for Table<K, A> {
    type Item = Slot<K, A>;
    type IntoIter = hashbrown::hash_table::IntoIter<Slot<K, A>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Keys of one worker share low bits of their hash (they chose the worker), and a table takes its
/// buckets from the low bits: so it gets them turned round.
#[inline]
fn spread(hash: u64) -> u64 {
    hash.rotate_left(32)
}
