//! What each operational alert measures, and what it has to remember for that.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{ProcessFacts, SinkFacts};
use crate::alert::{self, Alert};
use crate::hash::FixedMap;
use crate::text::Text;

/// What an operational alert measures. Durations are values in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How far the frontier is behind the time of day, beyond the lateness. It must be too far for
    /// so long, while records come or wait to be read: a source that is silent is no delay.
    FrontierDelay,
    /// How long records wait until the sink of a view, without windows or with updates, has
    /// written what they made of it: the median of so long. Not measured with `--no-latency`.
    EventDelay {
        /// The view.
        view: &'static str,
    },
    /// How many writes of a sink have failed in so long, those that were tried again among them.
    FailedWrites,
    /// For how long a sink of a kind has been tried again without success: its circuit is open.
    SinkAway {
        /// The kind, such as `postgres`.
        kind: &'static str,
    },
    /// For how long no row of a view was written, anywhere in the job.
    NoRows {
        /// The view.
        view: &'static str,
    },
    /// Which share of the records that were produced in so long was used, from 0 to 1; alerts are
    /// about values below. What has not been read yet was produced, too, where a source tells.
    UsedShare,
    /// How many records, events and rows nobody could use in so long; not those that were late.
    FailedEvents,
    /// For how long nothing of a key has come. Not asked for by name: `Keyed::silence` does.
    Silence,
}

impl Measure {
    /// The time over which it measures, unless a parameter says otherwise.
    pub const fn over(self) -> Option<Duration> {
        match self {
            Measure::FrontierDelay => Some(Duration::from_secs(30)),
            Measure::EventDelay { .. } => Some(Duration::from_secs(10)),
            Measure::FailedWrites | Measure::UsedShare | Measure::FailedEvents => {
                Some(Duration::from_secs(300))
            }
            Measure::SinkAway { .. } | Measure::NoRows { .. } | Measure::Silence => None,
        }
    }

    /// Whether values below the threshold are the bad ones.
    pub const fn is_below(self) -> bool {
        matches!(self, Measure::UsedShare)
    }

    /// The view whose rows it looks at.
    pub const fn view(self) -> Option<&'static str> {
        match self {
            Measure::EventDelay { view } | Measure::NoRows { view } => Some(view),
            _ => None,
        }
    }

    /// What it is, in a few words.
    pub fn words(self) -> String {
        match self {
            Measure::FrontierDelay => "seconds of frontier behind the clock".into(),
            Measure::EventDelay { view } => format!("seconds from record to row of {view}"),
            Measure::FailedWrites => "failed writes of a sink".into(),
            Measure::SinkAway { kind } => format!("seconds without {kind}"),
            Measure::NoRows { view } => format!("seconds without a row of {view}"),
            Measure::UsedShare => "share of the records that was used".into(),
            Measure::FailedEvents => "records that failed".into(),
            Measure::Silence => "seconds without a record of a key".into(),
        }
    }
}

/// An operational alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Its name and its thresholds.
    pub alert: Alert,
    /// What is compared with them.
    pub measure: Measure,
    /// The time over which it is measured, where the measure has one.
    pub over: Duration,
    /// The view that rows of a silence name.
    pub view: Text,
    /// Keys that a silence expects from the start.
    pub known: Vec<Text>,
    /// How many keys a silence remembers.
    pub keys_max: usize,
}

impl Condition {
    /// One about the job or its sinks.
    pub fn new(alert: Alert, measure: Measure, over: Duration) -> Condition {
        let view = measure.view().unwrap_or(alert::VIEW).into();
        Condition { alert, measure, over, view, known: vec![], keys_max: 0 }
    }

    /// What it is, in words.
    ///
    /// ```
    /// use std::time::Duration;
    /// use highwater::alert::{Alert, watch::{Condition, Measure}};
    ///
    /// let alert = Alert::above("shop.failed_events", Some(0.0));
    /// let condition = Condition::new(alert, Measure::FailedEvents, Duration::from_secs(300));
    /// assert_eq!(condition.words(), "shop.failed_events: records that failed in 300s > 0");
    /// ```
    pub fn words(&self) -> String {
        let Condition { alert, measure, over, .. } = self;
        let within = measure.over().map_or(String::new(), |_| format!(" in {over:?}"));
        format!("{}: {}{within} {}", alert.name(), measure.words(), alert.bound())
    }
}

/// A value that was found, and what it is about.
pub(super) struct Reading {
    pub(super) view: Text,
    pub(super) key: Text,
    pub(super) value: f64,
}

/// What all processes said last.
pub(super) struct Latest {
    processes: BTreeMap<usize, ProcessFacts>,
    passed: Duration,
    listening: Duration,
}

impl Latest {
    pub(super) fn new(begun: Duration) -> Latest {
        Latest { processes: BTreeMap::new(), passed: begun, listening: begun }
    }

    /// Moves the clocks on.
    pub(super) fn pass(&mut self, now: Duration) {
        let step = now.saturating_sub(self.passed);
        self.passed += step;
        if self.processes.values().all(|process| process.held.is_none()) {
            self.listening += step;
        }
    }

