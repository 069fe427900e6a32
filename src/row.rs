//! A row as a sink sees it: columns, cells, and where the row came from.
//!
//! `#[derive(Row)]` turns a struct into columns without needing a value, so that `list`, `check`
//! and `CREATE TABLE` know a view before it runs. Sinks see a [`Schema`] and [`Rows`]; nothing
//! generic crosses that border.
//!
//! ```
//! use highwater::prelude::*;
//! use highwater::row::{Change, Mark, Origin, Position, Rows, Schema};
//!
//! #[derive(Row)]
//! struct Logins {
//!     window: Window,
//!     #[row(i32)]
//!     total: Count,
//!     #[row(rename = "average")]
//!     mean: Option<Mean>,
//!     #[row(required)]
//!     first: Min<Time>,
//!     #[row(skip)]
//!     seen: bool,
//! }
//!
//! #[derive(Row)]
//! struct UserLogins {
//!     user_id: Text,
//!     logins: Option<Logins>,
//! }
//!
//! let columns: Vec<String> = Schema::of::<UserLogins>()
//!     .columns
//!     .iter()
//!     .map(|column| format!("{} {} {}", column.name, column.kind, column.nullable))
//!     .collect();
//! assert_eq!(
//!     columns,
//!     [
//!         "user_id text false",
//!         "window_start ts true",
//!         "window_end ts true",
//!         "total i32 true",
//!         "average f64 true",
//!         "first ts true",
//!     ],
//! );
//!
//! let mark = Mark { change: Change::Final, origin: Origin::Record(Position::default()) };
//! let mut rows = Rows::default();
//! assert_eq!(rows.put(mark, &UserLogins { user_id: "ann".into(), logins: None }), Ok(()));
//! assert_eq!(rows.cells.len(), 6);
//! # let window = Window { start: Time::default(), end: Time::default() };
//! # let first = Min::of(Time::default());
//! # let logins = Logins { window, total: Count::one(), mean: None, first, seen: true };
//! # assert!(logins.seen);
//! # assert_eq!(rows.put(mark, &UserLogins { user_id: "b".into(), logins: Some(logins) }), Ok(()));
//! # assert_eq!(rows.cells[9], highwater::row::Cell::I32(1));
//! ```

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::stats::round2;
use crate::text::Text;
use crate::time::Time;
use crate::window::Window;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Type {
    /// Boolean.
    Bool,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// 64-bit float; never NaN or infinite.
    F64,
    /// DECIMAL(24,2), as hundredths.
    Decimal,
    /// UTF-8 text.
    Text,
    /// Timestamp with microseconds, UTC.
    Time,
    /// List of texts, in which an element may be NULL.
    TextList,
    /// List of 32-bit integers.
    I32List,
    /// A JSON document.
    Json,
    /// Bytes.
    Bytes,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "bool",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F64 => "f64",
            Type::Decimal => "dec(24,2)",
            Type::Text => "text",
            Type::Time => "ts",
            Type::TextList => "text[]",
            Type::I32List => "i32[]",
            Type::Json => "json",
            Type::Bytes => "bytes",
        })
    }
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as readers of the table know it.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether it can be NULL.
    pub nullable: bool,
}

impl Column {
    /// Narrows the last column from 64 to 32 bits, as `#[row(i32)]` asks.
    pub fn narrow(columns: &mut [Column]) {
        if let Some(column) = columns.last_mut().filter(|column| column.kind == Type::I64) {
            column.kind = Type::I32;
        }
    }

    /// Says that the last column is never NULL, as `#[row(required)]` asks.
    pub fn require(columns: &mut [Column]) {
        if let Some(column) = columns.last_mut() {
            column.nullable = false;
        }
    }
}

/// The columns of a view, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
}

impl Schema {
    /// The schema of a row type.
    pub fn of<R: Row>() -> Arc<Schema> {
        Arc::new(Schema { columns: R::columns() })
    }

