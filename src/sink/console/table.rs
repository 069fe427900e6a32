//! Rows as a table: aligned columns, names in two lines where that saves room.

use super::Kept;
use crate::row::{Cell, Change, Type};
use crate::sink::View;
use crate::sink::text::{console_cell, console_date, console_time};
use crate::time::Time;

/// After so many rows below each other their names are shown again.
const ROWS_PER_HEADER: usize = 20;

/// Breaking a name in two must save at least so many characters.
const BREAK_SAVES_MIN: usize = 4;

/// The table of one view, shown block by block; its columns only ever get wider.
pub(super) struct Table {
    view: String,
    columns: Vec<Shown>,
    /// The date in the last title; times of that day are shown without it.
    date: String,
    /// Rows since the names were shown.
    rows: usize,
}

/// A column of the table: a column of the view, or a window made of two of them.
struct Shown {
    name: String,
    /// Index of the cell, and of that of the window's end.
    cells: (usize, Option<usize>),
    right: bool,
    width: usize,
}

impl Table {
    pub(super) fn new(view: &View) -> Table {
        let schema = &view.schema.columns;
        let is_time = |at: usize, name: &str| {
            schema.get(at).is_some_and(|c| c.name == name && c.kind == Type::Time)
        };
        let mut columns = Vec::new();
        let mut at = 0;
        while at < schema.len() {
            let window = is_time(at, "window_start") && is_time(at + 1, "window_end");
            let name = if window { "window" } else { &schema[at].name }.to_owned();
            let kind = schema[at].kind;
            let right = matches!(kind, Type::I32 | Type::I64 | Type::F64 | Type::Decimal);
            columns.push(Shown { name, cells: (at, window.then_some(at + 1)), right, width: 0 });
            at += if window { 2 } else { 1 };
        }
        if let Some(name) = &view.stamp {
            let (name, cells) = (name.clone(), (schema.len(), None));
            columns.push(Shown { name, cells, right: false, width: 0 });
        }
        Table { view: view.name.clone(), columns, date: String::new(), rows: 0 }
    }

    /// Appends the rows of an epoch; with title and names unless the `same` view was shown last
    /// and its names are still near.
    pub(super) fn block(&mut self, rows: &[Kept], hidden: usize, same: bool, out: &mut Vec<u8>) {
        let mut text = String::new();
        let date = rows.first().and_then(|(_, cells)| date_of(cells)).unwrap_or_default();
        let new_day = !date.is_empty() && date != self.date;
        if new_day {
            self.date = date;
        }
        let texts: Vec<Vec<String>> = rows.iter().map(|(_, cells)| self.texts(cells)).collect();
        let moved = self.widen(&texts);
        if !same || new_day {
            self.title(&mut text);
        }
        if !same || new_day || moved || ROWS_PER_HEADER <= self.rows {
            self.names(&mut text);
            self.rows = 0;
        }
        self.rows += rows.len();
        for ((mark, _), texts) in rows.iter().zip(&texts) {
            let sign = match mark.change {
                Change::Final => ' ',
                Change::Upsert => '~',
                Change::Delete => '-',
            };
            self.line(sign, texts.iter().map(|text| &**text), &mut text);
        }
        match hidden {
            0 => {}
            1 => text.push_str("  … 1 more row\n"),
            _ => text.push_str(&format!("  … {hidden} more rows\n")),
        }
        out.extend_from_slice(text.as_bytes());
    }

    fn texts(&self, cells: &[Cell]) -> Vec<String> {
        let text = |column: &Shown| match column.cells {
            (start, Some(end)) => match (&cells[start], &cells[end]) {
                (Cell::Time(start), Cell::Time(end)) => window_text(*start, *end, &self.date),
                _ => "-".into(),
            },
            (cell, None) => console_cell(&cells[cell], &self.date),
        };
        self.columns.iter().map(text).collect()
    }

    /// Makes room for texts; says whether columns have moved.
    fn widen(&mut self, texts: &[Vec<String>]) -> bool {
        let mut moved = false;
        for (index, column) in self.columns.iter_mut().enumerate() {
            let widest = texts.iter().map(|row| width(&row[index])).max().unwrap_or(0);
            let (upper, lower) = broken(&column.name, widest.max(column.width));
            let needed = widest.max(width(upper)).max(width(lower));
            if column.width < needed {
                column.width = needed;
                moved = true;
            }
        }
        moved
    }

    fn title(&self, text: &mut String) {
        text.push_str(&format!("── {} ──", self.view));
        if !self.date.is_empty() {
            text.push_str(&format!(" {} ──", self.date));
        }
        text.push('\n');
    }

    fn names(&self, text: &mut String) {
        let names: Vec<_> = self.columns.iter().map(|c| broken(&c.name, c.width)).collect();
        if names.iter().any(|(upper, _)| !upper.is_empty()) {
            self.line(' ', names.iter().map(|(upper, _)| *upper), text);
        }
        self.line(' ', names.iter().map(|(_, lower)| *lower), text);
    }

    fn line<'a>(&self, sign: char, words: impl Iterator<Item = &'a str>, text: &mut String) {
        text.push(sign);
        text.push(' ');
        for (index, (column, word)) in self.columns.iter().zip(words).enumerate() {
            let gap = if index == 0 { "" } else { "  " };
            let room = " ".repeat(column.width.saturating_sub(width(word)));
            let (before, behind) = if column.right { (&*room, "") } else { ("", &*room) };
            text.extend([gap, before, word, behind]);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The date that a row is about: of its first time.
fn date_of(cells: &[Cell]) -> Option<String> {
    cells.iter().find_map(|cell| match cell {
        Cell::Time(time) => Some(console_date(*time)),
        _ => None,
    })
}

/// `12:00:10–12:01:10`; the end shows its date only if that of the start is another.
fn window_text(start: Time, end: Time, date: &str) -> String {
    format!("{}–{}", console_time(start, date), console_time(end, &console_date(start)))
}

/// A name in two lines, broken behind the underscore that makes the longer part shortest; in the
/// lower line alone if there is room for it, or little to be saved.
fn broken(name: &str, room: usize) -> (&str, &str) {
    let longer = |(upper, lower): &(&str, &str)| width(upper).max(width(lower));
    let breaks = name.match_indices('_').map(|(at, _)| name.split_at(at + 1));
    match breaks.min_by_key(longer) {
        Some(parts) if room < width(name) && longer(&parts) + BREAK_SAVES_MIN <= width(name) => {
            parts
        }
        _ => ("", name),
    }
}
