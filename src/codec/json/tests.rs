//! The tables of the decoding rules, row by row; arrays, limits, duplicates; mutated documents.

use serde_json::Value;

use super::*;
use crate::codec::{BadDocument, Dialect, TypeErrors, WrongType};
use crate::row::Position;

mod documents;
mod fuzz;
mod mutations;
mod values;

/// A field of each type, in a document whose names are those of the types.
#[derive(Debug, Default, PartialEq)]
struct All {
    text: Option<Text>,
    i32: Option<i32>,
    i64: Option<i64>,
    f64: Option<f64>,
    bool: Option<bool>,
    list: Option<Vec<Option<Text>>>,
    numbers: Option<Vec<Option<i32>>>,
    time: Option<Time>,
    millis: Option<Time>,
    moment: Option<Time>,
    levels: Option<Vec<Level>>,
    level: Option<Level>,
    /// Filled by `normalise` alone.
    id: Option<Text>,
}

impl Wire for All {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "text" => field.text(&mut self.text),
            "i32" => field.i32(&mut self.i32),
            "i64" => field.i64(&mut self.i64),
            "f64" => field.f64(&mut self.f64),
            "bool" => field.bool(&mut self.bool),
            "list" => field.text_list(&mut self.list),
            "numbers" => field.i32_list(&mut self.numbers),
            "time" => field.time(&mut self.time),
            "millis" => field.epoch_millis(&mut self.millis),
            "moment" => field.text_time(&mut self.moment),
            "levels" => field.objects(&mut self.levels),
            "level" => field.object(&mut self.level),
            _ => field.skip(),
        }
    }

    fn normalise(&mut self, dialect: Dialect, at: At<'_>) {
        if dialect == Dialect::Auto {
            let Position { partition, offset, element, .. } = at.position;
            self.id = Some(format!("{}-{partition}-{offset}-{element}", at.topic).into());
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Level {
    price: Option<f64>,
}

impl Wire for Level {
    const ARRAY: bool = true;

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "price" => field.f64(&mut self.price),
            _ => field.skip(),
        }
    }
}

/// Without ids, so that values can be compared.
fn plain() -> Options {
    Options { dialect: Dialect::Strict, ..Options::default() }
}

fn null_row() -> Options {
    Options { errors: BadDocument::NullRow, ..plain() }
}

fn strict() -> Options {
    Options { types: WrongType::Reject, ..plain() }
}

const AT: At<'static> =
    At { topic: "chat", position: Position { source: 1, partition: 2, offset: 3, element: 0 } };

/// What one document becomes, after an earlier one that must not be touched.
fn outcome<E: Wire>(
    bytes: Option<&[u8]>,
    options: &Options,
) -> (Result<usize, Reject>, Decoded<E>, TypeErrors) {
    let errors = TypeErrors::default();
    let mut out = Decoded::default();
    out.push_null_row(9);
    out.rejects.push((9, Reject::because("an earlier one")));
    let result = decode(bytes, AT, options, &errors, &mut out);
    out.events.remove(0);
    assert_eq!((out.elements.remove(0), out.rejects.remove(0).0), (9, 9));
    assert_eq!(out.events.len(), out.elements.len());
    assert_eq!(out.events.len(), result.as_ref().map_or(0, |count| *count));
    (result, out, errors)
}

/// The one event of a document, and the fields that were counted.
fn event<E: Wire>(text: &str, options: &Options) -> (E, Vec<String>) {
    let (result, mut out, errors) = outcome(Some(text.as_bytes()), options);
    assert_eq!(result, Ok(1), "{text}");
    assert_eq!(out.rejects, []);
    let counted = errors.counts().into_iter().map(|(field, n)| format!("{field} {n}")).collect();
    (out.events.remove(0), counted)
}

/// The reason why a document is refused, and the detail.
fn refusal(bytes: &[u8], options: &Options) -> (Reason, String) {
    let (result, out, errors) = outcome::<All>(Some(bytes), options);
    assert_eq!((out.events.len(), out.rejects.len(), errors.counts().len()), (0, 0, 0));
    let reject = result.expect_err(&String::from_utf8_lossy(bytes));
    (reject.reason, reject.detail)
}
