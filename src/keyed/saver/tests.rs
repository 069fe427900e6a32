//! States that are saved in slices while they change, against twins that were never saved: what is
//! restored of one is what the other was. Random, from a seed that is printed and can be given.

use super::super::tests::{Shown, at, close, restore_parts, saved, text};
use super::super::{FixedWindows, Part, Place, Sessions, State};
use super::*;
use crate::aggregate::{Collect, Sum};
use crate::hash;
use crate::testing::Dice;
use crate::text::Text;
use crate::time::{Millis, Time, seconds};
use crate::window::{Session, Sliding, Tumbling};

/// What can happen to a state.
#[derive(Clone, Debug)]
enum Step<A> {
    Apply(Vec<Part<Text, A>>),
    Advance(Millis),
}

type MakePart<A> = Box<dyn Fn(&mut Dice, Millis) -> Part<Text, A>>;

/// A kind of state, and what can be added to it at a watermark.
struct Case<S, A> {
    make: Box<dyn Fn() -> S>,
    part: MakePart<A>,
}

/// Seconds behind a watermark in which parts lie.
const AHEAD: u64 = 60;

fn windows<A: Shown>(size: u64, slide: u64, keys: u64) -> Case<FixedWindows<Text, A>, A> {
    assert_eq!((size % 10, slide % 10), (0, 0), "slices are ten seconds long");
    let fixed = Sliding::new(seconds(size), seconds(slide)).fixed();
    Case {
        make: Box::new(move || FixedWindows::new(fixed, false)),
        part: Box::new(move |dice, watermark| {
            let key = format!("key_{}", dice.below(keys));
            let second = watermark.0.div_euclid(1_000) + 1 + dice.below(AHEAD) as i64;
            let start = |step: i64| Time::from_seconds(second.div_euclid(step) * step);
            let late = dice.below(8) == 0;
            let place = if late { Place::Patch(start(slide as i64)) } else { Place::At(start(10)) };
            at(&key, place, dice.below(1_000) as i64)
        }),
    }
}

fn sessions<A: Shown>(gap: u64, keys: u64) -> Case<Sessions<Text, A>, A> {
    Case {
        make: Box::new(move || Sessions::new(Session::new(seconds(gap)), false)),
        part: Box::new(move |dice, watermark| {
            let second = watermark.0.div_euclid(1_000) + 1 + dice.below(AHEAD) as i64;
            let place = Place::At(Time::from_seconds(second));
            at(&format!("key_{}", dice.below(keys)), place, dice.below(1_000) as i64)
        }),
    }
}

/// A worker: a state that is saved, and everything that has happened to it.
struct Worker<S, A> {
    state: S,
    watermark: Millis,
    steps: Vec<Step<A>>,
    /// What was saved since the last whole save, and how far the steps were at each end.
    chain: Vec<(Saved, usize)>,
    under_way: Option<usize>,
    /// How many entries of a save were what had been added.
    added: usize,
}

impl<S: State<Text, A>, A: Shown> Worker<S, A> {
    fn new(case: &Case<S, A>) -> Worker<S, A> {
        let (steps, chain) = (Vec::new(), Vec::new());
        let state = (case.make)();
        Worker { state, watermark: Millis(0), steps, chain, under_way: None, added: 0 }
    }

    fn step(&mut self, step: Step<A>) {
        if let Step::Advance(watermark) = &step {
            self.watermark = *watermark;
        }
        take(&mut self.state, &step);
        self.steps.push(step);
    }

    fn begin_save(&mut self) {
        self.save(usize::MAX);
        let whole = self.chain.is_empty() || self.chain.len() == 9;
        self.state.begin_save(whole);
        self.under_way = Some(self.steps.len());
    }

    /// Is killed: what its last save holds goes on with the saves after it.
    fn restart(&mut self, case: &Case<S, A>, index: usize) {
        self.under_way = None;
        self.state = (case.make)();
        let saves: Vec<Saved> = self.chain.iter().map(|(saved, _)| saved.clone()).collect();
        let steps = self.chain.last().expect("a save").1;
        let own = |group: u16| hash::owner(group.into(), 2) == index;
        restore_parts(&mut self.state, &[&saves], |_, group| own(group));
        self.state.resume();
        for step in &self.steps[steps..] {
            take(&mut self.state, step);
        }
    }

    fn save(&mut self, mut budget: usize) {
        let Some(steps) = self.under_way else { return };
        if let Some(saved) = self.state.save(&mut budget) {
            if saved.whole {
                self.chain.clear();
            }
            self.added += saved.added.len();
            self.chain.push((saved, steps));
            self.under_way = None;
        }
    }
}

/// What comes out of a state by a step.
fn take<A: Shown>(state: &mut impl State<Text, A>, step: &Step<A>) -> Vec<String> {
    match step {
        Step::Apply(parts) => {
            state.apply_all(parts.clone());
            Vec::new()
        }
        Step::Advance(watermark) => close(state, *watermark),
    }
}

