//! Session windows: sessions that grow, merge and close, with timers that do not cost more the
//! more sessions are open.
//!
//! Two events at a distance of exactly one gap are one session; it closes when the watermark has
//! *passed* its end (last event + gap). This pair of rules does not depend on batching: whatever
//! can still arrive is later than the end of every closed session (rules W4, W5).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::mem::take;

use serde::{Deserialize, Serialize};

use super::saver::{Saved, Saver, Saves, entries, head};
use super::table::Table;
use super::{Live, Open, Pane, Part, Place, State};
use crate::aggregate::Aggregate;
use crate::hash;
use crate::key::Key;
use crate::time::{Millis, Time, micros};
use crate::window::{Session, Window};

/// Open sessions of all keys.
pub struct Sessions<K, A> {
    session: Session,
    open: Table<K, Visits<A>>,
    timers: Timers<K>,
    /// The watermark: sessions that it has passed are over.
    passed: Millis,
    /// How far each key group was when it was saved; only while a state is restored.
    heads: BTreeMap<u16, Millis>,
    saver: Saver,
    /// What changed since the last flush, if updates are wanted: panes to show, panes that went.
    touched: Option<Touched<K>>,
}

struct Touched<K> {
    now: BTreeSet<(K, Window)>,
    gone: BTreeSet<(K, Window)>,
    shown: BTreeSet<(K, Window)>,
}

/// The open sessions of one key. They lie more than a gap apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Visits<A> {
    /// When the one timer of this key that counts is due; another that fires is out of date.
    armed: Time,
    list: Vec<Visit<A>>,
}

/// One session of one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Visit<A> {
    window: Window,
    value: A,
}

impl<A> Default for Visits<A> {
    fn default() -> Visits<A> {
        Visits { armed: Time::default(), list: Vec::new() }
    }
}

impl<A: Aggregate> Visits<A> {
    /// Adds a visit, or a part of one: it is merged with all that it touches. Returns what it
    /// became and what that was before.
    fn add(&mut self, mut visit: Visit<A>) -> (Window, Vec<Window>) {
        let mut merged = Vec::new();
        // Both intervals are closed for this question: a distance of one gap still merges.
        self.list.retain_mut(|other| {
            let apart =
                other.window.end < visit.window.start || visit.window.end < other.window.start;
            if !apart {
                merged.push(other.window);
                visit.window.start = visit.window.start.min(other.window.start);
                visit.window.end = visit.window.end.max(other.window.end);
                visit.value.absorb(take(&mut other.value));
            }
            apart
        });
        let window = visit.window;
        self.list.push(visit);
        (window, merged)
    }

    /// See [`Aggregate::weight`].
    fn weight(&self) -> usize {
        self.list.iter().map(|visit| visit.value.weight()).sum()
    }
}

impl<K: Key, A: Aggregate> Sessions<K, A> {
    /// No session is open; `updates` says whether [`State::flush`] will be asked.
    pub fn new(session: Session, updates: bool) -> Sessions<K, A> {
        let touched = updates.then(|| Touched {
            now: BTreeSet::new(),
            gone: BTreeSet::new(),
            shown: BTreeSet::new(),
        });
        Sessions {
            session,
            open: Table::default(),
            timers: Timers::new(session),
            passed: Millis::MIN,
            heads: BTreeMap::new(),
            saver: Saver::default(),
            touched,
        }
    }

    fn insert(&mut self, (hash, key): (u64, K), visit: Visit<A>) {
        let end = visit.window.end;
        let saver = (&mut self.saver, ());
        let Some((visits, added)) = self.open.grow(saver, (hash, &key), Visits::weight) else {
            self.timers.arm(end, key.clone());
            if let Some(touched) = &mut self.touched {
                touched.now.insert((key.clone(), visit.window));
            }
            // Most keys have one session: there is room for no more.
            let list = vec![visit];
            self.open.insert_new(&self.saver, (hash, key), Visits { armed: end, list });
            return;
        };
        if end < visits.armed {
            visits.armed = end;
            self.timers.arm(end, key.clone());
        }
        if let Some(added) = added {
            added.add(visit.clone());
        }
        let (window, merged) = visits.add(visit);
        if let Some(touched) = &mut self.touched {
            for old in merged.into_iter().filter(|old| *old != window) {
                touched.now.remove(&(key.clone(), old));
                if touched.shown.remove(&(key.clone(), old)) {
                    touched.gone.insert((key.clone(), old));
                }
            }
            touched.now.insert((key, window));
        }
    }
}

impl<K: Key, A: Aggregate> State<K, A> for Sessions<K, A> {
    fn apply(&mut self, part: Part<K, A>) {
        let Place::At(time) = part.place else {
            panic!("a session got a patch at {:?}", part.place);
        };
        let window = Window::new(time, time.plus(self.session.gap()));
        self.insert((part.hash, part.key), Visit { window, value: part.measure });
    }

    fn flush(&mut self, changes: &mut Vec<Live<K, A>>) {
        let Some(touched) = &mut self.touched else { return };
        for (key, window) in take(&mut touched.gone) {
            changes.push(Live::Gone(key, window));
        }
        for (key, window) in take(&mut touched.now) {
            let visits = self.open.get(hash::of(&key), &key);
            let visit = visits.and_then(|all| all.list.iter().find(|visit| visit.window == window));
            let value = visit.expect("a touched session is open").value.clone();
            touched.shown.insert((key.clone(), window));
            changes.push(Live::Now(Pane { key, window, value }));
        }
    }

