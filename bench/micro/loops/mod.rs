//! The limit: plain single-threaded loops over the same input, with the same wire types, decoder
//! and aggregates, and nothing of timely.

pub mod chat;
pub mod count;
pub mod feed;

use highwater::prelude::*;
use highwater::row::{Cell, Change, Mark, Origin, Rows};

/// Appends a final row, as the engine's last step does.
pub fn put<R: Row>(rows: &mut Rows, window: Window, row: &R) {
    let mark = Mark { change: Change::Final, origin: Origin::Window(window) };
    rows.put(mark, row).expect("the rows of these cases fit their columns");
}

/// The cells of rows, in their order.
pub fn sorted(rows: &Rows) -> Vec<Vec<Cell>> {
    let mut cells: Vec<Vec<Cell>> = rows.iter().map(|(_, cells)| cells.to_vec()).collect();
    crate::micro::job::sort(&mut cells);
    cells
}
