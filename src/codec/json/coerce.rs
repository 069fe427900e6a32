//! One visitor for the values of all fields: what a JSON value becomes in a field of a type.

use std::fmt;

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

    #[inline]
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
    #[cold]
    pub(super) fn wrong(&mut self, field: &str, found: &'static str, wanted: &'static str) {
        if self.wrongs[self.start..].last().is_none_or(|last| last.field != field) {
            self.wrongs.push(Wrong { field: Text::new(field), outer: None, found, wanted });
        }
    }

    /// Forgets what was noted of a name that occurs again: the last value wins.
    #[inline]
    pub(super) fn begin(&mut self, name: &str) {
        if self.wrongs.len() > self.start {
            self.forget(name);
        }
    }

    #[cold]
    fn forget(&mut self, name: &str) {
        let kept = |wrong: &Wrong| wrong.outer.as_ref().unwrap_or(&wrong.field) != name;
        let mut present = self.wrongs.split_off(self.start);
        present.retain(kept);
        self.wrongs.append(&mut present);
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
    #[inline]
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

/// Reads a value as a `T` into a slot, whatever was in it before.
///
/// A value that is handed up through the layers of the parser is copied by each of them.
pub(super) struct Typed<'s, 'a, T> {
    pub(super) context: &'s mut Context<'a>,
    pub(super) slot: &'s mut Option<T>,
}

impl<T: Coerce> Typed<'_, '_, T> {
    /// Keeps what became of a value, or notes that the type has no use for it.
    #[inline]
    fn keep(self, value: Option<T>, found: &'static str) {
        *self.slot = value;
        if self.slot.is_none() {
            self.context.state.wrong(self.context.name, found, T::WANTED);
        }
    }
}

impl<'de, T: Coerce> DeserializeSeed<'de> for Typed<'_, '_, T> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de, T: Coerce> Visitor<'de> for Typed<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.slot = None;
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        let value = T::from_bool(truth, self.context.options);
        self.keep(value, "a truth value");
        Ok(())
    }

    #[inline]
    fn visit_i64<E>(self, n: i64) -> Result<(), E> {
        let value = T::from_i64(n, self.context.options);
        self.keep(value, "a number");
        Ok(())
    }

    #[inline]
    fn visit_u64<E>(self, n: u64) -> Result<(), E> {
        let value = T::from_u64(n, self.context.options);
        self.keep(value, "a number");
        Ok(())
    }

    #[inline]
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        let number = if T::EXACT { self.context.state.exact(number)? } else { number };
        let value = T::from_f64(number, self.context.options);
        self.keep(value, "a number");
        Ok(())
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        match self.context.state.bare(text) {
            Some(token) => {
                let value = T::from_bare(token, self.context.options);
                self.keep(value, "a number out of range");
            }
            None => {
                let value = T::from_text(text, self.context.options);
                self.keep(value, "a text");
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let value = T::from_seq(seq, self.context)?;
        self.keep(value, "an array");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let value = T::from_map(map, self.context)?;
        self.keep(value, "an object");
        Ok(())
    }
}
