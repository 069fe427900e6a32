//! JSON, read in one pass by a single visitor for all wire types.
//!
//! One record is one document: an object is an event, and so is each element of an array. A value
//! of the wrong type is NULL and counted; a document that is none becomes a [`Reject`]. No input
//! makes [`decode`] panic. The way of a document, each step cheap for sound ones:
//!
//! ```text
//! bytes ── size ── UTF-8 ── depth ── serde_json ─┬─ events
//!                                      │ error   │
//!                                      └ repair ─┘ once: lone surrogates, NaN, 1e400
//! ```

mod coerce;
mod document;
mod lexical;
mod list;
mod single;
mod text;
mod word;
mod written;

use serde::de::{IgnoredAny, MapAccess};

use super::{At, BadDocument, Options, TypeErrors, Wire};
use crate::letter::{Reason, Reject};
use crate::text::Text;
use crate::time::Time;
use coerce::{Coerce, Context, Typed};
pub use single::{instant, text_of};
use word::{TextMillis, TextTime, Word};
pub use written::WrittenTime;

/// What [`decode`] found so far; it only appends, so one value serves a whole batch.
#[derive(Debug)]
pub struct Decoded<E> {
    /// The events, in the order of their records.
    pub events: Vec<E>,
    /// The index of each event in its array record, else 0; as long as `events`.
    pub elements: Vec<u32>,
    /// Elements of array records that are no events: index and reason.
    pub rejects: Vec<(u32, Reject)>,
}

impl<E> Default for Decoded<E> {
    fn default() -> Decoded<E> {
        Decoded { events: vec![], elements: vec![], rejects: vec![] }
    }
}

impl<E> Decoded<E> {
    /// Forgets what was found and keeps the memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.elements.clear();
        self.rejects.clear();
    }

    fn truncate(&mut self, (events, rejects): (usize, usize)) {
        self.events.truncate(events);
        self.elements.truncate(events);
        self.rejects.truncate(rejects);
    }

    /// Appends an event that is a whole record.
    pub fn push(&mut self, event: E) {
        self.events.push(event);
        self.elements.push(0);
    }

    fn push_null_row(&mut self, element: u32)
    where
        E: Default,
    {
        self.events.push(E::default());
        self.elements.push(element);
    }

    fn lengths(&self) -> (usize, usize) {
        (self.events.len(), self.rejects.len())
    }
}

/// Decodes the value of one record, `None` being a tombstone, and returns how many events it
/// appended.
///
/// Elements of an array stand or fall alone: the bad ones are appended to `rejects`. `at` is the
/// place of the record; [`Wire::normalise`] sees it with the index of the element.
///
/// # Errors
///
/// The reason why the whole document is refused; nothing was appended then. With
/// [`BadDocument::NullRow`] most such documents are an event of NULLs instead.
pub fn decode<E: Wire>(
    bytes: Option<&[u8]>,
    at: At<'_>,
    options: &Options,
    errors: &TypeErrors,
    out: &mut Decoded<E>,
) -> Result<usize, Reject> {
    let before = out.lengths();
    let decoded = match bytes {
        Some(bytes) => {
            text(bytes, options).and_then(|text| document::read(text, at, options, errors, out))
        }
        None => Err(Reject::new(Reason::Tombstone, "the record has no value")),
    };
    if let Err(reject) = decoded {
        out.truncate(before);
        if !is_null_row(&reject, options) {
            return Err(reject);
        }
        out.push_null_row(0);
    }
    Ok(out.events.len() - before.0)
}

/// Checks what can be checked before parsing.
fn text<'a>(bytes: &'a [u8], options: &Options) -> Result<&'a str, Reject> {
    if bytes.len() > options.message_bytes_max {
        let (size, limit) = (bytes.len(), options.message_bytes_max);
        let detail = format!("the record has {size} bytes; source.message_bytes_max is {limit}");
        return Err(Reject::new(Reason::TooLarge, detail));
    }
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| {
        let valid = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
        Reject::new(Reason::BadUtf8, format!("byte {valid} of the record is no UTF-8"))
    })?;
    let lenient = options.errors == BadDocument::NullRow;
    let text = match text.strip_prefix('\u{feff}') {
        Some(_) if lenient => {
            return Err(Reject::new(Reason::BadJson, "a byte order mark precedes the document"));
        }
        Some(rest) => rest,
        None => text,
    };
    if lexical::is_deeper(text, options.depth_max.min(document::DEPTH_LIMIT), lenient) {
        let detail =
            format!("the document nests deeper than source.depth_max, {}", options.depth_max);
        return Err(Reject::new(Reason::TooDeep, detail));
    }
    Ok(text)
}