    /// Index of a column.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// One value. `PartialOrd` is total but for floats, which [`Cell::order`] compares by bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    /// No value.
    Null,
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::I32`].
    I32(i32),
    /// See [`Type::I64`].
    I64(i64),
    /// See [`Type::F64`].
    F64(f64),
    /// See [`Type::Decimal`]: hundredths.
    Decimal(i128),
    /// See [`Type::Text`].
    Text(Text),
    /// See [`Type::Time`].
    Time(Time),
    /// See [`Type::TextList`].
    TextList(Vec<Option<Text>>),
    /// See [`Type::I32List`].
    I32List(Vec<i32>),
    /// See [`Type::Json`]: the text of a document.
    Json(String),
    /// See [`Type::Bytes`].
    Bytes(Vec<u8>),
}

impl Cell {
    /// A total order of cells of one column; NULL first.
    pub fn order(&self, other: &Cell) -> std::cmp::Ordering {
        use Cell::*;
        match (self, other) {
            (Bool(a), Bool(b)) => a.cmp(b),
            (I32(a), I32(b)) => a.cmp(b),
            (I64(a), I64(b)) => a.cmp(b),
            (F64(a), F64(b)) => a.total_cmp(b),
            (Decimal(a), Decimal(b)) => a.cmp(b),
            (Text(a), Text(b)) => a.cmp(b),
            (Time(a), Time(b)) => a.cmp(b),
            (TextList(a), TextList(b)) => a.cmp(b),
            (I32List(a), I32List(b)) => a.cmp(b),
            (Json(a), Json(b)) => a.cmp(b),
            (Bytes(a), Bytes(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Cell::Null => 0,
            Cell::Bool(_) => 1,
            Cell::I32(_) => 2,
            Cell::I64(_) => 3,
            Cell::F64(_) => 4,
            Cell::Decimal(_) => 5,
            Cell::Text(_) => 6,
            Cell::Time(_) => 7,
            Cell::TextList(_) => 8,
            Cell::I32List(_) => 9,
            Cell::Json(_) => 10,
            Cell::Bytes(_) => 11,
        }
    }
}

/// Whether a row may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// Its window has closed (or it is an event): written once.
    Final,
    /// The current value of its key; replaces the earlier one.
    Upsert,
    /// The key has no row any more.
    Delete,
}

/// Where a row came from; also its place in an ordered file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// From a window.
    Window(Window),
    /// From one record.
    Record(Position),
}

/// The place of an event in its source; the order of events with the same time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// Number of the source within its job.
    pub source: u32,
    /// Partition of the source.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: i64,
    /// Index in an array record, else 0.
    pub element: u32,
}

/// Rows of one view: cells row after row, and a mark for each row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// One mark per row.
    pub marks: Vec<Mark>,
    /// The cells of all rows; a row has as many as the schema has columns.
    pub cells: Vec<Cell>,
    /// When the oldest record in them was due or sent, where the source tells; for latency.
    pub sent: Option<Time>,
}

/// What a row is, beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Whether it may change.
    pub change: Change,
    /// Where it came from.
    pub origin: Origin,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Each mark with its cells.
    pub fn iter(&self) -> impl Iterator<Item = (&Mark, &[Cell])> {
        let width = self.width();
        self.marks.iter().zip(self.cells.chunks(width.max(1)))
    }

    /// Cells per row.
    pub fn width(&self) -> usize {
        if self.marks.is_empty() { 0 } else { self.cells.len() / self.marks.len() }
    }

    /// Appends the rows of another batch of the same view.
    pub fn append(&mut self, mut other: Rows) {
        if self.marks.is_empty() {
            *self = other;
        } else {
            self.marks.append(&mut other.marks);
            self.cells.append(&mut other.cells);
            self.sent = oldest(self.sent, other.sent);
        }
    }

    /// Appends one row given as cells.
    pub fn push(&mut self, mark: Mark, cells: impl IntoIterator<Item = Cell>) {
        self.marks.push(mark);
        self.cells.extend(cells);
    }

    /// Appends a row value.
    ///
    /// # Errors
    ///
    /// The row's own text when a value does not fit its column; the row is then not there.
    pub fn put<R: Row>(&mut self, mark: Mark, row: &R) -> Result<(), String> {
        let before = self.cells.len();
        let mut cells = Cells { cells: std::mem::take(&mut self.cells), misfit: None };
        row.put(&mut cells);
        self.cells = cells.cells;
        match cells.misfit {
            None => {
                self.marks.push(mark);
                Ok(())
            }
            Some(misfit) => {
                self.cells.truncate(before);
                Err(misfit)
            }
        }
    }
}

/// The older of two times that may be unknown.
pub fn oldest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The cells of a row while it is put together.
#[derive(Debug, Default)]
pub struct Cells {
    cells: Vec<Cell>,
    misfit: Option<String>,
}

impl Cells {
    /// Adds a cell.
    pub fn push(&mut self, cell: Cell) {
        self.cells.push(cell);
    }

    /// Says that the row cannot be stored, and why; the first reason counts.
    pub fn misfit(&mut self, why: impl FnOnce() -> String) {
        self.misfit.get_or_insert_with(why);
    }

    /// The cells that were put.
    pub fn into_vec(self) -> Vec<Cell> {
        self.cells
    }

    /// Narrows the last cell from 64 to 32 bits, as `#[row(i32)]` asks.
    pub fn narrow(&mut self, column: &str) {
        let Some(Cell::I64(wide)) = self.cells.last().cloned() else { return };
        match i32::try_from(wide) {
            Ok(narrow) => *self.cells.last_mut().expect("it was there") = Cell::I32(narrow),
            Err(_) => self.misfit(|| format!("{wide} does not fit the 32 bits of `{column}`")),
        }
    }

