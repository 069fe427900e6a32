//! [`Sum`]: exact sums of integers and of floats; NULL without values.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::floats::Floats;
use super::{Aggregate, Number};
use crate::row::{Cell, Cells, Column, Field, Type};

/// The sum of the values that are there: of `i64` in 128 bits, of `f64` exactly, rounded once.
///
/// ```
/// use highwater::prelude::*;
/// let mut seconds: Sum<i64> = Sum::of(40i64);
/// seconds.merge(&Sum::of(None::<i64>));
/// seconds.merge(&Sum::of(2i32));
/// assert_eq!(seconds.get(), Some(42));
/// assert_eq!(Sum::<i64>::default().get(), None);
///
/// let mut amount = Sum::<f64>::default();
/// for value in [1e16, 0.1, -1e16] {
///     amount.merge(&Sum::of(value));
/// }
/// assert_eq!(amount.get(), Some(0.1));
/// ```
///
/// A sum of integers that does not fit 64 bits makes its row unfit; a sum of floats that is not
/// finite, or has a value that is not, is NULL.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Sum<N: Summand>(N::Total);

/// What can be summed: `i64` and `f64`.
pub trait Summand: Clone + Debug + Default + Send + 'static {
    /// The sum of no, one or many values.
    type Total: Clone + Debug + Default + Send + Serialize + DeserializeOwned + 'static;

    /// The total of one value, or of none.
    fn total(value: Option<Self>) -> Self::Total;

    /// Adds another total.
    fn add(total: &mut Self::Total, other: &Self::Total);
}

impl<N: Summand> Sum<N> {
    /// The sum of one value; of none for NULL.
    #[inline]
    pub fn of(value: impl Number<N>) -> Sum<N> {
        Sum(N::total(value.number()))
    }
}

impl Sum<i64> {
    /// The sum, if there are values.
    pub fn get(&self) -> Option<i128> {
        self.0
    }
}

impl Sum<f64> {
    /// The sum, correctly rounded, if there are values and it is finite.
    pub fn get(&self) -> Option<f64> {
        self.0.sum()
    }
}

impl<N: Summand> Aggregate for Sum<N> {
    #[inline]
    fn merge(&mut self, other: &Sum<N>) {
        N::add(&mut self.0, &other.0);
    }
}

impl Summand for i64 {
    type Total = Option<i128>;

    #[inline]
    fn total(value: Option<i64>) -> Option<i128> {
        value.map(i128::from)
    }

    #[inline]
    fn add(total: &mut Option<i128>, other: &Option<i128>) {
        if let Some(other) = other {
            // 2^64 values of 64 bits each cannot leave 128 bits.
            *total = Some(total.unwrap_or(0) + other);
        }
    }
}

impl Summand for f64 {
    type Total = Floats;

    #[inline]
    fn total(value: Option<f64>) -> Floats {
        Floats::of(value)
    }

    #[inline]
    fn add(total: &mut Floats, other: &Floats) {
        total.merge(other);
    }
}

impl Field for Sum<i64> {
    fn columns(name: &str, _nullable: bool, columns: &mut Vec<Column>) {
        columns.push(Column { name: name.into(), kind: Type::I64, nullable: true });
    }

    fn put(&self, cells: &mut Cells) {
        let narrow = self.0.map(i64::try_from);
        if let (Some(Err(_)), Some(sum)) = (narrow, self.0) {
            cells.misfit(|| format!("the sum {sum} does not fit 64 bits"));
        }
        cells.push(narrow.and_then(Result::ok).map_or(Cell::Null, Cell::I64));
    }

    fn put_null(cells: &mut Cells) {
        cells.push(Cell::Null);
    }
}

impl Field for Sum<f64> {
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
    use crate::row::{Change, Mark, Origin, Position, Row, Rows};

    #[test]
    fn the_law_holds_for_integers() {
        laws::hold(|random| {
            let value = random.next() as i64 >> random.below(60);
            Sum::<i64>::of(random.maybe(value))
        });
    }

    #[test]
    fn the_law_holds_for_floats_of_like_and_of_unlike_size() {
        for spread in [1, 40, 400, 1000] {
            laws::hold(|random| {
                let value = random.float(spread);
                Sum::<f64>::of(random.maybe(value))
            });
        }
    }

    #[test]
    fn the_law_holds_for_floats_that_cancel_or_are_not_finite() {
        let values = [1e300, -1e300, 1e-300, 0.1, -0.1, -0.0, 5e-324, f64::MAX];
        laws::hold(|random| Sum::<f64>::of(values[random.below(8) as usize]));
        let values = [1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        laws::hold(|random| {
            let last = 1 + random.below(4);
            Sum::<f64>::of(values[random.below(last) as usize])
        });
    }

    #[test]
    fn values_that_are_not_finite_make_the_sum_null() {
        let mut sum = Sum::<f64>::of(1.0);
        sum.merge(&Sum::of(f64::INFINITY));
        assert_eq!(sum.get(), None);
        let mut sum = Sum::<f64>::of(f64::MAX);
        sum.merge(&Sum::of(f64::MAX));
        assert_eq!(sum.get(), None);
    }

    struct Total(Sum<i64>);

    impl Row for Total {
        fn columns() -> Vec<Column> {
            let mut columns = vec![];
            Sum::<i64>::columns("total", false, &mut columns);
            columns
        }

        fn put(&self, cells: &mut Cells) {
            self.0.put(cells);
        }
    }

    #[test]
    fn a_sum_beyond_64_bits_makes_its_row_unfit() {
        let mark = Mark { change: Change::Final, origin: Origin::Record(Position::default()) };
        let mut sum = Sum::<i64>::of(i64::MAX);
        let mut rows = Rows::default();
        rows.put(mark, &Total(sum.clone())).unwrap();
        sum.merge(&Sum::of(1i64));
        assert_eq!(sum.get(), Some(1 << 63));
        let why = rows.put(mark, &Total(sum)).unwrap_err();
        assert_eq!(why, "the sum 9223372036854775808 does not fit 64 bits");
        assert_eq!(rows.len(), 1);
    }
}
