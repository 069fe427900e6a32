//! What the tests of the façade share: a description that runs without timely.
//!
//! ```text
//! events ─► intake ─► parcels ─► operators ─► rows         one worker, one source, one partition
//! ```

use std::sync::Arc;

use super::*;
use crate::letter::Letter;
use crate::row::{Cell, Mark, Rows};
use crate::source::{Batch, Decoded};
use crate::testing::example::Event;
use crate::time::{Millis, seconds};

/// A description with all of its parts, stepped by hand.
pub(super) struct Bench {
    pub(super) operators: Vec<Operator>,
    pub(super) partition: PartitionState,
    pub(super) out: Outbox,
    plan: Plan,
    read: i64,
}

impl Bench {
    /// Runs a dataflow function; its source is called `events`, its lateness is zero.
    pub(super) fn new(describe: impl Fn(&Flow)) -> Bench {
        Bench::bound(SourceOptions::default(), describe)
    }

    /// As [`Bench::new`], with what a binding says about the source.
    pub(super) fn bound(options: SourceOptions, describe: impl Fn(&Flow)) -> Bench {
        let sources = [("events".into(), options)].into();
        Bench::with(Settings { sources, ..Settings::default() }, describe)
    }

    /// As [`Bench::new`], with what bindings say.
    pub(super) fn with(settings: Settings, describe: impl Fn(&Flow)) -> Bench {
        let flow = Flow::new(settings);
        describe(&flow);
        let mut plan = flow.take();
        assert_eq!(plan.errors, []);
        let operators = Operator::all(&mut plan, &Default::default());
        let out = Outbox {
            peers: 1,
            parcels: plan.slots.iter().map(|_| Vec::new()).collect(),
            rows: plan.ports.iter().map(|_| Default::default()).collect(),
            letters: Vec::new(),
        };
        let partition = PartitionState::new(0, plan.sources[0].lateness.delay());
        Bench { operators, partition, out, plan, read: 0 }
    }

    /// Reads a batch of events that are decoded already, and applies what it adds up to.
    pub(super) fn read(&mut self, events: impl IntoIterator<Item = impl Into<Event>>) {
        let events: Vec<Event> = events.into_iter().map(Into::into).collect();
        let (range, offset) = (0..events.len(), self.read);
        self.read += events.len() as i64;
        let (events, record_times) = (Arc::new(events), None);
        let decoded = Decoded { events, range, offset, record_times };
        let mut batch =
            Batch { events: Some(decoded), next_offset: self.read, ..Default::default() };
        self.take(&mut batch);
    }

    /// What views forget of their first port at a watermark, in seconds.
    pub(super) fn expire(&mut self, watermark: i64) -> Rows {
        let retained = self.plan.ports[0].retained.as_ref().expect("it feeds views");
        retained.borrow_mut().expire(Millis(watermark * 1_000))
    }

    /// Reads a batch.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        self.plan.sources[0].intake.take(batch, &mut self.partition, &mut self.out);
        assert!(self.partition.ledger.adds_up(), "{:?}", self.partition.ledger);
        for operator in &mut self.operators {
            for (input, slot) in operator.slots.clone().into_iter().enumerate() {
                for parcel in self.out.parcels[slot].drain(..) {
                    operator.apply(input, parcel);
                }
            }
        }
    }

    /// Shows updates and closes windows.
    pub(super) fn emit(&mut self, watermark: Millis) {
        self.operators.iter_mut().for_each(|operator| operator.emit(watermark));
    }

    /// The rows that the only operator made for its first view, sorted.
    pub(super) fn rows(&mut self) -> Vec<String> {
        let mut texts = self.rows_in_order();
        texts.sort();
        texts
    }

    /// The same in the order of leaving.
    pub(super) fn rows_in_order(&mut self) -> Vec<String> {
        let rows = self.operators[0].rows(0);
        rows.iter().map(|(mark, cells)| text(mark, cells)).collect()
    }

    /// Letters of the intake as `offset reason: detail`.
    pub(super) fn letters(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out.letters).iter().map(letter).collect()
    }
}

/// A letter as `offset reason: detail`.
pub(super) fn letter(letter: &Letter) -> String {
    format!("{} {}: {}", letter.position.offset, letter.reason, letter.detail)
}

/// A row as `Change: cell, cell, …`.
fn text(mark: &Mark, cells: &[Cell]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| match cell {
            Cell::Null => "NULL".into(),
            Cell::I64(value) => value.to_string(),
            Cell::Text(value) => value.to_string(),
            Cell::Time(time) => time.seconds().to_string(),
            other => panic!("no test has a cell like {other:?}"),
        })
        .collect();
    format!("{:?}: {}", mark.change, cells.join(", "))
}

