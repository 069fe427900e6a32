//! Pure functions of what aggregates gave: rounding, ratios, z-scores, Java's text of floats.
//!
//! They give, bit for bit, what the replaced systems gave; what those were measured to give is in
//! the tests.

use compact_str::format_compact;

use crate::aggregate::{Aggregate, Number, Sum, Variance};
use crate::row::Decimal;
use crate::text::Text;

/// Rounds to two decimals, half away from zero, on the shortest decimal text of the number and not
/// on its binary value. NaN and infinities are unchanged.
///
/// ```
/// use highwater::stats::round2;
/// assert_eq!(round2(2.675), 2.68);
/// assert_eq!(round2(1.005), 1.01);
/// assert_eq!(round2(-0.125), -0.13);
/// ```
pub fn round2(x: f64) -> f64 {
    let hundredths = x * 100.0;
    let from_tie = (hundredths - hundredths.floor() - 0.5).abs();
    // Text and binary value differ by less than 1e-7 here, so only near a tie does the text matter.
    if hundredths.abs() < 1e8 && 1e-6 < from_tie {
        // Adding zero takes the sign off a zero.
        return hundredths.round() / 100.0 + 0.0;
    }
    round_text(x, 2)
}

/// Rounds half away from zero to so many decimals, on the shortest text of the number.
fn round_text(x: f64, decimals: i32) -> f64 {
    if !x.is_finite() {
        return x;
    }
    let Shortest { negative, digits, exponent } = Shortest::of(x);
    // So many digits stand before the place where the number is cut.
    let kept = exponent + 1 + decimals;
    if digits.len() as i32 <= kept {
        return x;
    }
    let kept = match usize::try_from(kept) {
        Ok(kept) => kept,
        Err(_) => return 0.0,
    };
    let (head, tail) = digits.split_at(kept);
    let head: u64 = if head.is_empty() { 0 } else { head.parse().expect("at most 17 digits") };
    let absolute = head + u64::from(b'5' <= tail.as_bytes()[0]);
    let sign = if negative && absolute != 0 { "-" } else { "" };
    format_compact!("{sign}{absolute}e-{decimals}").parse().expect("a number was written")
}

/// `part` divided by `whole`. `None` where one is NULL, `whole` is zero, or the result not finite.
///
/// ```
/// use highwater::stats::ratio;
/// assert_eq!(ratio(1, 4), Some(0.25));
/// assert_eq!(ratio(1, 0), None);
/// assert_eq!(ratio(None::<f64>, 4), None);
/// ```
pub fn ratio(part: impl Number<f64>, whole: impl Number<f64>) -> Option<f64> {
    let (part, whole) = (part.number()?, whole.number()?);
    let ratio = part / whole;
    (whole != 0.0 && ratio.is_finite()).then_some(ratio)
}

/// How many per cent of `whole` the `part` is: divided first, then times 100, then [`round2`], as
/// the replaced systems do; 23 of 160 are 14.37, though exactly 14.375. `None` as for [`ratio`].
///
/// ```
/// use highwater::stats::percent;
/// assert_eq!(percent(1, 3), Some(33.33));
/// assert_eq!(percent(23, 160), Some(14.37));
/// assert_eq!(percent(0, 0), None);
/// ```
pub fn percent(part: impl Number<f64>, whole: impl Number<f64>) -> Option<f64> {
    ratio(part, whole).map(|ratio| round2(ratio * 100.0))
}

/// `part` divided by `whole` as a decimal, half away from zero, in whole numbers. `None` where
/// `whole` is zero or the result beyond all decimals.
///
/// ```
/// use highwater::row::Decimal;
/// use highwater::stats::decimal;
/// assert_eq!(decimal(7, 5), Some(Decimal(140)));
/// assert_eq!(decimal(-1, 200), Some(Decimal(-1)));
/// assert_eq!(decimal(7, 0), None);
/// ```
pub fn decimal(part: i128, whole: i128) -> Option<Decimal> {
    let twice = part.checked_mul(200)?.checked_div(whole)?;
    // Cut off toward zero, so that an odd one is half a hundredth or more away from it.
    Some(Decimal(twice / 2 + twice % 2))
}

/// The mean and the population standard deviation; `None` without values or if one is not finite.
///
/// ```
/// use highwater::stats::mean_and_deviation;
/// assert_eq!(mean_and_deviation([1, 2, 3, 4, 5]), Some((3.0, 2f64.sqrt())));
/// ```
pub fn mean_and_deviation<N: Number<f64>>(
    values: impl IntoIterator<Item = N>,
) -> Option<(f64, f64)> {
    let mut all = Variance::default();
    for value in values {
        all.absorb(Variance::of(value));
    }
    all.mean().zip(all.population_deviation())
}

