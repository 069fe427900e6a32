//! Rows as they are, as often as they occur: a row with a key takes the place of the row before it
//! with that key, and a record without a value takes it back.

use std::sync::Arc;

use highwater::error::Result;
use highwater::hash::FixedMap;

use super::{Check, Verdict};
use crate::harness::rows::Record;
use crate::workloads::nexmark::query::{Line, Query};

/// The rows that stand, beside an answer.
pub struct Lines {
    query: Query,
    answer: Arc<FixedMap<Line, i64>>,
    found: FixedMap<Line, i64>,
    /// The row that stands under each key.
    keyed: FixedMap<Vec<u8>, Line>,
    /// Rows that do not stand as often as they should.
    off: usize,
}

impl Lines {
    /// Without any rows.
    pub fn new(query: Query, answer: Arc<FixedMap<Line, i64>>) -> Lines {
        let off = answer.len();
        Lines { query, answer, found: FixedMap::default(), keyed: FixedMap::default(), off }
    }

    fn add(&mut self, line: Line, times: i64) {
        let expected = self.answer.get(&line).copied().unwrap_or(0);
        let found = self.found.entry(line).or_default();
        self.off -= usize::from(*found != expected);
        *found += times;
        self.off += usize::from(*found != expected);
    }
}

impl Check for Lines {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        let line = record.value.map(|value| self.query.read(value)).transpose()?;
        if let Some(key) = record.key {
            let before = match &line {
                Some(line) => self.keyed.insert(key.to_vec(), line.clone()),
                None => self.keyed.remove(key),
            };
            if let Some(before) = before {
                self.add(before, -1);
            }
        }
        if let Some(line) = line {
            self.add(line, 1);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.off == 0
    }

    fn compare(&self, _approximate: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let added = self.found.keys().filter(|line| !self.answer.contains_key(*line));
        for line in self.answer.keys().chain(added) {
            let times = |rows: &FixedMap<Line, i64>| rows.get(line).copied().unwrap_or(0);
            let (expected, found) = (times(&self.answer), times(&self.found));
            let count = |times: i64| usize::try_from(times).unwrap_or(0);
            verdict.equal += count(expected.min(found));
            verdict.missing += count(expected - found);
            verdict.extra += count(found - expected);
            if expected != found {
                let kind = if found < expected { "missing" } else { "extra" };
                let text = serde_json::to_string(line).unwrap_or_default();
                verdict.note((0, &text), "rows", (Some(expected), Some(found)), kind);
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: &[(i64, i64)]) -> Lines {
        let line = |(auction, price): &(i64, i64)| vec![(*auction).into(), (*price).into()];
        let mut answer = FixedMap::default();
        rows.iter().for_each(|row| *answer.entry(line(row)).or_default() += 1);
        Lines::new(Query::Q2, Arc::new(answer))
    }

    fn take(lines: &mut Lines, key: &str, row: Option<(i64, i64)>) {
        let text =
            row.map(|(auction, price)| format!("{{\"auction\":{auction},\"price\":{price}}}"));
        let key = (!key.is_empty()).then_some(key.as_bytes());
        let value = text.as_ref().map(|text| text.as_bytes());
        lines.take(&Record { at_us: 0, key, value }).unwrap();
    }

    #[test]
    fn a_row_counts_as_often_as_it_comes() {
        let mut found = lines(&[(1, 2), (1, 2)]);
        take(&mut found, "", Some((1, 2)));
        assert!(!found.is_complete());
        assert_eq!(found.compare(false).missing, 1);
        take(&mut found, "", Some((1, 2)));
        assert!(found.is_complete() && found.compare(false).is_equal());
        take(&mut found, "", Some((1, 2)));
        let verdict = found.compare(false);
        assert!(!found.is_complete());
        assert_eq!((verdict.equal, verdict.missing, verdict.extra), (2, 0, 1));
    }

    #[test]
    fn a_row_with_a_key_replaces_the_one_before_and_can_be_taken_back() {
        let mut found = lines(&[(1, 2)]);
        take(&mut found, "a", Some((1, 1)));
        take(&mut found, "b", Some((7, 7)));
        take(&mut found, "a", Some((1, 2)));
        assert_eq!(found.compare(false).extra, 1);
        take(&mut found, "b", None);
        assert!(found.is_complete() && found.compare(false).is_equal());
    }
}
