//! The document around the fields: one object, or an array of objects.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::coerce::{Context, State};
use super::{Decoded, Field, lexical};
use crate::codec::{At, BadDocument, Options, TypeErrors, Wire, WrongType};
use crate::letter::{Reason, Reject};

/// The parser recurses; it refuses more than this by itself.
pub(super) const DEPTH_LIMIT: usize = 127;

/// Longest text of the parser that a letter quotes.
const DETAIL_BYTES_MAX: usize = 200;

/// Reads a document into `out`; counts values of the wrong type, if it is sound.
pub(super) fn read<E: Wire>(
    text: &str,
    at: At<'_>,
    options: &Options,
    errors: &TypeErrors,
    out: &mut Decoded<E>,
) -> Result<(), Reject> {
    let lengths = out.lengths();
    let mut state = State::default();
    let mut outcome = parse(text, at, options, &mut state, out);
    if outcome.is_err() {
        let repaired = lexical::repair(text, options.errors == BadDocument::NullRow);
        if repaired.is_some() || state.inexact {
            out.truncate(lengths);
            state = State { repaired: true, ..State::default() };
            let text = repaired.as_deref().unwrap_or(text);
            outcome = parse(text, at, options, &mut state, out);
        }
    }
    match outcome {
        Ok(Ok(())) => {
            state.wrongs.iter().for_each(|wrong| errors.count(&wrong.field));
            Ok(())
        }
        Ok(Err(reject)) => Err(reject),
        Err(_) if text.trim_ascii().is_empty() => {
            Err(Reject::new(Reason::NotAnObject, "the document is empty"))
        }
        Err(error) => Err(Reject::new(Reason::BadJson, detail(&error))),
    }
}

type Outcome = Result<(), Reject>;

fn parse<E: Wire>(
    text: &str,
    at: At<'_>,
    options: &Options,
    state: &mut State,
    out: &mut Decoded<E>,
) -> serde_json::Result<Outcome> {
    let mut input = serde_json::Deserializer::from_str(text);
    let document = Document { at, options, state, out, is_element: false };
    let outcome = document.deserialize(&mut input)?;
    // Spark reads one value and ignores what follows.
    if options.errors == BadDocument::DeadLetter {
        input.end()?;
    }
    Ok(outcome)
}

/// The parser's sentence without its place, which counts from the repaired text.
fn detail(error: &serde_json::Error) -> String {
    let mut detail = error.to_string();
    detail.truncate(detail.rfind(" at line ").unwrap_or(detail.len()));
    detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
    detail
}

/// Reads the fields of an object.
pub(super) fn fields<'de, E: Wire, A: MapAccess<'de>>(
    mut map: A,
    event: &mut E,
    options: &Options,
    state: &mut State,
) -> Result<(), A::Error> {
    while let Some(name) = map.next_key_seed(Name)? {
        state.begin(&name);
        let context = Context { name: &name, options, state };
        event.field(&name, Field { map: &mut map, context })?;
    }
    Ok(())
}

/// A name of a field: borrowed from the document, unless it is written with escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Cow<'de, str>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    #[inline]
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Reads a document; what it appended before an error is the caller's to take back.
struct Document<'a, E> {
    at: At<'a>,
    options: &'a Options,
    state: &'a mut State,
    out: &'a mut Decoded<E>,
    /// Whether it stands in an array; such a one is no array itself.
    is_element: bool,
}

impl<E: Wire> Document<'_, E> {
    /// Reads an object as an event, or as the reject of a strict type.
    fn event<'de, A: MapAccess<'de>>(&mut self, map: A) -> Result<Outcome, A::Error> {
        self.state.start = self.state.wrongs.len();
        // Written in place: a wire type is too large to be handed around.
        self.out.events.resize_with(self.out.events.len() + 1, E::default);
        let event = self.out.events.last_mut().expect("it was just pushed");
        fields(map, event, self.options, self.state)?;
        if self.options.types == WrongType::Reject
            && let Some(wrong) = self.state.wrongs.drain(self.state.start..).next()
        {
            self.out.events.pop();
            let (field, found, wanted) = (wrong.field, wrong.found, wrong.wanted);
            let detail = format!("field `{field}` is {found}, not {wanted}");
            return Ok(Err(Reject::new(Reason::WrongType, detail)));
        }
        event.normalise(self.options.dialect, self.at);
        self.out.elements.push(self.at.position.element);
        Ok(Ok(()))
    }

    /// What is no object.
    fn other(self, found: &str) -> Outcome {
        let what = if self.is_element { "element" } else { "document" };
        refuse(format_args!("the {what} is {found}, not an object"))
    }
}

fn refuse(detail: impl fmt::Display) -> Outcome {
    Err(Reject::new(Reason::NotAnObject, detail))
}

impl<'de, E: Wire> DeserializeSeed<'de> for Document<'_, E> {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Outcome, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de, E: Wire> Visitor<'de> for Document<'_, E> {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<Outcome, A::Error> {
        self.event(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Outcome, A::Error> {
        let lenient = self.options.errors == BadDocument::NullRow;
        if self.is_element || (lenient && !E::ARRAY) {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(self.other("an array"));
        }
        let Document { mut at, options, state, out, .. } = self;
        at.position.element = 0;
        loop {
            let element = Document { at, options, state, out, is_element: true };
            match seq.next_element_seed(element)? {
                Some(Ok(())) => {}
                Some(Err(reject)) if super::is_null_row(&reject, options) => {
                    out.push_null_row(at.position.element);
                }
                Some(Err(reject)) => out.rejects.push((at.position.element, reject)),
                None if at.position.element == 0 => {
                    return Ok(refuse("the document is an empty array"));
                }
                None => return Ok(Ok(())),
            }
            at.position.element += 1;
        }
    }

    fn visit_unit<X>(self) -> Result<Outcome, X> {
        Ok(self.other("null"))
    }

    fn visit_bool<X>(self, _: bool) -> Result<Outcome, X> {
        Ok(self.other("a truth value"))
    }

    fn visit_i64<X>(self, _: i64) -> Result<Outcome, X> {
        Ok(self.other("a number"))
    }

    fn visit_u64<X>(self, _: u64) -> Result<Outcome, X> {
        Ok(self.other("a number"))
    }

    fn visit_f64<X>(self, _: f64) -> Result<Outcome, X> {
        Ok(self.other("a number"))
    }

    fn visit_str<X>(self, _: &str) -> Result<Outcome, X> {
        Ok(self.other("a text"))
    }
}
