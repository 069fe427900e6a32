//! [`Mean`]: the average of the values that are there.

use serde::{Deserialize, Serialize};

use super::floats::Floats;
use super::{Aggregate, Number};
use crate::row::{Cells, Column, Field};

/// The average of values; NULL without any. The sum is exact, rounded once and divided once.
///
/// ```
/// use highwater::prelude::*;
/// let mut mean = Mean::of(1.5);
/// mean.merge(&Mean::of(2i64));
/// mean.merge(&Mean::of(None::<f64>));
/// assert_eq!(mean.get(), Some(1.75));
/// assert_eq!(Mean::default().get(), None);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mean(Floats);

impl Mean {
    /// The mean of one value; of none for NULL. Integers beyond 2^53 are rounded.
    #[inline]
    pub fn of(value: impl Number<f64>) -> Mean {
        Mean(Floats::of(value.number()))
    }

    /// The mean, if there are values and their sum is finite.
    pub fn get(&self) -> Option<f64> {
        self.0.mean()
    }

    /// How many values there are.
    pub fn count(&self) -> i64 {
        self.0.count() as i64
    }
}

impl Aggregate for Mean {
    #[inline]
    fn merge(&mut self, other: &Mean) {
        self.0.merge(&other.0);
    }
}

impl Field for Mean {
    fn columns(name: &str, _nullable: bool, columns: &mut Vec<Column>) {
        f64::columns(name, true, columns);
    }

    fn put(&self, cells: &mut Cells) {
        self.get().put(cells);
    }

    fn put_null(cells: &mut Cells) {
        f64::put_null(cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws;

    #[test]
    fn the_law_holds() {
        laws::hold(|random| {
            let value = random.float(30);
            Mean::of(random.maybe(value))
        });
    }

    #[test]
    fn one_sentiment_of_many_does_not_hide_the_others() {
        let mut mean = Mean::default();
        for value in [1e16, 1.0, 1.0, -1e16] {
            mean.merge(&Mean::of(value));
        }
        assert_eq!((mean.get(), mean.count()), (Some(0.5), 4));
    }
}
