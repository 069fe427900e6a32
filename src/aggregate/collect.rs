//! [`Collect`]: the values of all events, as a list in the order of the events.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Stamp, Value};
use crate::key::Key;
use crate::row::{Cell, Cells, Column, Field, Type};
use crate::text::Text;

/// All values, with repetition, in the order of the events' stamps; NULL is no value.
///
/// It holds every value of its window, so its size grows with the events. The value of a single
/// event is held inline. Its column is a list of texts, empty without values.
///
/// ```
/// use highwater::prelude::*;
/// let at = |second| Stamp { time: Time::from_seconds(second), ..Stamp::default() };
/// let mut pages: Collect<Text> = Collect::of(Text::from("cart"), at(8));
/// pages.merge(&Collect::of(Text::from("home"), at(7)));
/// pages.merge(&Collect::of(None, at(9)));
/// assert_eq!(pages.get(), ["home", "cart"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Value")]
pub struct Collect<T> {
    first: Option<(Stamp, T)>,
    /// The others, in order.
    rest: Vec<(Stamp, T)>,
}

impl<T: Value> Collect<T> {
    /// The list of the value of one event; the empty one for NULL.
    #[inline]
    pub fn of(value: impl Into<Option<T>>, stamp: Stamp) -> Collect<T> {
        let value = value.into().filter(|value| !value.is_absent());
        Collect { first: value.map(|value| (stamp, value)), rest: Vec::new() }
    }

    /// The values.
    pub fn get(&self) -> Vec<T> {
        self.iter().cloned().collect()
    }

    /// The values, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest).map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn last(&self) -> Option<&(Stamp, T)> {
        self.rest.last().or(self.first.as_ref())
    }

    /// Puts one value where it belongs: nearly always at the end.
    fn insert(&mut self, item: (Stamp, T)) {
        let Some(first) = &mut self.first else {
            self.first = Some(item);
            return;
        };
        if order(&item, first).is_lt() {
            self.rest.insert(0, std::mem::replace(first, item));
            return;
        }
        let at = self.rest.partition_point(|held| order(held, &item).is_le());
        self.rest.insert(at, item);
    }

    /// Merges two lists in one pass over both.
    fn merge_sorted(&mut self, other: Collect<T>) {
        let mine = std::mem::take(self);
        let mut left = mine.first.into_iter().chain(mine.rest).peekable();
        let mut right = other.first.into_iter().chain(other.rest).peekable();
        let mut all = std::iter::from_fn(|| match (left.peek(), right.peek()) {
            (Some(one), Some(two)) if order(two, one).is_lt() => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        });
        self.first = all.next();
        self.rest = all.collect();
    }
}

/// Events of one record may share a stamp; the order of their values then decides.
fn order<T: Value>(one: &(Stamp, T), other: &(Stamp, T)) -> Ordering {
    one.0.cmp(&other.0).then_with(|| one.1.order(&other.1))
}

impl<T: Value> Aggregate for Collect<T> {
    fn merge(&mut self, other: &Collect<T>) {
        self.absorb(other.clone());
    }

    fn absorb(&mut self, other: Collect<T>) {
        let Collect { first, rest } = other;
        let Some(item) = first else { return };
        if rest.is_empty() {
            self.insert(item);
        } else if self.last().is_none_or(|last| order(last, &item).is_le()) {
            self.insert(item);
            self.rest.extend(rest);
        } else {
            self.merge_sorted(Collect { first: Some(item), rest });
        }
    }

    #[inline]
    fn weight(&self) -> usize {
        self.rest.len()
    }
}

impl<T> Default for Collect<T> {
    fn default() -> Collect<T> {
        Collect { first: None, rest: Vec::new() }
    }
}

impl<T: Key + AsRef<str>> Field for Collect<T> {
    fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>) {
        columns.push(Column { name: name.into(), kind: Type::TextList, nullable });
    }

    fn put(&self, cells: &mut Cells) {
        let texts = self.iter().map(|value| Some(Text::new(value.as_ref())));
        cells.push(Cell::TextList(texts.collect()));
    }

    fn put_null(cells: &mut Cells) {
        cells.push(Cell::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws;
    use crate::row::Position;
    use crate::time::Time;

    #[test]
    fn the_law_holds_also_where_stamps_are_equal() {
        laws::hold(|random| {
            let position = Position { offset: random.below(3) as i64, ..Position::default() };
            let time = Time::from_micros(random.below(5) as i64);
            let value = Text::from(format!("event {}", random.below(4)));
            Collect::<Text>::of(random.maybe(value), Stamp { time, position })
        });
    }

    #[test]
    fn values_are_repeated_and_in_the_order_of_events() {
        let at = |time| Stamp { time: Time::from_micros(time), ..Stamp::default() };
        let mut list = Collect::default();
        for (value, time) in [("c", 3), ("a", 1), ("c", 4), ("b", 2)] {
            list.absorb(Collect::of(Text::from(value), at(time)));
        }
        let later = [("e", 6), ("d", 5)];
        let mut other = Collect::default();
        for (value, time) in later {
            other.absorb(Collect::of(Text::from(value), at(time)));
        }
        let mut reversed = other.clone();
        reversed.merge(&list);
        list.merge(&other);
        assert_eq!(list.get(), ["a", "b", "c", "c", "d", "e"]);
        assert_eq!((list.len(), list.is_empty()), (6, false));
        assert_eq!(reversed, list);
        assert_eq!(Collect::<Text>::default().get(), [""; 0]);
    }
}
