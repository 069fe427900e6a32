//! Whether the rows of an engine are the right ones: they decide before any time does.
//!
//! ```text
//! answer, computed from the seed ─┬─ groups: the newest row of each group and window
//! records, as they are received ──┼─ lines: rows as often as they occur, without those taken back
//!                                 ├─ tables: rows of many views, by the keys of each
//!                                 ├─ windows: final rows, and what no window took
//!                                 └─ balances: views that must agree with each other at all times
//! ```

mod answer;
mod balances;
mod groups;
mod lines;
mod tables;
mod windows;

use highwater::error::Result;

use super::rows::Record;

pub use answer::Answer;
pub use balances::Balances;
pub use groups::Newest;
pub use lines::Lines;
pub use tables::Tables;
pub use windows::Windows;

/// The most differences that are kept.
const DIFFERENCES_MAX: usize = 1_000;

/// Compares what comes with an answer.
pub trait Check {
    /// Takes a record.
    ///
    /// # Errors
    ///
    /// It is no row of the query.
    fn take(&mut self, record: &Record<'_>) -> Result<()>;

    /// Whether all rows are there, as far as can be told without comparing every column: asked
    /// after each batch of records.
    fn is_complete(&self) -> bool;

    /// Compares all of them; `approximate` allows distinct counts to be estimates.
    fn compare(&self, approximate: bool) -> Verdict;
}

/// How rows compare with an answer.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Rows that are right.
    pub equal: usize,
    /// Rows with another value.
    pub wrong: usize,
    /// Rows that are not there.
    pub missing: usize,
    /// Rows that should not be there.
    pub extra: usize,
    /// The greatest relative error of a column that is approximate, and allowed to be.
    pub approximate: f64,
    /// Each difference, as far as they are kept.
    pub differences: Vec<Difference>,
}

/// One value that is not as expected.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Where the window begins, in milliseconds; 0 if the key says it.
    pub start_ms: i64,
    /// The group.
    pub key: String,
    /// Which column.
    pub column: String,
    /// What the answer has.
    pub expected: Option<i64>,
    /// What the engine has.
    pub got: Option<i64>,
    /// `wrong`, `missing`, `extra` or `approx`.
    pub verdict: &'static str,
}

impl Verdict {
    /// Whether every row is right, and none too many.
    pub fn is_equal(&self) -> bool {
        self.wrong + self.missing + self.extra == 0
    }

    fn note(
        &mut self,
        (start_ms, key): (i64, &str),
        column: &str,
        (expected, got): (Option<i64>, Option<i64>),
        verdict: &'static str,
    ) {
        if self.differences.len() == DIFFERENCES_MAX {
            return;
        }
        let (key, column) = (key.to_owned(), column.to_owned());
        self.differences.push(Difference { start_ms, key, column, expected, got, verdict });
    }
}
