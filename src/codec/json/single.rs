//! One field of a document, read without the rest.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::coerce::{Coerce, Context, State, Typed};
use super::document::Name;
use crate::codec::Options;
use crate::text::Text;
use crate::time::Time;

/// The time in one field of an object, read as [`Field::time`](super::Field::time) reads it; the
/// last of several wins. `None` without such a field, in an array, and for what is no time.
///
/// A document that breaks off behind the field still has it: a dead letter then says when its
/// record arrived.
///
/// ```
/// use highwater::codec::{Options, json::instant};
/// use highwater::time::Time;
///
/// let read = |text: &str| instant(text.as_bytes(), "at", &Options::default());
/// assert_eq!(read(r#"{"b":[1],"at":"1970-01-01T00:00:02Z"}"#), Some(Time::from_seconds(2)));
/// assert_eq!(read(r#"{"at":"1970-01-01 00:00:02","b":"#), Some(Time::from_seconds(2)));
/// assert_eq!(read(r#"[{"at":"1970-01-01T00:00:02Z"}]"#), None);
/// ```
pub fn instant(document: &[u8], field: &str, options: &Options) -> Option<Time> {
    single(document, field, options)
}

/// The text in one field of an object; otherwise as [`instant`].
///
/// ```
/// use highwater::codec::{Options, json::text_of};
///
/// let read = |document: &str| text_of(document.as_bytes(), "id", &Options::default());
/// assert_eq!(read(r#"{"a":[1],"id":"x7"}"#).as_deref(), Some("x7"));
/// assert_eq!(read(r#"{"id":7}"#).as_deref(), Some("7"));
/// assert_eq!(read(r#"{"a":1}"#), None);
/// ```
pub fn text_of(document: &[u8], field: &str, options: &Options) -> Option<Text> {
    single(document, field, options)
}

fn single<T: Coerce>(document: &[u8], field: &str, options: &Options) -> Option<T> {
    let mut found = None;
    let seek = Seek { field, options, found: &mut found };
    // What is wrong with the document is said when all of it is read.
    let _ = serde_json::Deserializer::from_slice(document).deserialize_map(seek);
    found
}

struct Seek<'a, T> {
    field: &'a str,
    options: &'a Options,
    found: &'a mut Option<T>,
}

impl<'de, T: Coerce> Visitor<'de> for Seek<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            if name != self.field {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let mut state = State::default();
            let mut context = Context { name: &name, options: self.options, state: &mut state };
            map.next_value_seed(Typed { context: &mut context, slot: &mut *self.found })?;
        }
        Ok(())
    }
}
