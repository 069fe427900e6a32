//! [`Flow::table`]: a compacted topic as a view: the last value of each key, an empty one deletes.
//!
//! A record's key is that of the service; a record without one is known by the key that the
//! author's function finds. Records of a table have no event time that anything waits for: its rows
//! are there when they have been read.

use std::cell::RefCell;
use std::rc::Rc;

use super::chunk::letter;
use super::flow::Flow;
use super::intake::{Decoder, Intake, PartitionState, SourceOptions, SourceStats};
use super::node::{Outbox, caught};
use super::operator::shape_of;
use super::plan::{From, SourcePlan};
use super::view::{Arranged, Stored, View, ViewPlan, encode};
use crate::codec::Wire;
use crate::key::Key;
use crate::keyed::{Saved, Set, Shelf, rows};
use crate::lateness::Lateness;
use crate::letter::{Reason, Reject};
use crate::row::{Cell, Change, Mark, Origin, Position, Rows};
use crate::source::Batch;
use crate::text::Text;

impl Flow {
    /// A table: the last record of each key of a compacted topic, indexed by a key of its own. The
    /// name is a source that a binding binds. It changes while the job runs, and what is joined
    /// with it changes too.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::{Example, example::Event};
    /// // The last name of each number, of a table that is read from the same events.
    /// let rows = Example::updates_flow([("one", 1, 1), ("two", 2, 2), ("uno", 3, 1)], |flow| {
    ///     let names = flow.table("events", |event: &Event| event.value);
    ///     let names = names.reduce(|number, rows| {
    ///         Some(Named { number, name: rows[0].key.clone() })
    ///     });
    ///     names.sink("names");
    /// });
    /// assert_eq!(rows, ["names 1 uno", "names 2 two"]);
    /// # #[derive(serde::Serialize, serde::Deserialize, Row)]
    /// # struct Named { number: i64, name: Text }
    /// ```
    pub fn table<K: Key, R: Wire + Stored>(
        &self,
        name: &str,
        key: impl Fn(&R) -> K + 'static,
    ) -> Arranged<K, R> {
        let options = self.source_options(name);
        let key = Rc::new(key);
        let identity = key.clone();
        let source = self.with(|plan| plan.sources.len());
        let (port, _) = self.add_inner_port(From::Sources([source].into()), false);
        let intake = TableIntake {
            index: source as u32,
            name: name.into(),
            options,
            identity: Box::new(move |row: &R| encode(&identity(row))),
            decoder: Decoder::default(),
            port,
            rows: Shelf::new(|(partition, _)| *partition),
        };
        let lateness = Lateness::Window(std::time::Duration::ZERO);
        self.with(|plan| {
            let (name, reaches) = (name.into(), Rc::<RefCell<_>>::default());
            let intake = Box::new(intake);
            plan.add_source(SourcePlan { name, lateness, is_table: true, reaches, intake });
        });
        View::of(self, ViewPlan::Port(port)).arrange_by(move |row| key(row))
    }
}

/// Bytes of the key of a row.
type Identity<R> = Box<dyn Fn(&R) -> Vec<u8>>;

/// Reads the records of a table.
struct TableIntake<R> {
    index: u32,
    name: Text,
    options: SourceOptions,
    /// What tells rows apart that came without a key of the service.
    identity: Identity<R>,
    decoder: Decoder<R>,
    port: usize,
    /// The rows that are there, by partition and key.
    rows: Shelf<(u32, Vec<u8>)>,
}

impl<R: Wire + Stored> Intake for TableIntake<R> {
    fn take(&mut self, batch: &mut Batch, partition: &mut PartitionState, out: &mut Outbox) {
        if let Some(ready) = batch.events.clone() {
            let events = ready.events.downcast_ref::<Vec<R>>();
            let all = &events.expect("a memory source holds the events of its port")[ready.range];
            partition.ledger.read += all.len() as u64;
            for (number, row) in all.iter().enumerate() {
                self.put((batch, number), row, partition, out);
            }
        } else {
            self.read(batch, partition, out);
        }
        partition.next_offset = Some(batch.next_offset);
    }

    fn stats(&self) -> SourceStats {
        self.decoder.stats()
    }

