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

use super::{Live, Open, Pane, Part, Place, State, decode_group, encode_groups};
use crate::aggregate::Aggregate;
use crate::hash::FixedMap;
use crate::key::Key;
use crate::time::{Millis, Time, micros};
use crate::window::{Session, Window};

/// Open sessions of all keys.
pub struct Sessions<K, A> {
    session: Session,
    open: FixedMap<K, Visits<A>>,
    timers: Timers<K>,
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

impl<K: Key, A: Aggregate> Sessions<K, A> {
    /// No session is open; `updates` says whether [`State::flush`] will be asked.
    pub fn new(session: Session, updates: bool) -> Sessions<K, A> {
        let touched = updates.then(|| Touched {
            now: BTreeSet::new(),
            gone: BTreeSet::new(),
            shown: BTreeSet::new(),
        });
        Sessions { session, open: FixedMap::default(), timers: Timers::new(session), touched }
    }

    fn insert(&mut self, key: K, mut visit: Visit<A>) {
        let end = visit.window.end;
        let visits = match self.open.get_mut(&key) {
            Some(visits) => visits,
            None => {
                self.timers.arm(end, key.clone());
                self.open.entry(key.clone()).or_insert(Visits { armed: end, list: vec![] })
            }
        };
        if end < visits.armed {
            visits.armed = end;
            self.timers.arm(end, key.clone());
        }
        let mut merged = Vec::new();
        // Both intervals are closed for this question: a distance of one gap still merges.
        visits.list.retain_mut(|other| {
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
        visits.list.push(visit);
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
        self.insert(part.key, Visit { window, value: part.measure });
    }

    fn flush(&mut self, changes: &mut Vec<Live<K, A>>) {
        let Some(touched) = &mut self.touched else { return };
        for (key, window) in take(&mut touched.gone) {
            changes.push(Live::Gone(key, window));
        }
        for (key, window) in take(&mut touched.now) {
            let visits = &self.open[&key].list;
            let visit = visits.iter().find(|visit| visit.window == window);
            let value = visit.expect("a touched session is open").value.clone();
            touched.shown.insert((key.clone(), window));
            changes.push(Live::Now(Pane { key, window, value }));
        }
    }

    fn advance(&mut self, watermark: Millis, finals: &mut Vec<Pane<K, A>>) {
        let before = finals.len();
        while let Some((due, key)) = self.timers.fire(watermark) {
            let Some(Visits { armed, list: visits }) = self.open.get_mut(&key) else { continue };
            if due != *armed {
                continue;
            }
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
                    self.open.remove(&key);
                }
            }
        }
        finals[before..].sort_by(|a, b| (a.window, &a.key).cmp(&(b.window, &b.key)));
    }

    fn open(&self) -> Open {
        let visits = || self.open.values().flat_map(|visits| &visits.list);
        let count = visits().count() as u64;
        let first_end = visits().map(|visit| visit.window.end).min();
        Open { windows: count, entries: count, first_end }
    }

    fn groups(&self) -> u64 {
        self.open.len() as u64
    }

    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        encode_groups(self.open.iter().map(|entry| (crate::hash::of(entry.0), entry)))
    }

    fn restore(&mut self, bytes: &[u8]) {
        for (key, visits) in decode_group::<(K, Visits<A>)>(bytes) {
            self.timers.arm(visits.armed, key.clone());
            if let Some(touched) = &mut self.touched {
                // What is open is shown again, as nobody remembers what was shown.
                touched.now.extend(visits.list.iter().map(|visit| (key.clone(), visit.window)));
            }
            self.open.insert(key, visits);
        }
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
