//! Codecs: from the bytes of a record to events, or to the reason why not.
//!
//! A *wire type* is an owned struct that names its fields once, in [`Wire::field`]. One visitor
//! (`json.rs`) serves all of them; coercions, two dialects, depth and duplicates are its business.

pub mod json;
pub mod raw;
pub mod timestamp;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::MapAccess;

pub use json::{Decoded, Field, decode};
pub use raw::{Raw, RawRecord};

use crate::row::Position;
use crate::text::Text;

/// An event type as it comes over the wire.
///
/// ```
/// use highwater::codec::{Field, Wire};
/// use highwater::prelude::*;
///
/// #[derive(Default)]
/// struct Login {
///     user_id: Option<Text>,
///     timestamp: Option<Time>,
/// }
///
/// impl Wire for Login {
///     fn field<'de, A: serde::de::MapAccess<'de>>(
///         &mut self,
///         name: &str,
///         field: Field<'_, A>,
///     ) -> Result<(), A::Error> {
///         match name {
///             "user_id" => field.text(&mut self.user_id),
///             "timestamp" => field.time(&mut self.timestamp),
///             _ => field.skip(),
///         }
///     }
/// }
///
/// use highwater::codec::{At, Decoded, Options, TypeErrors, decode};
///
/// let at = At { topic: "auth", position: Default::default() };
/// let mut decoded = Decoded::<Login>::default();
/// let value = br#"{"user_id":7,"timestamp":"1970-01-01 00:00:01","device":{"os":"x"}}"#;
/// let (options, errors) = (Options::default(), TypeErrors::default());
/// assert_eq!(decode(Some(value), at, &options, &errors, &mut decoded), Ok(1));
/// assert_eq!(decoded.events[0].user_id.as_deref(), Some("7"));
/// assert_eq!(decoded.events[0].timestamp, Some(Time::from_seconds(1)));
/// ```
pub trait Wire: Default + 'static {
    /// Whether the replaced job reads a document as an *array* of such objects. By default an
    /// array is taken apart for every type; with [`BadDocument::NullRow`] only for these.
    const ARRAY: bool = false;

    /// Whether the event is the record itself and nothing is decoded, as of [`Raw`]. Then no record
    /// is refused but one that its source could not keep whole.
    const RAW: bool = false;

    /// Makes the event of a record, where it is the record itself ([`Wire::RAW`]).
    fn from_record(_record: RawRecord<'_>) -> Self {
        Self::default()
    }

    /// Takes in the value of one field of the document; a name that occurs twice comes twice, so
    /// the last one wins. Every field must be consumed, if only by [`Field::skip`].
    ///
    /// # Errors
    ///
    /// Those of the parser.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error>;

    /// Brings two dialects together, once all fields are read; `at` names the record's place, for
    /// ids that are made from it.
    fn normalise(&mut self, _dialect: Dialect, _at: At<'_>) {}

    /// Takes in the key of the record, after all else; also of a row of NULLs. Few types have a
    /// use for it.
    #[inline]
    fn record_key(&mut self, _key: Option<&[u8]>) {}
}

/// The place of a record, as ids made from it spell it.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Topic, or name of the source.
    pub topic: &'a str,
    /// Where in it.
    pub position: Position,
}

/// Which field names a decoder understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Those of the producer and those of the job.
    #[default]
    Auto,
    /// Only those of the job.
    Strict,
}

/// What a bad document becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadDocument {
    /// A dead letter.
    #[default]
    DeadLetter,
    /// A row of NULLs, as Spark makes it.
    NullRow,
}

/// What a value of the wrong type becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrongType {
    /// NULL, and counted.
    #[default]
    Null,
    /// The record becomes a dead letter `wrong_type`.
    Reject,
}

/// How a source decodes; keys of its binding.
#[derive(Clone, Debug)]
pub struct Options {
    /// `json.errors`.
    pub errors: BadDocument,
    /// `json.nan = "nan"`: the texts `NaN`, `Infinity`, `-Infinity` in a number field are numbers.
    pub keep_nan: bool,
    /// `json.types`.
    pub types: WrongType,
    /// `dialect`.
    pub dialect: Dialect,
    /// `time_formats = "extended"`: numbers of seconds, ms, µs, ns are times.
    pub extended_times: bool,
    /// `naive_tz`: the zone of times that name none.
    pub naive_tz: timestamp::Zone,
    /// `source.message_bytes_max`.
    pub message_bytes_max: usize,
    /// `source.depth_max`.
    pub depth_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            errors: BadDocument::default(),
            keep_nan: false,
            types: WrongType::default(),
            dialect: Dialect::default(),
            extended_times: true,
            naive_tz: timestamp::Zone::utc(),
            message_bytes_max: 1 << 20,
            depth_max: 64,
        }
    }
}

/// Counts, per field, the values that had the wrong type and became NULL.
#[derive(Debug, Default)]
pub struct TypeErrors(RefCell<BTreeMap<Text, u64>>);

impl TypeErrors {
    /// Counts one.
    pub fn count(&self, field: &str) {
        let mut counts = self.0.borrow_mut();
        match counts.get_mut(field) {
            Some(count) => *count += 1,
            None => {
                counts.insert(field.into(), 1);
            }
        }
    }

    /// The counts so far, by field.
    pub fn counts(&self) -> BTreeMap<Text, u64> {
        self.0.borrow().clone()
    }
}
