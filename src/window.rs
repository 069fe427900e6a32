//! Windows: which of them contain a time, in which slice it lies, when they close.
//!
//! Fixed windows are aligned to 1970 in UTC, shifted by an offset, and half open: `[start, end)`.
//! Overlapping windows share *slices* as long as the greatest common divisor of size and slide:
//!
//! ```text
//! slide 10 s  |---- window ----|            size 60 s
//!                |---- window ----|         slice = gcd(60, 10) = 10 s
//! slices      |  |  |  |  |  |  |  |
//! ```
//!
//! Rules W1 to W6 of the design: rounding goes toward minus infinity; a fixed window closes when
//! the frontier reaches its end, a session when it has passed it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::time::{Millis, Time, micros};

/// An interval of event time, `[start, end)`. Ordered by end first: the order of closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first instant inside.
    pub start: Time,
    /// The first instant behind it; for a session the last event plus the gap.
    pub end: Time,
}

impl Window {
    /// The window from `start` to `end`.
    pub const fn new(start: Time, end: Time) -> Window {
        Window { start, end }
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        (self.end.micros() - self.start.micros()) as f64 / 1e6
    }

    /// Whether a time lies inside.
    pub fn contains(&self, time: Time) -> bool {
        self.start <= time && time < self.end
    }
}

impl PartialOrd for Window {
    fn partial_cmp(&self, other: &Window) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Window {
    fn cmp(&self, other: &Window) -> std::cmp::Ordering {
        (self.end, self.start).cmp(&(other.end, other.start))
    }
}

/// Windows that follow one another without overlap.
///
/// ```
/// use highwater::prelude::*;
/// let windows = Tumbling::new(minutes(1)).offset(seconds(15));
/// let first = windows.fixed().containing(Time::from_seconds(20)).next().unwrap();
/// assert_eq!((first.start, first.end), (Time::from_seconds(15), Time::from_seconds(75)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling(Sliding);

impl Tumbling {
    /// Windows of this size.
    pub const fn new(size: Duration) -> Tumbling {
        Tumbling(Sliding::new(size, size))
    }

    /// Shifts the grid: windows begin at `offset` after a multiple of the size.
    pub const fn offset(self, offset: Duration) -> Tumbling {
        Tumbling(self.0.offset(offset))
    }

    /// The windows as numbers.
    pub const fn fixed(self) -> Fixed {
        self.0.fixed()
    }
}

/// Windows of one size that begin every `slide`; the slide need not divide the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    size: Duration,
    slide: Duration,
    offset: Duration,
}

impl Sliding {
    /// Windows of this size, one every `slide`.
    pub const fn new(size: Duration, slide: Duration) -> Sliding {
        Sliding { size, slide, offset: Duration::ZERO }
    }

    /// Shifts the grid: windows begin at `offset` after a multiple of the slide.
    pub const fn offset(mut self, offset: Duration) -> Sliding {
        self.offset = offset;
        self
    }

    /// The windows as numbers.
    pub const fn fixed(self) -> Fixed {
        let (size, slide) = (micros(self.size), micros(self.slide));
        Fixed { size, slide, offset: micros(self.offset), slice: gcd(size, slide) }
    }
}

/// Windows made by activity: they end after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    gap: Duration,
}

impl Session {
    /// Sessions that end after a silence of more than `gap`.
    pub const fn new(gap: Duration) -> Session {
        Session { gap }
    }

    /// The silence that ends a session.
    pub const fn gap(self) -> Duration {
        self.gap
    }

    /// Whether a session whose end (last event plus gap) is `end` can grow no more.
    pub fn is_closed(end: Time, watermark: Millis) -> bool {
        end.floor_ms() < watermark
    }
}

/// Any kind of window; what `window(…)` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Windows {
    /// Tumbling or sliding.
    Fixed(Fixed),
    /// Sessions.
    Session(Session),
}

impl From<Tumbling> for Windows {
    fn from(windows: Tumbling) -> Windows {
        Windows::Fixed(windows.fixed())
    }
}

impl From<Sliding> for Windows {
    fn from(windows: Sliding) -> Windows {
        Windows::Fixed(windows.fixed())
    }
}

impl From<Session> for Windows {
    fn from(windows: Session) -> Windows {
        Windows::Session(windows)
    }
}

impl Windows {
    /// Refuses what cannot be kept, with the numbers in the message.
    ///
    /// # Errors
    ///
    /// A size, slide or gap of zero; a slide above the size; a window that does not end on a whole
    /// millisecond; more than [`SLICES_MAX`] slices; more than [`SIZE_MAX`].
    pub fn check(&self) -> Result<()> {
        match self {
            Windows::Fixed(fixed) => fixed.check(),
            Windows::Session(Session { gap }) if gap.is_zero() => {
                Err(Error::config("the gap of a session window is zero")
                    .hint("give it a length, such as 30 minutes"))
            }
            Windows::Session(Session { gap }) if *gap > SIZE_MAX => {
                Err(Error::config(format!("the gap of a session window is {gap:?}"))
                    .hint("the longest is 36,500 days"))
            }
            Windows::Session(_) => Ok(()),
        }
    }
}

/// The most slices that a window may have.
pub const SLICES_MAX: i64 = 1_000;

/// The longest window, slide or gap.
pub const SIZE_MAX: Duration = crate::time::days(36_500);

/// Tumbling or sliding windows as numbers, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fixed {
    size: i64,
    slide: i64,
    offset: i64,
    slice: i64,
}

impl Fixed {
    /// Length of a window.
    pub fn size(&self) -> Duration {
        Duration::from_micros(self.size as u64)
    }

