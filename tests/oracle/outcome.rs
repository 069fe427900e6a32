//! The form of an answer, the same for the reference and for the engine: compare by `==`.

use std::collections::{BTreeMap, BTreeSet};

/// Everything that a run leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Per source and partition.
    pub(crate) ledgers: Vec<Vec<Ledger>>,
    /// All dead letters.
    pub(crate) letters: BTreeSet<Letter>,
    /// Per entry of `Job::windows`: (record, window) pairs refused behind the filter.
    pub(crate) refused: Vec<u64>,
    /// Per entry of `Job::views`: its rows, sorted.
    pub(crate) rows: Vec<Vec<Row>>,
}

/// What became of the records of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) read: u64,
    pub(crate) used: u64,
    pub(crate) late: u64,
    pub(crate) dead: u64,
    pub(crate) duplicates: u64,
}

/// Where a record stands. Ordered as ties are broken: source, partition, offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) source: usize,
    pub(crate) partition: usize,
    pub(crate) offset: usize,
}

/// A dead letter. With a place it was refused by that entry of `Job::windows`, not by the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Letter {
    pub(crate) position: Position,
    pub(crate) reason: Reason,
    pub(crate) place: Option<usize>,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    NoEventTime,
    Future,
    Late,
}

/// A row of a view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// Of `View::Rows`.
    Final { pane: Pane, values: Values },
    /// Of `View::Join` and `View::LeftJoin`.
    Joined { pane: Pane, left: Values, right: Option<Values> },
    /// Of `View::Trailing`: how many rows stand before it, and the sum of their counts.
    Trailing { pane: Pane, count: u64, past_rows: usize, past_count: u64 },
    /// Of `View::Raw`.
    Raw { position: Position, time_us: i64, key: Option<u32>, value: i64 },
}

/// A key in a window, the order of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pane {
    pub(crate) key: Option<u32>,
    pub(crate) end_us: i64,
    pub(crate) start_us: i64,
}

/// Every aggregate of a pane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Values {
    pub(crate) count: u64,
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
    /// How many different values.
    pub(crate) distinct: u64,
    /// By (event time, source, partition, offset).
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Of `Record::float`.
    pub(crate) float_sum: Float,
}

/// An `f64` that is compared bit by bit; never a negative zero, an infinity or no number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Float(pub(crate) f64);

impl Ord for Float {
    fn cmp(&self, other: &Float) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Float {}

/// An outcome in few words, so that a boundary can be worked out by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Per view (start, end, sum) of its rows, sorted; see [`Row::brief`].
    pub(crate) rows: Vec<Vec<(i64, i64, i128)>>,
    /// Offsets of letters without a place, by reason, over all sources and partitions.
    pub(crate) letters: BTreeMap<Reason, Vec<usize>>,
    /// Offsets of letters with a place.
    pub(crate) view_letters: Vec<usize>,
    /// Duplicates of all partitions.
    pub(crate) duplicates: u64,
    /// Refused pairs of all windows.
    pub(crate) refused: u64,
}

impl Row {
    /// (start, end, sum) of a final row. Of a joined one the sums of both sides together, of a
    /// trailing one the past count, of a raw one (time, time, value).
    pub(crate) fn brief(&self) -> (i64, i64, i128) {
        let brief = |pane: &Pane, sum: i128| (pane.start_us, pane.end_us, sum);
        match self {
            Row::Final { pane, values } => brief(pane, values.sum),
            Row::Joined { pane, left, right } => {
                brief(pane, left.sum + right.as_ref().map_or(0, |right| right.sum))
            }
            Row::Trailing { pane, past_count, .. } => brief(pane, i128::from(*past_count)),
            Row::Raw { time_us, value, .. } => (*time_us, *time_us, i128::from(*value)),
        }
    }
}

impl Outcome {
    /// The outcome in few words.
    pub(crate) fn summary(&self) -> Summary {
        let mut summary = Summary {
            duplicates: self.ledgers.iter().flatten().map(|ledger| ledger.duplicates).sum(),
            refused: self.refused.iter().sum(),
            ..Summary::default()
        };
        for rows in &self.rows {
            let mut briefs: Vec<_> = rows.iter().map(Row::brief).collect();
            briefs.sort_unstable();
            summary.rows.push(briefs);
        }
        for letter in &self.letters {
            match letter.place {
                Some(_) => summary.view_letters.push(letter.position.offset),
                None => {
                    let offsets = summary.letters.entry(letter.reason).or_default();
                    offsets.push(letter.position.offset);
                }
            }
        }
        summary
    }
}
