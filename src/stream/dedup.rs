//! `dedup`: drops events whose key their partition has shown before.
//!
//! Keys are remembered per partition, as "first" is then a function of its log, and forgotten when
//! their time + memory lies behind the partition's watermark.

use std::collections::BTreeMap;
use std::time::Duration;

use super::judge::Judge;
use crate::hash::FixedMap;
use crate::key::Key;
use crate::time::{Millis, Time};

/// What a source has shown, by partition.
pub(super) struct Dedup<E> {
    seen: Box<dyn Seen<E>>,
}

impl<E: 'static> Dedup<E> {
    pub(super) fn new<K: Key>(key: impl Fn(&E) -> K + 'static, memory: Duration) -> Dedup<E> {
        let partitions = BTreeMap::new();
        Dedup { seen: Box::new(SeenKeys { key, memory, partitions }) }
    }

    /// Takes duplicates out of the accepted events of a batch.
    pub(super) fn retain(&mut self, partition: u32, events: &[E], judge: &mut Judge) {
        self.seen.retain(partition, events, judge);
    }
}

trait Seen<E> {
    fn retain(&mut self, partition: u32, events: &[E], judge: &mut Judge);
}

struct SeenKeys<K, F> {
    key: F,
    memory: Duration,
    partitions: BTreeMap<u32, Memory<K>>,
}

/// The keys of one partition with the time until which each is remembered.
struct Memory<K> {
    until: FixedMap<K, Time>,
    order: BTreeMap<Time, Vec<K>>,
}

impl<E, K: Key, F: Fn(&E) -> K> Seen<E> for SeenKeys<K, F> {
    fn retain(&mut self, partition: u32, events: &[E], judge: &mut Judge) {
        let memory = self
            .partitions
            .entry(partition)
            .or_insert_with(|| Memory { until: FixedMap::default(), order: BTreeMap::new() });
        let mut watermarks = judge.watermarks.iter();
        let times = &judge.times;
        judge.kept.retain(|&index| {
            let key = (self.key)(&events[index as usize]);
            // Two events without a key are not the same event.
            let first = key.is_null() || !memory.until.contains_key(&key);
            if first && !key.is_null() {
                let time = times[index as usize].expect("an accepted event has a time");
                let until = time.plus(self.memory);
                memory.order.entry(until).or_default().push(key.clone());
                memory.until.insert(key, until);
            }
            memory.forget(*watermarks.next().expect("a watermark per accepted event"));
            first
        });
    }
}

impl<K: Key> Memory<K> {
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
