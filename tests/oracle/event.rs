//! The wire type of the oracle's jobs, what they add up, and the one row that all views have.

use highwater::aggregate::Stamp;
use highwater::codec::{Field, Wire};
use highwater::prelude::*;
use highwater::row::Cell;

use super::job;
use super::outcome::Row as Answer;
use super::outcome::{Float, Pane, Position, Values};

/// A record, decoded. The `Row` of views without windows.
#[derive(Clone, Debug, Default, Row)]
pub(crate) struct Event {
    pub(crate) time: Option<Time>,
    pub(crate) key: Option<u32>,
    pub(crate) value: i64,
    #[row(skip)]
    pub(crate) id: Option<u64>,
    #[row(skip)]
    float: f64,
}

impl From<&job::Record> for Event {
    fn from(record: &job::Record) -> Event {
        Event {
            time: record.time_us.map(Time::from_micros),
            key: record.key,
            value: record.value,
            id: record.id,
            float: record.float(),
        }
    }
}

/// Never read from bytes: the memory source hands events over as they are.
impl Wire for Event {
    fn field<'de, A: serde::de::MapAccess<'de>>(
        &mut self,
        _name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        field.skip()
    }
}

/// Every aggregate at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(crate) struct Measures {
    count: Count,
    sum: Sum<i64>,
    min: Min<i64>,
    max: Max<i64>,
    distinct: Distinct<i64>,
    first: First<i64>,
    last: Last<i64>,
    float_sum: Sum<f64>,
}

/// How many columns [`Measures`] has.
const MEASURES: usize = 8;

impl Measures {
    /// Of one event.
    pub(crate) fn of(event: &Event, stamp: &Stamp) -> Measures {
        Measures {
            count: Count::one(),
            sum: Sum::of(event.value),
            min: Min::of(event.value),
            max: Max::of(event.value),
            distinct: Distinct::of(&event.value),
            first: First::of(event.value, *stamp),
            last: Last::of(event.value, *stamp),
            float_sum: Sum::of(event.float),
        }
    }
}

/// The row of every view over windows; what a view does not have is NULL or 0.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
pub(crate) struct Line {
    key: Option<u32>,
    window: Window,
    past_rows: i64,
    past_count: i64,
    left: Measures,
    right: Option<Measures>,
}

/// The key columns of [`Line`].
pub(crate) const KEY: [&str; 3] = ["key", "window_start", "window_end"];

impl Line {
    /// Of a pane that stands alone.
    pub(crate) fn alone(key: Option<u32>, window: Window, left: Measures) -> Line {
        Line::joined(key, window, left, None)
    }

    /// Of the two sides of a join.
    pub(crate) fn joined(
        key: Option<u32>,
        window: Window,
        left: Measures,
        right: Option<Measures>,
    ) -> Line {
        Line { key, window, past_rows: 0, past_count: 0, left, right }
    }

    /// With what stands before it.
    pub(crate) fn behind(past: &[Line], line: Line) -> Line {
        let past_count = past.iter().map(|line| line.left.count.get()).sum();
        Line { past_rows: past.len() as i64, past_count, ..line }
    }
}

/// A row of the engine in the form of the reference.
pub(crate) fn answer(view: &job::View, cells: &[Cell], position: Option<Position>) -> Answer {
    if let Some(position) = position {
        let (time_us, key) = (time(&cells[0]), key(&cells[1]));
        return Answer::Raw { position, time_us, key, value: whole(&cells[2]) };
    }
    let pane = Pane { key: key(&cells[0]), start_us: time(&cells[1]), end_us: time(&cells[2]) };
    let (left, right) = cells[5..].split_at(MEASURES);
    match view {
        job::View::Trailing { .. } => Answer::Trailing {
            pane,
            count: whole(&left[0]) as u64,
            past_rows: whole(&cells[3]) as usize,
            past_count: whole(&cells[4]) as u64,
        },
        job::View::Join { .. } | job::View::LeftJoin { .. } => {
            let right = (right[0] != Cell::Null).then(|| values(right));
            Answer::Joined { pane, left: values(left), right }
        }
        job::View::Rows { .. } | job::View::Raw { .. } => {
            Answer::Final { pane, values: values(left) }
        }
    }
}

fn values(cells: &[Cell]) -> Values {
    let Cell::F64(float_sum) = cells[7] else { panic!("no float: {:?}", cells[7]) };
    Values {
        count: whole(&cells[0]) as u64,
        sum: i128::from(whole(&cells[1])),
        min: whole(&cells[2]),
        max: whole(&cells[3]),
        distinct: whole(&cells[4]) as u64,
        first: whole(&cells[5]),
        last: whole(&cells[6]),
        float_sum: Float(float_sum),
    }
}

fn whole(cell: &Cell) -> i64 {
    match cell {
        Cell::I64(whole) => *whole,
        other => panic!("no whole number: {other:?}"),
    }
}

fn key(cell: &Cell) -> Option<u32> {
    (*cell != Cell::Null).then(|| u32::try_from(whole(cell)).expect("a key"))
}

fn time(cell: &Cell) -> i64 {
    match cell {
        Cell::Time(time) => time.micros(),
        other => panic!("no time: {other:?}"),
    }
}
