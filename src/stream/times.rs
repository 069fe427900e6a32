//! [`TimeColumn`]: the event times of a batch, one word each.
//!
//! They are read by the source's judge and again by each window view, so an event time and its
//! absence share a word: half of what `Option<Time>` takes.

use crate::time::Time;

/// Stands for an event without a time; not legal as one.
const NONE: i64 = i64::MIN;

/// Event times by the index of their events; some events have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeColumn(Vec<i64>);

impl TimeColumn {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub(super) fn push(&mut self, time: Option<Time>) {
        self.0.push(word(time));
    }

    /// The time of an event, if it has one.
    #[inline]
    pub(super) fn get(&self, event: usize) -> Option<Time> {
        let micros = self.0.get(event).copied().unwrap_or(NONE);
        (micros != NONE).then_some(Time::from_micros(micros))
    }

    pub(super) fn set(&mut self, event: usize, time: Option<Time>) {
        self.0[event] = word(time);
    }

    /// The times as they are kept: microseconds; where there is none, less than every legal time.
    #[inline]
    pub(super) fn micros(&self) -> &[i64] {
        &self.0
    }
}

impl Extend<Option<Time>> for TimeColumn {
    #[inline]
    fn extend<I: IntoIterator<Item = Option<Time>>>(&mut self, times: I) {
        self.0.extend(times.into_iter().map(word));
    }
}

#[inline]
fn word(time: Option<Time>) -> i64 {
    time.map_or(NONE, |time| time.micros().max(NONE + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_its_absence_come_back() {
        let mut times = TimeColumn::default();
        times.extend([Some(Time::MIN), None, Some(Time::from_micros(-1))]);
        times.push(Some(Time::from_micros(i64::MIN)));
        times.set(2, Some(Time::MAX));
        let found: Vec<_> = (0..5).map(|event| times.get(event)).collect();
        let least = Time::from_micros(i64::MIN + 1);
        assert_eq!(found, [Some(Time::MIN), None, Some(Time::MAX), Some(least), None]);
        assert!(!least.is_legal(), "so it is as wrong as before");
    }
}
