//! Random walks of which any point can be found at once, and the few functions they need.
//!
//! A walk is refined from the outside in: it is 0 at both ends of a long span, the middle is drawn
//! around the mean of the ends, then the middles of the halves, and so on. That gives the steps of
//! a walk the distribution that they would have one after another.
//!
//! Only operations that are exact on every machine are used, so `exp` is our own.

use crate::random::hash;

/// Steps of a span, as a power of two.
const LEVELS: u32 = 14;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk(pub(super) u64);

impl Walk {
    /// Where the walk is; its steps have the deviation 1.
    pub(super) fn at(self, step: i64) -> f64 {
        let span = 1 << LEVELS;
        let (mut begin, mut width) = (step.div_euclid(span) * span, span);
        let (mut from, mut to) = (0.0, 0.0);
        while begin != step {
            let half = width / 2;
            let bits = hash(self.0, (begin + half) as u64);
            let middle = (from + to) / 2.0 + (width as f64).sqrt() / 2.0 * normal(bits);
            if step < begin + half {
                to = middle;
            } else {
                begin += half;
                from = middle;
            }
            width = half;
        }
        from
    }
}

/// A number with mean 0 and deviation 1, nearly normal: the sum of four even ones.
#[inline]
pub(super) fn normal(bits: u64) -> f64 {
    const MASK: u64 = 0xffff;
    let sum = (bits & MASK) + (bits >> 16 & MASK) + (bits >> 32 & MASK) + (bits >> 48);
    // A sum of four numbers in 0 to 1 has the mean 2 and the variance 1/3.
    (sum as f64 / 65_535.0 - 2.0) * 1.732_050_807_568_877_2
}

/// The exponential function, for arguments of a few units.
pub(super) fn exp(x: f64) -> f64 {
    let part = x / 64.0;
    let mut result = small_exp(part);
    for _ in 0..6 {
        result *= result;
    }
    result
}

/// The exponential function near 0.
#[inline]
pub(super) fn small_exp(x: f64) -> f64 {
    1.0 + x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0))))
}

/// Bends a number back into the range from `least` to `most`, as mirrors at both ends would.
pub(super) fn folded(x: f64, least: f64, most: f64) -> f64 {
    let width = most - least;
    let turns = (x - least) / (2.0 * width);
    let within = (turns - turns.floor()) * 2.0 * width;
    least + if width < within { 2.0 * width - within } else { within }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_has_independent_steps_of_deviation_one() {
        let walk = Walk(7);
        let places: Vec<f64> = (-1_000..9_000).map(|step| walk.at(step)).collect();
        let steps: Vec<f64> = places.windows(2).map(|two| two[1] - two[0]).collect();
        let mean_of =
            |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / (steps.len() - 1) as f64;
        let variance = mean_of(&mut steps.iter().map(|step| step * step));
        let covariance = mean_of(&mut steps.windows(2).map(|two| two[0] * two[1]));
        assert!((0.95..1.05).contains(&variance), "{variance}");
        assert!(covariance.abs() < 0.05, "{covariance}");
        assert_eq!(walk.at(1 << LEVELS), 0.0);
        assert!(places.iter().any(|place| 20.0 < place.abs()), "it goes nowhere");
    }

    #[test]
    fn exp_and_folds_are_right() {
        for x in [-3.0_f64, -0.1, 0.0, 0.5, 2.0] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-9, "{x}");
        }
        let check = |x, expect: f64| assert!((folded(x, 1.0, 3.0) - expect).abs() < 1e-12, "{x}");
        check(1.5, 1.5);
        check(3.5, 2.5);
        check(0.5, 1.5);
        check(5.5, 1.5);
        check(-1.5, 2.5);
    }
}
