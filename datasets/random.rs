//! Random numbers that depend on a seed and a number alone.
//!
//! Each record draws from a sequence of its own, so it can be made without those before it.
//! Nothing but integer arithmetic, division and comparison is used: the bytes of a data set are
//! the same on every machine.

/// A sequence of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes all bits of a word; one to one.
#[inline]
const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A random number that belongs to a seed and a number.
#[inline]
pub(crate) const fn hash(seed: u64, number: u64) -> u64 {
    mix(mix(seed.wrapping_add(STEP)).wrapping_add(number.wrapping_mul(STEP)))
}

impl Random {
    /// The sequence of a seed and a number.
    #[inline]
    pub(crate) const fn new(seed: u64, number: u64) -> Random {
        Random(hash(seed, number))
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Uniform in 0 to `bound` - 1; 0 if the bound is 0.
    #[inline]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in both bounds and between.
    #[inline]
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// Uniform in 0 to 1, without 1.
    #[inline]
    pub(crate) fn share(&mut self) -> f64 {
        unit(self.bits())
    }

    /// True in this share of cases.
    #[inline]
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// One of them.
    #[inline]
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// Bits as a number in 0 to 1, without 1.
#[inline]
pub(crate) const fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// One of the `keys` indexes that belong to a partition (index, of how many).
///
/// A key has one partition when there are at least as many keys as partitions; with fewer, the
/// partitions are shared among the keys. So none stays empty and holds the watermark.
#[inline]
pub(crate) fn shared(keys: u64, (partition, of): (u64, u64), random: &mut Random) -> u64 {
    if keys <= of {
        partition % keys
    } else {
        partition + of * random.below(share_of(keys, (partition, of)))
    }
}

/// How many of the keys a partition has, when there are more keys than partitions.
#[inline]
pub(crate) const fn share_of(keys: u64, (partition, of): (u64, u64)) -> u64 {
    (keys - partition).div_ceil(of)
}

/// Draws indexes with given weights.
#[derive(Clone, Debug)]
pub(crate) struct Weighted {
    /// Per index, the end of its part of the range of 64 bits.
    ends: Vec<u64>,
}

impl Weighted {
    /// Of weights that are not negative and not all 0.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Weighted {
        let mut sum = 0.0;
        let sums: Vec<f64> = weights
            .into_iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        let ends = sums.into_iter().map(|end| (end / sum * u64::MAX as f64) as u64).collect();
        Weighted { ends }
    }

    /// Zipf's law: the index *i* has the weight 1 / (*i* + 1).
    pub(crate) fn zipf(count: u32) -> Weighted {
        Weighted::new((0..count).map(|i| 1.0 / (f64::from(i) + 1.0)))
    }

    /// An index.
    #[inline]
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let bits = random.bits();
        self.ends.partition_point(|end| *end <= bits).min(self.ends.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_and_belong_to_seed_and_number() {
        let mut counts = [0u32; 10];
        for number in 0..10_000 {
            counts[Random::new(7, number).below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
        assert_eq!(Random::new(7, 3).bits(), Random::new(7, 3).bits());
        assert_ne!(Random::new(7, 3).bits(), Random::new(8, 3).bits());
        assert_ne!(Random::new(7, 3).bits(), Random::new(7, 4).bits());
    }

    #[test]
    fn bounds_are_kept() {
        let mut random = Random::new(1, 1);
        assert_eq!(random.below(0), 0);
        for _ in 0..1_000 {
            assert!((3..=4).contains(&random.between(3, 4)));
            assert!((0.0..1.0).contains(&random.share()));
        }
        assert!(unit(u64::MAX) < 1.0);
    }

    #[test]
    fn weights_hold_and_an_index_without_weight_never_comes() {
        let weighted = Weighted::new([0.0, 3.0, 0.0, 1.0, 0.0]);
        let mut counts = [0u32; 5];
        let mut random = Random::new(2, 0);
        for _ in 0..10_000 {
            counts[weighted.draw(&mut random)] += 1;
        }
        assert_eq!((counts[0], counts[2], counts[4]), (0, 0, 0));
        assert!((7_300..7_700).contains(&counts[1]), "{counts:?}");
        let zipf = Weighted::zipf(3);
        assert_eq!(
            zipf.ends.iter().map(|end| end / (u64::MAX / 11)).collect::<Vec<_>>(),
            [6, 9, 11]
        );
    }
}
