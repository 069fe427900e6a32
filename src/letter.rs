//! Dead letters: records that nobody could use, kept with their position and the reason.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::row::{Cell, Column, Field, Position, Schema, Type};
use crate::text::Text;
use crate::time::{Millis, Time};

/// Why a record became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Not JSON.
    BadJson,
    /// Not UTF-8.
    BadUtf8,
    /// JSON, but no object.
    NotAnObject,
    /// A field of the wrong type, where types are strict.
    WrongType,
    /// A record without a value.
    Tombstone,
    /// Above `source.message_bytes_max`.
    TooLarge,
    /// Nested deeper than `source.depth_max`.
    TooDeep,
    /// The decoder panicked on it.
    DecoderPanic,
    /// No event time, or none that can be read, or outside the years 1 to 9999.
    NoEventTime,
    /// Too far ahead of its record's own time.
    Future,
    /// No view (or, with a place, this view) can take it any more.
    Late,
    /// A step refused the event, with its own text; a group key above its limit.
    Rejected,
    /// A function on one event panicked.
    UserPanic,
    /// A keyed sink cannot store a row without its key.
    NullKey,
    /// The sink refused the row for good.
    RejectedBySink,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 15] = [
        Reason::BadJson,
        Reason::BadUtf8,
        Reason::NotAnObject,
        Reason::WrongType,
        Reason::Tombstone,
        Reason::TooLarge,
        Reason::TooDeep,
        Reason::DecoderPanic,
        Reason::NoEventTime,
        Reason::Future,
        Reason::Late,
        Reason::Rejected,
        Reason::UserPanic,
        Reason::NullKey,
        Reason::RejectedBySink,
    ];

    /// The one of a name.
    ///
    /// ```
    /// use highwater::letter::Reason;
    /// assert_eq!(Reason::from_name("too_deep"), Some(Reason::TooDeep));
    /// assert_eq!(Reason::from_name("deep"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Its name in letters and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::BadJson => "bad_json",
            Reason::BadUtf8 => "bad_utf8",
            Reason::NotAnObject => "not_an_object",
            Reason::WrongType => "wrong_type",
            Reason::Tombstone => "tombstone",
            Reason::TooLarge => "too_large",
            Reason::TooDeep => "too_deep",
            Reason::DecoderPanic => "decoder_panic",
            Reason::NoEventTime => "no_event_time",
            Reason::Future => "future",
            Reason::Late => "late",
            Reason::Rejected => "rejected",
            Reason::UserPanic => "user_panic",
            Reason::NullKey => "null_key",
            Reason::RejectedBySink => "rejected_by_sink",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a record or event is refused, in a word and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The word.
    pub reason: Reason,
    /// What was wrong.
    pub detail: String,
}

impl Reject {
    /// A refusal.
    pub fn new(reason: Reason, detail: impl fmt::Display) -> Reject {
        Reject { reason, detail: detail.to_string() }
    }

    /// A refusal by a step of the dataflow, with its own words.
    pub fn because(detail: impl fmt::Display) -> Reject {
        Reject::new(Reason::Rejected, detail)
    }
}

/// A record that nobody could use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Name of the source.
    pub source: Text,
    /// Partition, offset and element: with the place, the identity of the letter.
    pub position: Position,
    /// The service's own time of the record.
    pub record_time: Option<Time>,
    /// Its event time, where one could be read.
    pub event_time: Option<Time>,
    /// The watermark that judged it.
    pub watermark: Option<Millis>,
    /// Key of the record, unchanged.
    pub key: Option<Vec<u8>>,
    /// Value of the record, unchanged.
    pub value: Option<Vec<u8>>,
    /// Why.
    pub reason: Reason,
    /// What was wrong, in words.
    pub detail: String,
    /// View, step or sink, for reasons decided after the source.
    pub place: Option<Text>,
}

impl Letter {
    /// A letter about a row of a view, whose record is not at hand, or that is made of many.
    pub fn of_row(view: &Text, position: Position, reject: Reject) -> Letter {
        Letter {
            source: Text::default(),
            position,
            record_time: None,
            event_time: None,
            watermark: None,
            key: None,
            value: None,
            reason: reject.reason,
            detail: reject.detail,
            place: Some(view.clone()),
        }
    }

    /// The columns of letters, wherever they are written.
    pub fn schema() -> Arc<Schema> {
        let mut columns = Vec::new();
        let mut column = |name: &str, kind, nullable| {
            columns.push(Column { name: name.into(), kind, nullable });
        };
        column("system", Type::Text, false);
        column("source", Type::Text, false);
        column("partition", Type::I32, false);
        column("offset", Type::I64, false);
        column("element", Type::I32, true);
        for name in ["record_time", "event_time", "watermark"] {
            column(name, Type::Time, true);
        }
        column("key", Type::Bytes, true);
        column("value", Type::Bytes, true);
        column("reason", Type::Text, false);
        column("detail", Type::Text, false);
        column("place", Type::Text, true);
        Arc::new(Schema { columns })
    }

