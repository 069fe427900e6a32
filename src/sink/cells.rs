//! Rows back from where sinks have put them: cells from their text forms, which `text.rs` writes.

use serde_json::Value;

use super::text::from_base64;
use crate::error::Result as Done;
use crate::row::{Cell, Column, Type};
use crate::source::generator::read_time;

/// Who is given each row that is read: its cells, in the order of the columns that were asked for.
pub(crate) type TakeRow<'a> = dyn FnMut(Vec<Cell>) -> Done<()> + 'a;

/// The cell of a CSV field. An empty one is NULL where that may be.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn csv_cell(column: &Column, field: &str) -> Result<Cell, String> {
    match field.is_empty() && (column.nullable || column.kind != Type::Text) {
        true => Ok(Cell::Null),
        false => cell(column, field),
    }
}

/// The cell of a text that is not NULL.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn cell(column: &Column, text: &str) -> Result<Cell, String> {
    let cell = match column.kind {
        Type::Text => Some(Cell::Text(text.into())),
        Type::I32 => text.parse().ok().map(Cell::I32),
        Type::I64 => text.parse().ok().map(Cell::I64),
        Type::Time => read_time(text).ok().map(Cell::Time),
        Type::Bytes => from_base64(text).map(Cell::Bytes),
        _ => None,
    };
    cell.ok_or_else(|| format!("`{text}` is no {}: column `{}`", column.kind, column.name))
}

/// The cell of a JSON value.
///
/// # Errors
///
/// What is wrong with it, in words.
fn json_cell(column: &Column, value: Option<&Value>) -> Result<Cell, String> {
    let cell = match (column.kind, value) {
        (_, None | Some(Value::Null)) => Some(Cell::Null),
        (Type::Text, Some(Value::String(text))) => Some(Cell::Text(text.as_str().into())),
        (Type::I32, Some(Value::Number(number))) => {
            number.as_i64().and_then(|number| number.try_into().ok()).map(Cell::I32)
        }
        (Type::I64, Some(Value::Number(number))) => number.as_i64().map(Cell::I64),
        (Type::Time, Some(Value::String(text))) => read_time(text).ok().map(Cell::Time),
        (Type::Bytes, Some(Value::String(text))) => from_base64(text).map(Cell::Bytes),
        _ => None,
    };
    cell.ok_or_else(|| format!("it is no {}: column `{}`", column.kind, column.name))
}

/// The cells of a JSON object.
///
/// # Errors
///
/// It is none, or a value is of another type.
pub(super) fn json_row(columns: &[Column], bytes: &[u8]) -> Result<Vec<Cell>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Value::Object(object) = value else { return Err("it is no JSON object".into()) };
    columns.iter().map(|column| json_cell(column, object.get(&column.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::text::{JsonNames, csv_row};
    use crate::time::Time;

    #[test]
    fn cells_come_back_from_both_forms() {
        let column = |name: &str, kind| Column { name: name.into(), kind, nullable: true };
        let columns = [
            column("a", Type::Text),
            column("b", Type::I32),
            column("c", Type::I64),
            column("d", Type::Time),
            column("e", Type::Bytes),
        ];
        let full = vec![
            Cell::Text("a \"b\",\nc".into()),
            Cell::I32(-7),
            Cell::I64(i64::MIN),
            Cell::Time(Time::from_micros(-1)),
            Cell::Bytes((0..=255).collect()),
        ];
        for cells in [full, vec![Cell::Null; 5]] {
            let (mut csv, mut json) = (Vec::new(), Vec::new());
            csv_row(&cells, false, &mut csv);
            JsonNames::new(columns.iter().map(|c| c.name.as_str())).object(&cells, &mut json);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&csv[..]);
            let fields = reader.records().next().unwrap().unwrap();
            let read: Result<Vec<Cell>, String> = columns
                .iter()
                .zip(&fields)
                .map(|(column, field)| csv_cell(column, field))
                .collect();
            assert_eq!(read.as_ref(), Ok(&cells));
            assert_eq!(json_row(&columns, &json), Ok(cells));
        }
        let error = csv_cell(&columns[1], "x").unwrap_err();
        assert_eq!(error, "`x` is no i32: column `b`");
        assert!(json_row(&columns, b"[]").is_err());
        assert!(json_row(&columns, br#"{"e":"?"}"#).is_err());
    }
}
