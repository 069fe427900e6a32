//! Lateness: the promise of a partition, the reach of its consumers, and what is late.
//!
//! A record is judged by the watermark of its own partition, *before* it moves that watermark:
//!
//! ```text
//! wm_p = max(floor_p, floor_ms(max_p - delay))     max_p: greatest event time seen in p
//! ```
//!
//! So the decision is a function of that one partition's log: the same for every worker count,
//! batch size and interleaving. The source decides once per record whether *any* of its consumers
//! can take it; each view then judges its own windows (rule eR2 of the design).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Millis, Time};
use crate::window::{Fixed, Windows};

/// How far the watermark of a partition runs behind the greatest event time seen in it, and which
/// rule decides what it refuses. A bare [`Duration`] means the window rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lateness {
    /// A window refuses an event when the window's end is not ahead of the watermark.
    Window(Duration),
    /// Every event behind the watermark is refused.
    Strict(Duration),
}

impl Lateness {
    /// How far the watermark runs behind.
    pub fn delay(self) -> Duration {
        match self {
            Lateness::Window(delay) | Lateness::Strict(delay) => delay,
        }
    }

    /// Whether every event behind the watermark is refused.
    pub fn is_strict(self) -> bool {
        matches!(self, Lateness::Strict(_))
    }
}

impl From<Duration> for Lateness {
    fn from(delay: Duration) -> Lateness {
        Lateness::Window(delay)
    }
}

/// How far ahead of a watermark a consumer of a source may still take an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Windows: until the end of the last one that contains the event.
    Windows(Fixed),
    /// Nothing behind the watermark: sessions, pending queues, or the strict rule.
    Strict,
    /// Always: a sink without a window.
    Always,
    /// Windows by a time of their own, which judge each event themselves: nothing behind the
    /// watermark that nobody else takes.
    Own,
}

impl Reach {
    /// The reach of windows under a lateness rule; sessions are always strict.
    pub fn of(windows: Windows, lateness: Lateness) -> Reach {
        match windows {
            Windows::Fixed(fixed) if !lateness.is_strict() => Reach::Windows(fixed),
            Windows::Fixed(_) | Windows::Session(_) => Reach::Strict,
        }
    }

    /// Whether an event at `time` can still be taken when its partition's watermark is `watermark`.
    pub fn takes(&self, time: Time, watermark: Millis) -> bool {
        watermark <= time.floor_ms()
            || match self {
                Reach::Windows(fixed) => watermark < fixed.last_end(time).floor_ms(),
                Reach::Strict | Reach::Own => false,
                Reach::Always => true,
            }
    }

    /// The furthest end of a window that could have held the event, for the text of a letter.
    pub fn furthest_end(&self, time: Time) -> Option<Time> {
        match self {
            Reach::Windows(fixed) => Some(fixed.last_end(time)),
            Reach::Strict | Reach::Always | Reach::Own => None,
        }
    }

    /// The length of the windows, if there are any.
    pub fn size(&self) -> Option<Duration> {
        match self {
            Reach::Windows(fixed) => Some(fixed.size()),
            Reach::Strict | Reach::Always | Reach::Own => None,
        }
    }
}

/// The watermark of one partition.
///
/// ```
/// use highwater::lateness::Watermark;
/// use highwater::time::{Millis, Time, seconds};
/// let mut watermark = Watermark::new(seconds(10));
/// assert_eq!(watermark.get(), Millis::MIN);
/// watermark.observe(Time::from_seconds(100));
/// watermark.observe(Time::from_seconds(50));
/// assert_eq!(watermark.get(), Millis(90_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    delay: Duration,
    greatest: Option<Time>,
    floor: Millis,
    now: Millis,
    /// `now` in microseconds: the least time that is on time.
    on_time: i64,
}

impl Watermark {
    /// Of a partition that has shown nothing yet.
    pub fn new(delay: Duration) -> Watermark {
        Watermark { delay, greatest: None, floor: Millis::MIN, now: Millis::MIN, on_time: i64::MIN }
    }

    /// Of a partition that goes on: with the greatest event time and the floor that it had.
    pub fn restore(delay: Duration, greatest: Option<Time>, floor: Millis) -> Watermark {
        let mut watermark = Watermark::new(delay);
        greatest.into_iter().for_each(|greatest| watermark.observe(greatest));
        watermark.raise(floor);
        watermark
    }

