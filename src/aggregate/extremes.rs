//! [`Min`] and [`Max`]: the least and the greatest value.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Value};
use crate::row::{Cells, Column, Field};

/// The least value; NULL without any. NULL and NaN are no values.
///
/// ```
/// use highwater::prelude::*;
/// let mut first: Min<Time> = Min::of(Time::from_seconds(9));
/// first.merge(&Min::of(None));
/// first.merge(&Min::of(Time::from_seconds(7)));
/// assert_eq!(first.get(), Some(&Time::from_seconds(7)));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Value")]
pub struct Min<T>(Option<T>);

/// The greatest value; NULL without any. NULL and NaN are no values.
///
/// ```
/// use highwater::prelude::*;
/// let mut price: Max<f64> = Max::of(1.25);
/// price.merge(&Max::of(Some(2.5)));
/// assert_eq!(price.get(), Some(&2.5));
/// assert_eq!(Max::<f64>::default().get(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Value")]
pub struct Max<T>(Option<T>);

macro_rules! extreme {
    ($name:ident, $what:literal, $better:expr) => {
        impl<T: Value> $name<T> {
            /// The aggregate of one value; of none for NULL.
            #[inline]
            pub fn of(value: impl Into<Option<T>>) -> $name<T> {
                $name(value.into().filter(|value| !value.is_absent()))
            }

            #[doc = $what]
            #[inline]
            pub fn get(&self) -> Option<&T> {
                self.0.as_ref()
            }

            /// Whether a value takes the place of the one that is held.
            #[inline]
            fn yields_to(&self, value: &T) -> bool {
                self.0.as_ref().is_none_or(|held| value.order(held) == $better)
            }
        }

        impl<T: Value> Aggregate for $name<T> {
            #[inline]
            fn merge(&mut self, other: &$name<T>) {
                if let Some(value) = &other.0
                    && self.yields_to(value)
                {
                    self.0 = Some(value.clone());
                }
            }

            #[inline]
            fn absorb(&mut self, other: $name<T>) {
                if let Some(value) = other.0
                    && self.yields_to(&value)
                {
                    self.0 = Some(value);
                }
            }
        }

        impl<T> Default for $name<T> {
            fn default() -> $name<T> {
                $name(None)
            }
        }

        impl<T: Field> Field for $name<T> {
            fn columns(name: &str, _nullable: bool, columns: &mut Vec<Column>) {
                T::columns(name, true, columns);
            }

            fn put(&self, cells: &mut Cells) {
                self.0.put(cells);
            }

            fn put_null(cells: &mut Cells) {
                T::put_null(cells);
            }
        }
    };
}

extreme!(Min, "The least value, if there is one.", Ordering::Less);
extreme!(Max, "The greatest value, if there is one.", Ordering::Greater);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws;
    use crate::text::Text;

    #[test]
    fn the_law_holds() {
        laws::hold(|random| {
            let value = random.below(20) as i64;
            Min::<i64>::of(random.maybe(value))
        });
        laws::hold(|random| {
            let value = Text::from(format!("user {}", random.below(9)));
            Max::<Text>::of(random.maybe(value))
        });
    }

    #[test]
    fn the_law_holds_for_floats_of_any_kind() {
        let values = [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, -1.5];
        laws::hold(|random| Min::<f64>::of(values[random.below(6) as usize]));
        laws::hold(|random| Max::<f64>::of(values[random.below(6) as usize]));
    }

    #[test]
    fn values_that_are_null_or_no_number_are_left_out() {
        assert_eq!(Min::<Option<i64>>::of(Some(None)).get(), None);
        assert_eq!(Min::<f64>::of(f64::NAN).get(), None);
    }
}
