//! The one fixed hash that decides routing.
//!
//! Which worker owns a key, and which key group its state belongs to, must be the same in every
//! process, on every machine and after every restart. So the hash has no seed, reads words as
//! little endian, and its values are pinned by a test: should a release of Rust change how a type
//! feeds its bytes to a [`Hasher`], the test fails before a checkpoint is read with other groups.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// How many key groups a job has; fixed for its life, as state is stored by group.
pub const KEY_GROUPS: u64 = 256;

/// A map with the fixed hash; its order of iteration depends on nothing but what was inserted.
pub type FixedMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<FixedHasher>>;

/// A set with the fixed hash.
pub type FixedSet<K> = hashbrown::HashSet<K, BuildHasherDefault<FixedHasher>>;

/// Hash of a value, with all bits well mixed.
///
/// ```
/// assert_eq!(highwater::hash::of(&7u32), highwater::hash::of(&7u32));
/// assert_ne!(highwater::hash::of(&"a"), highwater::hash::of(&"b"));
/// ```
#[inline]
pub fn of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = FixedHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The key group of a hash.
#[inline]
pub fn group(hash: u64) -> u16 {
    (hash % KEY_GROUPS) as u16
}

/// The worker that owns a hash, among so many workers: groups go round the workers.
#[inline]
pub fn owner(hash: u64, peers: usize) -> usize {
    group(hash) as usize % peers
}

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a).wrapping_mul(u128::from(b));
    (wide as u64) ^ ((wide >> 64) as u64)
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const LAST: u64 = 0xd6e8_feb8_6659_fd93;

/// A [`Hasher`] without a seed; see the module.
#[derive(Clone, Debug)]
pub struct FixedHasher(u64);

impl Default for FixedHasher {
    #[inline]
    fn default() -> FixedHasher {
        FixedHasher(SEED)
    }
}

impl FixedHasher {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, STEP);
    }
}

impl Hasher for FixedHasher {
    #[inline]
    fn finish(&self) -> u64 {
        fold(self.0 ^ LAST, STEP)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(u64::from_le_bytes(word.try_into().expect("chunks of eight bytes")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            // The length keeps "a" and "a\0" apart.
            self.word(u64::from_le_bytes(word) ^ ((rest.len() as u64) << 56).rotate_left(3));
        }
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.word(u64::from(n));
    }

    #[inline]
    fn write_u16(&mut self, n: u16) {
        self.word(u64::from(n));
    }

    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.word(u64::from(n));
    }

    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }

    #[inline]
    fn write_u128(&mut self, n: u128) {
        self.word(n as u64);
        self.word((n >> 64) as u64);
    }

    #[inline]
    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_pinned() {
        let text = of("demo_stream");
        let pair = of(&(7u32, "x"));
        let none = of(&None::<u64>);
        assert_eq!((text, pair, none), PINNED);
    }

    const PINNED: (u64, u64, u64) =
        (18_303_309_991_403_948_081, 18_076_892_172_408_237_633, 14_993_854_182_073_251_188);

    #[test]
    fn groups_are_even_for_small_integers_and_short_texts() {
        let mut counts = [[0u32; KEY_GROUPS as usize]; 2];
        for n in 0..64_000u32 {
            counts[0][group(of(&n)) as usize] += 1;
            counts[1][group(of(&format!("user_{n}"))) as usize] += 1;
        }
        for counts in counts {
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(180 < *least && *most < 330, "{least} to {most} of 250 expected");
        }
    }
}
