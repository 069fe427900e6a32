//! The tick of a source: processing time, held back by what is complete.
//!
//! ```text
//! tick = max( tick,                                never back
//!             min( now,
//!                  completed + in flight + slack,  never far ahead of what is complete
//!                  (epoch + 2) * C - 1 ) )         skips no epoch
//! ```
//!
//! Each epoch needs its own record of offsets from every source, so none may be skipped; under
//! load the tick slows down instead of opening ever more pointstamps (rule eR7). Time comes in as
//! an argument, so tests step it.
//!
//! With checkpoints it must not stand still for good: a sink that is full of rows which wait for
//! their checkpoint holds what is complete, and that checkpoint needs the end of an epoch. So the
//! tick then follows the clock an epoch behind, for as long as the store of checkpoints may fail.

use std::time::Duration;

/// How ticks and epochs divide processing time; the same in all processes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Length of a tick.
    pub tick: Duration,
    /// Longest stride between two ticks at low rates.
    pub tick_max: Duration,
    /// Ticks in an epoch.
    pub ticks_per_epoch: u64,
    /// `flow.ticks_in_flight_max`: a source stops reading when what it sent is further ahead of
    /// what is complete.
    pub in_flight_max: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            tick: Duration::from_millis(5),
            tick_max: Duration::from_millis(80),
            ticks_per_epoch: 200,
            in_flight_max: 32,
        }
    }
}

/// How many ticks a source may go on ticking after it has stopped reading.
const SLACK_TICKS: u64 = 8;

impl Pace {
    /// The epoch of a tick.
    pub fn epoch(&self, tick: u64) -> u64 {
        tick / self.ticks_per_epoch
    }

    /// The first tick of an epoch.
    pub fn first_tick(&self, epoch: u64) -> u64 {
        epoch * self.ticks_per_epoch
    }

    /// The tick that a time since the start falls into.
    pub fn tick_at(&self, now: Duration) -> u64 {
        (now.as_micros() / self.tick.as_micros().max(1)) as u64
    }

    /// The time at which a tick begins.
    pub fn time_of(&self, tick: u64) -> Duration {
        Duration::from_micros(self.tick.as_micros() as u64 * tick)
    }
}

/// The tick of one source on one worker.
#[derive(Clone, Copy, Debug)]
pub struct Ticker {
    pace: Pace,
    tick: u64,
    /// The last tick at which something was sent.
    sent: u64,
    /// When something was last sent.
    sent_at: Duration,
    /// Whether sinks may wait for checkpoints.
    checkpoints: bool,
}

impl Ticker {
    /// At its first tick, the first of an epoch.
    pub fn new(pace: Pace, tick: u64) -> Ticker {
        Ticker { pace, tick, sent: 0, sent_at: Duration::ZERO, checkpoints: false }
    }

    /// With sinks that may wait for checkpoints.
    pub fn with_checkpoints(self, checkpoints: bool) -> Ticker {
        Ticker { checkpoints, ..self }
    }

    /// The current tick.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// Moves on. `completed` is the least tick that is not complete everywhere.
    pub fn advance(&mut self, now: Duration, completed: u64) -> u64 {
        let pace = self.pace;
        let next_epochs_end = pace.first_tick(pace.epoch(self.tick) + 2) - 1;
        let ahead = completed.saturating_add(pace.in_flight_max + SLACK_TICKS);
        let behind = pace.tick_at(now).saturating_sub(pace.ticks_per_epoch);
        let ahead = if self.checkpoints { ahead.max(behind) } else { ahead };
        self.tick = self.tick.max(pace.tick_at(now).min(ahead).min(next_epochs_end));
        self.tick
    }

    /// Whether reading may go on. What was sent counts, not the tick: on a busy worker that one may
    /// jump by more than may be in flight, again and again, while nothing is.
    pub fn may_read(&self, completed: u64) -> bool {
        self.sent <= completed.saturating_add(self.pace.in_flight_max)
    }

    /// Notes that something was sent at the current tick.
    pub fn sent(&mut self, now: Duration) {
        self.sent = self.tick;
        self.sent_at = now;
    }

    /// When to tick next: at once a tick later under load, in longer strides at low rates, once an
    /// epoch when nothing is in flight.
    pub fn next(&self, now: Duration, completed: u64) -> Duration {
        let pace = self.pace;
        let next = if self.tick < pace.tick_at(now) {
            // Held back: again as soon as more may be complete.
            pace.tick_at(now) + 1
        } else if completed <= self.sent {
            let quiet = now.saturating_sub(self.sent_at);
            let stride = (quiet / 2).clamp(pace.tick, pace.tick_max.max(pace.tick));
            self.tick + pace.tick_at(stride).max(1)
        } else {
            pace.first_tick(pace.epoch(self.tick) + 1)
        };
        let pause = pace.time_of(next).saturating_sub(now);
        pause.max(Duration::from_micros(200))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{millis, seconds};

    #[test]
    fn a_tick_never_goes_back_and_skips_no_epoch() {
        let mut ticker = Ticker::new(Pace::default(), 0);
        assert_eq!(ticker.advance(seconds(60), u64::MAX), 399);
        assert_eq!(ticker.advance(seconds(1), u64::MAX), 399);
        assert_eq!(ticker.advance(seconds(60), u64::MAX), 599);
    }

    #[test]
    fn a_tick_stays_near_what_is_complete() {
        let mut ticker = Ticker::new(Pace::default(), 0);
        assert_eq!(ticker.advance(millis(900), 0), 40);
    }

    #[test]
    fn a_tick_goes_on_an_epoch_behind_the_clock_while_nothing_becomes_complete() {
        let mut ticker = Ticker::new(Pace::default(), 0).with_checkpoints(true);
        let ticks = (1..6).map(|second| ticker.advance(seconds(second), 0));
        assert_eq!(ticks.collect::<Vec<_>>(), [40, 200, 400, 600, 800]);
        let mut ticker = Ticker::new(Pace::default(), 0);
        assert_eq!(ticker.advance(seconds(60), 0), 40, "without checkpoints nothing waits for one");
    }

    #[test]
    fn a_source_stops_reading_when_what_it_sent_is_too_far_ahead() {
        let mut ticker = Ticker::new(Pace::default(), 0);
        ticker.advance(millis(900), 0);
        assert!(ticker.may_read(0), "nothing is in flight");
        ticker.sent(millis(900));
        assert!(!ticker.may_read(7));
        assert!(ticker.may_read(8));
    }

    #[test]
    fn the_next_tick_is_near_under_load_and_an_epoch_away_when_idle() {
        let mut ticker = Ticker::new(Pace::default(), 0);
        ticker.advance(millis(50), 0);
        ticker.sent(millis(50));
        assert_eq!(ticker.next(millis(50), 0), millis(5));
        ticker.advance(millis(100), 11);
        assert_eq!(ticker.next(millis(100), 11), millis(900));
    }
}
