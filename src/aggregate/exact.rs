//! [`Exact`]: the exact sum of floats, whatever their order and grouping.
//!
//! Every finite float is an integer times a power of two, and so is every sum of floats. The sum is
//! held as such a number and rounded once, half to even, when it is asked for:
//!
//! ```text
//! near   192 bits of two's complement, times 2^any     inline; nearly all sums of real data
//! far    2,176 bits, times 2^-1074                     boxed; spans all floats, 2^77 of them
//! ```
//!
//! A number that is written out takes the form that its value decides, so equal sums have equal
//! bytes, however they came about.

use std::num::NonZeroU32;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The exponent of the least float.
const EXP_MIN: i32 = -1074;

/// Limbs of 64 bits that hold the sum of all floats there are, 2^77 times.
const FAR_LIMBS: usize = 34;

/// The greatest place of a near number that a far one can take in.
const PLACE_MAX: u32 = 64 * FAR_LIMBS as u32;

/// Bits a near number may have before an addition: the sum then has one more, and a sign.
const ROOM_BITS: u32 = 190;

/// An exact sum of finite floats.
#[derive(Clone, Debug)]
pub(crate) enum Exact {
    Near(Near),
    Far(Box<[u64; FAR_LIMBS]>),
}

impl Exact {
    /// The exact sum of one finite float.
    #[inline]
    pub(crate) fn of(value: f64) -> Exact {
        Exact::Near(Near::of(value))
    }

    /// Adds another sum.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Exact) {
        let added = match (&mut *self, other) {
            (Exact::Near(sum), Exact::Near(near)) => sum.add(near),
            _ => false,
        };
        if !added {
            self.merge_far(other);
        }
    }

    /// Adds another sum where the short way failed.
    #[cold]
    fn merge_far(&mut self, other: &Exact) {
        if let (Exact::Near(sum), Exact::Near(near)) = (&mut *self, other) {
            // Zeros at the low end may be all that makes the numbers too wide.
            *sum = sum.normal();
            if sum.add(&near.normal()) {
                return;
            }
        }
        if let Exact::Near(near) = self {
            *self = Exact::Far(near.widened());
        }
        let Exact::Far(sum) = self else { unreachable!("it has just been widened") };
        match other {
            Exact::Far(limbs) => add_shifted(&mut sum[..], &limbs[..], 0),
            Exact::Near(near) => near.add_to(sum),
        }
    }

    /// The sum, correctly rounded; infinite where it is beyond the greatest float.
    pub(crate) fn get(&self) -> f64 {
        match self {
            Exact::Near(near) => near.rounded(),
            Exact::Far(limbs) => {
                let mut magnitude = **limbs;
                let negative = make_absolute(&mut magnitude);
                rounded(negative, &magnitude, EXP_MIN)
            }
        }
    }

    /// The absolute value: limbs, least first, times 2 to the power of the exponent.
    pub(crate) fn magnitude(&self) -> (Vec<u64>, i32) {
        let (mut limbs, exp) = match self.shortest() {
            Exact::Near(near) => (near.limbs.to_vec(), near.exp()),
            Exact::Far(limbs) => (limbs.to_vec(), EXP_MIN),
        };
        make_absolute(&mut limbs);
        (limbs, exp)
    }

    /// The same number in the form that its value decides.
    fn shortest(&self) -> Exact {
        match self {
            Exact::Near(near) => Exact::Near(near.normal()),
            Exact::Far(limbs) => {
                narrowed(&limbs[..], NonZeroU32::MIN).map_or_else(|| self.clone(), Exact::Near)
            }
        }
    }
}

impl Default for Exact {
    #[inline]
    fn default() -> Exact {
        Exact::Near(Near::ZERO)
    }
}

/// `limbs`, least first and in two's complement, times 2^`exp`: as for floats, the exponent is kept
/// without a sign, and 1 stands for that of the least float. Zero is free to mark a far number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Near {
    limbs: [u64; 3],
    place: NonZeroU32,
}

impl Near {
    const ZERO: Near = Near { limbs: [0; 3], place: NonZeroU32::MIN };