    /// Rounds the last cell to two decimals if it is a float, as `#[row(round2)]` asks.
    pub fn round2(&mut self) {
        if let Some(Cell::F64(value)) = self.cells.last_mut() {
            *value = round2(*value);
        }
    }

    /// Says that the row cannot be stored if its last cell is NULL, as `#[row(required)]` asks.
    pub fn require(&mut self, column: &str) {
        if let Some(Cell::Null) = self.cells.last() {
            self.misfit(|| format!("`{column}` is NULL, and must not be"));
        }
    }
}

/// A struct that is a row of a table; derived.
pub trait Row {
    /// Its columns, in order.
    fn columns() -> Vec<Column>;

    /// Appends its cells, one per column.
    fn put(&self, cells: &mut Cells);
}

/// A value that fills one or more columns: what a field of a row may be.
///
/// Implemented for integers, floats, texts, times, windows, lists, options, the aggregates (their
/// *value*) and, by the derive, for rows inside rows.
pub trait Field {
    /// Appends the columns under a name; a window adds `window_start` and `window_end` instead.
    fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>);

    /// Appends the cells.
    fn put(&self, cells: &mut Cells);

    /// Appends NULL for each column.
    fn put_null(cells: &mut Cells);
}

macro_rules! field {
    ($($kind:ident: $type:ty, $value:ident => $cell:expr;)*) => { $(
        impl Field for $type {
            fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>) {
                columns.push(Column { name: name.into(), kind: Type::$kind, nullable });
            }

            fn put(&self, cells: &mut Cells) {
                let $value = self;
                cells.push($cell);
            }

            fn put_null(cells: &mut Cells) {
                cells.push(Cell::Null);
            }
        }
    )* };
}

field! {
    Bool: bool, value => Cell::Bool(*value);
    I32: i32, value => Cell::I32(*value);
    I64: i64, value => Cell::I64(*value);
    I64: u32, value => Cell::I64(i64::from(*value));
    F64: f64, value => if value.is_finite() { Cell::F64(*value) } else { Cell::Null };
    Text: Text, value => Cell::Text(value.clone());
    Text: String, value => Cell::Text(value.into());
    Time: Time, value => Cell::Time(*value);
    TextList: Vec<Option<Text>>, value => Cell::TextList(value.clone());
    TextList: Vec<Text>, value => Cell::TextList(value.iter().cloned().map(Some).collect());
    I32List: Vec<i32>, value => Cell::I32List(value.clone());
    Json: Json, value => Cell::Json(value.0.clone());
    Decimal: Decimal, value => Cell::Decimal(value.0);
}

/// The text of a JSON document, as a column of type `json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Json(pub String);

/// A DECIMAL(24,2), as hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Decimal(pub i128);

impl Field for Window {
    fn columns(_name: &str, nullable: bool, columns: &mut Vec<Column>) {
        for name in ["window_start", "window_end"] {
            columns.push(Column { name: name.into(), kind: Type::Time, nullable });
        }
    }

    fn put(&self, cells: &mut Cells) {
        cells.push(Cell::Time(self.start));
        cells.push(Cell::Time(self.end));
    }

    fn put_null(cells: &mut Cells) {
        cells.push(Cell::Null);
        cells.push(Cell::Null);
    }
}

/// No column: the key of a window over all events together.
impl Field for () {
    fn columns(_name: &str, _nullable: bool, _columns: &mut Vec<Column>) {}

    fn put(&self, _cells: &mut Cells) {}

    fn put_null(_cells: &mut Cells) {}
}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        /// The columns of its parts, each with its number behind the name.
        impl<$($name: Field),*> Field for ($($name,)*) {
            fn columns(name: &str, nullable: bool, columns: &mut Vec<Column>) {
                $( $name::columns(&format!("{name}_{}", $index), nullable, columns); )*
            }

            fn put(&self, cells: &mut Cells) {
                $( self.$index.put(cells); )*
            }

            fn put_null(cells: &mut Cells) {
                $( $name::put_null(cells); )*
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

impl<T: Field> Field for Option<T> {
    fn columns(name: &str, _nullable: bool, columns: &mut Vec<Column>) {
        T::columns(name, true, columns);
    }

    fn put(&self, cells: &mut Cells) {
        match self {
            Some(value) => value.put(cells),
            None => T::put_null(cells),
        }
    }

    fn put_null(cells: &mut Cells) {
        T::put_null(cells);
    }
}