/// Parts of the keys of a worker, of two.
fn parts<A>(
    dice: &mut Dice,
    make: impl Fn(&mut Dice) -> Part<Text, A>,
    worker: usize,
) -> Vec<Part<Text, A>> {
    let parts = (0..dice.below(20)).map(|_| make(dice)).collect::<Vec<_>>();
    parts.into_iter().filter(|part| hash::owner(part.hash, 2) == worker).collect()
}

/// Two workers, each at a watermark of its own, are saved and restored into one, two or three, and
/// go on as twins do that have taken the same steps without a save.
fn goes_on<S: State<Text, A>, A: Shown>(
    case: &Case<S, A>,
    dice: &mut Dice,
    rounds: usize,
) -> usize {
    let mut workers = [Worker::new(case), Worker::new(case)];
    let mut compared = 0;
    for round in 0..rounds {
        for (index, worker) in workers.iter_mut().enumerate() {
            for _ in 0..dice.below(6) {
                let watermark = worker.watermark;
                let parts = parts(dice, |dice| (case.part)(dice, watermark), index);
                worker.step(Step::Apply(parts));
                worker.save(1 + dice.below(12 * ENTRY as u64) as usize);
                if dice.below(4) == 0 {
                    let on = dice.below(9_000) as i64;
                    worker.step(Step::Advance(Millis(worker.watermark.0 + on)));
                }
            }
            worker.begin_save();
            if !worker.chain.is_empty() && dice.below(8) == 0 {
                worker.restart(case, index);
            }
        }
        // A worker that lags lets its watermark be that of the other now and then.
        let both = workers.iter().map(|worker| worker.watermark).max().expect("two workers");
        for worker in &mut workers {
            if worker.watermark.0 + 30_000 < both.0 {
                worker.step(Step::Advance(both));
            }
        }
        if round % 17 == 0 || round + 1 == rounds {
            compare(case, dice, &mut workers);
            compared += 1;
        }
    }
    assert!(1 < compared);
    workers.iter().map(|worker| worker.added).sum()
}

fn compare<S: State<Text, A>, A: Shown>(
    case: &Case<S, A>,
    dice: &mut Dice,
    workers: &mut [Worker<S, A>; 2],
) {
    for (index, worker) in workers.iter_mut().enumerate() {
        // What is under way ends as it began.
        for _ in 0..dice.below(12) {
            let watermark = worker.watermark;
            worker.step(Step::Apply(parts(dice, |dice| (case.part)(dice, watermark), index)));
            worker.save(1 + dice.below(6 * ENTRY as u64) as usize);
            if dice.below(6) == 0 {
                let on = dice.below(9_000) as i64;
                worker.step(Step::Advance(Millis(worker.watermark.0 + on)));
            }
        }
        worker.save(usize::MAX);
    }
    let saves: Vec<Vec<Saved>> = workers
        .iter()
        .map(|worker| worker.chain.iter().map(|(saved, _)| saved.clone()).collect())
        .collect();
    let saves: Vec<&[Saved]> = saves.iter().map(Vec::as_slice).collect();
    let peers = 1 + dice.below(3) as usize;
    let mut restored: Vec<S> = (0..peers).map(|_| (case.make)()).collect();
    for (index, state) in restored.iter_mut().enumerate() {
        restore_parts(state, &saves, |worker, group| {
            let owner = |peers| hash::owner(group.into(), peers);
            owner(2) == worker && owner(peers) == index
        });
        // Saved again at once, by a worker that has not moved on: the same.
        let again = [saved(state, true)];
        *state = (case.make)();
        restore_parts(state, &[&again], |_, _| true);
    }
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    for (index, worker) in workers.iter().enumerate() {
        let (_, steps) = worker.chain.last().expect("a save");
        let mut twin = (case.make)();
        let mut watermark = Millis(0);
        for step in &worker.steps[..*steps] {
            if let Step::Advance(to) = step {
                watermark = *to;
            }
            take(&mut twin, step);
        }
        // Events go on from where the worker was, whatever the others are at.
        for _ in 0..3 {
            let more = parts(dice, |dice| (case.part)(dice, watermark), index);
            take(&mut twin, &Step::Apply(more.clone()));
            for part in more {
                let owner = hash::owner(part.hash, peers);
                restored[owner].apply(part);
            }
        }
        expected.extend(close(&mut twin, Millis::MAX));
    }
    let least = workers.iter().map(|worker| worker.watermark).min().expect("two workers");
    for state in &mut restored {
        for watermark in [Millis(least.0 - 20_000), least, Millis(least.0 + 25_000), Millis::MAX] {
            found.extend(close(state, watermark));
        }
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "restored on {peers}");
}

/// Returns how many groups of entries were saved by what was added to them.
fn check<S: State<Text, A>, A: Shown>(case: &Case<S, A>, rounds: usize) -> usize {
    let mut dice = Dice::new();
    goes_on(case, &mut dice, rounds)
}