    fn memory(&self) -> Option<String> {
        Some(format!("rows of type {}", shape_of::<R>()))
    }

    fn begin_save(&mut self, whole: bool) {
        self.rows.begin_save(whole);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.rows.save(budget)
    }

    fn restore(&mut self, _partition: u32, bytes: &[u8], out: &mut Outbox) {
        for (place, row) in rows(bytes) {
            match row {
                Some(row) => self.set(place, row.into(), out),
                None => {
                    let before = self.rows.remove(&place);
                    self.change(Change::Delete, before, out);
                }
            }
        }
    }
}

impl<R: Wire + Stored> TableIntake<R> {
    /// Decodes what has a value, and takes up rows and deletions in their order.
    fn read(&mut self, batch: &Batch, partition: &mut PartitionState, out: &mut Outbox) {
        let mut decoder = std::mem::take(&mut self.decoder);
        for number in 0..batch.records.len() {
            let value = batch.slice(&batch.records[number].value);
            if value.is_none_or(<[u8]>::is_empty) {
                partition.ledger.read += 1;
                self.delete((batch, number), partition, out);
                continue;
            }
            let source = (self.index, &self.name);
            let records = (batch, number..number + 1);
            decoder.run(source, records, &self.options, partition, out);
            for row in decoder.events() {
                self.put((batch, number), row, partition, out);
            }
        }
        self.decoder = decoder;
    }

    fn put(
        &mut self,
        at: (&Batch, usize),
        row: &R,
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        let (batch, number) = at;
        let key = batch.records.get(number).and_then(|record| batch.slice(&record.key));
        let named = key.map(<[u8]>::to_vec).map_or_else(|| caught(|| (self.identity)(row)), Ok);
        match named {
            Err(panic) => self.refuse(at, Reject::new(Reason::UserPanic, panic), partition, out),
            Ok(key) => {
                partition.ledger.used += 1;
                self.set((partition.id, key), encode(row), out);
            }
        }
    }

    fn set(&mut self, place: (u32, Vec<u8>), row: Vec<u8>, out: &mut Outbox) {
        match self.rows.set(place, &row) {
            Set::Equal => return,
            Set::Other(before) => self.change(Change::Delete, Some(before), out),
            Set::New => {}
        }
        self.change(Change::Upsert, Some(row), out);
    }

    fn delete(
        &mut self,
        (batch, number): (&Batch, usize),
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        match batch.slice(&batch.records[number].key) {
            None => {
                let text = "it has neither a value nor a key that says what to delete";
                let reject = Reject::new(Reason::Tombstone, text);
                self.refuse((batch, number), reject, partition, out);
            }
            Some(key) => {
                partition.ledger.used += 1;
                let before = self.rows.remove(&(partition.id, key.to_vec()));
                self.change(Change::Delete, before, out);
            }
        }
    }

    fn refuse(
        &self,
        (batch, number): (&Batch, usize),
        reject: Reject,
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        let offset = match &batch.events {
            Some(ready) => ready.offset + number as i64,
            None => batch.records[number].offset,
        };
        let position = Position { source: self.index, partition: partition.id, offset, element: 0 };
        partition.ledger.dead += 1;
        out.letters.push(letter(&self.name, batch, number, position, reject));
    }

