//! `pending`: the same whatever comes first, and nothing waits for ever.

use super::*;
use crate::keyed::tests::{Ways, is_saved_as_it_was};
use crate::row::Position;
use crate::stream::view::decode;
use crate::time::seconds;

type State = Waiting<Option<i64>, i64, i64>;

/// A state with a limit of a minute.
fn state() -> State {
    Waiting::new(seconds(60), Rc::default(), (PaneNode::new(), PaneNode::new()))
}

/// Collects the panes of a node.
struct Collect<R>(Rc<RefCell<Vec<R>>>);

impl<K, R> super::super::panes::PaneStep<K, R> for Collect<R> {
    fn finals(&mut self, panes: Vec<Pane<K, R>>) {
        self.0.borrow_mut().extend(panes.into_iter().map(|pane| pane.value));
    }

    fn changes(&mut self, _changes: Vec<crate::keyed::Live<K, R>>) {}
}

fn stamp(second: i64) -> Stamp {
    Stamp { time: Time::from_seconds(second), position: Position::default() }
}

/// Rows that wait, by what was changed.
fn waiting(state: &State) -> Vec<i64> {
    let mut waiting: BTreeMap<i64, isize> = BTreeMap::new();
    for (mark, cells) in state.rows.borrow().iter() {
        let [Cell::Bytes(bytes)] = cells else { panic!("{cells:?}") };
        let change = if mark.change == Change::Delete { -1 } else { 1 };
        *waiting.entry(decode(bytes)).or_default() += change;
    }
    assert!(waiting.values().all(|count| (0..=1).contains(count)), "{waiting:?}");
    waiting.into_iter().filter(|(_, count)| *count == 1).map(|(value, _)| value).collect()
}

/// Questions are (second, value) of key 1; answers too.
#[derive(Clone, Copy, Debug)]
enum Event {
    Ask(i64, i64),
    Answer(i64, i64),
}

/// What is answered, expired and waits after all events, with the watermark at a second.
fn outcome(events: &[Event], watermark: i64) -> (Vec<(i64, i64)>, Vec<i64>, Vec<i64>) {
    let mut state = state();
    let (answered, expired) = (Rc::default(), Rc::default());
    state.answered.push(Collect(Rc::clone(&answered)));
    state.expired.push(Collect(Rc::clone(&expired)));
    for event in events {
        match *event {
            Event::Ask(second, value) => state.ask(Some(1), stamp(second), value),
            Event::Answer(second, value) => state.answer(Some(1), stamp(second), value),
        }
    }
    state.advance(Millis(watermark * 1_000));
    let waiting = waiting(&state);
    (answered.take(), expired.take(), waiting)
}

#[test]
fn the_order_of_the_two_topics_does_not_show() {
    use Event::{Answer, Ask};
    let events = [Ask(10, 1), Answer(20, 7), Answer(15, 8), Ask(30, 2), Ask(200, 3)];
    let check = |watermark, expect| {
        let mut order = [0, 1, 2, 3, 4];
        // All orders, by Heap's algorithm without recursion.
        let mut counters = [0; 5];
        let mut index = 0;
        loop {
            let shuffled: Vec<Event> = order.iter().map(|at| events[*at]).collect();
            let (mut answered, expired, waiting) = outcome(&shuffled, watermark);
            answered.sort();
            assert_eq!((answered, expired, waiting), expect, "{shuffled:?} at {watermark}");
            while index < 5 && index <= counters[index] {
                counters[index] = 0;
                index += 1;
            }
            if index == 5 {
                break;
            }
            order.swap(if index % 2 == 0 { 0 } else { counters[index] }, index);
            counters[index] += 1;
            index = 0;
        }
    };
    check(10, (vec![], vec![], vec![3]));
    check(16, (vec![(1, 8)], vec![], vec![3]));
    check(31, (vec![(1, 8), (2, 8)], vec![], vec![3]));
    check(260, (vec![(1, 8), (2, 8)], vec![], vec![3]));
    check(261, (vec![(1, 8), (2, 8)], vec![3], vec![]));
}

#[test]
fn an_answer_beyond_the_limit_is_none() {
    use Event::{Answer, Ask};
    let check = |answer, expect: bool| {
        let (answered, expired, _) = outcome(&[Ask(100, 1), Answer(answer, 7)], 1_000);
        assert_eq!((answered.len(), expired.len()), (expect.into(), (!expect).into()), "{answer}");
    };
    check(39, false);
    check(40, true);
    check(160, true);
    check(161, false);
}

#[test]
fn a_null_key_waits_until_it_expires() {
    let mut state = state();
    state.ask(None, stamp(1), 5);
    state.answer(None, stamp(2), 7);
    assert_eq!(waiting(&state), [5]);
    state.advance(Millis(61_001));
    assert_eq!(waiting(&state), [0; 0]);
    assert!(state.keys.is_empty() && state.due.is_empty());
}

#[test]
fn nothing_stays_for_ever() {
    let mut state = state();
    for n in 0..1_000 {
        state.ask(Some(n % 7), stamp(n), n);
        state.answer(Some(n % 5), stamp(n), n);
    }
    state.advance(Millis::MAX);
    assert!(state.keys.is_empty() && state.due.is_empty());
    assert_eq!(waiting(&state), [0; 0]);
}

#[test]
fn a_snapshot_brings_back_what_waits() {
    let mut first = state();
    first.ask(Some(1), stamp(1), 10);
    first.ask(Some(2), stamp(1), 20);
    first.answer(Some(2), stamp(2), 7);
    let mut again = state();
    first.begin_save(true);
    let saved = first.save(&mut usize::MAX.clone()).unwrap();
    saved.groups.iter().for_each(|(_, bytes)| again.restore(bytes));
    again.restored();
    assert_eq!(waiting(&again), [10]);
    again.answer(Some(1), stamp(3), 8);
    assert_eq!(waiting(&again), [0; 0]);
}

enum Happens {
    Ask(Option<i64>, Stamp, i64),
    Answer(Option<i64>, Stamp, i64),
    Advance(Millis),
}

#[test]
fn what_waits_is_saved_in_slices_as_it_was() {
    is_saved_as_it_was(
        &Ways {
            make: state,
            step: |dice, n| {
                let (key, second) = (Some(dice.below(50) as i64), n + dice.below(40) as i64);
                match dice.below(5) {
                    0 | 1 => Happens::Ask(key, stamp(second), n),
                    2 | 3 => Happens::Answer(key, stamp(second), n),
                    _ => Happens::Advance(Millis(n * 1_000)),
                }
            },
            take: |state, happens| match happens {
                Happens::Ask(key, stamp, n) => state.ask(*key, *stamp, *n),
                Happens::Answer(key, stamp, n) => state.answer(*key, *stamp, *n),
                Happens::Advance(watermark) => state.advance(*watermark),
            },
            show: |state, _| {
                let keys = state.keys.iter().map(|slot| {
                    let Of { questions, answers } = &slot.value;
                    format!("{:?} {questions:?} {answers:?}", slot.key)
                });
                let mut keys: Vec<String> = keys.collect();
                keys.push(format!("waiting: {:?}", waiting(state)));
                keys.sort();
                keys
            },
        },
        150,
    );
}
