//! [`options`]: a connector's own keys, from its table to its struct.
//!
//! A deserializer of our own, because serde's way from a TOML value knows neither the path of a
//! wrong value nor refuses unknown keys by itself, and because numbers may come as text from the
//! environment (`rate = "$RATE"`). Errors never show text: it may be a secret.

use std::fmt;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use toml::Value;

use super::fields::join;
use super::{did_you_mean, parse_size};
use crate::error::{Error, Result, nearest};
use crate::time::parse_duration;

/// Reads a connector's table into its struct; `place` is that of the binding.
///
/// Numbers and flags may be text that says one, as the environment gives it.
///
/// # Errors
///
/// An unknown key with the nearest names, a missing one, or a value of the wrong type, with its
/// path.
///
/// ```
/// use highwater::config::options;
/// #[derive(serde::Deserialize)]
/// struct File {
///     path: String,
/// }
/// let table = toml::toml! { paht = "rows.csv" };
/// assert_eq!(
///     options::<File>(&table, "chat.toml:3: sink.moments.file").err().unwrap().to_string(),
///     "chat.toml:3: sink.moments.file: unknown key `paht`\n  hint: did you mean `path`?",
/// );
/// ```
pub fn options<T: DeserializeOwned>(table: &toml::Table, place: &str) -> Result<T> {
    let value = Value::Table(table.clone());
    T::deserialize(Reader(&value)).map_err(|fault| fault.into_error().within(place))
}

/// For `#[serde(deserialize_with = "config::duration")]`: text such as `"5m"`, into a [`Duration`]
/// or an `Option` of one (with `#[serde(default)]`).
///
/// # Errors
///
/// Those of [`parse_duration`].
pub fn duration<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<Duration>,
{
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map(T::from).map_err(de::Error::custom)
}

/// For `#[serde(deserialize_with = "config::size")]`: text such as `"64MiB"`, into bytes or an
/// `Option` of them (with `#[serde(default)]`).
///
/// # Errors
///
/// Those of [`parse_size`].
pub fn size<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<usize>,
{
    let text = String::deserialize(deserializer)?;
    parse_size(&text).map(T::from).map_err(de::Error::custom)
}

/// What is wrong, and where below the table.
#[derive(Debug)]
struct Fault {
    /// Keys from the inside out.
    path: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(message: String) -> Fault {
        Fault { path: vec![], message, hint: None }
    }

    fn hint(mut self, hint: String) -> Fault {
        self.hint = Some(hint);
        self
    }

    fn under(mut self, key: &str) -> Fault {
        self.path.push(key.to_owned());
        self
    }

    fn into_error(self) -> Error {
        let path = self.path.iter().rev().fold(String::new(), |path, key| join(&path, key));
        let error = match path.as_str() {
            "" => Error::config(self.message),
            path => Error::config(format!("`{path}`: {}", self.message)),
        };
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        Fault::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        let found = match found {
            Unexpected::Str(_) => "text".to_owned(),
            Unexpected::Signed(number) => format!("the integer {number}"),
            Unexpected::Unsigned(number) => format!("the integer {number}"),
            Unexpected::Float(number) => format!("the number {number}"),
            Unexpected::Bool(flag) => flag.to_string(),
            Unexpected::Seq => "an array".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            other => other.to_string(),
        };
        let expected = match expected.to_string().as_str() {
            "a string" => "text in quotes".to_owned(),
            "a sequence" => "an array".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, 0 or more".to_owned(),
            "isize" | "i64" | "i32" | "i16" | "i8" => "a whole number".to_owned(),
            "f64" | "f32" => "a number".to_owned(),
            other if other.starts_with("struct ") => "a table".to_owned(),
            other => other.to_owned(),
        };
        Fault::new(format!("must be {expected}, not {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Fault {
        let near = nearest(found, expected.iter().copied());
        let fault = Fault::new(format!("{found:?} is none of {}", super::listed(expected)));
        match near.as_slice() {
            [] => fault,
            near => fault.hint(format!("did you mean {}?", super::listed(near))),
        }
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Fault {
        Fault::new(format!("unknown key `{found}`")).hint(did_you_mean(found, expected))
    }

    fn missing_field(field: &'static str) -> Fault {
        Fault::new(format!("the key `{field}` is missing"))
            .hint(format!("write it into this table: {field} = …"))
    }
}

/// Reads a value, and numbers and flags also out of text.
struct Reader<'a>(&'a Value);

impl Reader<'_> {
    /// What a text says, if a number or flag is asked for and it says one.
    fn said(&self) -> Option<Value> {
        let Value::String(text) = self.0 else { return None };
        let text = text.trim();
        let integer = text.parse().map(Value::Integer).ok();
        let flag = || text.parse().map(Value::Boolean).ok();
        let float = || text.parse().map(Value::Float).ok();
        integer.or_else(flag).or_else(float)
    }
}

macro_rules! also_out_of_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.said() {
                Some(value) => Reader(&value).deserialize_any(visitor),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(flag) => visitor.visit_bool(*flag),
            Value::Datetime(time) => visitor.visit_string(time.to_string()),
            Value::Array(values) => visitor.visit_seq(Elements(values.iter().enumerate())),
            Value::Table(table) => visitor.visit_map(Entries::new(table)),
        }
    }

    also_out_of_text! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Value::Table(table) = self.0
            && let Some(unknown) = table.keys().find(|key| !fields.contains(&key.as_str()))
        {
            return Err(de::Error::unknown_field(unknown, fields));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(StrDeserializer::<Fault>::new(text)),
            Value::Table(table) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries::new(table)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

struct Elements<'a>(std::iter::Enumerate<std::slice::Iter<'a, Value>>);

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(value)).map(Some).map_err(|fault| fault.under(&index.to_string()))
    }
}