    #[inline]
    fn of(value: f64) -> Near {
        debug_assert!(value.is_finite(), "{value} has no place in an exact sum");
        let bits = value.to_bits();
        let (raw, fraction) = ((bits >> 52 & 0x7ff) as u32, (bits & ((1 << 52) - 1)) as i64);
        // Numbers below the least normal one have the same exponent, but no hidden bit.
        let place = NonZeroU32::new(raw);
        let absolute = if place.is_none() { fraction } else { fraction | 1 << 52 };
        let integer = if value.is_sign_negative() { -absolute } else { absolute };
        let sign = (integer >> 63) as u64;
        Near { limbs: [integer as u64, sign, sign], place: place.unwrap_or(NonZeroU32::MIN) }
    }

    /// How far the lowest bit lies above that of the least float.
    #[inline]
    fn height(&self) -> u32 {
        self.place.get() - 1
    }

    /// The exponent of the lowest bit.
    fn exp(&self) -> i32 {
        self.height() as i32 + EXP_MIN
    }

    #[inline]
    fn is_zero(&self) -> bool {
        self.limbs == [0; 3]
    }

    /// How many bits it has beside the sign.
    #[inline]
    fn bits(&self) -> u32 {
        let sign = extension(&self.limbs);
        for (index, limb) in self.limbs.iter().enumerate().rev() {
            let differing = limb ^ sign;
            if differing != 0 {
                return 64 * (index as u32 + 1) - differing.leading_zeros();
            }
        }
        0
    }

    /// Adds another, unless the sum might be too wide for three limbs; says whether it did.
    #[inline]
    fn add(&mut self, other: &Near) -> bool {
        if self.place <= other.place {
            return self.add_higher(other);
        }
        let mut sum = *other;
        let added = sum.add_higher(self);
        if added {
            *self = sum;
        }
        added
    }

    /// As [`Near::add`], of one whose place is not lower.
    #[inline]
    fn add_higher(&mut self, higher: &Near) -> bool {
        let shift = higher.height() - self.height();
        if ROOM_BITS < higher.bits() + shift || ROOM_BITS < self.bits() {
            if self.is_zero() {
                *self = *higher;
                return true;
            }
            return higher.is_zero();
        }
        // What `add_shifted` does, for three limbs and without a loop: four times as fast.
        let [a, b, c] = higher.limbs;
        let [low, middle, high] = match shift / 64 {
            0 => [a, b, c],
            1 => [0, a, b],
            _ => [0, 0, a],
        };
        let bits = shift % 64;
        let lower = joined((joined(middle, low) << bits >> 64) as u64, low << bits);
        let upper = (joined(high, middle) << bits >> 64) as u64;
        let (sum, carry) = joined(self.limbs[1], self.limbs[0]).overflowing_add(lower);
        let top = self.limbs[2].wrapping_add(upper).wrapping_add(u64::from(carry));
        self.limbs = [sum as u64, (sum >> 64) as u64, top];
        true
    }

    /// As the limbs of a far number.
    fn widened(&self) -> Box<[u64; FAR_LIMBS]> {
        let mut limbs = Box::new([0; FAR_LIMBS]);
        self.add_to(&mut limbs);
        limbs
    }

    /// Adds it to a far number.
    fn add_to(&self, far: &mut [u64; FAR_LIMBS]) {
        if !self.is_zero() {
            add_shifted(far, &self.limbs, self.height());
        }
    }

    /// The same number without zeros at its low end: its only such form.
    fn normal(&self) -> Near {
        narrowed(&self.limbs, self.place).expect("three limbs fit in three limbs")
    }

    fn rounded(&self) -> f64 {
        let mut magnitude = self.limbs;
        let negative = make_absolute(&mut magnitude);
        rounded(negative, &magnitude, self.exp())
    }
}

/// The limb that stands above the highest one: all zeros, or all ones for a negative number.
#[inline]
fn extension(limbs: &[u64]) -> u64 {
    limbs.last().map_or(0, |top| (*top as i64 >> 63) as u64)
}

/// Adds `number` · 2^`shift` to `sum`, both in two's complement; `sum` must have the room.
#[inline]
fn add_shifted(sum: &mut [u64], number: &[u64], shift: u32) {
    let (skipped, bits) = ((shift / 64) as usize, shift % 64);
    let sign = extension(number);
    let (mut below, mut carry) = (0u64, false);
    for (index, limb) in sum.iter_mut().skip(skipped).enumerate() {
        // Above the number, a carry out of a negative one cancels all further ones.
        if number.len() < index && carry == (sign != 0) {
            return;
        }
        let word = number.get(index).copied().unwrap_or(sign);
        let shifted = (joined(word, below) << bits >> 64) as u64;
        below = word;
        let (partial, first) = limb.overflowing_add(shifted);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        (*limb, carry) = (total, first | second);
    }
}

