//! [`Floats`]: the exact sum of floats and how many there are, for sums, means and variances.

use serde::{Deserialize, Serialize};

use super::exact::Exact;

/// How many floats, and their exact sum; those that are not finite are counted, not added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Floats {
    count: u64,
    not_finite: u64,
    sum: Exact,
}

impl Floats {
    /// One value, or none.
    #[inline]
    pub(crate) fn of(value: Option<f64>) -> Floats {
        match value {
            None => Floats::default(),
            Some(value) if value.is_finite() => {
                Floats { count: 1, not_finite: 0, sum: Exact::of(value) }
            }
            Some(_) => Floats { count: 1, not_finite: 1, sum: Exact::default() },
        }
    }

    /// Adds the values of another.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Floats) {
        self.count += other.count;
        self.not_finite += other.not_finite;
        self.sum.merge(&other.sum);
    }

    /// How many values, also those that are not finite.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The sum before it is rounded, if there are values and all are finite.
    pub(crate) fn exact(&self) -> Option<&Exact> {
        (0 < self.count && self.not_finite == 0).then_some(&self.sum)
    }

    /// The rounded sum, if there are values and it is finite.
    pub(crate) fn sum(&self) -> Option<f64> {
        self.exact().map(Exact::get).filter(|sum| sum.is_finite())
    }

    /// The mean: the rounded sum, divided once.
    pub(crate) fn mean(&self) -> Option<f64> {
        self.sum().map(|sum| sum / self.count as f64)
    }
}
