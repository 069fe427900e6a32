//! What the tests of all states share: parts, panes as texts, the way through a snapshot.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::*;
use crate::aggregate::{Collect, Stamp, Sum};
use crate::hash;
use crate::testing::Dice;
use crate::text::Text;

/// What tests add up.
pub(super) trait Shown: Aggregate + Debug {
    fn of_one(value: i64) -> Self;

    fn show(&self) -> String;
}

impl Shown for Sum<i64> {
    fn of_one(value: i64) -> Sum<i64> {
        Sum::<i64>::of(value)
    }

    fn show(&self) -> String {
        self.get().expect("every part has a value").to_string()
    }
}

/// It is large before long: saved by what was added to it.
impl Shown for Collect<i64> {
    fn of_one(value: i64) -> Collect<i64> {
        Collect::of(value, Stamp::default())
    }

    fn show(&self) -> String {
        format!("{:?}", self.get())
    }
}

/// A part that adds a value to a key at a second.
pub(super) fn part(key: &str, second: i64, value: i64) -> Part<Text, Sum<i64>> {
    at(key, Place::At(Time::from_seconds(second)), value)
}

/// A part that adds a value to a key in a place.
pub(super) fn at<A: Shown>(key: &str, place: Place, value: i64) -> Part<Text, A> {
    let key = Text::from(key);
    Part { hash: hash::of(&key), place, key, measure: A::of_one(value) }
}

/// A pane as `key start..end value`, in seconds.
pub(super) fn text<A: Shown>(pane: &Pane<Text, A>) -> String {
    format!("{} {}", place(&pane.key, pane.window), pane.value.show())
}

fn place(key: &str, window: Window) -> String {
    format!("{key} {}..{}", window.start.seconds(), window.end.seconds())
}

/// What closes at a watermark, in the order of windows and then keys.
pub(super) fn close<A: Shown>(state: &mut impl State<Text, A>, watermark: Millis) -> Vec<String> {
    let mut finals = Vec::new();
    state.advance(watermark, &mut finals);
    assert!(finals.is_sorted_by_key(|pane| pane.window), "{finals:?}");
    finals.sort_by(|a, b| (a.window, &a.key).cmp(&(b.window, &b.key)));
    finals.iter().map(text).collect()
}