/// How many standard deviations `x` lies above the mean of a baseline, but of deviations that are
/// at least `floor`; 0 where that is 0 too. `None` if the baseline or `x` is NULL.
///
/// If `x` is itself one of the n values of the baseline, the result is at most √(n − 1).
///
/// ```
/// use highwater::stats::z_score;
/// assert_eq!(z_score([1.0, 3.0], 5.0, 0.0), Some(3.0));
/// assert_eq!(z_score([2.0, 2.0], 3.0, 0.5), Some(2.0));
/// assert_eq!(z_score([2.0, 2.0], 3.0, 0.0), Some(0.0));
/// assert_eq!(z_score([0.0; 0], 3.0, 0.0), None);
/// ```
pub fn z_score<N: Number<f64>>(
    baseline: impl IntoIterator<Item = N>,
    x: impl Number<f64>,
    floor: f64,
) -> Option<f64> {
    let (mean, deviation) = mean_and_deviation(baseline)?;
    let (distance, unit) = (x.number()? - mean, deviation.max(floor));
    if unit == 0.0 { Some(0.0) } else { ratio(distance, unit) }
}

/// The correlation of Pearson of pairs of values, from −1 to 1. `None` where one of both does not
/// vary, or a value is not finite.
///
/// ```
/// use highwater::stats::correlation;
/// assert_eq!(correlation([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]), Some(1.0));
/// assert_eq!(correlation([[1.0, 6.0], [2.0, 4.0], [3.0, 2.0]]), Some(-1.0));
/// assert_eq!(correlation([[1.0, 2.0], [1.0, 4.0]]), None);
/// ```
pub fn correlation(pairs: impl IntoIterator<Item = [f64; 2]>) -> Option<f64> {
    let pairs: Vec<[f64; 2]> = pairs.into_iter().collect();
    let [mut a, mut b] = [Variance::default(), Variance::default()];
    for pair in &pairs {
        a.absorb(Variance::of(pair[0]));
        b.absorb(Variance::of(pair[1]));
    }
    let (mean_a, mean_b) = (a.mean()?, b.mean()?);
    let mut products = Sum::<f64>::default();
    for pair in &pairs {
        products.absorb(Sum::of((pair[0] - mean_a) * (pair[1] - mean_b)));
    }
    let covariance = products.get()? / pairs.len() as f64;
    let scale = (a.population()? * b.population()?).sqrt();
    // Rounding may lead a hair beyond the border.
    ratio(covariance, scale).map(|found| found.clamp(-1.0, 1.0))
}

/// A float as Java prints it: `2.0`, `0.016666666666666666`, `1.0E7` from 10^7 on, `1.0E-4` below
/// 10^-3.
///
/// ```
/// use highwater::stats::java_double;
/// assert_eq!(java_double(100.0), "100.0");
/// assert_eq!(java_double(12345678.9), "1.23456789E7");
/// ```
pub fn java_double(x: f64) -> Text {
    if x.is_nan() {
        return "NaN".into();
    }
    if x.is_infinite() {
        return if x < 0.0 { "-Infinity" } else { "Infinity" }.into();
    }
    if x == 0.0 || (1e-3..1e7).contains(&x.abs()) {
        return format_compact!("{x:?}");
    }
    let Shortest { negative, digits, exponent } = Shortest::of(x);
    let (sign, (first, rest)) = (if negative { "-" } else { "" }, digits.split_at(1));
    let rest = if rest.is_empty() { "0" } else { rest };
    format_compact!("{sign}{first}.{rest}E{exponent}")
}

/// The shortest decimal text that reads back as the same float: 0.`digits` · 10^(`exponent` + 1).
struct Shortest {
    negative: bool,
    digits: Text,
    exponent: i32,
}

