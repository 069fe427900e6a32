//! Rows in the order of their places, that can be saved in slices.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::saver::{Saved, Saver, entries};

/// Rows as bytes, by place.
///
/// They leave when they are taken out, which no restore can tell by itself: so a save notes that.
#[derive(Debug)]
pub(crate) struct Shelf<P> {
    rows: BTreeMap<P, Kept>,
    /// The group of a place in a save.
    group: fn(&P) -> u32,
    saver: Saver,
    /// Whether a save under way has not looked at all rows, and the last one that it has.
    scan: Option<Option<P>>,
}

/// A row, and the stamp of its last change.
#[derive(Debug)]
struct Kept {
    row: Box<[u8]>,
    stamp: u8,
}

impl<P: Clone + Ord + Serialize + DeserializeOwned> Shelf<P> {
    /// With no row.
    pub(crate) fn new(group: fn(&P) -> u32) -> Shelf<P> {
        Shelf { rows: BTreeMap::new(), group, saver: Saver::default(), scan: None }
    }

    /// Sets a row; returns what was there, unless it is equal.
    pub(crate) fn set(&mut self, place: P, row: &[u8]) -> Set {
        let kept = Kept { row: row.into(), stamp: self.saver.now() };
        match self.rows.entry(place) {
            Entry::Occupied(found) if *found.get().row == *row => Set::Equal,
            Entry::Occupied(mut found) => {
                let before = found.insert(kept);
                let place = found.key();
                write_before(&mut self.saver, (self.group)(place), place, &before);
                Set::Other(before.row.into())
            }
            Entry::Vacant(vacant) => {
                vacant.insert(kept);
                Set::New
            }
        }
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, place: &P) -> Option<Vec<u8>> {
        let before = self.rows.remove(place)?;
        Some(self.gone(place, before))
    }

    /// Takes the first row out if its place is one of those that go.
    pub(crate) fn pop_first_if(&mut self, goes: impl Fn(&P) -> bool) -> Option<(P, Vec<u8>)> {
        let first = self.rows.first_entry().filter(|first| goes(first.key()))?;
        let (place, before) = first.remove_entry();
        let row = self.gone(&place, before);
        Some((place, row))
    }

    fn gone(&mut self, place: &P, before: Kept) -> Vec<u8> {
        let group = (self.group)(place);
        write_before(&mut self.saver, group, place, &before);
        let entry: Entered<'_, P> = (place, None);
        self.saver.gone(group, &entry);
        before.row.into()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&P, &[u8])> {
        self.rows.iter().map(|(place, kept)| (place, &*kept.row))
    }

    /// See [`super::Saves::begin_save`].
    pub(crate) fn begin_save(&mut self, whole: bool) {
        self.saver.begin(whole, &());
        self.scan = Some(None);
    }

    /// See [`super::Saves::resume`].
    pub(crate) fn resume(&mut self) {
        self.saver.resume();
    }

    /// See [`super::Saves::save`].
    pub(crate) fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        if let Some(last) = self.scan.take() {
            let from = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let saver = &mut self.saver;
            for (place, kept) in self.rows.range_mut((from, Bound::Unbounded)) {
                if saver.needs(kept.stamp) {
                    write(saver, (self.group)(place), place, &kept.row);
                    kept.stamp = saver.got();
                    saver.pay(budget);
                }
                *budget = budget.saturating_sub(1);
                if *budget == 0 {
                    self.scan = Some(Some(place.clone()));
                    return None;
                }
            }
        }
        Some(self.saver.finish())
    }
}

/// What setting a row has done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// There was none.
    New,
    /// It was there, and is not written again.
    Equal,
    /// It has replaced this one.
    Other(Vec<u8>),
}

/// The rows of a save, and the places whose row has gone; in this order they are to be taken in.
pub(crate) fn rows<P: DeserializeOwned>(
    bytes: &[u8],
) -> impl Iterator<Item = (P, Option<Box<[u8]>>)> {
    entries(bytes)
}

type Entered<'r, P> = (&'r P, Option<&'r [u8]>);

fn write<P: Serialize>(saver: &mut Saver, group: u32, place: &P, row: &[u8]) {
    let entry: Entered<'_, P> = (place, Some(row));
    saver.write(group, &entry);
}

/// A row has changed or gone: what a save under way needs of it is saved.
fn write_before<P: Serialize>(saver: &mut Saver, group: u32, place: &P, before: &Kept) {
    if saver.needs(before.stamp) {
        write(saver, group, place, &before.row);
    }
}