#[test]
fn tumbling_windows_are_restored_as_they_were_over_350_intervals() {
    assert_eq!(check(&windows::<Sum<i64>>(10, 10, 60), 350), 0, "sums are small");
}

#[test]
fn sliding_windows_are_restored_as_they_were_on_any_number_of_workers() {
    for _ in 0..4 {
        check(&windows::<Sum<i64>>(60, 10, 60), 60);
    }
    check(&windows::<Sum<i64>>(50, 20, 60), 60);
}

#[test]
fn sessions_are_restored_as_they_were_over_350_intervals() {
    assert_eq!(check(&sessions::<Sum<i64>>(10, 60), 350), 0, "sums are small");
}

#[test]
fn windows_with_lists_are_restored_by_what_was_added_to_them() {
    let added = check(&windows::<Collect<i64>>(10, 10, 3), 350);
    assert!(100 < added, "{added}");
    let added = check(&windows::<Collect<i64>>(50, 20, 3), 100);
    assert!(10 < added, "{added}");
}

#[test]
fn sessions_with_lists_are_restored_by_what_was_added_to_them() {
    let added = check(&sessions::<Collect<i64>>(8, 5), 350);
    assert!(100 < added, "{added}");
}

/// A state of tumbling windows of a minute with so many keys.
fn minute(keys: i64) -> FixedWindows<Text, Sum<i64>> {
    let mut state = FixedWindows::new(Tumbling::new(seconds(60)).fixed(), false);
    (0..keys).for_each(|key| state.apply(minute_part(key, 1)));
    state
}

fn minute_part(key: i64, value: i64) -> Part<Text, Sum<i64>> {
    at(&format!("key_{key}"), Place::At(Time::from_seconds(0)), value)
}

fn rows(saves: &[Saved]) -> Vec<String> {
    let mut state = minute(0);
    restore_parts(&mut state, &[saves], |_, _| true);
    close(&mut state, Millis::MAX)
}

#[test]
fn a_table_that_grows_while_it_is_saved_loses_nothing() {
    let mut state = minute(1_000);
    state.begin_save(true);
    let (mut base, mut key) = (None, 900);
    while base.is_none() {
        base = state.save(&mut (20 * ENTRY).clone());
        // New keys make the table grow, and old ones change before their slices.
        (0..50).for_each(|_| {
            state.apply(minute_part(key, 1_000));
            key += 1;
        });
    }
    assert!(1_000 < key, "the table has grown");
    let before: Vec<String> = close(&mut minute(1_000), Millis::MAX);
    let base = base.expect("the loop ended");
    assert_eq!(rows(std::slice::from_ref(&base)), before, "as it was when the save began");
    let more = saved(&mut state, false);
    let all = rows(&[base, more]);
    assert_eq!(all, close(&mut state, Millis::MAX));
}

#[test]
fn a_window_that_closes_while_it_is_saved_is_saved_first() {
    let mut state = minute(1_000);
    state.begin_save(true);
    assert_eq!(state.save(&mut (20 * ENTRY).clone()), None);
    let closed = close(&mut state, Millis(60_000));
    assert_eq!(closed.len(), 1_000);
    let base = state.save(&mut usize::MAX.clone()).expect("all");
    assert_eq!(rows(std::slice::from_ref(&base)), closed);
    let more = saved(&mut state, false);
    assert!(more.groups.is_empty());
    assert_eq!(rows(&[base, more]), [""; 0], "the head says that the window is over");
}

#[test]
fn only_what_has_changed_is_saved_and_no_slice_is_larger_than_its_budget() {
    let mut state = minute(10_000);
    state.begin_save(true);
    let mut slices = 0;
    loop {
        slices += 1;
        let mut budget = 500 * ENTRY;
        if state.save(&mut budget).is_some() {
            break;
        }
        assert_eq!(budget, 0);
    }
    assert!((20..40).contains(&slices), "{slices} slices of at most 500 entries");
    (0..7).for_each(|key| state.apply(minute_part(key, 5)));
    let more = saved(&mut state, false);
    let entries: usize = more
        .groups
        .iter()
        .map(|(_, bytes)| entries::<(Place, Text, Sum<i64>)>(bytes).count())
        .sum();
    assert_eq!((entries, more.whole), (7, false));
    assert!(saved(&mut state, false).groups.is_empty(), "nothing has changed since");
}

#[test]
fn a_state_without_checkpoints_keeps_no_account_of_changes() {
    let mut saver = Saver::default();
    saver.gone(3, &7u64);
    assert!(saver.gone.0.is_empty() && !saver.needs(0) && saver.now() == 0);
    let (mut state, mut finals) = (minute(3), Vec::new());
    state.advance(Millis::MAX, &mut finals);
    assert_eq!(finals.iter().map(text).count(), 3);
}
