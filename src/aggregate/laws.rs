//! The law of aggregates, as a test: neither order, nor grouping, nor a way over the wire, nor the
//! aggregate of nothing shows in a result or in the bytes of a state.

use crate::aggregate::Aggregate;
use crate::row::{Cells, Field};

/// A small random generator with a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crate::hash::of(&self.0)
    }

    /// A number from 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A float with a random sign and fraction, between 2^-`spread` and 2^`spread`.
    pub(crate) fn float(&mut self, spread: u64) -> f64 {
        let exp = 1023 - spread + self.below(2 * spread);
        f64::from_bits(self.next() & !(0x7ff << 52) | exp << 52)
    }

    /// `None` now and then.
    pub(crate) fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.below(5) != 0).then_some(value)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

/// Checks the law on sets of aggregates of single events, made by `one`.
pub(crate) fn hold<A: Aggregate + Field>(mut one: impl FnMut(&mut Random) -> A) {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let parts: Vec<A> = (0..random.below(24)).map(|_| one(&mut random)).collect();
        let expect = shown(&parts.iter().fold(A::default(), |mut sum, part| {
            sum.merge(part);
            sum
        }));
        for _ in 0..6 {
            let found = shown(&any_tree(&mut random, parts.clone()));
            assert_eq!(found, expect, "seed {seed}, {} parts", parts.len());
        }
    }
}

/// Merges the parts in a random order along a random tree.
fn any_tree<A: Aggregate>(random: &mut Random, mut parts: Vec<A>) -> A {
    for _ in 0..=random.below(3) {
        parts.push(A::default());
    }
    random.shuffle(&mut parts);
    while 1 < parts.len() {
        let other = parts.swap_remove(random.below(parts.len() as u64) as usize);
        let index = random.below(parts.len() as u64) as usize;
        match random.below(3) {
            0 => parts[index].merge(&other),
            1 => parts[index].absorb(other),
            _ => parts[index].absorb(over_the_wire(&other)),
        }
    }
    parts.pop().expect("at least the default is there")
}

fn over_the_wire<A: Aggregate>(aggregate: &A) -> A {
    let bytes = bincode::serialize(aggregate).unwrap();
    bincode::deserialize(&bytes).unwrap()
}

/// The cells of an aggregate, with floats to the last bit, and its bytes.
fn shown<A: Aggregate + Field>(aggregate: &A) -> (String, Vec<u8>) {
    let mut cells = Cells::default();
    aggregate.put(&mut cells);
    (format!("{:?}", cells.into_vec()), bincode::serialize(aggregate).unwrap())
}
