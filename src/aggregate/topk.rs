//! [`TopK`]: the most frequent items, from exact counts.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize, Serializer};

use super::Aggregate;
use crate::hash::FixedMap;
use crate::key::Key;
use crate::row::{Cell, Cells, Column, Field, Type};
use crate::text::Text;

/// How many items are held inline, each occurrence by itself.
const FEW: usize = 3;

/// Counts of items, of which the `K` most frequent are shown; of two equally frequent ones the
/// lesser first. NULL items are not counted.
///
/// Counts are exact, so every item ever seen is held. Up to three items are held inline: the
/// aggregate of an event allocates nothing. Its column is a list of texts, empty without items.
///
/// ```
/// use highwater::prelude::*;
/// let emotes = |names: &[&str]| names.iter().map(|name| Text::from(*name)).collect::<Vec<_>>();
/// let mut top: TopK<Text, 2> = TopK::of(&emotes(&["LUL", "Kappa"]));
/// top.merge(&TopK::of(&emotes(&["LUL", "4Head"])));
/// assert_eq!(top.get(), emotes(&["LUL", "4Head"]));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Key")]
pub struct TopK<T: Key, const K: usize>(Counts<T>);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Key")]
enum Counts<T: Key> {
    /// At most [`FEW`] occurrences, in order; the rest is `None`.
    Few([Option<T>; FEW]),
    /// More occurrences than that.
    Many(#[serde(serialize_with = "in_order")] Box<FixedMap<T, u64>>),
}

impl<T: Key, const K: usize> Default for TopK<T, K> {
    fn default() -> TopK<T, K> {
        TopK(Counts::Few([const { None }; FEW]))
    }
}

impl<T: Key, const K: usize> TopK<T, K> {
    /// The counts of the items of one event.
    #[inline]
    pub fn of<'a, I: Into<Option<&'a T>>>(items: impl IntoIterator<Item = I>) -> TopK<T, K>
    where
        T: 'a,
    {
        let mut top = TopK::default();
        for item in items {
            if let Some(item) = item.into()
                && !item.is_null()
            {
                top.0.add(item.clone(), 1);
            }
        }
        top
    }

    /// The most frequent items, the most frequent first.
    pub fn get(&self) -> Vec<T> {
        let mut items: Vec<(Reverse<u64>, &T)> =
            self.0.each().map(|(item, count)| (Reverse(count), item)).collect();
        if 0 < K && K < items.len() {
            items.select_nth_unstable(K - 1);
        }
        items.truncate(K);
        items.sort_unstable();
        items.into_iter().map(|(_, item)| item.clone()).collect()
    }

    /// All items with their counts, in the order of the items.
    pub fn counts(&self) -> Vec<(T, u64)> {
        let mut items: Vec<(T, u64)> =
            self.0.each().map(|(item, count)| (item.clone(), count)).collect();
        items.sort_unstable();
        items
    }
}

impl<T: Key> Counts<T> {
    /// Each item with its count.
    fn each(&self) -> Box<dyn Iterator<Item = (&T, u64)> + '_> {
        match self {
            Counts::Few(few) => {
                let items = few.iter().flatten().enumerate();
                Box::new(items.filter_map(|(at, item)| {
                    let same = few.iter().flatten().filter(|other| *other == item).count();
                    // They are in order: the first of a run speaks for it.
                    let first = at == 0 || few[at - 1].as_ref() != Some(item);
                    first.then_some((item, same as u64))
                }))
            }
            Counts::Many(counts) => Box::new(counts.iter().map(|(item, count)| (item, *count))),
        }
    }

    /// How many different items, or somewhat more: which of two is the larger is all that is asked.
    fn size(&self) -> usize {
        match self {
            Counts::Few(few) => few.iter().flatten().count(),
            Counts::Many(counts) => FEW + counts.len(),
        }
    }

    /// Counts so many occurrences of an item.
    fn add(&mut self, item: T, n: u64) {
        if let Counts::Few(few) = self {
            if n == 1 && few[FEW - 1].is_none() {
                insert(few, item);
                return;
            }
            let mut counts: FixedMap<T, u64> = FixedMap::default();
            for item in few.iter_mut().filter_map(Option::take) {
                *counts.entry(item).or_default() += 1;
            }
            *self = Counts::Many(Box::new(counts));
        }
        let Counts::Many(counts) = self else { unreachable!("few items have become many") };
        *counts.entry(item).or_default() += n;
    }

