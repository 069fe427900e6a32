//! [`Gathered`]: rows that wait for a write; of rows that may still change, one per key.
//!
//! ```text
//! in    upsert a 1   upsert b 1   upsert a 2   final a 2   upsert b 2   delete b
//! out   final a 2    delete b
//! ```
//!
//! A row that may change is dropped once a later one of its key has come: a keyed store shows the
//! same without it. Final rows are all kept, and so are rows with a NULL in their key, which are
//! some sinks' to refuse.

use crate::hash::FixedMap;
use crate::row::{Cell, Change, Rows, oldest};

/// Rows that are gathered for one write.
///
/// ```
/// use highwater::row::{Cell, Change, Mark, Origin, Position, Rows};
/// use highwater::sink::coalesce::Gathered;
/// let mut gathered = Gathered::new(vec![0]);
/// let mut upsert = |key, value| {
///     let mut rows = Rows::default();
///     let mark = Mark { change: Change::Upsert, origin: Origin::Record(Position::default()) };
///     rows.push(mark, [Cell::I64(key), Cell::I64(value)]);
///     gathered.absorb(rows)
/// };
/// assert_eq!([upsert(1, 10), upsert(2, 20), upsert(1, 11)], [0, 0, 1]);
/// let batches: Vec<Rows> = gathered.take(1_000).collect();
/// assert_eq!(batches[0].cells, [1, 11, 2, 20].map(Cell::I64));
/// ```
#[derive(Debug, Default)]
pub struct Gathered {
    /// Columns of the key.
    key: Vec<usize>,
    rows: Rows,
    /// By key, as bytes: the row that the next one replaces, if it may change.
    changing: FixedMap<Box<[u8]>, usize>,
    bytes: Vec<u8>,
}

impl Gathered {
    /// Of rows whose key stands in these columns.
    pub fn new(key: Vec<usize>) -> Gathered {
        Gathered { key, ..Gathered::default() }
    }

    /// How many rows are to be written.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes rows in, in their order; returns how many rows need not be written any more.
    pub fn absorb(&mut self, mut rows: Rows) -> usize {
        let (width, mut replaced) = (rows.width(), 0);
        self.rows.sent = oldest(self.rows.sent, rows.sent);
        for (mark, cells) in rows.marks.iter().zip(rows.cells.chunks_mut(width.max(1))) {
            let changes = mark.change != Change::Final;
            let place = match self.encode(cells) {
                false => None,
                true if changes => self.changing.get(&*self.bytes).copied(),
                true => self.changing.remove(&*self.bytes),
            };
            let cells = cells.iter_mut().map(|cell| std::mem::replace(cell, Cell::Null));
            match place {
                // It takes the place of the other one: rows of one key stay in their order.
                Some(place) => {
                    self.rows.marks[place] = *mark;
                    let there = &mut self.rows.cells[place * width..][..width];
                    there.iter_mut().zip(cells).for_each(|(old, new)| *old = new);
                    replaced += 1;
                }
                None => {
                    if changes && !self.bytes.is_empty() {
                        self.changing.insert(self.bytes.as_slice().into(), self.rows.len());
                    }
                    self.rows.push(*mark, cells);
                }
            }
        }
        replaced
    }

    /// Takes all rows out, in batches of so many.
    pub fn take(&mut self, batch_rows: usize) -> impl Iterator<Item = Rows> + use<> {
        self.changing.clear();
        let Rows { marks, cells, sent } = std::mem::take(&mut self.rows);
        let width = cells.len() / marks.len().max(1);
        let (mut marks, mut cells) = (marks.into_iter(), cells.into_iter());
        std::iter::from_fn(move || {
            let marks: Vec<_> = marks.by_ref().take(batch_rows).collect();
            let cells = cells.by_ref().take(marks.len() * width).collect();
            (!marks.is_empty()).then_some(Rows { marks, cells, sent })
        })
    }

    /// Whether a row has a key; its bytes are then in `bytes`, which is empty otherwise.
    fn encode(&mut self, cells: &[Cell]) -> bool {
        self.bytes.clear();
        for column in &self.key {
            match &cells[*column] {
                Cell::Null => self.bytes.clear(),
                cell => bincode::serialize_into(&mut self.bytes, cell).expect("cells serialise"),
            }
            if self.bytes.is_empty() {
                return false;
            }
        }
        !self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Mark, Origin};
    use crate::time::Time;
    use crate::window::Window;

