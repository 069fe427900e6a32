//! The rows of synthetic windows and the records that no window takes, computed event by event from
//! the rule alone, with nothing of an engine: no watermark, window or aggregate of Highwater.

use std::collections::{BTreeMap, BTreeSet};

use highwater::hash::{FixedMap, FixedSet};

use super::{PARTITIONS, Plan};

/// What every engine must make of a plan. Each event is in all of its windows, or in those that
/// were still open, or it is refused: nothing else.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// By the begin of the window, in milliseconds since 1970, and the key.
    pub rows: FixedMap<(i64, i64), Values>,
    /// Records that no window takes, by partition and offset.
    pub refused: FixedSet<(u32, i64)>,
    /// Pairs of a record and a window that was closed before it came, those of refused records with
    /// them.
    pub closed_pairs: u64,
    /// Where the last window begins.
    pub last_start: i64,
}

/// The row of a window and key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Events.
    pub events: i64,
    /// The sum of their values.
    pub sum: i64,
    /// How many different values they have.
    pub distinct: i64,
}

/// An event that some windows take, of which the first begins at `from_ms`.
struct Taken {
    key: i64,
    from_ms: i64,
    at_ms: i64,
    value: i64,
}

impl Plan {
    /// The rows of the plan, and what is refused. A window is closed to a partition once the
    /// greatest time of an earlier event of that partition is as far beyond its end as events may
    /// be out of order.
    pub fn answer(&self) -> Answer {
        let (size, slide) = (self.shape.size_ms, self.shape.slide_ms);
        let mut answer = Answer { last_start: i64::MIN, ..Answer::default() };
        let mut greatest = [None; PARTITIONS as usize];
        let mut taken = Vec::new();
        for n in 0..self.events {
            let facts = self.facts(n);
            let (partition, offset) = (n % u64::from(PARTITIONS), n / u64::from(PARTITIONS));
            let last = facts.at_ms.div_euclid(slide) * slide;
            let first = last - size + slide;
            let seen: &mut Option<i64> = &mut greatest[partition as usize];
            let mut open = first;
            if let Some(seen) = *seen {
                while open <= last && open + size <= seen - self.shape.disorder_ms {
                    open += slide;
                }
            }
            answer.closed_pairs += ((open - first) / slide) as u64;
            *seen = (*seen).max(Some(facts.at_ms));
            if last < open {
                answer.refused.insert((partition as u32, offset as i64));
                continue;
            }
            answer.last_start = answer.last_start.max(last);
            let (key, at_ms, value) = (facts.key, facts.at_ms, facts.value);
            taken.push(Taken { key, from_ms: open, at_ms, value });
        }
        taken.sort_unstable_by_key(|event| event.key);
        for events in taken.chunk_by(|one, other| one.key == other.key) {
            let key = events[0].key;
            for (start, values) in by_window(events, slide) {
                let events = values.len() as i64;
                let sum = values.iter().sum();
                let distinct = values.into_iter().collect::<BTreeSet<i64>>().len() as i64;
                answer.rows.insert((start, key), Values { events, sum, distinct });
            }
        }
        answer
    }
}

/// The values of each window of a key.
fn by_window(events: &[Taken], slide: i64) -> BTreeMap<i64, Vec<i64>> {
    let mut windows: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for event in events {
        let mut start = event.from_ms;
        while start <= event.at_ms {
            windows.entry(start).or_default().push(event.value);
            start += slide;
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    /// Each event, and each pair of an event and a window, is accounted for.
    #[test]
    fn the_ledger_adds_up() {
        let mut refused = Vec::new();
        for parameters in [
            "late=0 disorder=2s size=4s slide=4s keys=10",
            "late=0 disorder=2s size=4s slide=1s keys=10",
            "late=0.05 disorder=2s size=4s slide=4s keys=10",
            "late=0.05 disorder=2s size=4s slide=1s keys=1000 skew=1",
            "late=0.2 disorder=0s size=4s slide=2s keys=10",
        ] {
            let shape: Shape = parameters.parse().unwrap();
            let plan = Plan::backlog(1, 20_000, 500, shape);
            let answer = plan.answer();
            let counted: i64 = answer.rows.values().map(|row| row.events).sum();
            let pairs = plan.events as i64 * shape.overlap();
            assert_eq!(counted + answer.closed_pairs as i64, pairs, "{parameters}");
            assert!(answer.rows.values().all(|row| 0 < row.distinct && row.distinct <= row.events));
            // A refused record is refused by all of its windows.
            let whole = answer.refused.len() as u64 * shape.overlap() as u64;
            assert!(whole <= answer.closed_pairs, "{parameters}");
            assert_eq!(whole == answer.closed_pairs, shape.overlap() == 1 || whole == 0);
            refused.push(answer.refused.len());
        }
        assert_eq!(refused[..2], [0, 0], "what is only out of order is in time");
        assert!((300..1_000).contains(&refused[2]), "{refused:?}");
        assert!(refused[2..].iter().all(|refused| 0 < *refused), "{refused:?}");
    }

    /// Every window is looked at for every event, one after another.
    #[test]
    fn an_event_is_in_the_windows_that_hold_it_and_have_not_closed() {
        let shape: Shape = "late=0.1 disorder=1s size=6s slide=2s keys=3".parse().unwrap();
        let plan = Plan::backlog(7, 3_000, 100, shape);
        let mut rows: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
        let start = plan.place_ms(0) - 20_000;
        for partition in 0..4 {
            let mut watermark = i64::MIN;
            for n in (partition..3_000).step_by(4) {
                let facts = plan.facts(n);
                for number in 0..40 {
                    let (from, to) = (start + 2_000 * number, start + 2_000 * number + 6_000);
                    if (from..to).contains(&facts.at_ms) && watermark < to {
                        rows.entry((from, facts.key)).or_default().push(facts.value);
                    }
                }
                watermark = watermark.max(facts.at_ms - 1_000);
            }
        }
        let answer = plan.answer();
        assert_eq!(answer.rows.len(), rows.len());
        for (place, mut values) in rows {
            let (events, sum) = (values.len() as i64, values.iter().sum());
            values.sort_unstable();
            values.dedup();
            let expected = Values { events, sum, distinct: values.len() as i64 };
            assert_eq!(answer.rows.get(&place), Some(&expected), "{place:?}");
        }
    }
}