    /// As [`Counts::add`], without a copy of an item that is known.
    fn add_copy(&mut self, item: &T, n: u64) {
        if let Counts::Many(counts) = self
            && let Some(count) = counts.get_mut(item)
        {
            *count += n;
        } else {
            self.add(item.clone(), n);
        }
    }
}

/// Puts an item into its place among a few; the last place is free.
fn insert<T: Ord>(few: &mut [Option<T>; FEW], item: T) {
    let place = few.iter().flatten().take_while(|held| **held <= item).count();
    few[FEW - 1] = Some(item);
    few[place..].rotate_right(1);
}

impl<T: Key, const K: usize> Aggregate for TopK<T, K> {
    fn merge(&mut self, other: &TopK<T, K>) {
        if self.0.size() < other.0.size() {
            return self.absorb(other.clone());
        }
        match &other.0 {
            Counts::Few(few) => few.iter().flatten().for_each(|item| self.0.add_copy(item, 1)),
            Counts::Many(counts) => counts.iter().for_each(|(item, n)| self.0.add_copy(item, *n)),
        }
    }

    fn absorb(&mut self, mut other: TopK<T, K>) {
        if self.0.size() < other.0.size() {
            std::mem::swap(self, &mut other);
        }
        match other.0 {
            Counts::Few(few) => few.into_iter().flatten().for_each(|item| self.0.add(item, 1)),
            Counts::Many(counts) => counts.into_iter().for_each(|(item, n)| self.0.add(item, n)),
        }
    }

    #[inline]
    fn weight(&self) -> usize {
        if let Counts::Many(counts) = &self.0 { counts.len() } else { 0 }
    }
}

/// Writes counts in the order of their items, so that equal counts have equal bytes.
fn in_order<T: Key, S: Serializer>(
    counts: &FixedMap<T, u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut counts: Vec<(&T, &u64)> = counts.iter().collect();
    counts.sort_unstable();
    serializer.collect_map(counts)
}

impl<T: Key + AsRef<str>, const K: usize> Field for TopK<T, K> {
    fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>) {
        columns.push(Column { name: name.into(), kind: Type::TextList, nullable });
    }

    fn put(&self, cells: &mut Cells) {
        let texts = self.get().into_iter().map(|item| Some(Text::from(item.as_ref())));
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

    fn top<const K: usize>(items: &[&str]) -> Vec<Text> {
        let items: Vec<Text> = items.iter().copied().map(Text::from).collect();
        TopK::<Text, K>::of(&items).get()
    }

    #[test]
    fn the_law_holds() {
        for (emotes, most) in [(3, 2), (8, 4), (60, 6)] {
            laws::hold(|random| {
                let names: Vec<Option<Text>> = (0..random.below(most))
                    .map(|_| {
                        let name = Text::from(format!("emote {}", random.below(emotes)));
                        random.maybe(name)
                    })
                    .collect();
                TopK::<Text, 5>::of(&names)
            });
        }
    }

    #[test]
    fn items_come_by_count_then_by_name() {
        assert_eq!(top::<10>(&["LUL", "Kappa", "LUL", "4Head"]), ["LUL", "4Head", "Kappa"]);
        assert_eq!(top::<10>(&["b", "a", "b"]), ["b", "a"]);
        assert_eq!(top::<2>(&["c", "b", "a"]), ["a", "b"]);
        assert_eq!(top::<1>(&["c", "b", "a", "b", "c", "d"]), ["b"]);
        assert_eq!(top::<0>(&["a"]), [""; 0]);
        assert_eq!(top::<3>(&[]), [""; 0]);
    }

    #[test]
    fn three_items_are_held_without_an_allocation() {
        let held = |items: &[u64]| matches!(TopK::<u64, 1>::of(items).0, Counts::Few(_));
        assert!(held(&[7, 7, 8]));
        assert!(!held(&[7, 7, 8, 9]));
        assert!(size_of::<TopK<Text, 1>>() <= 80);
    }
}