    fn advance(&mut self, watermark: Millis, finals: &mut Vec<Pane<K, A>>) {
        let before = finals.len();
        while let Some((due, key)) = self.timers.fire(watermark) {
            let hash = hash::of(&key);
            if self.open.get(hash, &key).is_none_or(|visits| visits.armed != due) {
                continue;
            }
            let found = self.open.get_mut((&mut self.saver, ()), (hash, &key));
            let Visits { armed, list: visits } = found.expect("it was found above");
            let mut next: Option<Time> = None;
            let mut index = 0;
            while index < visits.len() {
                let end = visits[index].window.end;
                if Session::is_closed(end, watermark) {
                    let Visit { window, value } = visits.swap_remove(index);
                    if let Some(touched) = &mut self.touched {
                        touched.shown.remove(&(key.clone(), window));
                        touched.now.remove(&(key.clone(), window));
                    }
                    finals.push(Pane { key: key.clone(), window, value });
                } else {
                    next = Some(next.map_or(end, |next| next.min(end)));
                    index += 1;
                }
            }
            match next {
                Some(end) => {
                    *armed = end;
                    self.timers.arm(end, key);
                }
                None => {
                    self.open.remove((&mut self.saver, ()), (hash, &key));
                }
            }
        }
        self.passed = self.passed.max(watermark);
        finals[before..].sort_by(|a, b| (a.window, &a.key).cmp(&(b.window, &b.key)));
    }

    fn open(&self) -> Open {
        let visits = || self.open.iter().flat_map(|slot| &slot.value.list);
        let count = visits().count() as u64;
        let first_end = visits().map(|visit| visit.window.end).min();
        Open { windows: count, entries: count, first_end }
    }

    fn groups(&self) -> u64 {
        self.open.len() as u64
    }
}

/// A session that closes is in no later save: what was saved before is dropped where it is over.
/// What is added later lies behind it, so a save by what was added need not say that it has closed.
impl<K: Key, A: Aggregate> Saves for Sessions<K, A> {
    fn begin_save(&mut self, whole: bool) {
        self.open.begin_save(&self.saver, whole);
        self.saver.begin(whole, &self.passed);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.open.save((&mut self.saver, ()), budget).then(|| self.saver.finish())
    }

    fn restore_head(&mut self, group: u16, bytes: &[u8]) {
        self.heads.insert(group, head(bytes));
    }

    fn restore(&mut self, bytes: &[u8]) {
        for ((), key, visits) in entries::<((), K, Visits<A>)>(bytes) {
            self.open.insert((&mut self.saver, ()), (hash::of(&key), key), visits);
        }
    }

    fn restore_added(&mut self, bytes: &[u8]) {
        for ((), key, visits) in entries::<((), K, Visits<A>)>(bytes) {
            let (saver, key) = ((&mut self.saver, ()), (hash::of(&key), key));
            let of = self.open.get_mut(saver, (key.0, &key.1));
            let of = of.expect("what is added to was saved before");
            visits.list.into_iter().for_each(|visit| drop(of.add(visit)));
        }
    }

    fn restored(&mut self) {
        let heads = take(&mut self.heads);
        // Not before now: what was saved of a session may seem over without what was added to it.
        self.open.retain(|slot| {
            let passed = heads.get(&slot.group()).copied().unwrap_or(Millis::MIN);
            slot.value.list.retain(|visit| !Session::is_closed(visit.window.end, passed));
            let first = slot.value.list.iter().map(|visit| visit.window.end).min();
            slot.value.armed = first.unwrap_or_default();
            first.is_some()
        });
        // What follows is behind the watermark of its group, so the least of them will do.
        self.passed = heads.into_values().min().unwrap_or(Millis::MIN);
        for slot in self.open.iter() {
            self.timers.arm(slot.value.armed, slot.key.clone());
            if let Some(touched) = &mut self.touched {
                // What is open is shown again, as nobody remembers what was shown.
                let windows = slot.value.list.iter().map(|visit| visit.window);
                touched.now.extend(windows.map(|window| (slot.key.clone(), window)));
            }
        }
    }

    fn resume(&mut self) {
        self.saver.resume();
    }
}

/// How many buckets a gap is divided into.
const BUCKETS_PER_GAP: i64 = 64;

/// Keys by the time at which to look at them. Timers far ahead lie unsorted in buckets, of which
/// there are about as many as a gap has; only the bucket that the watermark is in is a heap.
struct Timers<K> {
    width: i64,
    ahead: BTreeMap<i64, Vec<(Time, K)>>,
    /// Buckets up to this one are in the heap.
    reached: i64,
    due: BinaryHeap<Reverse<(Time, K)>>,
}

impl<K: Key> Timers<K> {
    fn new(session: Session) -> Timers<K> {
        let width = (micros(session.gap()) / BUCKETS_PER_GAP).max(1_000);
        Timers { width, ahead: BTreeMap::new(), reached: i64::MIN, due: BinaryHeap::new() }
    }

    fn arm(&mut self, end: Time, key: K) {
        let bucket = end.micros().div_euclid(self.width);
        if bucket <= self.reached {
            self.due.push(Reverse((end, key)));
        } else {
            self.ahead.entry(bucket).or_default().push((end, key));
        }
    }

    /// A key whose time has come.
    fn fire(&mut self, watermark: Millis) -> Option<(Time, K)> {
        loop {
            if let Some(Reverse((end, _))) = self.due.peek()
                && Session::is_closed(*end, watermark)
            {
                return self.due.pop().map(|Reverse(timer)| timer);
            }
            let (bucket, _) = self.ahead.first_key_value()?;
            let start = Time::from_micros(bucket.saturating_mul(self.width));
            if !Session::is_closed(start, watermark) {
                return None;
            }
            let (bucket, timers) = self.ahead.pop_first()?;
            self.reached = bucket;
            self.due.extend(timers.into_iter().map(Reverse));
        }
    }
}

#[cfg(test)]
mod tests;
