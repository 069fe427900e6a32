//! The console sink: rows for the eye, or for a pipe.
//!
//! ```text
//! ── chat_summary_minute ── 2026-03-01 ──
//!                                    chat_    unique_      avg_
//!   stream_id    window              count   chatters  sentiment  top_emotes
//!   demo_stream  12:00:10–12:01:10      63         41     0.1234  [Kappa, LUL]
//!   … 35 more rows
//! ```
//!
//! `format = "table"` shows at most `rows` rows of a view in each epoch; `~` marks a row that
//! replaces an earlier one, `-` one that is gone. `"json"` and `"csv"` show all of them, exactly.
//! Nothing else in Highwater writes to stdout. A reader that goes away (`highwater | head`) ends
//! the output without an error; [`is_closed`] says so. A crash may have shown an epoch that the
//! next start shows again.

mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::Deserialize;

use super::file::{in_file, now};
use super::text::{JsonNames, csv_line, csv_row};
use super::{Accepts, Common, Guarantee, Placement, Refusal, Shard, Sink, View, Writer};
use crate::error::{Error, Result};
use crate::row::{Cell, Change, Mark, Rows};
use table::Table;

/// Options of the console sink.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// At most so many rows of a view in each epoch; 10 in a table, all of them in other formats.
    pub rows: Option<usize>,
    /// `"table"`, `"json"` or `"csv"`.
    pub format: Format,
}

/// How rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Aligned columns, made to be read.
    #[default]
    Table,
    /// A JSON object in each line, with `view` and `change` in front.
    Json,
    /// Comma-separated values, with `view` and `change` in front; names where the view changes.
    Csv,
}

/// Binds the console to a view.
///
/// # Errors
///
/// None.
pub fn open(options: Options, view: &View, common: &Common) -> Result<Box<dyn Sink>> {
    static STDOUT: LazyLock<Screen> = LazyLock::new(|| Screen::new(Box::new(io::stdout())));
    Ok(Box::new(Console { options, view: view.clone(), common: *common, screen: STDOUT.clone() }))
}

/// Whether the reader of stdout has gone away; a job that has no other sink may end then.
pub fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Where all views of a process are shown; shared, so that blocks of rows do not mix.
#[derive(Clone)]
struct Screen(Arc<Mutex<State>>);

struct State {
    out: Box<dyn Write + Send>,
    /// The view whose rows were shown last: others have to say who they are.
    last: String,
    closed: bool,
}

impl Screen {
    fn new(out: Box<dyn Write + Send>) -> Screen {
        Screen(Arc::new(Mutex::new(State { out, last: String::new(), closed: false })))
    }

    /// Shows a block made by `block`, which is told whether the same view was shown before.
    fn show(&self, view: &str, block: impl FnOnce(bool, &mut Vec<u8>)) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Ok(());
        }
        let mut bytes = Vec::new();
        block(state.last == view, &mut bytes);
        match state.out.write_all(&bytes).and_then(|()| state.out.flush()) {
            Ok(()) => {
                state.last = view.into();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                state.closed = true;
                CLOSED.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(Error::storage(format!("cannot write to stdout: {error}"))),
        }
    }
}

#[derive(Clone)]
struct Console {
    options: Options,
    view: View,
    common: Common,
    screen: Screen,
}

impl Sink for Console {
    fn accepts(&self) -> Accepts {
        Accepts::Updates
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn placement(&self) -> Placement {
        Placement::One
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        let names = ["view", "change"].into_iter().chain(self.view.names());
        let in_table = if self.options.format == Format::Table { 10 } else { usize::MAX };
        Ok(Box::new(ConsoleWriter {
            rows_max: self.options.rows.unwrap_or(in_table),
            json: JsonNames::new(names),
            table: Table::new(&self.view),
            fresh: Vec::new(),
            shown: 0,
            hidden: 0,
            console: self.clone(),
        }))
    }
}

/// A row of the open epoch.
type Kept = (Mark, Vec<Cell>);

struct ConsoleWriter {
    console: Console,
    json: JsonNames,
    table: Table,
    /// Rows that were not shown yet; only the first in order if there are many.
    fresh: Vec<Kept>,
    /// How many rows of the open epoch were shown.
    shown: usize,
    /// Rows of the open epoch that will not be shown.
    hidden: usize,
    rows_max: usize,
}

impl ConsoleWriter {
    /// Keeps only the rows that will be shown, in their order.
    fn trim(&mut self) {
        self.fresh.sort_by(|a, b| in_file((&a.0, &a.1), (&b.0, &b.1)));
        let room = self.rows_max.saturating_sub(self.shown);
        self.hidden += self.fresh.len().saturating_sub(room);
        self.fresh.truncate(room);
    }

    /// Shows the fresh rows, and how many others there were if the epoch is over.
    fn show(&mut self, hidden: usize) -> Result<()> {
        if self.fresh.is_empty() && hidden == 0 {
            return Ok(());
        }
        self.shown += self.fresh.len();
        let ConsoleWriter { console, json, table, fresh, .. } = self;
        let Console { view, screen, options, common } = console;
        screen.show(&view.name, |same, out| match options.format {
            Format::Table => table.block(fresh, hidden, same, out),
            Format::Json => {
                for row in fresh.iter() {
                    json.object(&described(view, row), out);
                    out.push(b'\n');
                }
            }
            Format::Csv => {
                if !same {
                    csv_line(["view", "change"].into_iter().chain(view.names()), out);
                }
                for row in fresh.iter() {
                    csv_row(&described(view, row), common.formula_guard, out);
                }
            }
        })?;
        self.fresh.clear();
        Ok(())
    }
}

/// The cells of a row behind the name of its view and what it does.
fn described(view: &View, (mark, cells): &Kept) -> Vec<Cell> {
    let change = match mark.change {
        Change::Final => "final",
        Change::Upsert => "upsert",
        Change::Delete => "delete",
    };
    [Cell::Text(view.name.as_str().into()), Cell::Text(change.into())]
        .into_iter()
        .chain(cells.iter().cloned())
        .collect()
}

impl Writer for ConsoleWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        // The slack makes sorting rare; it bounds what an epoch of a million rows may hold here.
        let slack = self.rows_max.saturating_mul(2).saturating_add(1_000);
        let stamp = self.console.view.stamp.is_some().then(|| Cell::Time(now()));
        for (mark, cells) in rows.iter() {
            self.fresh.push((*mark, cells.iter().chain(&stamp).cloned().collect()));
            if slack <= self.fresh.len() {
                self.trim();
            }
        }
        self.trim();
        self.show(0)?;
        Ok(vec![])
    }

    fn epoch(&mut self, _epoch: u64) -> Result<()> {
        let hidden = std::mem::take(&mut self.hidden);
        self.show(hidden)?;
        self.shown = 0;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.epoch(0)
    }
}