    /// The promise: every later event that is not behind has at least this time.
    #[inline]
    pub fn get(&self) -> Millis {
        self.now
    }

    /// The greatest event time seen.
    pub fn greatest(&self) -> Option<Time> {
        self.greatest
    }

    /// The floor under it, if one was set.
    pub fn floor(&self) -> Millis {
        self.floor
    }

    /// Takes in the time of an accepted or late record, after it was judged.
    #[inline]
    pub fn observe(&mut self, time: Time) {
        if self.greatest.is_none_or(|greatest| greatest < time) {
            self.greatest = Some(time);
            self.set(self.floor.max(time.minus(self.delay).floor_ms()));
        }
    }

    /// Raises the floor of a silent or new partition; a lower one changes nothing.
    pub fn raise(&mut self, floor: Millis) {
        self.floor = self.floor.max(floor);
        self.set(self.now.max(floor));
    }

    /// Whether a time does not lie behind: `watermark <= floor_ms(time)`.
    #[inline]
    pub fn is_on_time(&self, time: Time) -> bool {
        self.on_time <= time.micros()
    }

    /// The times, in microseconds, that are legal, not behind, and would not move it: from the
    /// first to the second, both included; an empty range while it has shown nothing.
    #[inline]
    pub(crate) fn steady(&self) -> (i64, i64) {
        let greatest = self.greatest.map_or(i64::MIN, Time::micros);
        (self.on_time.max(Time::MIN.micros()), greatest)
    }

    fn set(&mut self, now: Millis) {
        self.now = now;
        self.on_time = now.0.saturating_mul(1_000);
    }
}

/// What became of the records of a partition: `read = used + late + dead + duplicates`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Records handed over by the source; an array record counts once per element.
    pub read: u64,
    /// Given to the dataflow.
    pub used: u64,
    /// No view can take it.
    pub late: u64,
    /// Undecodable, undatable, from the future.
    pub dead: u64,
    /// Later occurrences of a key of `dedup`.
    pub duplicates: u64,
    /// Positions that never carried a record, or had lost it before it was read; outside the
    /// identity.
    pub gaps: u64,
}

impl Ledger {
    /// Whether it adds up.
    pub fn adds_up(&self) -> bool {
        self.read == self.used + self.late + self.dead + self.duplicates
    }

    /// Adds the counts of another partition.
    pub fn add(&mut self, other: &Ledger) {
        self.read += other.read;
        self.used += other.used;
        self.late += other.late;
        self.dead += other.dead;
        self.duplicates += other.duplicates;
        self.gaps += other.gaps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;
    use crate::window::{Session, Tumbling};

    #[test]
    fn an_event_at_the_watermark_is_on_time_for_everybody() {
        let reach = Reach::of(Session::new(seconds(1)).into(), seconds(0).into());
        let judge = |micros| reach.takes(Time::from_micros(micros), Millis(5));
        assert!(judge(5_000));
        assert!(judge(5_999));
        assert!(!judge(4_999));
    }

    #[test]
    fn a_window_takes_an_event_while_its_end_is_ahead_of_the_watermark() {
        let reach = Reach::of(Tumbling::new(seconds(10)).into(), seconds(0).into());
        let event = Time::from_seconds(3);
        assert!(reach.takes(event, Millis(9_999)));
        assert!(!reach.takes(event, Millis(10_000)));
    }

    #[test]
    fn windows_by_a_time_of_their_own_keep_nothing_alive_behind_the_watermark() {
        assert!(Reach::Own.takes(Time::from_millis(5), Millis(5)));
        assert!(!Reach::Own.takes(Time::from_millis(5), Millis(6)));
    }

    #[test]
    fn the_strict_rule_makes_windows_strict() {
        let strict = Lateness::Strict(seconds(0));
        assert_eq!(Reach::of(Tumbling::new(seconds(10)).into(), strict), Reach::Strict);
    }

    #[test]
    fn a_floor_counts_and_never_falls() {
        let mut watermark = Watermark::new(seconds(1));
        watermark.raise(Millis(500));
        watermark.observe(Time::from_millis(1_000));
        assert_eq!(watermark.get(), Millis(500));
        watermark.raise(Millis(100));
        watermark.observe(Time::from_millis(3_000));
        assert_eq!(watermark.get(), Millis(2_000));
    }
}
