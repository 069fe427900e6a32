//! Sums at the borders of floats, against integers of 128 bits, and what bytes hold one.

use super::*;
use crate::aggregate::laws::Random;

/// The exact sum of values, in the order given.
fn sum(values: &[f64]) -> Exact {
    let mut sum = Exact::default();
    values.iter().for_each(|value| sum.merge(&Exact::of(*value)));
    sum
}

/// Checks the sum in the order given and the reverse, and with the negated values.
fn check(values: &[f64], expect: f64) {
    let reverse: Vec<f64> = values.iter().rev().copied().collect();
    let negated: Vec<f64> = values.iter().map(|value| -value).collect();
    assert_eq!(sum(values).get().to_bits(), expect.to_bits(), "{values:?}");
    assert_eq!(sum(&reverse).get().to_bits(), expect.to_bits(), "{reverse:?}");
    let negative = if expect == 0.0 { 0.0 } else { -expect };
    assert_eq!(sum(&negated).get().to_bits(), negative.to_bits(), "{negated:?}");
}

const TWO_53: f64 = 9_007_199_254_740_992.0;
const LEAST: f64 = 5e-324;

#[test]
fn sums_are_rounded_once_half_to_even() {
    check(&[], 0.0);
    check(&[-0.0, -0.0], 0.0);
    check(&[0.1, 0.2, 0.3], 0.6);
    check(&[0.1; 10], 1.0);
    check(&[1e16, 1.0, 1.0], 1e16 + 2.0);
    check(&[TWO_53, 1.0], TWO_53);
    check(&[TWO_53 + 2.0, 1.0], TWO_53 + 4.0);
    check(&[TWO_53, 1.0, LEAST], TWO_53 + 2.0);
    check(&[TWO_53, 1.0, -LEAST], TWO_53);
    check(&[TWO_53 * 2.0 - 1.0, 0.5], TWO_53 * 2.0);
}

#[test]
fn sums_span_all_floats() {
    check(&[1e308, 1.0, LEAST, -1e308, -1.0], LEAST);
    check(&[f64::MAX, f64::MAX, -f64::MAX], f64::MAX);
    check(&[f64::MAX, f64::MAX], f64::INFINITY);
    check(&[f64::MAX, 2f64.powi(970)], f64::INFINITY);
    check(&[f64::MAX, 2f64.powi(970), -LEAST], f64::MAX);
    check(&[LEAST, LEAST, LEAST], 3.0 * LEAST);
    check(&[f64::MIN_POSITIVE, -LEAST], f64::MIN_POSITIVE - LEAST);
    check(&[f64::MIN_POSITIVE - LEAST, LEAST], f64::MIN_POSITIVE);
}

#[test]
fn near_sums_agree_with_integers_of_128_bits() {
    let mut random = Random::new(1);
    for _ in 0..2_000 {
        let (mut values, mut integer) = (Vec::new(), 0i128);
        for _ in 0..=random.below(40) {
            let value = (random.next() as i64) >> random.below(12) << random.below(4);
            let shift = random.below(40);
            integer += (value as f64 as i128) << shift;
            values.push(value as f64 * (1u64 << shift) as f64);
        }
        // The conversion of an integer to a float rounds half to even.
        check(&values, integer as f64);
    }
}

#[test]
fn far_sums_agree_with_near_ones_after_what_made_them_far_is_gone() {
    let mut random = Random::new(2);
    for _ in 0..2_000 {
        let values: Vec<f64> = (0..5).map(|_| random.float(60)).collect();
        let (near, mut far) = (sum(&values), sum(&[1e300, 1e-300]));
        values.iter().for_each(|value| far.merge(&Exact::of(*value)));
        assert!(matches!((&near, &far), (Exact::Near(_), Exact::Far(_))));
        far.merge(&sum(&[-1e-300, -1e300]));
        assert_eq!(near.get().to_bits(), far.get().to_bits(), "{values:?}");
        let bytes = |sum: &Exact| bincode::serialize(sum).unwrap();
        assert_eq!(bytes(&near), bytes(&far), "{values:?}");
    }
}

#[test]
fn a_sum_is_written_as_short_as_its_value_allows() {
    let length = |values: &[f64]| bincode::serialize(&sum(values)).unwrap().len();
    assert_eq!(length(&[0.5, 0.25]), 12);
    assert_eq!(length(&[0.1, 1e30]), 32);
    assert_eq!(length(&[1e300, 1e-300]), 4 + 8 + 8 * FAR_LIMBS);
    assert_eq!(length(&[1e300, 0.1, -1e300]), 12);
}

#[test]
fn bytes_that_are_no_sum_are_refused() {
    let refused = |written: Written| {
        bincode::deserialize::<Exact>(&bincode::serialize(&written).unwrap()).is_err()
    };
    assert!(refused(Written::Float(f64::NAN)));
    let near = |place| Written::Near(NonZeroU32::new(place).unwrap(), [1, 0, 0]);
    assert!(refused(near(PLACE_MAX + 1)));
    assert!(!refused(near(PLACE_MAX)));
    assert!(refused(Written::Far(vec![1; FAR_LIMBS - 1])));
    assert!(!refused(Written::Far(vec![1; FAR_LIMBS])));
}

#[test]
fn it_stays_small() {
    assert_eq!(size_of::<Exact>(), 32);
}
