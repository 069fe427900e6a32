//! One visitor for the values of all fields: what a JSON value becomes in a field of a type.

use std::fmt;
use std::marker::PhantomData;

use compact_str::{ToCompactString, format_compact};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{lexical, text};
use crate::codec::{Options, timestamp};
use crate::stats;
use crate::text::Text;
use crate::time::Time;

/// What a type makes of each kind of JSON value; the default is that it has no use for it.
///
/// `null` needs no rule: it is NULL for all.
pub(super) trait Coerce: Sized {
    /// What the type is called in a letter `wrong_type`.
    const WANTED: &'static str;
    /// Whether `-0` and whole numbers beyond 64 bits must be told from floats.
    const EXACT: bool = false;

    fn from_bool(_: bool, _: &Options) -> Option<Self> {
        None
    }

    fn from_i64(_: i64, _: &Options) -> Option<Self> {
        None
    }

    fn from_u64(n: u64, options: &Options) -> Option<Self> {
        i64::try_from(n).ok().and_then(|n| Self::from_i64(n, options))
    }

    fn from_f64(_: f64, _: &Options) -> Option<Self> {
        None
    }

    fn from_text(_: &str, _: &Options) -> Option<Self> {
        None
    }

    /// From a bare token that is no JSON number or none of 64 bits, such as `NaN` or `1e400`.
    fn from_bare(_: &str, _: &Options) -> Option<Self> {
        None
    }

    fn from_seq<'de, A: SeqAccess<'de>>(
        mut seq: A,
        _: &mut Context<'_>,
    ) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn from_map<'de, A: MapAccess<'de>>(
        mut map: A,
        _: &mut Context<'_>,
    ) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Coerce for Text {
    const WANTED: &'static str = "text";
    const EXACT: bool = true;

    fn from_bool(truth: bool, _: &Options) -> Option<Text> {
        Some(Text::const_new(if truth { "true" } else { "false" }))
    }

    fn from_i64(n: i64, _: &Options) -> Option<Text> {
        Some(n.to_compact_string())
    }

    fn from_u64(n: u64, _: &Options) -> Option<Text> {
        Some(n.to_compact_string())
    }

    fn from_f64(number: f64, _: &Options) -> Option<Text> {
        Some(stats::java_double(number))
    }

    fn from_text(text: &str, _: &Options) -> Option<Text> {
        Some(Text::new(text))
    }

    fn from_bare(token: &str, _: &Options) -> Option<Text> {
        lexical::is_whole(token).then(|| Text::new(token))
    }

    fn from_seq<'de, A: SeqAccess<'de>>(
        seq: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Text>, A::Error> {
        text::of_seq(seq, context.state).map(Some)
    }

    fn from_map<'de, A: MapAccess<'de>>(
        map: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Text>, A::Error> {
        text::of_map(map, context.state).map(Some)
    }
}

impl Coerce for i32 {
    const WANTED: &'static str = "a whole number of 32 bits";
    const EXACT: bool = true;

    fn from_i64(n: i64, _: &Options) -> Option<i32> {
        n.try_into().ok()
    }
}

impl Coerce for i64 {
    const WANTED: &'static str = "a whole number of 64 bits";
    const EXACT: bool = true;

    fn from_i64(n: i64, _: &Options) -> Option<i64> {
        Some(n)
    }
}

impl Coerce for f64 {
    const WANTED: &'static str = "a number";

    fn from_i64(n: i64, _: &Options) -> Option<f64> {
        Some(n as f64)
    }

    fn from_u64(n: u64, _: &Options) -> Option<f64> {
        Some(n as f64)
    }

    fn from_f64(number: f64, _: &Options) -> Option<f64> {
        Some(number)
    }

    fn from_text(text: &str, options: &Options) -> Option<f64> {
        match text {
            _ if !options.keep_nan => None,
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        }
    }

    fn from_bare(token: &str, options: &Options) -> Option<f64> {
        let number: f64 = token.parse().ok()?;
        (number.is_finite() || options.keep_nan).then_some(number)
    }
}

impl Coerce for bool {
    const WANTED: &'static str = "true or false";

    fn from_bool(truth: bool, _: &Options) -> Option<bool> {
        Some(truth)
    }
}

impl Coerce for Time {
    const WANTED: &'static str = "a time";
    const EXACT: bool = true;

    fn from_i64(n: i64, options: &Options) -> Option<Time> {
        timestamp::from_number(n, options.extended_times)
    }

    fn from_text(text: &str, options: &Options) -> Option<Time> {
        timestamp::parse(text, &options.naive_tz, options.extended_times)
    }
}

/// What a value is read with: the name of its field, the options, and the state of the document.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) name: &'a str,
    pub(super) options: &'a Options,
    pub(super) state: &'a mut State,
}

impl Context<'_> {
    /// The same for a part of the value.
    pub(super) fn part(&mut self) -> Context<'_> {
        Context { name: self.name, options: self.options, state: self.state }
    }
}