impl Shortest {
    fn of(x: f64) -> Shortest {
        let text = format_compact!("{:e}", x.abs());
        let (digits, exponent) = text.split_once('e').expect("the form {:e} has an exponent");
        Shortest {
            negative: x.is_sign_negative(),
            digits: digits.chars().filter(char::is_ascii_digit).collect(),
            exponent: exponent.parse().expect("the exponent is an integer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_up_on_the_text() {
        let check = |x: f64, decimals, expect: f64| {
            assert_eq!(round_text(x, decimals).to_bits(), expect.to_bits(), "{x} to {decimals}");
            if decimals == 2 {
                assert_eq!(round2(x).to_bits(), expect.to_bits(), "{x}");
            }
        };
        check(2.675, 2, 2.68);
        check(1.005, 2, 1.01);
        check(0.125, 2, 0.13);
        check(-2.5, 0, -3.0);
        check(14.374999999999998, 2, 14.37);
        check(9.995, 2, 10.0);
        check(0.005, 2, 0.01);
        check(0.0049, 2, 0.0);
        check(0.0005, 2, 0.0);
        check(-0.001, 2, 0.0);
        check(0.06, 2, 0.06);
        check(1e300, 2, 1e300);
        check(1e-300, 2, 0.0);
        check(100.0, 2, 100.0);
        check(12_345_678_901_234.566, 2, 12_345_678_901_234.57);
        check(f64::INFINITY, 2, f64::INFINITY);
        assert!(round2(f64::NAN).is_nan());
    }

    #[test]
    fn the_short_way_of_rounding_agrees_with_the_text() {
        let mut random = crate::aggregate::laws::Random::new(3);
        for _ in 0..50_000 {
            let x = random.float(20);
            assert_eq!(round2(x).to_bits(), round_text(x, 2).to_bits(), "{x:?}");
            let near_tie = (x * 100.0).floor() / 100.0 + 0.005;
            assert_eq!(
                round2(near_tie).to_bits(),
                round_text(near_tie, 2).to_bits(),
                "{near_tie:?}"
            );
        }
    }

    #[test]
    fn percent_differs_from_the_exact_value_for_88_pairs() {
        let mut differing = 0;
        for whole in 1..=2000u64 {
            for part in 0..=whole {
                let exact = (part * 20_000 + whole) / (2 * whole);
                let found = percent(part, whole).unwrap();
                differing += u64::from((found * 100.0).round() as u64 != exact);
            }
        }
        assert_eq!(differing, 88);
    }

    #[test]
    fn decimals_are_exact_halves_away_from_zero() {
        let check = |part, whole, expect| {
            assert_eq!(decimal(part, whole), Some(Decimal(expect)), "{part} / {whole}");
            assert_eq!(decimal(-part, whole), Some(Decimal(-expect)), "-{part} / {whole}");
            assert_eq!(decimal(part, -whole), Some(Decimal(-expect)), "{part} / -{whole}");
        };
        check(0, 60, 0);
        check(1, 60, 2);
        check(3, 60, 5);
        check(40, 60, 67);
        check(1, 200, 1);
        check(199, 40_000, 0);
        check(200, 40_000, 1);
        check(59, 60, 98);
        check(100, 3, 3_333);
        check(200, 3, 6_667);
        check(i128::from(i64::MAX), 60, 15_372_286_728_091_293_012);
    }

    #[test]
    fn floats_print_as_in_java() {
        let check = |x: f64, expect: &str| assert_eq!(java_double(x), expect);
        check(2.0, "2.0");
        check(100.0, "100.0");
        check(1.0 / 60.0, "0.016666666666666666");
        check(1e7, "1.0E7");
        check(9_999_999.0, "9999999.0");
        check(-1.5e10, "-1.5E10");
        check(1e-3, "0.001");
        check(1e-4, "1.0E-4");
        check(1.25e-300, "1.25E-300");
        check(-1.25e-5, "-1.25E-5");
        check(9_999_999.5, "9999999.5");
        check(1.234_567_89e8, "1.23456789E8");
        check(1e300, "1.0E300");
        check(-0.0, "-0.0");
        check(f64::NEG_INFINITY, "-Infinity");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn correlations_are_those_of_the_definition() {
        let pairs = [[1.0, 2.0], [2.0, 1.0], [3.0, 4.0], [4.0, 3.0]];
        let found = correlation(pairs);
        assert!(found.is_some_and(|found| (found - 0.6).abs() < 1e-15), "{found:?}");
        assert_eq!(correlation([]), None);
        assert_eq!(correlation([[1.0, 2.0]]), None);
        assert_eq!(correlation([[1.0, f64::NAN], [2.0, 1.0]]), None);
        let tiny = correlation((0..60).map(|n| [0.1 * f64::from(n), -0.3 * f64::from(n)]));
        assert!(tiny.is_some_and(|found| (found + 1.0).abs() < 1e-12), "{tiny:?}");
    }

    #[test]
    fn a_z_score_within_its_own_baseline_is_limited() {
        let mut rates = vec![0.1; 9];
        rates.push(7.3);
        let z = z_score(rates.iter().copied(), 7.3, 0.0).unwrap();
        assert!((z - 3.0).abs() < 1e-12, "{z}");
        assert_eq!(z_score(rates[..9].iter().copied(), 0.1, 0.0), Some(0.0));
    }

    #[test]
    fn the_floor_is_the_least_deviation() {
        let z = z_score([0.5; 10], 0.55, 1.0 / 60.0).unwrap();
        assert!((z - 3.0).abs() < 1e-12, "{z}");
        assert_eq!(z_score([1.0, f64::NAN], 2.0, 0.1), None);
        assert_eq!(z_score([1.0, 2.0], None::<f64>, 0.1), None);
    }
}