    /// The cells of the letter, in the order of [`Letter::schema`].
    pub fn cells(&self, system: &str) -> Vec<Cell> {
        let mut cells = crate::row::Cells::default();
        let time = |millis: Millis| Time::from_millis(millis.0);
        Text::from(system).put(&mut cells);
        self.source.put(&mut cells);
        (self.position.partition as i32).put(&mut cells);
        self.position.offset.put(&mut cells);
        (self.position.element != 0).then_some(self.position.element as i32).put(&mut cells);
        self.record_time.put(&mut cells);
        self.event_time.put(&mut cells);
        self.watermark.map(time).filter(|time| time.is_legal()).put(&mut cells);
        cells.push(self.key.clone().map_or(Cell::Null, Cell::Bytes));
        cells.push(self.value.clone().map_or(Cell::Null, Cell::Bytes));
        Text::from(self.reason.name()).put(&mut cells);
        self.detail.put(&mut cells);
        self.place.put(&mut cells);
        cells.into_vec()
    }

    /// The name of the system and the letter of which these are the cells, in the order of
    /// [`Letter::schema`].
    ///
    /// # Errors
    ///
    /// What is no letter, in words.
    pub fn from_cells(cells: &[Cell]) -> Result<(Text, Letter), String> {
        let [system, source, partition, offset, element, times @ .., place] = cells else {
            return Err("it has no columns".into());
        };
        let [record_time, event_time, watermark, key, value, reason, detail] = times else {
            return Err(format!("it has {} columns", cells.len()));
        };
        let name = text("reason", reason)?.unwrap_or_default();
        let reason =
            Reason::from_name(&name).ok_or_else(|| format!("`{name}` is no reason of a letter"))?;
        let detail = text("detail", detail)?.unwrap_or_default().to_string();
        // A record without a value is a tombstone; CSV has no other word for an empty one.
        let is_empty = reason == Reason::NotAnObject && *value == Cell::Null;
        let position = Position {
            source: 0,
            partition: u32::try_from(number("partition", partition)?.unwrap_or(0))
                .map_err(|_| "its partition is below zero")?,
            offset: number("offset", offset)?.ok_or("it has no offset")?,
            element: u32::try_from(number("element", element)?.unwrap_or(0))
                .map_err(|_| "its element is below zero")?,
        };
        let letter = Letter {
            source: text("source", source)?.unwrap_or_default(),
            position,
            record_time: time("record_time", record_time)?,
            event_time: time("event_time", event_time)?,
            watermark: time("watermark", watermark)?.map(Time::floor_ms),
            key: bytes("key", key)?,
            value: if is_empty { Some(vec![]) } else { bytes("value", value)? },
            reason,
            detail,
            place: text("place", place)?,
        };
        Ok((text("system", system)?.unwrap_or_default(), letter))
    }
}

fn other<T>(column: &str, cell: &Cell) -> Result<T, String> {
    Err(format!("its `{column}` is {cell:?}"))
}

fn text(column: &str, cell: &Cell) -> Result<Option<Text>, String> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(text) => Ok(Some(text.clone())),
        cell => other(column, cell),
    }
}

fn number(column: &str, cell: &Cell) -> Result<Option<i64>, String> {
    match cell {
        Cell::Null => Ok(None),
        Cell::I32(number) => Ok(Some((*number).into())),
        Cell::I64(number) => Ok(Some(*number)),
        cell => other(column, cell),
    }
}

fn time(column: &str, cell: &Cell) -> Result<Option<Time>, String> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Time(time) => Ok(Some(*time)),
        cell => other(column, cell),
    }
}

fn bytes(column: &str, cell: &Cell) -> Result<Option<Vec<u8>>, String> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Bytes(bytes) => Ok(Some(bytes.clone())),
        cell => other(column, cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_comes_back_from_its_cells() {
        let whole = Letter {
            source: "chat".into(),
            position: Position { source: 0, partition: 3, offset: 1 << 40, element: 2 },
            record_time: Some(Time::from_micros(1_500_001)),
            event_time: Some(Time::from_seconds(-1)),
            watermark: Some(Millis(-2_000)),
            key: Some(vec![0, 255]),
            value: Some(b"[1]".to_vec()),
            reason: Reason::Late,
            detail: "an hour late".into(),
            place: Some("counts".into()),
        };
        let bare = Letter {
            position: Position { element: 0, ..whole.position },
            record_time: None,
            event_time: None,
            watermark: None,
            key: None,
            value: None,
            reason: Reason::Tombstone,
            place: None,
            ..whole.clone()
        };
        for letter in [whole, bare] {
            let read = Letter::from_cells(&letter.cells("shop"));
            assert_eq!(read, Ok(("shop".into(), letter)));
        }
    }

    #[test]
    fn what_is_no_letter_says_why() {
        let check = |column: usize, cell: Cell, expect: &str| {
            let mut cells = example().cells("s");
            cells[column] = cell;
            assert_eq!(Letter::from_cells(&cells).unwrap_err(), expect);
        };
        check(2, Cell::I32(-1), "its partition is below zero");
        check(3, Cell::Null, "it has no offset");
        check(9, Cell::I64(7), "its `value` is I64(7)");
        check(10, Cell::Text("odd".into()), "`odd` is no reason of a letter");
        assert_eq!(Letter::from_cells(&[]).unwrap_err(), "it has no columns");
    }

    fn example() -> Letter {
        let reject = Reject::new(Reason::BadJson, "");
        let letter = Letter::of_row(&Text::default(), Position::default(), reject);
        Letter { source: "chat".into(), place: None, ..letter }
    }
}
