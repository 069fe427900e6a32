//! [`First`] and [`Last`]: the value of the earliest and of the latest event.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Stamp, Value};
use crate::row::{Cells, Column, Field};

/// The value of the earliest event that has one; the events' order is that of their stamps.
///
/// NULL is no value, so that the next event is asked; `First<Option<T>>` takes the earliest event
/// as it is.
///
/// ```
/// use highwater::prelude::*;
/// let at = |second| Stamp { time: Time::from_seconds(second), ..Stamp::default() };
/// let mut course: First<Text> = First::of(Text::from("algebra"), at(2));
/// course.merge(&First::of(None, at(0)));
/// course.merge(&First::of(Text::from("logic"), at(1)));
/// assert_eq!(course.get(), Some(&Text::from("logic")));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Value")]
pub struct First<T>(Option<(Stamp, T)>);

/// The value of the latest event that has one; the events' order is that of their stamps.
///
/// NULL is no value, so that the event before is asked; `Last<Option<T>>` takes the latest event
/// as it is.
///
/// ```
/// use highwater::prelude::*;
/// let at = |second| Stamp { time: Time::from_seconds(second), ..Stamp::default() };
/// let mut price: Last<f64> = Last::of(1.5, at(8));
/// price.merge(&Last::of(2.5, at(7)));
/// assert_eq!(price.get(), Some(&1.5));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Value")]
pub struct Last<T>(Option<(Stamp, T)>);

macro_rules! end {
    ($name:ident, $what:literal, $better:expr) => {
        impl<T: Value> $name<T> {
            /// The aggregate of the value of one event; of none for NULL.
            #[inline]
            pub fn of(value: impl Into<Option<T>>, stamp: Stamp) -> $name<T> {
                $name(value.into().map(|value| (stamp, value)))
            }

            #[doc = $what]
            #[inline]
            pub fn get(&self) -> Option<&T> {
                self.0.as_ref().map(|(_, value)| value)
            }

            /// Whether a value takes the place of the one that is held. Events of one record may
            /// share a stamp; the order of their values then decides.
            #[inline]
            fn yields_to(&self, stamp: &Stamp, value: &T) -> bool {
                self.0.as_ref().is_none_or(|(held_stamp, held)| {
                    stamp.cmp(held_stamp).then_with(|| value.order(held)) == $better
                })
            }
        }

        impl<T: Value> Aggregate for $name<T> {
            #[inline]
            fn merge(&mut self, other: &$name<T>) {
                if let Some((stamp, value)) = &other.0
                    && self.yields_to(stamp, value)
                {
                    self.0 = Some((*stamp, value.clone()));
                }
            }

            #[inline]
            fn absorb(&mut self, other: $name<T>) {
                if let Some((stamp, value)) = other.0
                    && self.yields_to(&stamp, &value)
                {
                    self.0 = Some((stamp, value));
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
                match &self.0 {
                    Some((_, value)) => value.put(cells),
                    None => T::put_null(cells),
                }
            }

            fn put_null(cells: &mut Cells) {
                T::put_null(cells);
            }
        }
    };
}

end!(First, "The value of the earliest event, if there is one.", Ordering::Less);
end!(Last, "The value of the latest event, if there is one.", Ordering::Greater);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws::{self, Random};
    use crate::row::Position;
    use crate::text::Text;
    use crate::time::Time;

    /// Stamps that are often equal in time, and now and then altogether.
    fn stamp(random: &mut Random) -> Stamp {
        let position = Position { offset: random.below(4) as i64, ..Position::default() };
        Stamp { time: Time::from_micros(random.below(3) as i64), position }
    }

    #[test]
    fn the_law_holds() {
        laws::hold(|random| {
            let value = random.below(4) as i64;
            First::<i64>::of(random.maybe(value), stamp(random))
        });
        laws::hold(|random| {
            let value = Text::from(format!("course {}", random.below(4)));
            Last::<Text>::of(random.maybe(value), stamp(random))
        });
        laws::hold(|random| Last::<f64>::of(random.float(2), stamp(random)));
        laws::hold(|random| {
            let price = random.float(2);
            Last::<Option<f64>>::of(Some(random.maybe(price)), stamp(random))
        });
    }

    #[test]
    fn null_is_passed_over_unless_it_is_asked_for() {
        let (early, late) = (Stamp::default(), Stamp { time: Time::MAX, ..Stamp::default() });
        let mut plain: Last<i64> = Last::of(7, early);
        plain.merge(&Last::of(None, late));
        assert_eq!(plain.get(), Some(&7));
        let mut nullable: Last<Option<i64>> = Last::of(Some(7), early);
        nullable.merge(&Last::of(Some(None), late));
        assert_eq!(nullable.get(), Some(&None));
        let mut price: Last<Option<f64>> = Last::of(Some(7.5), early);
        price.merge(&Last::of(Some(None), late));
        assert_eq!(price.get(), Some(&None));
    }
}