    /// A clock that stands still while the job does not read: what comes meanwhile is not known.
    pub(super) fn listening(&self) -> Duration {
        self.listening
    }

    pub(super) fn hear(&mut self, worker: usize, process: ProcessFacts) {
        self.processes.insert(worker, process);
    }

    fn sum(&self, count: impl Fn(&ProcessFacts) -> u64) -> i64 {
        self.processes.values().map(count).sum::<u64>() as i64
    }

    /// Of each sink of all processes: its tries that failed, and for how long it is away.
    fn sinks(&self) -> BTreeMap<(&Text, &Text), (u64, Option<Duration>)> {
        let mut sinks: BTreeMap<_, (u64, Option<Duration>)> = BTreeMap::new();
        for SinkFacts { view, kind, failed, away } in
            self.processes.values().flat_map(|process| &process.sinks)
        {
            let sink = sinks.entry((view, kind)).or_default();
            *sink = (sink.0 + failed, sink.1.max(*away));
        }
        sinks
    }
}

/// How totals grew over some time.
pub(super) struct Trail {
    samples: VecDeque<(Duration, i64)>,
}

/// Into how many steps the time of a trail is cut, about.
const STEPS: u32 = 128;

impl Trail {
    fn new(begun: Duration, total: i64) -> Trail {
        Trail { samples: [(begun, total)].into() }
    }

    /// By how much the total has grown in the time before now.
    fn growth(&mut self, now: Duration, total: i64, over: Duration) -> i64 {
        if self.samples.back().is_none_or(|(at, _)| over / STEPS <= now.saturating_sub(*at)) {
            self.samples.push_back((now, total));
        }
        while self.samples.get(1).is_some_and(|(at, _)| *at + over <= now) {
            self.samples.pop_front();
        }
        total - self.samples.front().map_or(0, |(_, total)| *total)
    }
}

/// What a condition remembers.
pub(super) enum State {
    Nothing,
    Lasting(Lasting),
    /// Also, since when there may be any.
    Samples(VecDeque<(Duration, Duration)>, Duration),
    Failed(Trail),
    /// By view and kind of a sink, since the job began.
    FailedBySink(BTreeMap<(Text, Text), Trail>, Duration),
    Share(Option<Share>),
    /// How many there were, and since when.
    Rows(i64, Duration),
    Seen(Seen),
}

impl State {
    pub(super) fn new(condition: &Condition, begun: Duration) -> State {
        match condition.measure {
            Measure::FrontierDelay => State::Lasting(Lasting::default()),
            Measure::EventDelay { .. } => State::Samples(VecDeque::new(), begun),
            Measure::FailedWrites => State::FailedBySink(BTreeMap::new(), begun),
            Measure::SinkAway { .. } => State::Nothing,
            Measure::NoRows { .. } => State::Rows(0, begun),
            Measure::UsedShare => State::Share(None),
            Measure::FailedEvents => State::Failed(Trail::new(begun, 0)),
            Measure::Silence => {
                let keys = condition.known.iter().map(|key| (key.clone(), begun)).collect();
                State::Seen(Seen { keys, is_full: false, is_told: false })
            }
        }
    }

    /// A key has come.
    pub(super) fn saw(&mut self, condition: &Condition, key: Text, now: Duration) {
        let State::Seen(seen) = self else { return };
        let keys_max = condition.keys_max.max(condition.known.len());
        if seen.keys.len() < keys_max || seen.keys.contains_key(&key) {
            seen.keys.insert(key, now);
        } else {
            seen.is_full = true;
        }
    }

    /// Whether there are more keys than it may remember, which nobody was told of.
    pub(super) fn is_newly_full(&mut self) -> bool {
        match self {
            State::Seen(seen) if seen.is_full && !seen.is_told => {
                seen.is_told = true;
                true
            }
            _ => false,
        }
    }

    /// Remembers what is said of a moment only.
    pub(super) fn hear(&mut self, condition: &Condition, now: Duration, facts: &ProcessFacts) {
        match self {
            State::Lasting(lasting) if facts.arriving => lasting.arrived = Some(now),
            State::Samples(samples, _) => {
                let mine = facts.delays.iter().filter(|(view, _)| *view == condition.view);
                samples.extend(mine.map(|(_, delay)| (now, *delay)));
            }
            _ => {}
        }
    }

    /// What is found now.
    pub(super) fn read(
        &mut self,
        condition: &Condition,
        now: Duration,
        latest: &Latest,
    ) -> Vec<Reading> {
        let over = condition.over;
        let value = match self {
            State::Nothing => return away(condition, latest),
            State::FailedBySink(trails, begun) => {
                return failed_by_sink(trails, *begun, now, over, latest);
            }
            State::Seen(seen) => return seen.read(condition, latest.listening()),
            State::Lasting(lasting) => lasting.read(condition, now, latest),
            // Before, it would be about the start, when a job catches up.
            State::Samples(samples, begun) => {
                median(samples, now, over).filter(|_| *begun + over <= now)
            }
            State::Failed(trail) => {
                Some(trail.growth(now, latest.sum(|process| process.failed), over) as f64)
            }
            State::Share(share) => Share::read(share, now, over, latest),
            State::Rows(before, since) => {
                let mine = |process: &ProcessFacts| {
                    let rows = process.rows.iter().find(|(view, _)| *view == condition.view);
                    rows.map_or(0, |(_, rows)| *rows)
                };
                let rows = latest.sum(mine);
                if *before < rows {
                    (*before, *since) = (rows, now);
                }
                Some(now.saturating_sub(*since).as_secs_f64())
            }
        };
        let (view, key) = (condition.view.clone(), Text::from("{}"));
        value.map(|value| Reading { view, key, value }).into_iter().collect()
    }
}

