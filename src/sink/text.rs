//! Text forms of cells: a CSV field, a JSON value, a word on the console.
//!
//! | cell    | CSV                           | JSON                        | console              |
//! |---------|-------------------------------|-----------------------------|----------------------|
//! | NULL    | nothing (empty text is `""`)  | `null`                      | `-`                  |
//! | f64     | shortest, without an exponent | shortest, `1.0`             | four decimals        |
//! | decimal | `1.40`                        | `1.40`                      | `1.40`               |
//! | text    | quoted where it must be       | escaped                     | control chars escaped|
//! | ts      | `2026-03-01T12:00:10.000000Z` | the same, as a string       | `12:00:10`           |
//! | lists   | a JSON array                  | an array                    | `[a, b]`             |
//! | json    | the document                  | the document, in one line   | the document         |
//! | bytes   | base64 with padding           | the same, as a string       | text, or `\x…`       |
//!
//! CSV and JSON say everything; the console is for the eye and may round.

use std::borrow::Cow;
use std::io::Write;

use serde::de::IgnoredAny;

use crate::row::Cell;

/// Appends a header or any other line of CSV whose fields are texts.
pub fn csv_line<'a>(fields: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    separated(fields, out, csv_text);
}

/// Appends the cells of a row as a line of CSV. With `formula_guard` a text that a spreadsheet
/// would run as a formula is prefixed with an apostrophe, which changes its value.
///
/// ```
/// use highwater::row::Cell;
/// use highwater::sink::text::csv_row;
/// let mut line = Vec::new();
/// csv_row(&[Cell::Text("a,b".into()), Cell::Null, Cell::F64(0.5)], false, &mut line);
/// assert_eq!(line, b"\"a,b\",,0.5\n");
/// ```
pub fn csv_row<'a>(
    cells: impl IntoIterator<Item = &'a Cell>,
    formula_guard: bool,
    out: &mut Vec<u8>,
) {
    separated(cells, out, |cell, out| csv_cell(cell, formula_guard, out));
}

fn separated<T>(
    fields: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut append: impl FnMut(T, &mut Vec<u8>),
) {
    for (index, field) in fields.into_iter().enumerate() {
        if index != 0 {
            out.push(b',');
        }
        append(field, out);
    }
    out.push(b'\n');
}

fn csv_cell(cell: &Cell, formula_guard: bool, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => {}
        Cell::Text(text) if formula_guard && is_formula(text) => csv_text(&format!("'{text}"), out),
        Cell::Text(text) => csv_text(text, out),
        Cell::Json(document) => csv_text(document, out),
        Cell::TextList(_) | Cell::I32List(_) => {
            let mut json = Vec::new();
            json_cell(cell, &mut json);
            csv_text(&String::from_utf8_lossy(&json), out);
        }
        Cell::F64(value) => show(value, out),
        Cell::Time(time) => show(time, out),
        Cell::Bytes(bytes) => base64(bytes, out),
        Cell::Bool(_) | Cell::I32(_) | Cell::I64(_) | Cell::Decimal(_) => json_cell(cell, out),
    }
}

/// A tab and a carriage return in front are skipped by spreadsheets, so they count too.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Quotes only what has to be: the empty text, so that it differs from NULL, and what would be
/// read as the end of a field.
fn csv_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if !bytes.is_empty() && !bytes.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
        return out.extend_from_slice(bytes);
    }
    out.push(b'"');
    for (index, part) in bytes.split(|b| *b == b'"').enumerate() {
        if index != 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part);
    }
    out.push(b'"');
}

/// The names of a row's columns, escaped once: the fixed part of each JSON object.
#[derive(Clone, Debug)]
pub struct JsonNames {
    /// `{"a":` for the first column, `,"b":` for the others.
    prefixes: Vec<Vec<u8>>,
}