#[test]
fn a_description_that_is_wrong_says_what_to_do() {
    use crate::testing::Example;
    use crate::window::{Session, Tumbling};
    let check = |describe: &dyn Fn(&Flow, Stream<Event>), part: &str| {
        let flow = Flow::new(Settings::default());
        describe(&flow, flow.source("events", seconds(0), Example::time));
        let errors: Vec<String> = flow.take().errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(part) && errors[0].contains("hint: "), "{errors:?}");
    };
    let key = |event: &Event| event.key.clone();
    let counts = |events: &Stream<Event>, windows: crate::window::Windows| {
        events.window(windows).accumulate(|_| crate::aggregate::Count::one())
    };
    check(&|_, events| drop(events.filter(|_| true).dedup(key, seconds(1))), "another step");
    check(&|_, events| drop(events.dedup(key, seconds(1)).dedup(key, seconds(1))), "two `dedup`s");
    check(&|_, events| drop(events.window(Tumbling::new(seconds(0)))), "holds nothing");
    check(
        &|_, events| {
            events.sink("v");
            counts(&events, Tumbling::new(seconds(1)).into()).rows(Example::row).sink("v");
        },
        "two views are called `v`",
    );
    check(
        &|_, events| {
            let right = counts(&events, Tumbling::new(seconds(2)).into());
            let left = counts(&events, Tumbling::new(seconds(1)).into());
            drop(left.join(right, |(), _, left, _| left));
        },
        "equal tumbling or sliding windows",
    );
    check(
        &|_, events| {
            let sessions = counts(&events, Session::new(seconds(1)).into());
            drop(sessions.join(sessions.clone(), |(), _, left, _| left));
        },
        "equal tumbling or sliding windows",
    );
}

#[test]
fn updates_that_no_sink_takes_are_not_made() {
    use crate::testing::Example;
    use crate::window::Tumbling;
    let check = |taken: &str, expect: (bool, bool)| {
        let flow = Flow::new(Settings::default());
        let counts = flow
            .source("events", seconds(0), Example::time)
            .window(Tumbling::new(seconds(1)))
            .accumulate(|_: &Event| crate::aggregate::Count::one())
            .rows(Example::row);
        counts.updates().sink("live");
        counts.sink("final");
        let mut plan = flow.take();
        plan.want_updates(|view| view == taken);
        assert_eq!((plan.ports[0].updates, plan.operators[0].updates.get()), expect, "{taken}");
        assert!(!plan.ports[1].updates);
    };
    check("live", (true, true));
    // A view that declares none has none, whoever would take them.
    check("final", (false, false));
    check("", (false, false));
}

#[test]
fn a_binding_says_for_how_long_closed_rows_stay_in_a_view() {
    use crate::testing::Example;
    use crate::window::Tumbling;
    // The watermark at which a row of a window that ends at 10 s is forgotten.
    let check = |keep: &[(&str, u64)], expect: i64| {
        let keep = keep.iter().map(|(view, keep)| ((*view).into(), seconds(*keep))).collect();
        let mut bench = Bench::with(Settings { keep, ..Settings::default() }, |flow| {
            let events = flow.source("events", seconds(0), Example::time);
            let windows = events.window(Tumbling::new(seconds(10)));
            let counts = windows.accumulate(|_: &Event| crate::aggregate::Count::one());
            let live = counts.rows(Example::row).updates().view();
            live.map(|line| line).sink("one");
            live.map(|line| line).sink("other");
        });
        bench.read([("a", 1, 1)]);
        bench.operators[0].emit(Millis(10_000));
        let gone = (1..100).find(|second| !bench.expire(*second).is_empty());
        assert_eq!(gone, Some(expect));
    };
    check(&[], 20);
    check(&[("one", 25)], 35);
    check(&[("other", 3), ("one", 2)], 13);
    check(&[("another", 25)], 20);
}

#[test]
fn a_history_is_forgotten_as_the_views_of_its_windows_say() {
    use crate::testing::Example;
    use crate::window::Tumbling;
    // Whether the second row saw the first, a hundred seconds before it.
    let check = |forget: &[(&str, u64)], expect: &str| {
        let forget = forget.iter().map(|(view, after)| ((*view).into(), seconds(*after))).collect();
        let mut bench = Bench::with(Settings { forget, ..Settings::default() }, |flow| {
            let events = flow.source("events", seconds(0), Example::time);
            let windows = events.window(Tumbling::new(seconds(10)));
            let counts = windows.accumulate(|_: &Event| crate::aggregate::Count::one());
            let past = counts
                .rows(|(), _, count| count.get())
                .trailing(1, |past, count| count + past.iter().sum::<i64>());
            past.rows(Example::row).sink("one");
            past.rows(Example::row).filter(|_| false).sink("other");
        });
        bench.read([("a", 1, 1), ("a", 101, 1)]);
        bench.emit(Millis(1_000_000));
        assert_eq!(bench.rows(), ["Final: 0, 1", expect]);
    };
    check(&[], "Final: 100, 2");
    check(&[("one", 99)], "Final: 100, 1");
    check(&[("one", 100)], "Final: 100, 2");
    check(&[("one", 99), ("other", 100)], "Final: 100, 2");
    check(&[("another", 99)], "Final: 100, 2");
}
