//! [`Variance`]: variance and standard deviation from exact sums.

use serde::{Deserialize, Serialize};

use super::exact::{Exact, rounded};
use super::floats::Floats;
use super::natural::{difference, product, shifted};
use super::{Aggregate, Number};
use crate::row::{Cells, Column, Field};

/// How far values lie from their mean. Its column is the sample variance.
///
/// Values and both halves of their squares are summed exactly; the variance is computed from the
/// sums in whole numbers, so it loses nothing where the mean is large and the variance small.
/// Squares are exact for absolute values from 10^-145 on; from 10^154 on they are not finite, and
/// the variance is NULL.
///
/// ```
/// use highwater::prelude::*;
/// let mut variance = Variance::default();
/// for value in [1, 2, 4] {
///     variance.merge(&Variance::of(value));
/// }
/// assert_eq!(variance.sample(), Some(14.0 / 6.0));
/// assert_eq!(variance.population_deviation(), Some(1.247219128924647));
/// assert_eq!(Variance::of(1).sample(), None);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Variance {
    values: Floats,
    squares: Exact,
}

impl Variance {
    /// The variance of one value; of none for NULL.
    #[inline]
    pub fn of(value: impl Number<f64>) -> Variance {
        let Some(value) = value.number() else { return Variance::default() };
        let square = value * value;
        if !square.is_finite() {
            return Variance { values: Floats::of(Some(f64::NAN)), squares: Exact::default() };
        }
        let mut squares = Exact::of(square);
        // What rounding the square cut off: fused, the product is exact before it is subtracted.
        squares.merge(&Exact::of(value.mul_add(value, -square)));
        Variance { values: Floats::of(Some(value)), squares }
    }

    /// The variance of the values as a sample of more: divided by one less than their number.
    /// `None` for fewer than two.
    pub fn sample(&self) -> Option<f64> {
        self.divided(self.values.count().checked_sub(1)?)
    }

    /// The variance of the values as all there are: divided by their number. `None` without any.
    pub fn population(&self) -> Option<f64> {
        self.divided(self.values.count())
    }

    /// The standard deviation that belongs to [`Variance::sample`].
    pub fn sample_deviation(&self) -> Option<f64> {
        self.sample().map(f64::sqrt)
    }

    /// The standard deviation that belongs to [`Variance::population`].
    pub fn population_deviation(&self) -> Option<f64> {
        self.population().map(f64::sqrt)
    }

    /// The mean, as [`Mean`](super::Mean) has it, unless a square is not finite.
    pub fn mean(&self) -> Option<f64> {
        self.values.mean()
    }

    /// How many values there are.
    pub fn count(&self) -> i64 {
        self.values.count() as i64
    }

    /// The sum of squared distances from the mean, divided by `by`.
    fn divided(&self, by: u64) -> Option<f64> {
        if by == 0 {
            return None;
        }
        // n·Σx² − (Σx)², in whole numbers times a power of two: it is n times what is divided.
        let count = self.values.count();
        let (sum, sum_exp) = self.values.exact()?.magnitude();
        let (squares, squares_exp) = self.squares.magnitude();
        let (scaled, squared) = (product(&squares, &[count]), product(&sum, &sum));
        let exp = squares_exp.min(2 * sum_exp);
        let scaled = shifted(&scaled, (squares_exp - exp) as u32);
        let squared = shifted(&squared, (2 * sum_exp - exp) as u32);
        let distance = rounded(false, &difference(scaled, &squared), exp);
        let variance = distance / (u128::from(count) * u128::from(by)) as f64;
        variance.is_finite().then_some(variance)
    }
}

impl Aggregate for Variance {
    #[inline]
    fn merge(&mut self, other: &Variance) {
        self.values.merge(&other.values);
        self.squares.merge(&other.squares);
    }
}

impl Field for Variance {
    fn columns(name: &str, _nullable: bool, columns: &mut Vec<Column>) {
        f64::columns(name, true, columns);
    }

    fn put(&self, cells: &mut Cells) {
        self.sample().put(cells);
    }

    fn put_null(cells: &mut Cells) {
        f64::put_null(cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws;

    fn variance(values: &[f64]) -> Variance {
        let mut variance = Variance::default();
        values.iter().for_each(|value| variance.merge(&Variance::of(*value)));
        variance
    }

    #[test]
    fn the_law_holds() {
        for spread in [4, 40, 200] {
            laws::hold(|random| {
                let value = random.float(spread);
                Variance::of(random.maybe(value))
            });
        }
    }

    #[test]
    fn deviations_are_those_measured_within_the_last_bit() {
        // The replaced systems update a running mean and so depend on the order: their sample
        // deviation ends in 465; of the root of 14/6, 1.52752523165194667, 468 is the nearest.
        let values = variance(&[1.0, 2.0, 4.0]);
        assert_eq!(values.sample_deviation(), Some(1.5275252316519465f64.next_up()));
        assert_eq!(values.population_deviation(), Some(1.247219128924647));
    }

    #[test]
    fn a_large_mean_hides_no_variance() {
        let shifted = variance(&[1e9 + 1.0, 1e9 + 2.0, 1e9 + 4.0]);
        assert_eq!(shifted.population(), variance(&[1.0, 2.0, 4.0]).population());
        let shifted = variance(&[1e15 + 1.0, 1e15 + 2.0, 1e15 + 4.0]);
        assert_eq!(shifted.sample(), Some(14.0 / 6.0));
    }

    #[test]
    fn equal_values_have_none_to_the_last_bit() {
        for value in [0.1, 1.0 / 3.0, 1e150, 1e-300, 123_456.789] {
            assert_eq!(variance(&[value; 7]).population(), Some(0.0), "{value}");
        }
    }

    #[test]
    fn few_or_infinite_values_have_no_variance() {
        assert_eq!(variance(&[]).population(), None);
        assert_eq!(variance(&[5.0]).population(), Some(0.0));
        assert_eq!(variance(&[5.0]).sample(), None);
        assert_eq!(variance(&[1.0, f64::INFINITY]).sample(), None);
        assert_eq!(variance(&[1.0, 1e200]).sample(), None);
    }
}