impl JsonNames {
    /// Objects with these names, in this order.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> JsonNames {
        let prefix = |(index, name)| {
            let mut bytes = vec![if index == 0 { b'{' } else { b',' }];
            json_text(name, &mut bytes);
            bytes.push(b':');
            bytes
        };
        JsonNames { prefixes: names.into_iter().enumerate().map(prefix).collect() }
    }

    /// Appends an object, without a line end.
    ///
    /// ```
    /// use highwater::row::Cell;
    /// use highwater::sink::text::JsonNames;
    /// let mut object = Vec::new();
    /// JsonNames::new(["n", "text"]).object(&[Cell::I64(7), Cell::Null], &mut object);
    /// assert_eq!(object, br#"{"n":7,"text":null}"#);
    /// ```
    pub fn object<'a>(&self, cells: impl IntoIterator<Item = &'a Cell>, out: &mut Vec<u8>) {
        if self.prefixes.is_empty() {
            out.push(b'{');
        }
        for (prefix, cell) in self.prefixes.iter().zip(cells) {
            out.extend_from_slice(prefix);
            json_cell(cell, out);
        }
        out.push(b'}');
    }
}

/// Appends a cell as a JSON value; never a line end.
pub fn json_cell(cell: &Cell, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(value) => show(value, out),
        Cell::I32(value) => show(value, out),
        Cell::I64(value) => show(value, out),
        Cell::F64(value) => serde_json::to_writer(out, value).expect(VEC_TAKES_ALL),
        Cell::Decimal(hundredths) => decimal(*hundredths, out),
        Cell::Text(text) => json_text(text, out),
        Cell::Time(time) => {
            out.push(b'"');
            show(time, out);
            out.push(b'"');
        }
        Cell::TextList(texts) => json_array(texts, out, |text, out| match text {
            Some(text) => json_text(text, out),
            None => out.extend_from_slice(b"null"),
        }),
        Cell::I32List(numbers) => json_array(numbers, out, |number, out| show(number, out)),
        Cell::Json(document) => json_document(document, out),
        Cell::Bytes(bytes) => {
            out.push(b'"');
            base64(bytes, out);
            out.push(b'"');
        }
    }
}

const VEC_TAKES_ALL: &str = "a vector takes every byte";

fn json_array<T>(items: &[T], out: &mut Vec<u8>, append: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index != 0 {
            out.push(b',');
        }
        append(item, out);
    }
    out.push(b']');
}

fn json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect(VEC_TAKES_ALL);
}

/// A document goes in as it is. A line end in it can only stand between tokens, where a space says
/// the same; a text that is no document must not break the line it is in, so it becomes a string.
fn json_document(document: &str, out: &mut Vec<u8>) {
    if serde_json::from_str::<IgnoredAny>(document).is_err() {
        return json_text(document, out);
    }
    let start = out.len();
    out.extend_from_slice(document.as_bytes());
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

fn show(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect(VEC_TAKES_ALL);
}

/// Appends hundredths as a number with two digits, such as `-0.05`.
pub fn decimal(hundredths: i128, out: &mut Vec<u8>) {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    show(format_args!("{sign}{whole}.{part:02}"), out);
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let sextet = bits >> (18 - 6 * digit) & 63;
            out.push(if digit <= chunk.len() { ALPHABET[sextet as usize] } else { b'=' });
        }
    }
}