fn is_null_row(reject: &Reject, options: &Options) -> bool {
    options.errors == BadDocument::NullRow
        && matches!(reject.reason, Reason::BadJson | Reason::NotAnObject | Reason::Tombstone)
}

/// The value of one field of a document, read as the type that the wire type wants.
///
/// All methods write into a field of the event, whatever was in it before, and write `None` for
/// `null` and for a value of another type, which is counted under the name of the field. Their
/// errors are those of the parser, to be passed on.
#[must_use = "a field that is not consumed makes the document unreadable; `skip` it"]
#[derive(Debug)]
pub struct Field<'a, A> {
    map: &'a mut A,
    context: Context<'a>,
}

impl<'de, A: MapAccess<'de>> Field<'_, A> {
    #[inline]
    fn read<T: Coerce>(mut self, slot: &mut Option<T>) -> Result<(), A::Error> {
        self.map.next_value_seed(Typed { context: &mut self.context, slot })
    }

    /// Reads a value as the type that says how, and keeps what stands for it.
    fn read_as<T: Coerce, U>(
        self,
        slot: &mut Option<U>,
        keep: impl FnOnce(T) -> Option<U>,
    ) -> Result<(), A::Error> {
        let mut value = None;
        self.read(&mut value)?;
        *slot = value.and_then(keep);
        Ok(())
    }

    /// Text. Numbers and truth values become text (floats as Java writes them), objects and arrays
    /// their JSON text.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn text(self, slot: &mut Option<Text>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// A text that stands for something else, such as a name for one of a few known ones; as
    /// [`Field::text`], but the text itself is not kept.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn word<T: for<'t> From<&'t str>>(self, slot: &mut Option<T>) -> Result<(), A::Error> {
        self.read_as(slot, |Word(word)| Some(word))
    }

    /// A whole number that fits 32 bits.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn i32(self, slot: &mut Option<i32>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// A whole number that fits 64 bits.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn i64(self, slot: &mut Option<i64>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// A number; with [`Options::keep_nan`] also the texts `NaN`, `Infinity`, `-Infinity`.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn f64(self, slot: &mut Option<f64>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// A truth value.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn bool(self, slot: &mut Option<bool>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// An instant: a text as [`parse`](super::timestamp::parse) reads it, or a whole number as
    /// [`from_number`](super::timestamp::from_number) does.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn time(self, slot: &mut Option<Time>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// An instant in a field of type text, as [`parse`](super::timestamp::parse) reads it. Other
    /// values are read as [`Field::text`] first; a text that is no time has the right type all the
    /// same and is not counted.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn text_time(self, slot: &mut Option<Time>) -> Result<(), A::Error> {
        self.read_as(slot, |Word(TextTime(time))| time)
    }

    /// As [`Field::text_time`], with the text that the time was written as; what is no time is its
    /// text.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn written_time(self, slot: &mut Option<WrittenTime>) -> Result<(), A::Error> {
        self.read_as(slot, |Word(written)| Some(written))
    }

    /// As [`Field::text_time`], where the text is a number of milliseconds since 1970; a fraction
    /// is cut off.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn epoch_millis(self, slot: &mut Option<Time>) -> Result<(), A::Error> {
        self.read_as(slot, |Word(TextMillis(time))| time)
    }

    /// A list of texts; each element is read like [`Field::text`].
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn text_list(self, slot: &mut Option<Vec<Option<Text>>>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// A list of whole numbers; each element is read like [`Field::i32`].
    ///
    /// # Errors
    ///
    /// Those of the parser.
    #[inline]
    pub fn i32_list(self, slot: &mut Option<Vec<Option<i32>>>) -> Result<(), A::Error> {
        self.read(slot)
    }

    /// A list of objects, such as the levels of an order book; an element that is none is left
    /// out. [`Wire::normalise`] is not called for them.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn objects<W: Wire>(self, slot: &mut Option<Vec<W>>) -> Result<(), A::Error> {
        self.read_as(slot, |list::Objects(objects)| Some(objects))
    }

    /// An object with a type of its own; what is none is `None`. [`Wire::normalise`] is not called
    /// for it.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn object<W: Wire>(self, slot: &mut Option<W>) -> Result<(), A::Error> {
        self.read_as(slot, |list::Object(object)| Some(object))
    }

    /// Nothing: the value must be JSON, that is all.
    ///
    /// # Errors
    ///
    /// Those of the parser.
    pub fn skip(self) -> Result<(), A::Error> {
        self.map.next_value::<IgnoredAny>().map(|_| ())
    }
}

#[cfg(test)]
mod tests;
