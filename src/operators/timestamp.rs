//! The timestamp of the inner scope: tick and event time.

use timely::order::{PartialOrder, Product, TotalOrder};
use timely::progress::Timestamp;
use timely::progress::timestamp::PathSummary;

use crate::time::Millis;

/// (tick, event time): the event coordinate of a frontier is the watermark.
pub type Event = Product<u64, Millis>;

impl PartialOrder for Millis {
    fn less_equal(&self, other: &Millis) -> bool {
        self <= other
    }
}

impl TotalOrder for Millis {}

/// What a path does to an event time: nothing, as no edge of the graph moves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Still;

impl PartialOrder for Still {
    fn less_equal(&self, _other: &Still) -> bool {
        true
    }
}

impl PathSummary<Millis> for Still {
    fn results_in(&self, time: &Millis) -> Option<Millis> {
        Some(*time)
    }

    fn followed_by(&self, _other: &Still) -> Option<Still> {
        Some(Still)
    }
}

impl Timestamp for Millis {
    type Summary = Still;

    fn minimum() -> Millis {
        Millis::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_for_sorting_extends_the_partial_order() {
        let at = |tick, millis| Product::new(tick, Millis(millis));
        let all: Vec<Event> =
            [0, 1, 2].iter().flat_map(|tick| [-1, 0, 1].map(|millis| at(*tick, millis))).collect();
        for a in &all {
            for b in &all {
                assert!(!a.less_equal(b) || a <= b, "{a:?} and {b:?}");
            }
        }
        assert_eq!(Event::minimum(), Product::new(0, Millis::MIN));
    }
}