/// The bytes of a text in base64 with padding; nothing if it is none.
///
/// ```
/// use highwater::sink::text::from_base64;
/// assert_eq!(from_base64("/wAQ").as_deref(), Some(&[0xff, 0, 0x10][..]));
/// assert_eq!(from_base64("YQ==").as_deref(), Some(&b"a"[..]));
/// assert_eq!(from_base64("Y"), None);
/// ```
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || 2 < padding {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in digits.chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            bits = bits << 6 | u32::from(chunk.get(place).map_or(Some(0), |byte| digit(*byte))?);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

/// Most characters of a cell on the console; a longer one ends with `…`.
pub const CONSOLE_CHARS_MAX: usize = 32;

/// A cell for the eye. A time is shown without its date if that is `date` (as `2026-03-01`).
///
/// ```
/// use highwater::row::Cell;
/// use highwater::sink::text::console_cell;
/// use highwater::time::Time;
/// assert_eq!(console_cell(&Cell::Null, ""), "-");
/// let time = Cell::Time(Time::from_millis(1_500));
/// assert_eq!(console_cell(&time, "1970-01-01"), "00:00:01.5");
/// assert_eq!(console_cell(&time, "1970-01-02"), "1970-01-01 00:00:01.5");
/// ```
pub fn console_cell(cell: &Cell, date: &str) -> String {
    let text = match cell {
        Cell::Null => "-".into(),
        Cell::F64(value) => console_float(*value),
        Cell::Text(text) => visible(text).into_owned(),
        Cell::Json(document) => visible(document).into_owned(),
        Cell::Time(time) => return console_time(*time, date),
        Cell::TextList(texts) => {
            let words = texts.iter().map(|text| text.as_deref().map_or("-".into(), visible));
            format!("[{}]", words.collect::<Vec<_>>().join(", "))
        }
        Cell::I32List(numbers) => format!("{numbers:?}"),
        Cell::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => visible(text).into_owned(),
            Err(_) => {
                let shown = bytes.iter().take(CONSOLE_CHARS_MAX);
                shown.fold("\\x".into(), |text, byte| format!("{text}{byte:02x}"))
            }
        },
        Cell::Bool(_) | Cell::I32(_) | Cell::I64(_) | Cell::Decimal(_) => {
            let mut bytes = Vec::new();
            json_cell(cell, &mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    shortened(text)
}

/// Control characters could move the cursor or end the line, so they are spelt out.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let spell = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(spell).collect::<String>().into()
}

fn shortened(mut text: String) -> String {
    if let Some((cut, _)) = text.char_indices().nth(CONSOLE_CHARS_MAX) {
        let last = text[..cut].char_indices().next_back().map_or(0, |(index, _)| index);
        text.truncate(last);
        text.push('…');
    }
    text
}

/// Four decimals, fewer if they say it all; very small and very large numbers with an exponent.
fn console_float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(0.001..1e15).contains(&size) {
        return format!("{value:.3e}");
    }
    let exact = value.to_string();
    let rounded = format!("{value:.4}");
    if exact.len() <= rounded.len() { exact } else { rounded }
}

/// The time of day with as many decimals as it needs, after its date unless that is `date`.
pub fn console_time(time: crate::time::Time, date: &str) -> String {
    let iso = time.to_string();
    let (day, clock) = iso.split_once('T').unwrap_or(("", &iso));
    let clock = clock.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    // `12:00:00` has lost its zeros only behind the point: the fraction is always there.
    if day == date { clock.into() } else { format!("{day} {clock}") }
}

/// The date of a time, as [`console_cell`] takes it.
pub fn console_date(time: crate::time::Time) -> String {
    let iso = time.to_string();
    iso.split_once('T').map_or("", |(day, _)| day).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn csv(cell: Cell) -> String {
        let mut line = Vec::new();
        csv_row([&cell], false, &mut line);
        String::from_utf8(line).unwrap()
    }

    fn json(cell: Cell) -> String {
        let mut value = Vec::new();
        json_cell(&cell, &mut value);
        serde_json::from_slice::<IgnoredAny>(&value).expect("a JSON value");
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn every_kind_of_cell_has_three_forms() {
        let check = |cell: Cell, in_csv: &str, in_json: &str, on_console: &str| {
            assert_eq!(csv(cell.clone()), format!("{in_csv}\n"), "CSV of {cell:?}");
            assert_eq!(json(cell.clone()), in_json, "JSON of {cell:?}");
            assert_eq!(console_cell(&cell, "1970-01-01"), on_console, "console of {cell:?}");
        };
        let texts = |texts: &[Option<&str>]| {
            Cell::TextList(texts.iter().map(|text| text.map(Into::into)).collect())
        };
        check(Cell::Null, "", "null", "-");
        check(Cell::Bool(true), "true", "true", "true");
        check(Cell::I32(-7), "-7", "-7", "-7");
        check(
            Cell::I64(i64::MIN),
            "-9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775808",
        );
        check(Cell::F64(1.0), "1", "1.0", "1");
        check(Cell::F64(1.0 / 60.0), "0.016666666666666666", "0.016666666666666666", "0.0167");
        check(Cell::F64(1e21), "1000000000000000000000", "1e+21", "1.000e21");
        check(Cell::F64(-2e-9), "-0.000000002", "-2e-9", "-2.000e-9");
        check(Cell::Decimal(140), "1.40", "1.40", "1.40");
        check(Cell::Decimal(-5), "-0.05", "-0.05", "-0.05");
        check(Cell::Text("".into()), "\"\"", "\"\"", "");
        check(Cell::Text("a\"b".into()), "\"a\"\"b\"", "\"a\\\"b\"", "a\"b");
        check(Cell::Text("two\nlines".into()), "\"two\nlines\"", "\"two\\nlines\"", "two\\nlines");
        check(Cell::Text("\u{1b}[2J".into()), "\u{1b}[2J", "\"\\u001b[2J\"", "\\u{1b}[2J");
        check(Cell::Text("größe".into()), "größe", "\"größe\"", "größe");
        check(
            Cell::Time(Time::from_micros(10_000_001)),
            "1970-01-01T00:00:10.000001Z",
            "\"1970-01-01T00:00:10.000001Z\"",
            "00:00:10.000001",
        );
        check(
            Cell::Time(Time::from_seconds(86_400 + 36_000)),
            "1970-01-02T10:00:00.000000Z",
            "\"1970-01-02T10:00:00.000000Z\"",
            "1970-01-02 10:00:00",
        );
        check(texts(&[]), "[]", "[]", "[]");
        check(texts(&[Some("a"), None]), "\"[\"\"a\"\",null]\"", "[\"a\",null]", "[a, -]");
        check(Cell::I32List(vec![1, -2]), "\"[1,-2]\"", "[1,-2]", "[1, -2]");
        check(
            Cell::Json("{\"a\":\n1}".into()),
            "\"{\"\"a\"\":\n1}\"",
            "{\"a\": 1}",
            "{\"a\":\\n1}",
        );
        check(Cell::Json("no json".into()), "no json", "\"no json\"", "no json");
        check(Cell::Bytes(b"a".to_vec()), "YQ==", "\"YQ==\"", "a");
        check(Cell::Bytes(vec![0xff, 0, 0x10]), "/wAQ", "\"/wAQ\"", "\\xff0010");
        check(Cell::Bytes(b"light".to_vec()), "bGlnaHQ=", "\"bGlnaHQ=\"", "light");
    }

    #[test]
    fn long_words_are_cut_on_the_console_only() {
        let cell = Cell::Text("ä".repeat(40).into());
        assert_eq!(console_cell(&cell, ""), format!("{}…", "ä".repeat(31)));
        assert_eq!(csv(cell), format!("{}\n", "ä".repeat(40)));
    }

    #[test]
    fn the_formula_guard_touches_texts_alone() {
        let guarded = |cell: Cell| {
            let mut line = Vec::new();
            csv_row([&cell], true, &mut line);
            String::from_utf8(line).unwrap()
        };
        for text in ["=1+1", "+1", "-1", "@a", "\t=1"] {
            assert_eq!(guarded(Cell::Text(text.into())), format!("'{text}\n"));
            assert_eq!(csv(Cell::Text(text.into())), format!("{text}\n"));
        }
        assert_eq!(guarded(Cell::Text("a=1".into())), "a=1\n");
        assert_eq!(guarded(Cell::I64(-1)), "-1\n");
        assert_eq!(guarded(Cell::Text("=a,\"b\"".into())), "\"'=a,\"\"b\"\"\"\n");
    }

    #[test]
    fn what_was_written_as_csv_is_read_as_the_same_fields() {
        let texts = ["", "plain", "a,b", "\"", "\r\n", " spaces ", "=1", "日本"];
        let cells: Vec<Cell> = texts.iter().map(|text| Cell::Text((*text).into())).collect();
        let mut bytes = Vec::new();
        csv_line(texts, &mut bytes);
        csv_row(&cells, false, &mut bytes);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
        for record in reader.records() {
            assert_eq!(record.unwrap().iter().collect::<Vec<_>>(), texts);
        }
    }
}
