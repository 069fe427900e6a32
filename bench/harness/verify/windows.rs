//! Rows of synthetic windows, and the records that an engine has refused: together they account for
//! every record.

use std::sync::Arc;

use highwater::error::{Error, Result};
use highwater::hash::{FixedMap, FixedSet};
use serde::Deserialize;

use super::{Check, Verdict};
use crate::harness::rows::{Record, read};
use crate::workloads::windows::{Answer, Values};

/// The rows that came, beside an answer.
pub struct Windows {
    answer: Arc<Answer>,
    rows: FixedMap<(i64, i64), Values>,
    refused: FixedSet<(u32, i64)>,
    /// Rows and refusals that are as they should be.
    right: usize,
    /// Those that came once more: a final row comes once, and so does a refusal.
    again: Vec<(i64, String)>,
}

/// A row, or the letter of a record that no window takes: that has a reason.
#[derive(Deserialize)]
struct Line {
    key: Option<i64>,
    start: Option<i64>,
    events: Option<i64>,
    sum: Option<i64>,
    distinct: Option<i64>,
    reason: Option<String>,
    partition: Option<u32>,
    offset: Option<i64>,
}

/// The reason of the letters that are expected.
const LATE: &str = "late";

impl Windows {
    /// Without any rows.
    pub fn new(answer: Arc<Answer>) -> Windows {
        let (rows, refused) = (FixedMap::default(), FixedSet::default());
        Windows { answer, rows, refused, right: 0, again: Vec::new() }
    }

    fn take_letter(&mut self, reason: &str, place: (u32, i64)) {
        // A letter of another reason is none that was expected.
        if reason == LATE && self.refused.insert(place) {
            self.right += usize::from(self.answer.refused.contains(&place));
        } else {
            self.again.push((0, format!("{reason} {}/{}", place.0, place.1)));
        }
    }

    fn take_row(&mut self, place: (i64, i64), values: Values) {
        // Windows of the events that close those before.
        if self.answer.last_start < place.0 {
            return;
        }
        if self.rows.insert(place, values).is_some() {
            self.again.push((place.0, place.1.to_string()));
        } else {
            self.right += usize::from(self.answer.rows.get(&place) == Some(&values));
        }
    }
}