/// What changed since the last time, sorted; what has gone is `-key start..end`.
pub(super) fn flush(state: &mut impl State<Text, Sum<i64>>) -> Vec<String> {
    let mut changes = Vec::new();
    state.flush(&mut changes);
    let texts = changes.iter().map(|change| match change {
        Live::Now(pane) => text(pane),
        Live::Gone(key, window) => format!("-{}", place(key, *window)),
    });
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

/// All of a state, as it is now.
pub(super) fn saved(state: &mut impl Saves, whole: bool) -> Saved {
    state.begin_save(whole);
    state.save(&mut usize::MAX.clone()).expect("the budget was large")
}

/// Takes the key groups that are wanted out of the saves of one worker, the oldest first.
pub(super) fn restore(state: &mut impl Saves, saves: &[Saved], wanted: impl Fn(u16) -> bool) {
    restore_parts(state, &[saves], |_, group| wanted(group));
}

/// As [`restore`], of several workers; which groups are wanted of which.
pub(super) fn restore_parts(
    state: &mut impl Saves,
    parts: &[&[Saved]],
    wanted: impl Fn(usize, u16) -> bool,
) {
    for (worker, saves) in parts.iter().enumerate() {
        let newest = saves.last().expect("a save");
        let groups = (0..hash::KEY_GROUPS as u16).filter(|group| wanted(worker, *group));
        groups.for_each(|group| state.restore_head(group, &newest.head));
    }
    for (worker, saves) in parts.iter().enumerate() {
        let base = saves.iter().rposition(|saved| saved.whole).expect("a whole one");
        for saved in &saves[base..] {
            let wanted = |(group, _): &&(u32, Vec<u8>)| wanted(worker, *group as u16);
            saved.groups.iter().filter(wanted).for_each(|(_, bytes)| state.restore(bytes));
            saved.added.iter().filter(wanted).for_each(|(_, bytes)| state.restore_added(bytes));
        }
    }
    state.restored();
}

/// How a state is made, changed and looked at, for [`is_saved_as_it_was`].
pub(crate) struct Ways<S, O> {
    /// An empty state.
    pub(crate) make: fn() -> S,
    /// Something that happens to it as the n-th.
    pub(crate) step: fn(&mut Dice, i64) -> O,
    pub(crate) take: fn(&mut S, &O),
    /// What it holds, after these steps.
    pub(crate) show: fn(&mut S, &[O]) -> Vec<String>,
}

/// Random steps with saves in slices between them: what is restored of each chain of saves holds
/// what a twin holds that has taken the same steps and was never saved. Now and then the state is
/// lost, and what was restored goes on: its saves add to the same chain.
pub(crate) fn is_saved_as_it_was<S: Saves, O>(ways: &Ways<S, O>, intervals: usize) {
    let mut dice = Dice::new();
    let (mut state, mut steps, mut chain) = ((ways.make)(), Vec::new(), Vec::new());
    let (mut larger, mut under_way) = (0, None);
    for interval in 0..intervals {
        for _ in 0..dice.below(30) {
            let step = (ways.step)(&mut dice, steps.len() as i64);
            (ways.take)(&mut state, &step);
            steps.push(step);
            let mut budget = 1 + dice.below(8 * ENTRY as u64) as usize;
            if let Some((begun, None)) = under_way {
                under_way = Some((begun, state.save(&mut budget)));
            }
        }
        if let Some((begun, saved)) = under_way.take() {
            let saved: Saved =
                saved.unwrap_or_else(|| state.save(&mut usize::MAX.clone()).expect("no end"));
            if saved.whole {
                chain.clear();
            }
            larger = larger.max(saved.groups.iter().map(|(_, bytes)| bytes.len()).sum());
            chain.push(saved);
            let mut restored = (ways.make)();
            restore(&mut restored, &chain, |_| true);
            let mut twin = (ways.make)();
            let before: &[O] = &steps[..begun];
            before.iter().for_each(|step| (ways.take)(&mut twin, step));
            let expected = (ways.show)(&mut twin, before);
            assert_eq!((ways.show)(&mut restored, before), expected, "interval {interval}");
            if dice.below(4) == 0 {
                state = (ways.make)();
                restore(&mut state, &chain, |_| true);
                state.resume();
                steps[begun..].iter().for_each(|step| (ways.take)(&mut state, step));
            }
        }
        state.begin_save(chain.is_empty() || chain.len() == 7);
        under_way = Some((steps.len(), None));
    }
    assert!(200 < larger, "a save held no more than {larger} bytes");
}

/// Restores a save into empty states and compares what closes: of all groups the same rows, of
/// half of the groups the rows of the keys in them.
pub(super) fn survives<S: State<Text, Sum<i64>>>(mut state: S, empty: impl Fn() -> S) {
    let saved = [saved(&mut state, true)];
    let groups: BTreeSet<u32> = saved[0].groups.iter().map(|(group, _)| *group).collect();
    assert_eq!(groups.len(), saved[0].groups.len(), "a group occurs once");
    assert!(1 < groups.len(), "one group is no test");

    let (mut whole, mut halves) = (empty(), [empty(), empty()]);
    restore(&mut whole, &saved, |_| true);
    for (half, state) in halves.iter_mut().enumerate() {
        restore(state, &saved, |group| usize::from(group % 2) == half);
    }
    assert_eq!(whole.open(), state.open());
    let expected = close(&mut state, Millis::MAX);
    assert_eq!(close(&mut whole, Millis::MAX), expected);
    for (half, state) in halves.iter_mut().enumerate() {
        let mine = |row: &&String| {
            let key = row.split(' ').next().expect("a row begins with its key");
            usize::from(hash::group(hash::of(&Text::from(key))) % 2) == half
        };
        let expected: Vec<String> = expected.iter().filter(mine).cloned().collect();
        assert!(!expected.is_empty(), "half of the groups have rows");
        assert_eq!(close(state, Millis::MAX), expected);
    }
}

#[test]
fn two_counts_of_what_is_open_add_up_and_the_first_end_is_the_earlier_one() {
    let open = |windows, second: Option<i64>| Open {
        windows,
        entries: 2 * windows,
        first_end: second.map(Time::from_seconds),
    };
    assert_eq!(open(1, Some(9)).and(open(2, Some(7))), open(3, Some(7)));
    assert_eq!(open(1, None).and(open(2, Some(7))), open(3, Some(7)));
    assert_eq!(open(0, None).and(Open::default()), Open::default());
}