/// Two limbs as one number.
#[inline]
fn joined(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// Makes a number in two's complement its absolute value; says whether it was negative.
fn make_absolute(limbs: &mut [u64]) -> bool {
    let negative = extension(limbs) != 0;
    if negative {
        let mut carry = true;
        for limb in limbs {
            (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
        }
    }
    negative
}

/// The number as a near one without zeros at its low end, if it is narrow enough.
fn narrowed(limbs: &[u64], place: NonZeroU32) -> Option<Near> {
    let Some(lowest) = limbs.iter().position(|limb| *limb != 0) else { return Some(Near::ZERO) };
    let (sign, zeros) = (extension(limbs), limbs[lowest].trailing_zeros());
    let limb = |index: usize| limbs.get(index).copied().unwrap_or(sign);
    let word = |index| (joined(limb(lowest + index + 1), limb(lowest + index)) >> zeros) as u64;
    let kept = [word(0), word(1), word(2)];
    let above = extension(&kept);
    let fits = above == sign && (3..limbs.len() - lowest).all(|i| word(i) == sign);
    let place = place.saturating_add(64 * lowest as u32 + zeros);
    fits.then_some(Near { limbs: kept, place })
}

/// The float nearest to `magnitude` · 2^`exp`; of two equally near, the even one.
pub(crate) fn rounded(negative: bool, magnitude: &[u64], exp: i32) -> f64 {
    let Some(top) = magnitude.iter().rposition(|limb| *limb != 0) else { return 0.0 };
    let limb = |index: Option<usize>| index.map_or(0, |index| magnitude[index]);
    let zeros = magnitude[top].leading_zeros();
    let (below, rest) = (top.checked_sub(1), top.saturating_sub(1));
    // The 64 highest bits, and whether anything is left below them.
    let highest = (joined(magnitude[top], limb(below)) << zeros >> 64) as u64;
    let sticky = limb(below) << zeros != 0 || magnitude[..rest].iter().any(|limb| *limb != 0);
    let exp = exp + (64 * top as i32) - zeros as i32;

    // 53 bits remain, fewer where the least float has a greater exponent; beyond 66 it is zero.
    let dropped = (EXP_MIN - exp).clamp(11, 66);
    let exp = exp + dropped;
    let (kept, lost) = (u128::from(highest) >> dropped, u128::from(highest) & ((1 << dropped) - 1));
    let half = 1u128 << (dropped - 1);
    let up = half < lost || (half == lost && (sticky || kept & 1 == 1));
    let kept = kept as u64 + u64::from(up);

    // A carry into the exponent is just what rounding up to the next power of two needs.
    let absolute = match kept.checked_sub(1 << 52) {
        None => f64::from_bits(kept),
        Some(_) if 971 < exp => f64::INFINITY,
        Some(fraction) => f64::from_bits((((exp + 1075) as u64) << 52) + fraction),
    };
    if negative { -absolute } else { absolute }
}

/// How a sum is written: the first form that can hold it.
#[derive(Serialize, Deserialize)]
enum Written {
    Float(f64),
    Near(NonZeroU32, [u64; 3]),
    Far(Vec<u64>),
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self.shortest() {
            Exact::Near(near) => {
                let float = near.rounded();
                if float.is_finite() && Near::of(float).normal() == near {
                    Written::Float(float)
                } else {
                    Written::Near(near.place, near.limbs)
                }
            }
            Exact::Far(limbs) => Written::Far(limbs.to_vec()),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        let wrong = || D::Error::custom("an exact sum is out of range");
        Ok(match Written::deserialize(deserializer)? {
            Written::Float(value) if value.is_finite() => Exact::of(value),
            Written::Float(_) => return Err(wrong()),
            Written::Near(place, _) if PLACE_MAX < place.get() => return Err(wrong()),
            Written::Near(place, limbs) => Exact::Near(Near { limbs, place }),
            Written::Far(limbs) => Exact::Far(Box::new(limbs.try_into().map_err(|_| wrong())?)),
        })
    }
}

#[cfg(test)]
mod tests;