    /// Rows of (change, window, key, value); windows are a minute long.
    fn rows(written: &[(Change, i64, Option<i64>, i64)]) -> Rows {
        let mut rows = Rows::default();
        for (change, minute, key, value) in written {
            let start = Time::from_seconds(60 * minute);
            let end = Time::from_seconds(60 * (minute + 1));
            let mark = Mark { change: *change, origin: Origin::Window(Window { start, end }) };
            let key = key.map_or(Cell::Null, Cell::I64);
            rows.push(mark, [Cell::Bool(true), key, Cell::I64(*value)]);
        }
        rows
    }

    fn shown(rows: &Rows) -> Vec<String> {
        let rows = rows.iter().map(|(mark, cells)| match (&cells[1], &cells[2]) {
            (Cell::I64(key), Cell::I64(value)) => format!("{:?} {key} {value}", mark.change),
            (_, value) => format!("{:?} - {value:?}", mark.change),
        });
        rows.collect()
    }

    use Change::{Delete, Final, Upsert};

    #[test]
    fn the_last_change_of_a_key_stays_and_every_final_row_does() {
        let check = |given: &[(Change, i64, Option<i64>, i64)], expect: &[&str]| {
            let mut gathered = Gathered::new(vec![1]);
            let replaced = gathered.absorb(rows(given));
            assert_eq!(replaced + gathered.len(), given.len());
            let taken: Vec<Rows> = gathered.take(100).collect();
            assert_eq!(shown(&taken[0]), expect);
        };
        let (a, b) = (Some(1), Some(2));
        check(&[(Upsert, 0, a, 1), (Upsert, 0, b, 2)], &["Upsert 1 1", "Upsert 2 2"]);
        check(
            &[(Upsert, 0, a, 1), (Upsert, 0, b, 2), (Upsert, 0, a, 3)],
            &["Upsert 1 3", "Upsert 2 2"],
        );
        check(&[(Upsert, 0, a, 1), (Delete, 0, a, 1)], &["Delete 1 1"]);
        check(&[(Delete, 0, a, 1), (Upsert, 0, a, 2)], &["Upsert 1 2"]);
        check(&[(Upsert, 0, a, 1), (Final, 0, a, 2)], &["Final 1 2"]);
        // A key that does not hold the window: what comes behind a final row stays behind it.
        let given = [(Final, 0, a, 1), (Upsert, 1, a, 2), (Upsert, 1, a, 3), (Final, 1, a, 4)];
        check(&given, &["Final 1 1", "Final 1 4"]);
        check(&[(Final, 0, a, 1), (Final, 0, a, 1)], &["Final 1 1", "Final 1 1"]);
        // A NULL in the key.
        check(
            &[(Upsert, 0, None, 1), (Upsert, 0, None, 2)],
            &["Upsert - I64(1)", "Upsert - I64(2)"],
        );
    }

    #[test]
    fn rows_are_taken_in_batches_and_then_forgotten() {
        let mut gathered = Gathered::new(vec![1]);
        gathered.absorb(rows(&[1, 2, 3, 4, 5].map(|key| (Upsert, 0, Some(key), key))));
        let sizes: Vec<usize> = gathered.take(2).map(|batch| batch.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert!(gathered.is_empty());
        // What was taken is not there to be replaced any more.
        assert_eq!(gathered.absorb(rows(&[(Upsert, 0, Some(1), 7)])), 0);
        assert_eq!(shown(&gathered.take(2).next().unwrap()), ["Upsert 1 7"]);
    }

    #[test]
    fn a_row_is_as_old_as_the_oldest_that_it_stands_for() {
        let mut gathered = Gathered::new(vec![1]);
        for sent in [Some(7), None, Some(3), Some(9)] {
            let sent = sent.map(Time::from_seconds);
            gathered.absorb(Rows { sent, ..rows(&[(Upsert, 0, Some(1), 1)]) });
        }
        assert_eq!(gathered.take(9).next().unwrap().sent, Some(Time::from_seconds(3)));
    }

    #[test]
    fn without_columns_of_a_key_every_row_stays() {
        let mut gathered = Gathered::new(vec![]);
        assert_eq!(gathered.absorb(rows(&[(Upsert, 0, Some(1), 1); 3])), 0);
        assert_eq!(gathered.len(), 3);
    }
}
