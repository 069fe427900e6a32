//! [`Count`]: how many events, or how many of a kind.

use serde::{Deserialize, Serialize};

use super::Aggregate;
use crate::row::{Cell, Cells, Column, Field, Type};

/// How many events; 0 without any, never NULL. Its column is a 64-bit integer.
///
/// ```
/// use highwater::prelude::*;
/// let mut failed = Count::of(true);
/// failed.merge(&Count::of(false));
/// assert_eq!(failed.get(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count(i64);

impl Count {
    /// The count of one event.
    #[inline]
    pub const fn one() -> Count {
        Count(1)
    }

    /// The count of one event where the condition holds, else of none.
    #[inline]
    pub const fn of(condition: bool) -> Count {
        Count(condition as i64)
    }

    /// How many.
    #[inline]
    pub const fn get(&self) -> i64 {
        self.0
    }
}

impl Aggregate for Count {
    #[inline]
    fn merge(&mut self, other: &Count) {
        self.0 += other.0;
    }
}

impl Field for Count {
    fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>) {
        columns.push(Column { name: name.into(), kind: Type::I64, nullable });
    }

    fn put(&self, cells: &mut Cells) {
        cells.push(Cell::I64(self.0));
    }

    fn put_null(cells: &mut Cells) {
        cells.push(Cell::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::laws;

    #[test]
    fn the_law_holds() {
        laws::hold(|random| Count::of(random.below(3) != 0));
    }
}
