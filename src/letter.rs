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
}
