//! One field of a document, read as a time without the rest.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::coerce::{Context, State, Typed};
use super::document::Name;
use crate::codec::Options;
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
    let mut found = None;
    let seek = Seek { field, options, found: &mut found };
    // What is wrong with the document is said when all of it is read.
    let _ = serde_json::Deserializer::from_slice(document).deserialize_map(seek);
    found
}

struct Seek<'a> {
    field: &'a str,
    options: &'a Options,
    found: &'a mut Option<Time>,
}

impl<'de> Visitor<'de> for Seek<'_> {
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
            let context = Context { name: &name, options: self.options, state: &mut state };
            *self.found = map.next_value_seed(Typed::<Time>::new(context))?;
        }
        Ok(())
    }
}
