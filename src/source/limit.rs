//! How fast a partition may be read: `max_rate_per_partition` and `max_offsets_per_trigger`.
//!
//! ```text
//! max_offsets_per_trigger = 10, four partitions
//!   interval     p0 p1 p2 p3
//!          0      3  3  2  2     the sum is never more, whoever reads which partition,
//!          1      2  2  3  3     and what does not divide goes round
//! ```
//!
//! A share that its partition does not use is lost: no partition waits for what others do. Time
//! comes in as an argument. What is read, and not how fast, decides about rows.

use std::time::Duration;

/// The limits of the partitions of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// `max_rate_per_partition`: records a second.
    pub rate_max: Option<u64>,
    /// `max_offsets_per_trigger`.
    pub trigger_max: Option<TriggerMax>,
}

/// `max_offsets_per_trigger`: so many records of all partitions together, per interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerMax {
    /// How many.
    pub records: u64,
    /// The least `trigger_interval` of the sinks of the views that read the source; an epoch if
    /// none has one. Intervals follow each other from the start of the process on.
    pub interval: Duration,
}

/// What was taken from a partition so far.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    opened: Duration,
    records: u64,
    /// Number of the interval in which records were taken last, and how many in it.
    interval: (u64, u64),
}

impl Rates {
    /// How many records one partition of so many may give now, at least one.
    ///
    /// # Errors
    ///
    /// None: for how long, at most; it may be asked again before.
    pub fn allow(&self, taken: &Taken, part: (u32, u32), now: Duration) -> Result<usize, Duration> {
        let early = self.early(taken, now);
        if !early.is_zero() {
            return Err(early.min(Duration::from_secs(1)));
        }
        let Some(max) = self.trigger_max else { return Ok(usize::MAX) };
        let interval = max.number(now);
        let used = if interval == taken.interval.0 { taken.interval.1 } else { 0 };
        match max.share(part, interval).saturating_sub(used) {
            0 => Err(max.begin(interval + 1).saturating_sub(now)),
            left => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
        }
    }

    /// Notes that a partition gave records.
    pub fn note(&self, taken: &mut Taken, records: usize, now: Duration) {
        taken.records += records as u64;
        if let Some(max) = self.trigger_max {
            let interval = max.number(now);
            if interval != taken.interval.0 {
                taken.interval = (interval, 0);
            }
            taken.interval.1 += records as u64;
        }
    }

    /// Records of a batch at most: a tenth of a second at a time, so that a low rate does not come
    /// in bursts.
    pub fn batch_max(&self) -> usize {
        self.rate_max.map_or(usize::MAX, |rate| (rate / 10).max(1) as usize)
    }

    /// How long before its rate allows what was taken.
    fn early(&self, taken: &Taken, now: Duration) -> Duration {
        let Some(rate) = self.rate_max else { return Duration::ZERO };
        let due = taken.records as f64 / rate as f64;
        let early = due - now.saturating_sub(taken.opened).as_secs_f64();
        Duration::try_from_secs_f64(early.max(0.0)).unwrap_or(Duration::MAX)
    }
}

impl TriggerMax {
    /// The interval that a time since the start falls into.
    fn number(&self, now: Duration) -> u64 {
        (now.as_micros() / self.interval.as_micros().max(1)) as u64
    }

    fn begin(&self, interval: u64) -> Duration {
        Duration::from_micros(self.interval.as_micros() as u64 * interval)
    }

    /// What one of so many partitions may give in an interval.
    fn share(&self, (partition, count): (u32, u32), interval: u64) -> u64 {
        let count = u64::from(count.max(1));
        let (each, rest) = (self.records / count, self.records % count);
        // The extra records begin where those of the interval before ended.
        let first = (interval % count) * rest % count;
        let place = (u64::from(partition) + count - first) % count;
        each + u64::from(place < rest)
    }
}

impl Taken {
    /// Nothing, of a partition that was opened then.
    pub fn new(opened: Duration) -> Taken {
        Taken { opened, records: 0, interval: (0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{millis, seconds};

    fn trigger(records: u64, interval: Duration) -> Rates {
        Rates { rate_max: None, trigger_max: Some(TriggerMax { records, interval }) }
    }

    #[test]
    fn shares_add_up_to_the_limit_and_go_round() {
        for records in 1..40 {
            for count in 1..12 {
                let max = TriggerMax { records, interval: seconds(1) };
                let mut given = vec![0; count as usize];
                for interval in 0..u64::from(count) {
                    let shares =
                        (0..count).map(|partition| max.share((partition, count), interval));
                    let shares: Vec<u64> = shares.collect();
                    assert_eq!(shares.iter().sum::<u64>(), records, "{records} {count} {interval}");
                    given.iter_mut().zip(shares).for_each(|(given, share)| *given += share);
                }
                // After as many intervals as there are partitions, all had the same.
                assert!(
                    given.iter().all(|given| *given == records),
                    "{records} {count}: {given:?}"
                );
            }
        }
    }

    /// Greedy partitions, polled every 7 ms, with batches of at most 9: what each interval of two
    /// seconds takes.
    fn greedy(rates: Rates, count: u32) -> Vec<usize> {
        let mut taken: Vec<Taken> = (0..count).map(|_| Taken::new(Duration::ZERO)).collect();
        let mut intervals = vec![0; 10];
        for step in 0..20_000 / 7 {
            let now = millis(step * 7);
            for (partition, taken) in taken.iter_mut().enumerate() {
                if let Ok(allowed) = rates.allow(taken, (partition as u32, count), now) {
                    assert!(0 < allowed);
                    rates.note(taken, allowed.min(9), now);
                    intervals[(step * 7 / 2_000) as usize] += allowed.min(9);
                }
            }
        }
        intervals
    }

    #[test]
    fn every_interval_takes_the_limit_from_the_first_on_and_no_more() {
        assert_eq!(greedy(trigger(100, seconds(2)), 3), [100; 10]);
        assert_eq!(greedy(trigger(2, seconds(2)), 5), [2; 10]);
        assert_eq!(greedy(trigger(1, seconds(2)), 1), [1; 10]);
    }

    #[test]
    fn a_pause_ends_with_the_interval() {
        let rates = trigger(10, seconds(2));
        let mut taken = Taken::new(Duration::ZERO);
        assert_eq!(rates.allow(&taken, (0, 1), millis(4_100)), Ok(10));
        rates.note(&mut taken, 4, millis(4_100));
        assert_eq!(rates.allow(&taken, (0, 1), millis(4_200)), Ok(6));
        rates.note(&mut taken, 6, millis(4_200));
        assert_eq!(rates.allow(&taken, (0, 1), millis(4_500)), Err(millis(1_500)));
        assert_eq!(rates.allow(&taken, (0, 1), millis(6_000)), Ok(10));
    }

    #[test]
    fn a_rate_is_kept_beside_the_limit_of_the_trigger() {
        let check = |rate_max, records, expect: usize| {
            let trigger_max = Some(TriggerMax { records, interval: seconds(2) });
            let total: usize =
                greedy(Rates { rate_max: Some(rate_max), trigger_max }, 2).iter().sum();
            // Twenty seconds, and a batch that may begin just before the end.
            assert!(total.abs_diff(expect) <= 2 * 9, "{rate_max} {records}: {total}");
        };
        check(10, 1_000, 2 * 20 * 10);
        check(1_000, 20, 10 * 20);
        assert_eq!(
            Rates::default().allow(&Taken::new(seconds(1)), (0, 1), seconds(1)),
            Ok(usize::MAX)
        );
    }
}
