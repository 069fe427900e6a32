//! The form of an answer, the same for the reference and for the engine: compare by `==`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Everything that a run leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Per source and partition.
    pub(crate) ledgers: Vec<Vec<Ledger>>,
    /// All dead letters, sorted.
    pub(crate) letters: Vec<Letter>,
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
    UserPanic,
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
    fn cmp(&self, other: &Float) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<Ordering> {
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
    /// What differs, in lines; `None` when nothing does. `self` is what was expected.
    pub(crate) fn difference(&self, found: &Outcome) -> Option<String> {
        let mut lines = Vec::new();
        if self.ledgers != found.ledgers {
            lines.push(format!("ledgers: {:?}\n  found: {:?}", self.ledgers, found.ledgers));
        }
        if self.refused != found.refused {
            lines.push(format!("refused: {:?}\n  found: {:?}", self.refused, found.refused));
        }
        compare("letters", &self.letters, &found.letters, &mut lines);
        for view in 0..self.rows.len().max(found.rows.len()) {
            let rows = |outcome: &Outcome| outcome.rows.get(view).cloned().unwrap_or_default();
            compare(&format!("view {view}"), &rows(self), &rows(found), &mut lines);
        }
        (self != found).then(|| lines.join("\n"))
    }

    /// As an engine tells it that makes one operator of windows which joins connect: what they
    /// refuse is told of the first window of their group, and that a record is late once.
    pub(crate) fn by_operator(mut self, groups: &[usize]) -> Outcome {
        let mut refused = vec![0; self.refused.len()];
        for (windows, pairs) in self.refused.iter().enumerate() {
            refused[groups[windows]] += pairs;
        }
        self.refused = refused;
        for letter in &mut self.letters {
            letter.place = letter.place.map(|windows| groups[windows]);
        }
        self.letters.sort_unstable();
        self.letters.dedup_by(|a, b| a == b && a.reason == Reason::Late);
        self
    }

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

/// How many differing rows of a view are listed.
const LISTED_MAX: usize = 8;

/// Lists what only one of two sorted lists holds; a row that is there twice counts twice.
fn compare<T: Ord + std::fmt::Debug>(
    name: &str,
    expected: &[T],
    found: &[T],
    lines: &mut Vec<String>,
) {
    let (mut left, mut right) = (expected.iter().peekable(), found.iter().peekable());
    let mut only = Vec::new();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(right),
        };
        match order {
            Ordering::Equal => {
                left.next();
                right.next();
            }
            Ordering::Less => only.push(format!("{name}: missing {:?}", left.next())),
            Ordering::Greater => only.push(format!("{name}: too many {:?}", right.next())),
        }
    }
    let rest = only.len().saturating_sub(LISTED_MAX);
    lines.extend(only.into_iter().take(LISTED_MAX));
    if 0 < rest {
        lines.push(format!("{name}: and {rest} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_missing_and_what_is_too_many() {
        let raw = |offset| Row::Raw {
            position: Position { source: 0, partition: 0, offset },
            time_us: 0,
            key: None,
            value: 0,
        };
        let of = |offsets: &[usize]| Outcome {
            rows: vec![offsets.iter().copied().map(raw).collect()],
            ..Outcome::default()
        };
        assert_eq!(of(&[1, 2]).difference(&of(&[1, 2])), None);
        let text = of(&[1, 2, 5]).difference(&of(&[2, 2, 5])).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("view 0: missing") && lines[0].contains("offset: 1"));
        assert!(lines[1].starts_with("view 0: too many") && lines[1].contains("offset: 2"));
        let many: Vec<usize> = (0..20).collect();
        assert!(of(&many).difference(&of(&[])).unwrap().ends_with("view 0: and 12 more"));
    }
}
