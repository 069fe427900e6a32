//! Objects and arrays in a field of type text: their compact JSON text, written while they are
//! read, with the names in the order of the document.

use std::borrow::Cow;
use std::fmt::{self, Write};

use compact_str::ToCompactString;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::coerce::State;
use super::document::Name;
use super::lexical;
use crate::stats;
use crate::text::Text;

/// The JSON text of an array.
pub(super) fn of_seq<'de, A: SeqAccess<'de>>(seq: A, state: &mut State) -> Result<Text, A::Error> {
    let mut out = String::new();
    Writer { out: &mut out, state }.visit_seq(seq)?;
    Ok(out.into())
}

/// The JSON text of an object.
pub(super) fn of_map<'de, A: MapAccess<'de>>(map: A, state: &mut State) -> Result<Text, A::Error> {
    let mut out = String::new();
    Writer { out: &mut out, state }.visit_map(map)?;
    Ok(out.into())
}

/// Writes the value it reads.
struct Writer<'a> {
    out: &'a mut String,
    state: &'a mut State,
}

impl Writer<'_> {
    fn part(&mut self) -> Writer<'_> {
        Writer { out: self.out, state: self.state }
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.out.push_str(if truth { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, n: i64) -> Result<(), E> {
        self.out.push_str(&n.to_compact_string());
        Ok(())
    }

    fn visit_u64<E>(self, n: u64) -> Result<(), E> {
        self.out.push_str(&n.to_compact_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        let number = self.state.exact(number)?;
        self.out.push_str(&stats::java_double(number));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        match self.state.bare(text) {
            Some(token) if lexical::is_whole(token) => self.out.push_str(token),
            Some(_) => self.out.push_str("null"),
            None => quote(text, self.out),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.out.push('[');
        let start = self.out.len();
        loop {
            // The comma is written before it is known whether an element follows.
            let before = self.out.len();
            if before > start {
                self.out.push(',');
            }
            if seq.next_element_seed(self.part())?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.out.push('{');
        let start = self.out.len();
        while let Some(name) = map.next_key_seed(Name)? {
            let name: Cow<'de, str> = name;
            if self.out.len() > start {
                self.out.push(',');
            }
            quote(&name, self.out);
            self.out.push(':');
            map.next_value_seed(self.part())?;
        }
        self.out.push('}');
        Ok(())
    }
}

/// Writes a text in quotes; escapes what must be, and nothing else.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[copied..at]);
        out.push_str(short);
        if short.is_empty() {
            write!(out, "\\u{byte:04X}").expect("a string takes all that is written to it");
        }
        copied = at + 1;
    }
    out.push_str(&text[copied..]);
    out.push('"');
}