    /// Distance between the starts of two neighbours.
    pub fn slide(&self) -> Duration {
        Duration::from_micros(self.slide as u64)
    }

    /// Whether each slice is a window of its own, so that closing moves instead of merging.
    pub fn is_tumbling(&self) -> bool {
        self.size == self.slide
    }

    /// Length of a slice in microseconds.
    pub fn slice_micros(&self) -> i64 {
        self.slice
    }

    /// Start of the slice in which a time lies.
    #[inline]
    pub fn slice_of(&self, time: Time) -> Time {
        self.floor(time, self.slice)
    }

    /// The windows that contain a time, in the order of their ends.
    pub fn containing(&self, time: Time) -> impl Iterator<Item = Window> + use<> {
        let last = self.floor(time, self.slide).micros();
        let (size, slide) = (self.size, self.slide);
        // The first one begins behind `time - size`.
        let count = (last - (time.micros() - size) + slide - 1) / slide;
        (0..count).rev().map(move |back| {
            let start = last - back * slide;
            Window::new(Time::from_micros(start), Time::from_micros(start + size))
        })
    }

    /// End of the last window that contains a time: how far a view reaches from there.
    pub fn last_end(&self, time: Time) -> Time {
        Time::from_micros(self.floor(time, self.slide).micros() + self.size)
    }

    /// The window that begins at `start`.
    pub fn starting(&self, start: Time) -> Window {
        Window::new(start, Time::from_micros(start.micros() + self.size))
    }

    /// Starts of the slices of a window, in order.
    pub fn slices(&self, window: Window) -> impl Iterator<Item = Time> + use<> {
        let (start, slice) = (window.start.micros(), self.slice);
        (0..self.size / self.slice).map(move |n| Time::from_micros(start + n * slice))
    }

    /// Whether the window can change no more.
    pub fn is_closed(window: Window, watermark: Millis) -> bool {
        window.end.floor_ms() <= watermark
    }

    fn floor(&self, time: Time, step: i64) -> Time {
        let since = time.micros() - self.offset;
        Time::from_micros(since.div_euclid(step) * step + self.offset)
    }

    fn check(&self) -> Result<()> {
        let refused = |message: String, hint: &str| Err(Error::config(message).hint(hint));
        let (size, slide) = (self.size(), self.slide());
        if self.size == 0 || self.slide == 0 {
            return refused(
                format!("a window of {size:?} every {slide:?} holds nothing"),
                "give size and slide a length, such as 1 minute",
            );
        }
        if self.slide > self.size {
            return refused(
                format!("the slide ({slide:?}) is longer than the window ({size:?})"),
                "events between two windows would be lost; make the slide at most the size",
            );
        }
        if size > SIZE_MAX {
            return refused(format!("a window of {size:?} is too long"), "at most 36,500 days");
        }
        if self.size % 1_000 != 0 || self.slide % 1_000 != 0 || self.offset % 1_000 != 0 {
            return refused(
                format!("a window of {size:?} every {slide:?} does not end on a whole millisecond"),
                "use whole milliseconds for size, slide and offset",
            );
        }
        if self.size / self.slice > SLICES_MAX {
            return refused(
                format!(
                    "a window of {size:?} every {slide:?} has {} slices of {:?}",
                    self.size / self.slice,
                    Duration::from_micros(self.slice as u64),
                ),
                "at most 1,000: take a slide with a larger common divisor with the size",
            );
        }
        Ok(())
    }
}

const fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{minutes, seconds};

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    #[test]
    fn an_event_at_the_end_belongs_to_the_next_window() {
        let windows = Tumbling::new(minutes(1)).fixed();
        let starts = |time| windows.containing(time).map(|w| w.start).collect::<Vec<_>>();
        assert_eq!(starts(Time::from_micros(59_999_999)), [at(0)]);
        assert_eq!(starts(at(60)), [at(60)]);
        assert_eq!(starts(Time::from_micros(-1)), [at(-60)]);
    }

    #[test]
    fn a_sliding_window_is_every_aligned_one_that_contains_the_time() {
        let check = |size, slide, offset, time: i64| {
            let windows = Sliding::new(size, slide).offset(offset).fixed();
            let found: Vec<Window> = windows.containing(at(time)).collect();
            // By hand: all starts on the grid around the time.
            let grid = (-100..100).map(|n| n * windows.slide + windows.offset);
            let expected: Vec<Window> = grid
                .map(|start| windows.starting(Time::from_micros(start)))
                .filter(|window| window.contains(at(time)))
                .collect();
            assert_eq!(found, expected, "{size:?} every {slide:?} at {time}");
            assert_eq!(windows.last_end(at(time)), expected.last().unwrap().end);
            for window in found {
                assert!(windows.slices(window).any(|slice| slice == windows.slice_of(at(time))));
            }
        };
        for time in [-61, -60, -1, 0, 1, 9, 10, 59, 60, 61] {
            check(seconds(60), seconds(10), seconds(0), time);
            check(seconds(60), seconds(10), seconds(3), time);
            check(seconds(50), seconds(20), seconds(0), time);
            check(seconds(7), seconds(3), seconds(1), time);
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_name() {
        let check = |windows: Windows, part: &str| {
            let message = windows.check().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        check(Tumbling::new(seconds(0)).into(), "holds nothing");
        check(Sliding::new(seconds(1), seconds(2)).into(), "longer than the window");
        check(Sliding::new(seconds(2_001), seconds(2)).into(), "2001 slices");
        check(Tumbling::new(Duration::from_micros(1_500)).into(), "whole millisecond");
        check(Session::new(seconds(0)).into(), "gap");
        assert_eq!(Windows::from(Sliding::new(minutes(1), seconds(10))).check(), Ok(()));
    }
}