struct Entries<'a> {
    entries: toml::map::Iter<'a, String, Value>,
    current: Option<(&'a String, &'a Value)>,
}

impl<'a> Entries<'a> {
    fn new(table: &'a toml::Table) -> Entries<'a> {
        Entries { entries: table.iter(), current: None }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(StrDeserializer::<Fault>::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) =
            self.current.take().ok_or_else(|| Fault::new("a value without a key".into()))?;
        seed.deserialize(Reader(value)).map_err(|fault| fault.under(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Format {
        Csv,
        Json,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Example {
        topic: String,
        #[serde(default)]
        rate: u32,
        #[serde(default)]
        share: Option<f64>,
        #[serde(default)]
        is_loud: bool,
        format: Option<Format>,
        #[serde(default, deserialize_with = "duration")]
        linger: Option<Duration>,
        #[serde(default, deserialize_with = "size")]
        queue: usize,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        columns: Vec<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        depth: u8,
    }

    fn read(text: &str) -> Result<Example> {
        options(&text.parse().unwrap(), "a.toml:1: sink.x.example")
    }

    #[test]
    fn numbers_and_flags_may_come_as_text_from_the_environment() {
        let text = "topic = '5'\nrate = '2000'\nshare = '1'\nis_loud = 'true'\nformat = 'csv'\n\
                    linger = '3s'\nqueue = '1KiB'\ninner = { depth = '7' }\ncolumns = ['a']";
        let expect = Example {
            topic: "5".into(),
            rate: 2_000,
            share: Some(1.0),
            is_loud: true,
            format: Some(Format::Csv),
            linger: Some(seconds(3)),
            queue: 1_024,
            inner: Some(Inner { depth: 7 }),
            columns: vec!["a".into()],
        };
        assert_eq!(read(text), Ok(expect));
    }

    #[test]
    fn an_error_names_the_path_and_the_way_out() {
        let check = |text: &str, expect: &str| {
            let error = read(text).unwrap_err().to_string();
            assert_eq!(error, format!("a.toml:1: sink.x.example: {expect}"), "{text}");
        };
        check("tpic = 'x'", "unknown key `tpic`\n  hint: did you mean `topic`?");
        check(
            "rate = 5",
            "the key `topic` is missing\n  hint: write it into this table: topic = …",
        );
        check("topic = 5", "`topic`: must be text in quotes, not the integer 5");
        check("topic = ''\nrate = 'fast'", "`rate`: must be a whole number, 0 or more, not text");
        check(
            "topic = ''\nrate = -1",
            "`rate`: must be a whole number, 0 or more, not the integer -1",
        );
        check("topic = ''\nis_loud = 1", "`is_loud`: must be true or false, not the integer 1");
        check(
            "topic = ''\nformat = 'cvs'",
            "`format`: \"cvs\" is none of `csv`, `json`\n  hint: did you mean `csv`?",
        );
        check(
            "topic = ''\nlinger = '3 parsecs'",
            "`linger`: `3 parsecs` is no duration: its unit is none of us, ms, s, m, h, d; \
             write one like \"5m\"",
        );
        check(
            "topic = ''\ninner = { dept = 1 }",
            "`inner`: unknown key `dept`\n  hint: did you mean `depth`?",
        );
        check(
            "topic = ''\ninner = { depth = 1.5 }",
            "`inner.depth`: must be a whole number, 0 or more, not the number 1.5",
        );
        check("topic = ''\ninner = 3", "`inner`: must be a table, not the integer 3");
        check(
            "topic = ''\ncolumns = ['a', 1]",
            "`columns.1`: must be text in quotes, not the integer 1",
        );
    }
}
