//! The shell behind a source that a script plays: epochs, stash, jumps, the end, a halt.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use timely::dataflow::Scope;
use timely::dataflow::operators::{Inspect, Leave};
use timely::scheduling::Activator;

use super::*;
use crate::aggregate::Count;
use crate::host::Host;
use crate::keyed::{Part, Place};
use crate::row::Cell;
use crate::runtime::{Alarms, Pace, WallClock};
use crate::stream::{Flow, Settings};
use crate::testing::Example;
use crate::time::seconds;
use crate::window::Tumbling;

/// What the source does.
#[derive(Clone, Copy)]
enum Does {
    /// Promises this tick and this watermark in seconds.
    Promises(u64, i64),
    /// Sends an event of this second.
    Sends(i64),
    /// Ends.
    Ends,
}
use Does::{Ends, Promises, Sends};

/// Two ticks are an epoch.
const PACE: Pace = Pace {
    tick: Duration::from_millis(1),
    tick_max: Duration::from_millis(1),
    ticks_per_epoch: 2,
    in_flight_max: 32,
};

/// A row: the tick at which it left, the second in which its window begins, its events.
type Left = (u64, i64, i64);

/// Runs a script of activations over windows of ten seconds; the job halts behind it.
fn rows(script: &[&[Does]]) -> Vec<Left> {
    let script: Vec<Vec<Does>> = script.iter().map(|activation| activation.to_vec()).collect();
    timely::execute_directly(move |worker| {
        let context = Rc::new(context());
        let found: Rc<RefCell<Vec<Left>>> = Rc::default();
        let play: Rc<RefCell<Vec<Does>>> = Rc::default();
        let source = worker.dataflow(|outer: Scope<'_, u64>| {
            let (rows, source) = outer.scoped::<Event, _, _>("event-time", |inner| {
                let (parcels, source) = scripted(inner, play.clone());
                let (mut rows, _letters) = shell(counts(), vec![parcels], &context);
                (rows.remove(0).leave(outer), source)
            });
            let found = found.clone();
            rows.inspect_time(move |tick, rows: &Rows| {
                let left = rows.iter().map(|(_, cells)| match cells {
                    [_, Cell::Time(start), Cell::I64(count)] => (*tick, start.seconds(), *count),
                    other => panic!("{other:?}"),
                });
                found.borrow_mut().extend(left);
            });
            source
        });
        for activation in script {
            *play.borrow_mut() = activation;
            source.activate();
            for _ in 0..10 {
                worker.step();
            }
        }
        context.enter(Phase::Halted);
        *play.borrow_mut() = vec![Ends];
        source.activate();
        while worker.step() {}
        found.take()
    })
}

/// A source that plays what it finds in the script, all in one activation.
fn scripted<'s>(
    scope: Scope<'s, Event>,
    play: Rc<RefCell<Vec<Does>>>,
) -> (StreamVec<'s, Event, Parcel>, Activator) {
    let mut builder = OperatorBuilder::new("script".into(), scope);
    let activator = scope.activator_for(builder.operator_info().address);
    let (output, parcels) = builder.new_output();
    let mut output: OutputBuilder<_, CapacityContainerBuilder<Vec<Parcel>>> =
        OutputBuilder::from(output);
    builder.build(move |mut held| {
        move |_frontiers| {
            for does in play.take() {
                match does {
                    Promises(tick, second) => {
                        held[0].downgrade(&Product::new(tick, Millis(second * 1_000)));
                    }
                    Sends(second) => {
                        let place = Place::At(Time::from_seconds(second.div_euclid(10) * 10));
                        let measure = Count::one();
                        let part = Part { hash: crate::hash::of(&0u32), place, key: 0u32, measure };
                        output.activate().session(&held[0]).give(Parcel::new(0, vec![part]));
                    }
                    Ends => held.clear(),
                }
            }
        }
    });
    (parcels, activator)
}

/// Counts of events per ten seconds.
fn counts() -> Operator {
    let flow = Flow::new(Settings::default());
    flow.source("events", seconds(0), Example::time)
        .key_by(|_| 0u32)
        .window(Tumbling::new(seconds(10)))
        .accumulate(|_| Count::one())
        .rows(Example::row)
        .sink("counts");
    Operator::all(&mut flow.take(), &Default::default()).remove(0)
}

fn context() -> Context {
    Context {
        host: Host::default(),
        alarms: Alarms::default(),
        clock: Box::new(WallClock {
            host: Host::default(),
            start: Instant::now(),
            ahead: Duration::ZERO,
        }),
        pace: PACE,
        completed: Default::default(),
        confirmed: Default::default(),
        phase: Phase::Running.into(),
        reached: Default::default(),
        by_epoch: Default::default(),
        agent: None,
        operators: Default::default(),
        worker: 0,
        peers: 1,
        speaks: true,
        system: "test".into(),
        board: Default::default(),
        failure: Default::default(),
        floors: Default::default(),
        positions: Default::default(),
    }
}

#[test]
fn a_window_closes_when_the_frontier_reaches_its_end() {
    let found = rows(&[
        &[Promises(0, 0), Sends(5), Promises(1, 9)],
        &[Promises(2, 9), Sends(9)],
        &[Promises(3, 10)],
    ]);
    assert_eq!(found, [(2, 0, 2)]);
}

#[test]
fn rows_leave_in_their_epoch_when_the_frontier_jumps_over_ten() {
    // One event per epoch, each behind a promise that closes the window of the one before; the
    // shell sees nothing of it before the last promise stands in epoch ten.
    let mut jump = vec![];
    for epoch in 0..10 {
        jump.extend([Promises(2 * epoch, 10 * epoch as i64), Sends(10 * epoch as i64 + 5)]);
    }
    jump.push(Promises(20, 100));
    let found = rows(&[&jump]);
    let expected: Vec<Left> = (0..10).map(|epoch| (2 * epoch, 10 * epoch as i64, 1)).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_stashed_holds_its_window_open() {
    // The second event belongs to a later epoch, so it is not applied when the promise behind it
    // arrives; counting the promise alone, its window would close without it.
    let found = rows(&[
        &[Promises(0, 0), Sends(1), Promises(2, 0), Sends(2), Promises(2, 10)],
        &[Promises(3, 20)],
        &[Promises(4, 20)],
    ]);
    assert_eq!(found, [(2, 0, 2)]);
}

#[test]
fn an_end_applies_the_stash_and_closes_everything() {
    let found = rows(&[&[Promises(0, 0), Sends(1), Promises(5, 0), Sends(2), Sends(12), Ends]]);
    assert_eq!(found, [(4, 0, 2), (4, 10, 1)]);
}

#[test]
fn a_halt_writes_nothing_that_is_open() {
    let found = rows(&[&[Promises(0, 0), Sends(1), Sends(11), Promises(3, 10)]]);
    assert_eq!(found, [(0, 0, 1)]);
}
