//! `dedup`: drops events whose key their partition has shown before.
//!
//! Keys are remembered per partition, as "first" is then a function of its log, and forgotten when
//! their time + memory lies behind the partition's watermark.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chunk::Places;
use super::judge::Judge;
use super::node::caught;
use super::view::{decode, encode};
use crate::codec::{Options, json};
use crate::hash::FixedMap;
use crate::key::Key;
use crate::text::Text;
use crate::time::{Millis, Time};

/// What a source has shown, by partition.
pub(super) struct Dedup<E> {
    seen: Box<dyn Seen<E>>,
}

impl<E: 'static> Dedup<E> {
    pub(super) fn new<K: Key>(key: impl Fn(&E) -> K + 'static, memory: Duration) -> Dedup<E> {
        Dedup::by(move |events, _, index| key(&events[index]), memory)
    }

    /// By a field of the records, which is none of the events'; as a binding asks for it.
    pub(super) fn by_field(field: Text, options: Options, memory: Duration) -> Dedup<E> {
        let key = move |_: &[E], places: &Places<'_>, index: usize| -> Option<Text> {
            let record = places.batch.records.get(places.record(index))?;
            json::text_of(places.batch.slice(&record.value)?, &field, &options)
        };
        Dedup::by(key, memory)
    }

    fn by<K: Key>(
        key: impl Fn(&[E], &Places<'_>, usize) -> K + 'static,
        memory: Duration,
    ) -> Dedup<E> {
        let (partitions, keys) = (BTreeMap::new(), Vec::new());
        Dedup { seen: Box::new(SeenKeys { key, memory, partitions, keys }) }
    }

    /// The keys that are remembered, by partition.
    pub(super) fn snapshot(&self) -> Vec<(u32, Vec<u8>)> {
        self.seen.snapshot()
    }

    /// Remembers keys of a snapshot again.
    pub(super) fn restore(&mut self, partition: u32, bytes: &[u8]) {
        self.seen.restore(partition, bytes);
    }

    /// Takes duplicates out of the accepted events of a batch, and those whose key cannot be told
    /// because the author's function panics: they replace the panics of the judge.
    pub(super) fn retain(&mut self, places: &Places<'_>, events: &[E], judge: &mut Judge) {
        self.seen.retain(places, events, judge);
    }
}

trait Seen<E> {
    fn retain(&mut self, places: &Places<'_>, events: &[E], judge: &mut Judge);

    fn snapshot(&self) -> Vec<(u32, Vec<u8>)>;

    fn restore(&mut self, partition: u32, bytes: &[u8]);
}

struct SeenKeys<K, F> {
    key: F,
    memory: Duration,
    partitions: BTreeMap<u32, Memory<K>>,
    /// The key of each accepted event of a batch; none where the function panicked.
    keys: Vec<Option<K>>,
}

impl<K, F> SeenKeys<K, F> {
    fn read<E>(&mut self, places: &Places<'_>, events: &[E], judge: &mut Judge)
    where
        F: Fn(&[E], &Places<'_>, usize) -> K,
    {
        let (key, keys) = (&self.key, &mut self.keys);
        let Judge { kept, panics, .. } = judge;
        keys.clear();
        panics.clear();
        let mut of = |index: &u32| keys.push(Some(key(events, places, *index as usize)));
        if caught(|| kept.iter().for_each(&mut of)).is_ok() {
            return;
        }
        keys.clear();
        for index in &*kept {
            let one = caught(|| key(events, places, *index as usize));
            keys.push(one.map_err(|panic| panics.push((*index, panic))).ok());
        }
    }
}

/// The keys of one partition with the time until which each is remembered.
struct Memory<K> {
    until: FixedMap<K, Time>,
    order: BTreeMap<Time, Vec<K>>,
}

impl<E, K, F> Seen<E> for SeenKeys<K, F>
where
    K: Key,
    F: Fn(&[E], &Places<'_>, usize) -> K,
{
    fn retain(&mut self, places: &Places<'_>, events: &[E], judge: &mut Judge) {
        self.read(places, events, judge);
        let memory = self.partitions.entry(places.partition).or_default();
        let mut accepted = self.keys.drain(..).zip(&judge.watermarks);
        let times = &judge.times;
        judge.kept.retain(|&index| {
            let (key, watermark) =
                accepted.next().expect("a key and a watermark per accepted event");
            let first = key.is_some_and(|key| {
                // An event that is used without a time cannot be forgotten in time either.
                times
                    .get(index as usize)
                    .is_none_or(|time| memory.is_first(key, time.plus(self.memory)))
            });
            memory.forget(*watermark);
            first
        });
    }

    fn snapshot(&self) -> Vec<(u32, Vec<u8>)> {
        let partitions = self.partitions.iter();
        partitions.map(|(partition, memory)| (*partition, encode(&memory.order))).collect()
    }

    fn restore(&mut self, partition: u32, bytes: &[u8]) {
        let memory = self.partitions.entry(partition).or_default();
        for (until, keys) in decode::<BTreeMap<Time, Vec<K>>>(bytes) {
            for key in keys {
                memory.is_first(key, until);
            }
        }
    }
}

impl<K> Default for Memory<K> {
    fn default() -> Memory<K> {
        Memory { until: FixedMap::default(), order: BTreeMap::new() }
    }
}

impl<K: Key> Memory<K> {
    /// Whether a key is new; if so, it is remembered until the time given.
    fn is_first(&mut self, key: K, until: Time) -> bool {
        // Two events without a key are not the same event.
        if key.is_null() {
            return true;
        }
        if self.until.contains_key(&key) {
            return false;
        }
        self.order.entry(until).or_default().push(key.clone());
        self.until.insert(key, until);
        true
    }

    fn forget(&mut self, watermark: Millis) {
        while let Some(entry) = self.order.first_entry() {
            if watermark <= entry.key().floor_ms() {
                break;
            }
            for key in entry.remove() {
                self.until.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
