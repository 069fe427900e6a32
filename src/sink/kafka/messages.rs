//! From rows to the keys and values of records.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::hash::FixedMap;
use crate::row::{Cell, Change, Rows};
use crate::sink::View;
use crate::sink::text::JsonNames;
use crate::time::Time;

/// How rows of a view become records.
#[derive(Clone)]
pub(super) struct Form {
    /// The view's name, the first value of each key; left out where a key column is called so.
    view: Option<Cell>,
    /// Indices of the key columns.
    key: Vec<usize>,
    key_names: JsonNames,
    names: JsonNames,
    stamped: bool,
}

/// The records of one call of `write`.
#[derive(Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    records: Vec<Message>,
}

/// A record: where its bytes lie, and which row it was.
struct Message {
    row: usize,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

impl Form {
    pub(super) fn new(view: &View) -> Result<Form> {
        let index = |name: &String| {
            view.schema.index(name).ok_or_else(|| {
                let why = format!("the key of view `{}` names `{name}`", view.name);
                Error::config(format!("{why}, which is no column"))
            })
        };
        let named = !view.key.iter().any(|column| column == "view");
        let first = named.then_some("view").into_iter();
        Ok(Form {
            view: named.then(|| Cell::Text(view.name.as_str().into())),
            key: view.key.iter().map(index).collect::<Result<_>>()?,
            key_names: JsonNames::new(first.chain(view.key.iter().map(String::as_str))),
            names: JsonNames::new(view.names()),
            stamped: view.stamp.is_some(),
        })
    }

    pub(super) fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// The records of some rows, in their order. A row that may change is left out if a later one
    /// has its key: nobody could tell that it was there.
    pub(super) fn messages(&self, rows: &Rows, now: Time) -> Messages {
        let stamp = self.stamped.then_some(Cell::Time(now));
        let mut messages = Messages::default();
        for (row, (_, cells)) in rows.iter().enumerate() {
            let key = self.has_key().then(|| {
                messages.append(|bytes| {
                    let key = self.key.iter().map(|column| &cells[*column]);
                    self.key_names.object(self.view.iter().chain(key), bytes);
                })
            });
            messages.records.push(Message { row, key, value: None });
        }
        messages.drop_replaced(rows);
        let cells: Vec<&[Cell]> = rows.iter().map(|(_, cells)| cells).collect();
        let mut records = std::mem::take(&mut messages.records);
        for record in &mut records {
            if rows.marks[record.row].change != Change::Delete {
                let value = cells[record.row].iter().chain(&stamp);
                record.value = Some(messages.append(|bytes| self.names.object(value, bytes)));
            }
        }
        messages.records = records;
        messages
    }
}

impl Messages {
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }

    fn drop_replaced(&mut self, rows: &Rows) {
        if rows.marks.iter().all(|mark| mark.change == Change::Final) {
            return;
        }
        let Messages { bytes, records } = self;
        let mut last: FixedMap<&[u8], usize> = FixedMap::default();
        for record in &*records {
            if let Some(key) = record.key.clone() {
                last.insert(&bytes[key], record.row);
            }
        }
        records.retain(|record| {
            let is_last = |key: &Range<usize>| last.get(&bytes[key.clone()]) == Some(&record.row);
            let final_row = rows.marks[record.row].change == Change::Final;
            final_row || record.key.as_ref().is_none_or(is_last)
        });
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Row, key and value of a record.
    pub(super) fn get(&self, record: usize) -> (usize, Option<&[u8]>, Option<&[u8]>) {
        let Message { row, key, value } = &self.records[record];
        let slice = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        (*row, slice(key), slice(value))
    }
}
