//! Batches on their way: which records are to be handed over, and which are answered.
//!
//! Records are numbered in the order in which they are handed over, and answered in any. What is
//! handed over again gets new numbers.

use std::collections::VecDeque;

use super::messages::Messages;
use crate::letter::Reject;
use crate::sink::Refusal;

/// Batches in their order, until each is told.
#[derive(Default)]
pub(super) struct Batches {
    batches: VecDeque<Batch>,
    /// Number of the record that is handed over next.
    next: usize,
    /// Number behind the last record.
    end: usize,
}

struct Batch {
    messages: Messages,
    /// Number of its first record.
    first: usize,
    answered: usize,
    refusals: Vec<Refusal>,
}

/// A record that is to be handed over.
pub(super) struct Record<'b> {
    pub(super) number: usize,
    pub(super) key: Option<&'b [u8]>,
    pub(super) value: Option<&'b [u8]>,
}

impl Batches {
    /// Adds a batch that is to be handed over behind all others.
    pub(super) fn push(&mut self, messages: Messages) {
        let first = self.end;
        self.end += messages.len();
        self.batches.push_back(Batch { messages, first, answered: 0, refusals: vec![] });
    }

    /// The record that is handed over next.
    pub(super) fn next(&self) -> Option<Record<'_>> {
        let batch = self.batches.get(self.index(self.next)?)?;
        let (_, key, value) = batch.messages.get(self.next - batch.first);
        Some(Record { number: self.next, key, value })
    }

    /// The next record was handed over.
    pub(super) fn handed(&mut self) {
        self.next += 1;
    }

    /// Takes answers: each number once, refused ones among them.
    pub(super) fn hear(&mut self, done: &[usize], refused: Vec<(usize, Reject)>) {
        for (number, reject) in refused {
            let Some(index) = self.index(number) else { continue };
            let batch = &mut self.batches[index];
            let (row, ..) = batch.messages.get(number - batch.first);
            batch.refusals.push(Refusal { row, reject });
        }
        for number in done {
            if let Some(index) = self.index(*number) {
                self.batches[index].answered += 1;
            }
        }
    }

    /// Drops the oldest batch once it is answered; returns the rows that were refused.
    pub(super) fn pop(&mut self) -> Option<Vec<Refusal>> {
        let mut batch = self.batches.pop_front_if(|oldest| oldest.is_answered())?;
        batch.refusals.sort_by_key(|refusal| refusal.row);
        Some(batch.refusals)
    }

    /// Records were given up: hands over again the first batch that is not answered and every one
    /// behind it, answered or not, or an older row of a key would come to stand behind a newer one.
    pub(super) fn again(&mut self) {
        self.next = self.end;
        for batch in self.batches.iter_mut().skip_while(|batch| batch.is_answered()) {
            batch.first = self.end;
            batch.answered = 0;
            batch.refusals.clear();
            self.end += batch.messages.len();
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The batch of a record.
    fn index(&self, number: usize) -> Option<usize> {
        let behind = self.batches.partition_point(|batch| batch.first <= number);
        behind.checked_sub(1).filter(|_| number < self.end)
    }
}

impl Batch {
    fn is_answered(&self) -> bool {
        self.answered == self.messages.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter::Reason;
    use crate::row::{Cell, Change, Column, Mark, Origin, Position, Rows, Schema, Type};
    use crate::sink::View;
    use crate::sink::kafka::messages::Form;
    use crate::time::Time;

    /// A batch with a record for each key that differs from the next one.
    fn messages(keys: &[i64]) -> Messages {
        let columns = vec![Column { name: "n".into(), kind: Type::I64, nullable: false }];
        let schema = Schema { columns }.into();
        let view = View { name: "v".into(), schema, key: vec!["n".into()], stamp: None };
        let mut rows = Rows::default();
        for key in keys {
            let origin = Origin::Record(Position::default());
            rows.push(Mark { change: Change::Upsert, origin }, [Cell::I64(*key)]);
        }
        Form::new(&view).unwrap().messages(&rows, Time::default())
    }

    /// Hands over all that is to be; returns the keys with their numbers.
    fn hand_over(batches: &mut Batches) -> Vec<(usize, String)> {
        let mut handed = Vec::new();
        while let Some(Record { number, value, .. }) = batches.next() {
            let value = String::from_utf8(value.unwrap().into()).unwrap();
            handed.push((number, value.replace("{\"n\":", "").replace('}', "")));
            batches.handed();
        }
        handed
    }

    fn handed(records: &[(usize, &str)]) -> Vec<(usize, String)> {
        records.iter().map(|(number, key)| (*number, (*key).to_owned())).collect()
    }

    fn refused(number: usize) -> (usize, Reject) {
        (number, Reject::new(Reason::RejectedBySink, number.to_string()))
    }

    #[test]
    fn batches_are_told_in_their_order_whichever_is_answered_first() {
        let mut batches = Batches::default();
        batches.push(messages(&[1, 2]));
        batches.push(messages(&[3]));
        assert_eq!(hand_over(&mut batches), handed(&[(0, "1"), (1, "2"), (2, "3")]));
        batches.hear(&[2, 1], vec![]);
        assert_eq!(batches.pop(), None);
        batches.hear(&[0], vec![]);
        assert_eq!([batches.pop(), batches.pop()], [Some(vec![]), Some(vec![])]);
        assert!(batches.is_empty() && batches.pop().is_none());
    }

    #[test]
    fn refusals_name_the_row_of_their_own_batch() {
        let mut batches = Batches::default();
        batches.push(messages(&[1]));
        // The first row has no record of its own: the last one has its key.
        batches.push(messages(&[7, 8, 9, 7]));
        hand_over(&mut batches);
        batches.hear(&[0, 1, 2, 3], vec![refused(3), refused(1)]);
        assert_eq!(batches.pop(), Some(vec![]));
        let rows = batches.pop().unwrap();
        let rows: Vec<_> = rows.iter().map(|r| (r.row, r.reject.detail.as_str())).collect();
        assert_eq!(rows, [(1, "1"), (3, "3")]);
    }

    #[test]
    fn what_stands_behind_a_record_that_was_given_up_is_written_again_in_order() {
        let mut batches = Batches::default();
        batches.push(messages(&[1]));
        batches.push(messages(&[2, 3]));
        batches.push(messages(&[2]));
        batches.push(messages(&[4]));
        hand_over(&mut batches);
        // Of the second batch one record is answered, of the third one all, by chance with a
        // refusal that the next try will meet again.
        batches.hear(&[0, 2, 3], vec![refused(3)]);
        batches.again();
        let expect = handed(&[(5, "2"), (6, "3"), (7, "2"), (8, "4")]);
        assert_eq!(hand_over(&mut batches), expect);
        assert_eq!(batches.pop(), Some(vec![]), "the first one was written");
        batches.hear(&[5, 6, 7, 8], vec![]);
        for _ in 0..3 {
            assert_eq!(batches.pop(), Some(vec![]));
        }
        // What comes later goes on behind them.
        batches.push(messages(&[5]));
        assert_eq!(hand_over(&mut batches), handed(&[(9, "5")]));
    }
}
