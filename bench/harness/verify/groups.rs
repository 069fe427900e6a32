//! Rows of groups: the newest row of each group and window counts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use highwater::error::Result;

use super::{Check, Verdict};
use crate::harness::rows::{Record, read};
use crate::workloads::queries::{Answer, Group, ResultRow};

/// The newest row of each group, beside an answer.
pub struct Newest {
    answer: Arc<Answer>,
    /// Windows that are compared, by where they begin.
    starts: Range<i64>,
    groups: BTreeMap<(i64, String), Group>,
    /// Groups of the answer that are as they should be.
    equal: usize,
}

impl Newest {
    /// Of the windows from a begin up to the last one of an answer. Rows of others are those of
    /// events that only show that an engine is ready, or close windows.
    pub fn from(first_ms: i64, answer: Arc<Answer>) -> Newest {
        let end = answer.keys().next_back().map_or(first_ms, |(start, _)| start + 1);
        Newest { answer, starts: first_ms..end, groups: BTreeMap::new(), equal: 0 }
    }

    /// Takes a row. Whether all groups are right can be asked at any time.
    pub fn take_row(&mut self, row: &ResultRow) {
        if !self.starts.contains(&row.start) {
            return;
        }
        let place = (row.start, row.key.clone());
        let group = Group { events: row.events, users: row.users };
        let answer = &self.answer;
        let is_right = |group: &Group| answer.get(&place).is_some_and(|g| g.events == group.events);
        self.equal += usize::from(is_right(&group));
        let before = self.groups.get(&place).is_some_and(is_right);
        self.equal -= usize::from(before);
        self.groups.insert(place, group);
    }
}

impl Check for Newest {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        if let Some(value) = record.value {
            self.take_row(&read(value)?);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.equal == self.answer.len()
    }

    fn compare(&self, approximate: bool) -> Verdict {
        let mut verdict = Verdict::default();
        for (place, expected) in &*self.answer {
            let of = (place.0, &*place.1);
            let Some(got) = self.groups.get(place) else {
                verdict.missing += 1;
                verdict.note(of, "events", (Some(expected.events), None), "missing");
                continue;
            };
            let mut right = expected.events == got.events;
            if !right {
                verdict.note(of, "events", (Some(expected.events), Some(got.events)), "wrong");
            }
            if expected.users != got.users {
                let (is, kind) = if approximate { (right, "approx") } else { (false, "wrong") };
                right = is;
                verdict.note(of, "users", (expected.users, got.users), kind);
                if let (Some(expected), Some(got)) = (expected.users, got.users) {
                    let error = (got - expected).abs() as f64 / expected.max(1) as f64;
                    verdict.approximate = verdict.approximate.max(error);
                }
            }
            verdict.equal += usize::from(right);
            verdict.wrong += usize::from(!right);
        }
        for (place, got) in &self.groups {
            if !self.answer.contains_key(place) {
                verdict.extra += 1;
                verdict.note((place.0, &place.1), "events", (None, Some(got.events)), "extra");
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, start: i64, events: i64, users: Option<i64>) -> ResultRow {
        ResultRow { key: key.into(), start, events, users, planned_us: None }
    }

    fn answer() -> Arc<Answer> {
        let group = |events, users| Group { events, users: Some(users) };
        let groups = [((0, "a".into()), group(3, 2)), ((0, "b".into()), group(1, 1))];
        Arc::new(Answer::from(groups))
    }

    #[test]
    fn the_newest_row_of_a_group_counts_and_rows_beyond_the_end_do_not() {
        let mut newest = Newest::from(0, answer());
        for (key, start, events, users) in
            [("a", 0, 2, 2), ("b", 0, 1, 1), ("a", 0, 3, 2), ("a", 60, 9, 9)]
        {
            assert!(!newest.is_complete());
            newest.take_row(&row(key, start, events, Some(users)));
            if events == 3 {
                break;
            }
        }
        assert!(newest.is_complete());
        assert!(newest.compare(false).is_equal());
    }

    #[test]
    fn a_row_that_turns_wrong_is_no_longer_right() {
        let mut newest = Newest::from(0, answer());
        for (key, events) in [("b", 1), ("a", 3), ("a", 4)] {
            newest.take_row(&row(key, 0, events, Some(2)));
        }
        assert!(!newest.is_complete());
    }

    #[test]
    fn every_difference_is_named() {
        let mut newest = Newest::from(0, answer());
        newest.take_row(&row("a", 0, 3, Some(1)));
        newest.take_row(&row("c", 0, 1, Some(1)));
        let strict = newest.compare(false);
        assert_eq!((strict.equal, strict.wrong, strict.missing, strict.extra), (0, 1, 1, 1));
        let kinds: Vec<_> = strict.differences.iter().map(|d| (&*d.column, d.verdict)).collect();
        assert_eq!(kinds, [("users", "wrong"), ("events", "missing"), ("events", "extra")]);
        let loose = newest.compare(true);
        assert_eq!((loose.equal, loose.wrong, loose.approximate), (1, 0, 0.5));
    }
}