/// What is known about a document while it is read.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Values of the wrong type, of all objects so far.
    pub(super) wrongs: Vec<Wrong>,
    /// Where those of the present object begin.
    pub(super) start: usize,
    /// Whether the text has passed [`lexical::repair`], so that it may have marked tokens.
    pub(super) repaired: bool,
    /// Whether a number was met that only the repaired text tells exactly.
    pub(super) inexact: bool,
}

impl State {
    /// Notes a value of the wrong type; elements of one list count once.
    pub(super) fn wrong(&mut self, field: &str, found: &'static str, wanted: &'static str) {
        if self.wrongs[self.start..].last().is_none_or(|last| last.field != field) {
            self.wrongs.push(Wrong { field: Text::new(field), outer: None, found, wanted });
        }
    }

    /// Forgets what was noted of a name that occurs again: the last value wins.
    pub(super) fn begin(&mut self, name: &str) {
        if self.wrongs.len() > self.start {
            let kept = |wrong: &Wrong| wrong.outer.as_ref().unwrap_or(&wrong.field) != name;
            let mut present = self.wrongs.split_off(self.start);
            present.retain(kept);
            self.wrongs.append(&mut present);
        }
    }

    /// Opens an object within the field of a name; returns what closes it again.
    pub(super) fn enter(&mut self) -> usize {
        std::mem::replace(&mut self.start, self.wrongs.len())
    }

    /// Closes it: what was wrong in it is a part of that field, such as `levels.price`.
    pub(super) fn leave(&mut self, name: &str, outer: usize) {
        for wrong in &mut self.wrongs[self.start..] {
            wrong.field = format_compact!("{name}.{}", wrong.field);
            wrong.outer = Some(name.into());
        }
        self.start = outer;
    }

    /// The token that a text stands for, if it was marked by [`lexical::repair`].
    pub(super) fn bare<'t>(&self, text: &'t str) -> Option<&'t str> {
        if self.repaired { text.strip_prefix(lexical::MARK) } else { None }
    }

    /// Passes a float on, unless it may have been written as a whole number: the parser turns `-0`
    /// and whole numbers beyond 64 bits into floats.
    pub(super) fn exact<E: Error>(&mut self, number: f64) -> Result<f64, E> {
        let ambiguous = (number == 0.0 && number.is_sign_negative())
            || number >= u64::MAX as f64
            || number <= i64::MIN as f64;
        if ambiguous && !self.repaired {
            self.inexact = true;
            return Err(E::custom("the number needs a closer look"));
        }
        Ok(number)
    }
}

/// A value of the wrong type.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) field: Text,
    /// The field of the event, if it is within one.
    pub(super) outer: Option<Text>,
    pub(super) found: &'static str,
    pub(super) wanted: &'static str,
}

/// Reads a value as a `T`.
pub(super) struct Typed<'a, T> {
    context: Context<'a>,
    kind: PhantomData<T>,
}

impl<'a, T: Coerce> Typed<'a, T> {
    pub(super) fn new(context: Context<'a>) -> Typed<'a, T> {
        Typed { context, kind: PhantomData }
    }

    fn checked(self, value: Option<T>, found: &'static str) -> Option<T> {
        if value.is_none() {
            self.context.state.wrong(self.context.name, found, T::WANTED);
        }
        value
    }
}

impl<'de, T: Coerce> DeserializeSeed<'de> for Typed<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Option<T>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de, T: Coerce> Visitor<'de> for Typed<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Option<T>, E> {
        let value = T::from_bool(truth, self.context.options);
        Ok(self.checked(value, "a truth value"))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Option<T>, E> {
        let value = T::from_i64(n, self.context.options);
        Ok(self.checked(value, "a number"))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Option<T>, E> {
        let value = T::from_u64(n, self.context.options);
        Ok(self.checked(value, "a number"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<T>, E> {
        let number = if T::EXACT { self.context.state.exact(number)? } else { number };
        let value = T::from_f64(number, self.context.options);
        Ok(self.checked(value, "a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<T>, E> {
        let (value, found) = match self.context.state.bare(text) {
            Some(token) => (T::from_bare(token, self.context.options), "a number out of range"),
            None => (T::from_text(text, self.context.options), "a text"),
        };
        Ok(self.checked(value, found))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, seq: A) -> Result<Option<T>, A::Error> {
        let value = T::from_seq(seq, &mut self.context)?;
        Ok(self.checked(value, "an array"))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<Option<T>, A::Error> {
        let value = T::from_map(map, &mut self.context)?;
        Ok(self.checked(value, "an object"))
    }
}
