//! [`Distinct`]: how many different values, exactly.

use serde::{Deserialize, Serialize, Serializer};

use super::Aggregate;
use crate::hash::FixedSet;
use crate::key::Key;
use crate::row::{Cell, Cells, Column, Field, Type};

/// The set of different values; its column is their number. NULL is not counted.
///
/// One value is held inline, so an event's own aggregate allocates nothing; a set is made when a
/// second value comes.
///
/// ```
/// use highwater::prelude::*;
/// let mut users: Distinct<Text> = Distinct::of(&Text::from("ann"));
/// users.merge(&Distinct::of(&Some(Text::from("bob"))));
/// users.merge(&Distinct::of(&Text::from("ann")));
/// users.merge(&Distinct::of(None));
/// assert_eq!(users.get(), 2);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Key")]
pub struct Distinct<T: Key>(Held<T>);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Key")]
enum Held<T: Key> {
    Nothing,
    One(T),
    /// Two or more; boxed, as the aggregate of one event, or of a small group, is as large as this
    /// enum.
    Many(#[serde(serialize_with = "in_order")] Box<FixedSet<T>>),
}

impl<T: Key> Default for Distinct<T> {
    fn default() -> Distinct<T> {
        Distinct(Held::Nothing)
    }
}

impl<T: Key> Distinct<T> {
    /// The set of one value; of none for NULL, which is also a tuple with a part that is NULL.
    #[inline]
    pub fn of<'a>(value: impl Into<Option<&'a T>>) -> Distinct<T>
    where
        T: 'a,
    {
        match value.into() {
            Some(value) if !value.is_null() => Distinct(Held::One(value.clone())),
            _ => Distinct::default(),
        }
    }

    /// How many different values.
    pub fn get(&self) -> i64 {
        match &self.0 {
            Held::Nothing => 0,
            Held::One(_) => 1,
            Held::Many(set) => set.len() as i64,
        }
    }

    /// The values, in order.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// let mut names: Distinct<Text> = Distinct::of(&Text::from("b"));
    /// names.merge(&Distinct::of(&Text::from("a")));
    /// assert_eq!(names.values(), ["a", "b"]);
    /// ```
    pub fn values(&self) -> Vec<T> {
        let mut values = match &self.0 {
            Held::Nothing => Vec::new(),
            Held::One(value) => vec![value.clone()],
            Held::Many(set) => set.iter().cloned().collect(),
        };
        values.sort();
        values
    }

    /// Whether a value is among them.
    pub fn contains(&self, value: &T) -> bool {
        match &self.0 {
            Held::Nothing => false,
            Held::One(held) => held == value,
            Held::Many(set) => set.contains(value),
        }
    }

    /// Adds a value that may be there.
    fn add(&mut self, value: T) {
        match &mut self.0 {
            Held::Nothing => self.0 = Held::One(value),
            Held::One(held) if *held == value => {}
            Held::One(_) => {
                let mut set = FixedSet::default();
                set.insert(value);
                if let Held::One(held) = std::mem::replace(&mut self.0, Held::Nothing) {
                    set.insert(held);
                }
                self.0 = Held::Many(Box::new(set));
            }
            Held::Many(set) => {
                set.insert(value);
            }
        }
    }
}

impl<T: Key> Aggregate for Distinct<T> {
    fn merge(&mut self, other: &Distinct<T>) {
        if self.get() < other.get() {
            return self.absorb(other.clone());
        }
        match &other.0 {
            Held::Nothing => {}
            Held::One(value) if self.contains(value) => {}
            Held::One(value) => self.add(value.clone()),
            Held::Many(set) => {
                for value in set.iter() {
                    if !self.contains(value) {
                        self.add(value.clone());
                    }
                }
            }
        }
    }

    fn absorb(&mut self, mut other: Distinct<T>) {
        if self.get() < other.get() {
            std::mem::swap(self, &mut other);
        }
        match other.0 {
            Held::Nothing => {}
            Held::One(value) => self.add(value),
            Held::Many(set) => set.into_iter().for_each(|value| self.add(value)),
        }
    }

    #[inline]
    fn weight(&self) -> usize {
        if let Held::Many(set) = &self.0 { set.len() } else { 0 }
    }
}

/// Writes a set in the order of its values, so that equal sets have equal bytes.
fn in_order<T: Key, S: Serializer>(set: &FixedSet<T>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut values: Vec<&T> = set.iter().collect();
    values.sort_unstable();
    serializer.collect_seq(values)
}

impl<T: Key> Field for Distinct<T> {
    fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>) {
        columns.push(Column { name: name.into(), kind: Type::I64, nullable });
    }

    fn put(&self, cells: &mut Cells) {
        cells.push(Cell::I64(self.get()));
    }

    fn put_null(cells: &mut Cells) {
        cells.push(Cell::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws;
    use crate::text::Text;

    #[test]
    fn the_law_holds() {
        for users in [2, 5, 100] {
            laws::hold(|random| {
                let value = Text::from(format!("user {}", random.below(users)));
                Distinct::<Text>::of(&random.maybe(value))
            });
        }
    }

    #[test]
    fn a_tuple_with_a_part_that_is_null_is_not_counted() {
        let pair = |part: Option<u32>| Distinct::<(Option<u32>, u32)>::of(&(part, 1));
        assert_eq!((pair(Some(1)).get(), pair(None).get()), (1, 0));
        assert_eq!(Distinct::<Option<u32>>::of(Some(&None)).get(), 0);
    }

    #[test]
    fn the_aggregate_of_one_event_is_no_larger_than_its_value_needs() {
        assert_eq!(size_of::<Distinct<Text>>(), 24);
        assert_eq!(size_of::<Distinct<u64>>(), 16);
    }
}
