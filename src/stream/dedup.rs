//! `dedup`: drops events whose key their partition has shown before.
//!
//! Keys are remembered per partition, as "first" is then a function of its log, and forgotten when
//! their time + memory lies behind the partition's watermark.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chunk::Places;
use super::judge::Judge;
use super::node::caught;
use super::operator::shape_of;
use crate::codec::{Options, json};
use crate::hash;
use crate::key::Key;
use crate::keyed::{Saved, Saver, Table, entries, head};
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
        Dedup { seen: Box::new(SeenKeys { key, memory, partitions, whole: false, keys }) }
    }

    /// What it remembers, in words.
    pub(super) fn shape(&self) -> String {
        self.seen.shape()
    }

    /// See [`Saves::begin_save`](crate::keyed::Saves::begin_save).
    pub(super) fn begin_save(&mut self, whole: bool) {
        self.seen.begin_save(whole);
    }

    /// Goes on saving the keys that are remembered; their groups are partitions.
    pub(super) fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.seen.save(budget)
    }

    /// Remembers keys again that were saved; those of one save after those of the save before.
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

    fn shape(&self) -> String;

    fn begin_save(&mut self, whole: bool);

    fn save(&mut self, budget: &mut usize) -> Option<Saved>;

    fn restore(&mut self, partition: u32, bytes: &[u8]);
}

struct SeenKeys<K, F> {
    key: F,
    memory: Duration,
    partitions: BTreeMap<u32, Memory<K>>,
    /// Whether the save under way is a whole one.
    whole: bool,
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
    until: Table<K, Time>,
    order: BTreeMap<Time, Vec<K>>,
    /// The watermark up to which keys are forgotten.
    forgotten: Millis,
    saver: Saver,
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

    fn shape(&self) -> String {
        format!("ids of type {}", shape_of::<K>())
    }

    fn begin_save(&mut self, whole: bool) {
        self.whole = whole;
        for Memory { until, forgotten, saver, .. } in self.partitions.values_mut() {
            until.begin_save(saver, whole);
            saver.begin(whole, forgotten);
        }
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        let mut groups = Vec::new();
        // One that has come since the save began is in the next one.
        let begun = self.partitions.iter_mut().filter(|(_, memory)| memory.saver.is_saving());
        let mut begun: Vec<_> = begun.collect();
        for (_, Memory { until, saver, .. }) in &mut begun {
            if !until.save((saver, ()), budget) {
                return None;
            }
        }
        for (partition, memory) in begun {
            let Saved { head, groups: keys, .. } = memory.saver.finish();
            let keys = keys.into_iter().flat_map(|(_, keys)| keys);
            groups.push((*partition, head.into_iter().chain(keys).collect()));
        }
        Some(Saved { whole: self.whole, groups, ..Saved::default() })
    }

    fn restore(&mut self, partition: u32, bytes: &[u8]) {
        let memory = self.partitions.entry(partition).or_default();
        let (forgotten, keys) = bytes.split_at(size_of::<Millis>());
        // Before its keys: one may have been forgotten and come again.
        memory.forget(head(forgotten));
        for ((), key, until) in entries::<((), K, Time)>(keys) {
            memory.is_first(key, until);
        }
    }
}

impl<K> Default for Memory<K> {
    fn default() -> Memory<K> {
        let (until, order) = (Table::default(), BTreeMap::new());
        Memory { until, order, forgotten: Millis::MIN, saver: Saver::default() }
    }
}

impl<K: Key> Memory<K> {
    /// Whether a key is new; if so, it is remembered until the time given.
    fn is_first(&mut self, key: K, until: Time) -> bool {
        // Two events without a key are not the same event.
        if key.is_null() {
            return true;
        }
        let hash = hash::of(&key);
        if self.until.get(hash, &key).is_some() {
            return false;
        }
        self.order.entry(until).or_default().push(key.clone());
        self.until.insert_new(&self.saver, (hash, key), until);
        true
    }

    fn forget(&mut self, watermark: Millis) {
        self.forgotten = self.forgotten.max(watermark);
        while let Some(entry) = self.order.first_entry() {
            if watermark <= entry.key().floor_ms() {
                break;
            }
            for key in entry.remove() {
                self.until.remove((&mut self.saver, ()), (hash::of(&key), &key));
            }
        }
    }
}

#[cfg(test)]
mod tests;