impl Check for Windows {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        let Some(value) = record.value else { return Ok(()) };
        match read(value)? {
            Line {
                reason: Some(reason), partition: Some(partition), offset: Some(offset), ..
            } => {
                self.take_letter(&reason, (partition, offset));
            }
            Line {
                key: Some(key),
                start: Some(start),
                events: Some(events),
                sum: Some(sum),
                distinct: Some(distinct),
                ..
            } => self.take_row((start, key), Values { events, sum, distinct }),
            _ => {
                let text = String::from_utf8_lossy(value).into_owned();
                return Err(Error::config(format!("an engine wrote {text}, which is no row")));
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.right == self.answer.rows.len() + self.answer.refused.len()
    }

    fn compare(&self, _approximate: bool) -> Verdict {
        let mut verdict = Verdict::default();
        for (place, expected) in &self.answer.rows {
            let key = place.1.to_string();
            let Some(got) = self.rows.get(place) else {
                verdict.missing += 1;
                verdict.note((place.0, &key), "events", (Some(expected.events), None), "missing");
                continue;
            };
            let columns = [
                ("events", expected.events, got.events),
                ("sum", expected.sum, got.sum),
                ("distinct", expected.distinct, got.distinct),
            ];
            for (column, expected, got) in columns {
                if expected != got {
                    verdict.note((place.0, &key), column, (Some(expected), Some(got)), "wrong");
                }
            }
            verdict.equal += usize::from(expected == got);
            verdict.wrong += usize::from(expected != got);
        }
        for ((start, key), got) in &self.rows {
            if !self.answer.rows.contains_key(&(*start, *key)) {
                verdict.extra += 1;
                let key = key.to_string();
                verdict.note((*start, &key), "events", (None, Some(got.events)), "extra");
            }
        }
        let places = self.answer.refused.union(&self.refused);
        for place @ (partition, offset) in places {
            let [expected, got] =
                [&self.answer.refused, &self.refused].map(|refused| refused.contains(place));
            verdict.equal += usize::from(expected && got);
            verdict.missing += usize::from(!got);
            verdict.extra += usize::from(!expected);
            if expected != got {
                let counts = (expected.then_some(1), got.then_some(1));
                let kind = if got { "extra" } else { "missing" };
                verdict.note((0, &format!("{partition}/{offset}")), "late", counts, kind);
            }
        }
        verdict.extra += self.again.len();
        for (start, key) in &self.again {
            verdict.note((*start, key), "rows", (Some(1), Some(2)), "extra");
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows() -> Windows {
        let values = Values { events: 2, sum: 7, distinct: 1 };
        let rows = [((0, 1), values), ((0, 2), values)].into_iter().collect();
        let refused = [(3, 5)].into_iter().collect();
        Windows::new(Arc::new(Answer { rows, refused, closed_pairs: 1, last_start: 0 }))
    }

    fn row(key: i64, start: i64, sum: i64) -> String {
        format!(r#"{{"key":{key},"start":{start},"events":2,"sum":{sum},"distinct":1}}"#)
    }

    /// As the engine writes it, and as one thread does.
    fn letter(partition: u32, offset: i64) -> String {
        let place = format!(r#""partition":{partition},"offset":{offset},"reason":"late""#);
        match offset % 2 {
            0 => format!("{{{place}}}"),
            _ => {
                format!(r#"{{"system":"windows",{place},"key":null,"value":"e30=","place":null}}"#)
            }
        }
    }

    fn take(windows: &mut Windows, row: &str) {
        windows.take(&Record { at_us: 0, key: None, value: Some(row.as_bytes()) }).unwrap();
    }

    #[test]
    fn rows_and_refusals_make_it_complete() {
        let mut found = windows();
        for row in [&row(1, 0, 7), &letter(3, 5), &row(9, 60, 1)] {
            take(&mut found, row);
            assert!(!found.is_complete(), "{row}");
        }
        take(&mut found, &row(2, 0, 7));
        assert!(found.is_complete() && found.compare(false).is_equal());
        assert_eq!(found.compare(false).equal, 3);
    }

    #[test]
    fn every_difference_is_named() {
        let check = |lines: &[String], expect: [usize; 3], kind: (&str, &str)| {
            let mut found = windows();
            lines.iter().for_each(|line| take(&mut found, line));
            let verdict = found.compare(false);
            assert_eq!([verdict.wrong, verdict.missing, verdict.extra], expect, "{lines:?}");
            let kinds: Vec<_> =
                verdict.differences.iter().map(|d| (d.column.as_str(), d.verdict)).collect();
            assert!(kinds.contains(&kind), "{kinds:?}");
        };
        let (one, two, late) = (row(1, 0, 7), row(2, 0, 7), letter(3, 5));
        check(&[one.clone(), row(2, 0, 8), late.clone()], [1, 0, 0], ("sum", "wrong"));
        check(&[one.clone(), late.clone()], [0, 1, 0], ("events", "missing"));
        let rest = [one, two, late];
        check(&rest[..2], [0, 1, 0], ("late", "missing"));
        let and = |line: String| [&rest[..], &[line]].concat();
        check(&and(row(3, 0, 1)), [0, 0, 1], ("events", "extra"));
        check(&and(letter(0, 4)), [0, 0, 1], ("late", "extra"));
        check(&and(letter(3, 5)), [0, 0, 1], ("rows", "extra"));
        check(&and(row(1, 0, 7)), [0, 0, 1], ("rows", "extra"));
        check(&and(letter(0, 4).replace("late", "bad_json")), [0, 0, 1], ("rows", "extra"));
    }

    #[test]
    fn a_line_that_is_neither_row_nor_letter_is_refused() {
        let record = Record { at_us: 0, key: None, value: Some(b"{\"key\":1}") };
        assert!(windows().take(&record).unwrap_err().to_string().contains("which is no row"));
    }
}