    fn change(&self, change: Change, row: Option<Vec<u8>>, out: &mut Outbox) {
        if let Some(row) = row {
            let mark = Mark { change, origin: Origin::Record(Position::default()) };
            let rows: &mut Rows = &mut out.rows[self.port];
            rows.push(mark, [Cell::Bytes(row)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::decode;
    use super::*;
    use crate::stream::{Plan, Settings};
    use crate::testing::example::Event;

    /// A table of events by value, and what it did with records of (key, value).
    fn table(records: &[(Option<&str>, Option<&str>)]) -> (Vec<(Change, i64)>, Outbox, u64) {
        let flow = Flow::new(Settings::default());
        flow.table("names", |event: &Event| {
            assert_ne!(event.value, 13, "thirteen");
            event.value
        });
        let mut plan: Plan = flow.take();
        let mut out = Outbox { rows: vec![Rows::default()], ..Outbox::default() };
        let mut partition = PartitionState::new(0, std::time::Duration::ZERO);
        let mut batch = Batch::default();
        for (offset, (key, value)) in records.iter().enumerate() {
            batch.push(offset as i64, None, key.map(str::as_bytes), value.map(str::as_bytes));
        }
        plan.sources[0].intake.take(&mut batch, &mut partition, &mut out);
        assert!(partition.ledger.adds_up(), "{:?}", partition.ledger);
        let changes = out.rows[0].iter().map(|(mark, cells)| match cells {
            [Cell::Bytes(bytes)] => {
                let event: Event = decode(bytes);
                (mark.change, event.value)
            }
            other => panic!("{other:?}"),
        });
        (changes.collect(), out, partition.ledger.used)
    }

    #[test]
    fn the_last_value_of_a_key_stays_and_an_empty_one_deletes() {
        let (changes, out, used) = table(&[
            (Some("a"), Some("{\"value\": 1}")),
            (Some("b"), Some("{\"value\": 2}")),
            (Some("a"), Some("{\"value\": 3}")),
            (Some("b"), None),
            (Some("c"), Some("")),
            (Some("a"), Some("{\"value\": 3}")),
        ]);
        use Change::{Delete, Upsert};
        let expect = [(Upsert, 1), (Upsert, 2), (Delete, 1), (Upsert, 3), (Delete, 2)];
        assert_eq!(changes, expect);
        assert!(out.letters.is_empty() && used == 6);
    }

    #[test]
    fn what_cannot_be_a_row_is_a_letter() {
        let (changes, out, used) = table(&[
            (None, None),
            (Some("a"), Some("nonsense")),
            (None, Some("{\"value\": 13}")),
            (None, Some("{\"value\": 1}")),
            (None, Some("{\"value\": 1, \"key\": \"new\"}")),
        ]);
        let reasons: Vec<Reason> = out.letters.iter().map(|letter| letter.reason).collect();
        assert_eq!(reasons, [Reason::Tombstone, Reason::BadJson, Reason::UserPanic]);
        use Change::{Delete, Upsert};
        assert_eq!((changes, used), (vec![(Upsert, 1), (Delete, 1), (Upsert, 1)], 2));
    }

    #[test]
    fn a_table_is_restored_from_what_was_saved_one_after_the_other() {
        let make = || {
            let flow = Flow::new(Settings::default());
            flow.table("names", |event: &Event| event.value);
            flow.take().sources.remove(0).intake
        };
        let mut partition = PartitionState::new(3, std::time::Duration::ZERO);
        let outbox = || Outbox { rows: vec![Rows::default()], ..Outbox::default() };
        let (mut intake, mut saves) = (make(), Vec::new());
        for records in [
            &[("a", r#"{"value": 1}"#), ("b", r#"{"value": 2}"#), ("c", r#"{"value": 3}"#)][..],
            &[("b", ""), ("c", r#"{"value": 4}"#), ("d", r#"{"value": 5}"#)],
            &[("d", ""), ("b", r#"{"value": 6}"#), ("b", ""), ("b", r#"{"value": 7}"#)],
        ] {
            let mut batch = Batch::default();
            for (offset, (key, value)) in records.iter().enumerate() {
                batch.push(offset as i64, None, Some(key.as_bytes()), Some(value.as_bytes()));
            }
            intake.take(&mut batch, &mut partition, &mut outbox());
            intake.begin_save(saves.is_empty());
            saves.push(intake.save(&mut usize::MAX.clone()).expect("no end to a budget"));
        }
        let (mut again, mut out) = (make(), outbox());
        for (group, bytes) in saves.iter().flat_map(|saved| &saved.groups) {
            assert_eq!(*group, 3);
            again.restore(3, bytes, &mut out);
        }
        let mut shown = std::collections::BTreeMap::<i64, i32>::new();
        for (mark, cells) in out.rows[0].iter() {
            let [Cell::Bytes(bytes)] = cells else { panic!("{cells:?}") };
            let one = if mark.change == Change::Delete { -1 } else { 1 };
            *shown.entry(decode::<Event>(bytes).value).or_default() += one;
        }
        shown.retain(|_, count| *count != 0);
        assert_eq!(shown, [(1, 1), (4, 1), (7, 1)].into());
    }
}
