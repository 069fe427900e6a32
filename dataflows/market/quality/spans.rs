//! [`Spans`]: when the records of each symbol came, second by second: enough to find every gap.

use std::collections::BTreeMap;

use highwater::prelude::*;

/// The silence of a symbol that is a gap, if it is longer.
const GAP: Duration = seconds(5);

/// The first and the last record of each symbol and second: within a second there is no gap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Spans(BTreeMap<(Text, i64), (Time, Time)>);

/// When each symbol was seen first, in this window, and last, in this one or before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ends(BTreeMap<Text, (Option<Time>, Time)>);

impl Spans {
    /// One record.
    pub(super) fn of(symbol: &Text, time: Time) -> Spans {
        Spans(BTreeMap::from([((symbol.clone(), time.seconds()), (time, time))]))
    }

    /// How many gaps there are between records of one symbol.
    pub(super) fn gaps(&self) -> i64 {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        let gap = pairs.filter(|(((one, _), (_, last)), ((other, _), (first, _)))| {
            one == other && last.plus(GAP) < *first
        });
        gap.count() as i64
    }

    /// When each symbol was seen first and last.
    pub(super) fn ends(&self) -> Ends {
        let mut ends: BTreeMap<Text, (Option<Time>, Time)> = BTreeMap::new();
        for ((symbol, _), (first, last)) in &self.0 {
            let end = ends.entry(symbol.clone()).or_insert((Some(*first), *last));
            end.1 = *last;
        }
        Ends(ends)
    }
}

impl Aggregate for Spans {
    fn merge(&mut self, other: &Spans) {
        for (key, (first, last)) in &other.0 {
            let span = self.0.entry(key.clone()).or_insert((*first, *last));
            *span = (span.0.min(*first), span.1.max(*last));
        }
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}

impl Ends {
    /// How many gaps lie between the windows before and this one; remembers who was seen before.
    pub(super) fn follow(&mut self, before: &Ends) -> i64 {
        let mut gaps = 0;
        for (symbol, (_, last)) in &before.0 {
            let end = self.0.entry(symbol.clone()).or_insert((None, *last));
            gaps += i64::from(end.0.is_some_and(|first| last.plus(GAP) < first));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(times: &[(&str, i64)]) -> Spans {
        let mut spans = Spans::default();
        for (symbol, tenths) in times {
            let time = Time::from_micros(tenths * 100_000);
            spans.merge(&Spans::of(&Text::from(*symbol), time));
        }
        spans
    }

    #[test]
    fn a_gap_is_more_than_five_seconds_between_records_of_one_symbol() {
        let check = |times: &[(&str, i64)], expect| {
            assert_eq!(spans(times).gaps(), expect, "{times:?}");
            let mut reversed = times.to_vec();
            reversed.reverse();
            assert_eq!(spans(&reversed).gaps(), expect, "{times:?}");
        };
        check(&[], 0);
        check(&[("a", 1)], 0);
        check(&[("a", 1), ("a", 51)], 0);
        check(&[("a", 1), ("a", 52)], 1);
        check(&[("a", 1), ("a", 9), ("a", 52), ("a", 58)], 0);
        check(&[("a", 1), ("b", 30), ("a", 60), ("b", 90), ("a", 200)], 3);
    }

    #[test]
    fn gaps_go_on_over_windows_without_the_symbol() {
        let mut second = spans(&[("a", 652)]).ends();
        assert_eq!(second.follow(&spans(&[("a", 1), ("a", 601), ("b", 10)]).ends()), 1);
        let mut third = spans(&[("b", 1_300)]).ends();
        assert_eq!(third.follow(&second), 1);
        let mut fourth = spans(&[("a", 1_900), ("b", 1_350)]).ends();
        assert_eq!(fourth.follow(&third), 1, "a was silent, b was not");
    }
}
