//! Rows as a script shows them: `view  key window  column=value …`.

use std::fmt::Write;

use highwater::row::{Cell, Schema};

use super::script::{clock_text, words};

/// How rows of a view are shown.
pub(super) struct View {
    pub(super) name: &'static str,
    /// What names a row; `window` stands for `window_start..window_end`.
    pub(super) key: &'static [&'static str],
    /// What is shown where no expectation says it.
    pub(super) columns: &'static [&'static str],
}

/// The dead letters of every system.
pub(super) const LETTERS: View =
    View { name: "dead_letters", key: &["source", "reason"], columns: &["event_time"] };

/// The columns that an expectation names.
pub(super) fn columns(line: &str) -> Vec<String> {
    let words = words(line);
    words.iter().filter_map(|word| Some(word.split_once('=')?.0.to_owned())).collect()
}

/// A line with one space between its words.
pub(super) fn plain(line: &str) -> String {
    words(line).join(" ")
}

impl View {
    /// View and key of a row.
    pub(super) fn id(&self, schema: &Schema, cells: &[Cell]) -> String {
        let cell = |name: &str| value(schema, cells, name);
        let key: Vec<String> = self
            .key
            .iter()
            .map(|name| match *name {
                "window" => format!("{}..{}", cell("window_start"), cell("window_end")),
                name => cell(name),
            })
            .collect();
        format!("{}  {}", self.name, key.join(" "))
    }

    /// A row with some of its columns.
    pub(super) fn line(&self, schema: &Schema, cells: &[Cell], columns: &[String]) -> String {
        let mut line = self.id(schema, cells);
        for (index, name) in columns.iter().enumerate() {
            let space = if index == 0 { "  " } else { " " };
            let _ = write!(line, "{space}{name}={}", value(schema, cells, name));
        }
        line
    }
}

fn value(schema: &Schema, cells: &[Cell], name: &str) -> String {
    let index = schema.index(name).unwrap_or_else(|| panic!("there is no column `{name}`"));
    match &cells[index] {
        Cell::Null => "-".into(),
        Cell::Bool(value) => value.to_string(),
        Cell::I32(value) => value.to_string(),
        Cell::I64(value) => value.to_string(),
        Cell::F64(value) => format!("{value:?}"),
        Cell::Text(value) => word(value),
        Cell::Time(time) => clock_text(*time),
        Cell::TextList(list) => {
            let texts: Vec<&str> = list.iter().map(|text| text.as_deref().unwrap_or("-")).collect();
            format!("[{}]", texts.join(","))
        }
        Cell::Decimal(hundredths) => {
            let (sign, size) = (if *hundredths < 0 { "-" } else { "" }, hundredths.abs());
            format!("{sign}{}.{:02}", size / 100, size % 100)
        }
        Cell::Json(text) => text.clone(),
        Cell::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// A text; in quotes where it is not one word.
fn word(text: &str) -> String {
    let is_word = !text.is_empty() && !text.contains([' ', '"', '=']);
    if is_word { text.into() } else { format!("{text:?}") }
}
