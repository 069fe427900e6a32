//! The two statements of a table, and rows as their parameters.
//!
//! A statement takes one array per column, so its text is the same for one row and for thousands:
//! it is prepared once. Arrays of arrays cannot be unnested row by row, so lists travel as the
//! text of an array; decimals and documents as text, too.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use tokio_postgres::types::ToSql;

use super::table::{Table, quote};
use crate::row::{Cell, Type};
use crate::text::Text;
use crate::time::Time;

/// Type of the array that carries a column, and the cast from its elements to the column.
fn carrier(kind: Type) -> (&'static str, &'static str) {
    match kind {
        Type::Bool => ("boolean[]", ""),
        Type::I32 => ("integer[]", ""),
        Type::I64 => ("bigint[]", ""),
        Type::F64 => ("double precision[]", ""),
        Type::Decimal => ("text[]", "::numeric"),
        Type::Text => ("text[]", ""),
        Type::Time => ("timestamp[]", ""),
        Type::TextList => ("text[]", "::text[]"),
        Type::I32List => ("text[]", "::integer[]"),
        Type::Json => ("text[]", "::jsonb"),
        Type::Bytes => ("bytea[]", ""),
    }
}

/// `unnest($1::text[], …) AS u (c0, …)` for some columns, and `u.c0`, … as the columns' own types.
fn unnest(table: &Table, columns: &[usize]) -> (String, Vec<String>) {
    let (mut arrays, mut names, mut values) = (vec![], vec![], vec![]);
    for (place, index) in columns.iter().enumerate() {
        let (array, cast) = carrier(table.columns[*index].kind);
        arrays.push(format!("${}::{array}", place + 1));
        names.push(format!("c{place}"));
        values.push(format!("u.c{place}{cast}"));
    }
    (format!("unnest({}) AS u ({})", arrays.join(", "), names.join(", ")), values)
}

/// Inserts rows; with a key it replaces those that are there.
pub(super) fn insert_sql(table: &Table) -> String {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let (source, mut values) = unnest(table, &all);
    let mut names: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
    if let Some(stamp) = &table.stamp {
        names.push(quote(stamp));
        values.push("now()".into());
    }
    let conflict = if table.has_key() {
        let is_key = |index: &usize| table.key.contains(index);
        let replace = |name: &String| format!("{name} = EXCLUDED.{name}");
        let others = (0..names.len()).filter(|index| !is_key(index)).map(|index| &names[index]);
        let others: Vec<String> = others.map(replace).collect();
        let action = match others.is_empty() {
            true => "NOTHING".into(),
            false => format!("UPDATE SET {}", others.join(", ")),
        };
        format!(" ON CONFLICT ({}) DO {action}", table.quoted_key())
    } else {
        String::new()
    };
    let (table, names, values) = (table.quoted(), names.join(", "), values.join(", "));
    format!("INSERT INTO {table} ({names}) SELECT {values} FROM {source}{conflict}")
}

/// Deletes rows by their keys.
pub(super) fn delete_sql(table: &Table) -> String {
    let (source, values) = unnest(table, &table.key);
    let equal = |(index, value): (&usize, &String)| {
        format!("t.{} = {value}", quote(&table.columns[*index].name))
    };
    let equal: Vec<String> = table.key.iter().zip(&values).map(equal).collect();
    format!("DELETE FROM {} AS t USING {source} WHERE {}", table.quoted(), equal.join(" AND "))
}

/// The parameters of a statement: one array per column.
pub(super) type Parameters<'a> = Vec<Box<dyn ToSql + Sync + 'a>>;

/// Arrays of some columns of some rows.
pub(super) fn parameters<'a>(
    table: &Table,
    columns: &[usize],
    rows: &[&'a [Cell]],
) -> Parameters<'a> {
    let array = |index: &usize| array(table.columns[*index].kind, *index, rows);
    columns.iter().map(array).collect()
}

fn array<'a>(kind: Type, column: usize, rows: &[&'a [Cell]]) -> Box<dyn ToSql + Sync + 'a> {
    macro_rules! array {
        ($variant:ident, $value:ident => $element:expr) => {
            Box::new(collect(kind, column, rows, |cell| match cell {
                Cell::$variant($value) => Some($element),
                _ => None,
            }))
        };
    }
    match kind {
        Type::Bool => array!(Bool, value => *value),
        Type::I32 => array!(I32, value => *value),
        Type::I64 => array!(I64, value => *value),
        Type::F64 => array!(F64, value => *value),
        Type::Decimal => array!(Decimal, value => decimal(*value)),
        Type::Text => array!(Text, value => &**value),
        Type::Time => array!(Time, value => system_time(*value)),
        Type::TextList => array!(TextList, value => text_array(value)),
        Type::I32List => array!(I32List, value => i32_array(value)),
        Type::Json => array!(Json, value => &**value),
        Type::Bytes => array!(Bytes, value => &**value),
    }
}

/// NULL stays NULL; a cell of another type than its column's would be a bug of the row.
fn collect<'a, T>(
    kind: Type,
    column: usize,
    rows: &[&'a [Cell]],
    value: impl Fn(&'a Cell) -> Option<T>,
) -> Vec<Option<T>> {
    let element = |row: &&'a [Cell]| match &row[column] {
        Cell::Null => None,
        cell => match value(cell) {
            Some(value) => Some(value),
            None => panic!("column {column} is {kind}, and a cell of it is {cell:?}"),
        },
    };
    rows.iter().map(element).collect()
}

fn decimal(hundredths: i128) -> String {
    let mut bytes = Vec::new();
    crate::sink::text::decimal(hundredths, &mut bytes);
    String::from_utf8(bytes).expect("digits are UTF-8")
}

/// The client writes it as microseconds, without a loss.
fn system_time(time: Time) -> SystemTime {
    let distance = Duration::from_micros(time.micros().unsigned_abs());
    match time.micros() < 0 {
        true => SystemTime::UNIX_EPOCH - distance,
        false => SystemTime::UNIX_EPOCH + distance,
    }
}

/// The text of an array, as the server reads it: every element in quotes, as it could be `null`.
fn text_array(texts: &[Option<Text>]) -> String {
    let mut array = String::from("{");
    for (index, text) in texts.iter().enumerate() {
        if index != 0 {
            array.push(',');
        }
        let Some(text) = text else {
            array.push_str("NULL");
            continue;
        };
        array.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                array.push('\\');
            }
            array.push(c);
        }
        array.push('"');
    }
    array.push('}');
    array
}

fn i32_array(numbers: &[i32]) -> String {
    let mut array = String::from("{");
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(array, "{comma}{number}").expect("a string takes every character");
    }
    array.push('}');
    array
}
