//! Numbers that follow from a seed and the number of an event, for generators.

use highwater::hash;

/// A sequence of numbers (SplitMix64); the same place and seed give the same ones.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of event `n` of a seed.
    pub fn of(seed: u64, n: u64) -> Dice {
        Dice(hash::of(&(seed, n)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `first` up to, but without, `end`.
    pub fn between(&mut self, first: i64, end: i64) -> i64 {
        first + self.below(end.abs_diff(first).max(1)) as i64
    }

    /// Whether something happens that happens so many times in so many.
    pub fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of a few.
    pub fn pick<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len() as u64) as usize]
    }

    /// So many letters from a to z.
    pub fn letters(&mut self, count: usize) -> String {
        let mut letters = String::with_capacity(count);
        while letters.len() < count {
            let mut bits = self.bits();
            for _ in 0..12.min(count - letters.len()) {
                letters.push(char::from(b'a' + (bits % 26) as u8));
                bits /= 26;
            }
        }
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_below_it() {
        let mut dice = Dice::of(1, 2);
        let mut seen = [0; 7];
        for _ in 0..7_000 {
            seen[dice.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        assert!((0..1_000).all(|_| (-3..4).contains(&dice.between(-3, 4))));
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&dice.unit())));
    }

    #[test]
    fn a_sequence_depends_on_the_seed_and_on_the_number() {
        let first = |seed, n| Dice::of(seed, n).bits();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 2));
        assert_ne!(first(1, 2), first(1, 3));
        let letters = Dice::of(1, 2).letters(70);
        assert!(letters.len() == 70 && letters.bytes().all(|byte| byte.is_ascii_lowercase()));
    }
}