/// Something that has to last.
#[derive(Default)]
pub(super) struct Lasting {
    /// Since when the frontier is too far behind.
    since: Option<Duration>,
    /// When records came last.
    arrived: Option<Duration>,
}

impl Lasting {
    fn read(&mut self, condition: &Condition, now: Duration, latest: &Latest) -> Option<f64> {
        let behind = latest.processes.values().filter_map(|process| process.behind).max();
        let value = behind.unwrap_or_default().as_secs_f64();
        let recent = |at: Duration| now.saturating_sub(at) <= condition.over;
        if !self.arrived.is_some_and(recent) || condition.alert.judge(value).is_none() {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        (since + condition.over <= now).then_some(value)
    }
}

/// The median of the samples of so long, in seconds; older ones are dropped.
fn median(
    samples: &mut VecDeque<(Duration, Duration)>,
    now: Duration,
    over: Duration,
) -> Option<f64> {
    while samples.front().is_some_and(|(at, _)| *at + over < now) {
        samples.pop_front();
    }
    let mut delays: Vec<Duration> = samples.iter().map(|(_, delay)| *delay).collect();
    delays.sort_unstable();
    delays.get(delays.len() / 2).map(Duration::as_secs_f64)
}

/// What was produced, and what was used of it.
pub(super) struct Share {
    since: Duration,
    /// How many have spoken: with another one begins another count.
    processes: usize,
    produced: Trail,
    used: Trail,
}

impl Share {
    /// The share of so long; nothing before so long has passed.
    fn read(
        share: &mut Option<Share>,
        now: Duration,
        over: Duration,
        latest: &Latest,
    ) -> Option<f64> {
        let produced = latest.sum(|process| process.read + process.lag);
        let (used, processes) = (latest.sum(|process| process.used), latest.processes.len());
        if share.as_ref().is_none_or(|share| share.processes != processes) {
            let (produced, used) = (Trail::new(now, produced), Trail::new(now, used));
            *share = Some(Share { since: now, processes, produced, used });
        }
        let share = share.as_mut()?;
        let produced = share.produced.growth(now, produced, over);
        let used = share.used.growth(now, used, over);
        let is_whole = share.since + over <= now && 0 < produced;
        is_whole.then(|| used as f64 / produced as f64)
    }
}

/// When keys have come last, on the clock of [`Latest::listening`].
pub(super) struct Seen {
    keys: FixedMap<Text, Duration>,
    is_full: bool,
    is_told: bool,
}

/// A key that is silent for so long is forgotten, unless it is expected: it is gone.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

impl Seen {
    fn read(&mut self, condition: &Condition, now: Duration) -> Vec<Reading> {
        let known = |key: &Text| condition.known.contains(key);
        self.keys.retain(|key, at| now < *at + FORGET_AFTER || known(key));
        let silences = self.keys.iter().map(|(key, at)| (key, now.saturating_sub(*at)));
        let silences = silences.map(|(key, silence)| (key, silence.as_secs_f64()));
        let beyond = silences.filter(|(_, value)| condition.alert.judge(*value).is_some());
        let mut found: Vec<Reading> = beyond
            .map(|(key, value)| Reading { view: condition.view.clone(), key: key.clone(), value })
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }
}

/// How many tries of each sink have failed in so long.
fn failed_by_sink(
    trails: &mut BTreeMap<(Text, Text), Trail>,
    begun: Duration,
    now: Duration,
    over: Duration,
    latest: &Latest,
) -> Vec<Reading> {
    let sinks = latest.sinks().into_iter().map(|((view, kind), (failed, _))| {
        let trail = trails.entry((view.clone(), kind.clone()));
        let trail = trail.or_insert_with(|| Trail::new(begun, 0));
        of_sink(view, kind, trail.growth(now, failed as i64, over) as f64)
    });
    sinks.collect()
}

/// The sinks of a kind that are away.
fn away(condition: &Condition, latest: &Latest) -> Vec<Reading> {
    let Measure::SinkAway { kind } = condition.measure else { return vec![] };
    let sinks = latest.sinks().into_iter().filter(|((_, of), _)| *of == kind);
    let away = sinks
        .filter_map(|((view, kind), (_, away))| Some(of_sink(view, kind, away?.as_secs_f64())));
    away.collect()
}

fn of_sink(view: &Text, kind: &Text, value: f64) -> Reading {
    Reading { view: view.clone(), key: format!("{{\"sink\":\"{kind}\"}}").into(), value }
}
