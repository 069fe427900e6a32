//! How many people watch a stream: a random walk of which any point can be found at once.
//!
//! A walk that is made step by step could not be entered in the middle. This one is a sum of
//! smooth noises with periods from ten seconds to an hour: slow tides, faster waves, and now and
//! then a raid that comes at once and ebbs away.

use highwater::time::Time;

use crate::random::{hash, unit};

/// Periods in microseconds, and how far each moves the count, as a share of its base.
const WAVES: [(i64, f64); 4] =
    [(3_600_000_000, 0.40), (600_000_000, 0.25), (60_000_000, 0.10), (10_000_000, 0.03)];

/// In each span of so many microseconds there may be a raid, which ebbs away within the span.
const RAID_SPAN: i64 = 300_000_000;
const RAID_SHARE: f64 = 0.2;

/// Fewest viewers of a stream.
const FLOOR: i64 = 10;

/// The audience of one stream.
#[derive(Clone, Debug)]
pub(super) struct Audience {
    seed: u64,
    base: f64,
    /// Followers of the channel; they do not change.
    pub(super) followers: u64,
}

impl Audience {
    /// The audience of a channel, given by its index.
    pub(super) fn new(seed: u64, channel: u64) -> Audience {
        let seed = hash(seed ^ 0xa0d1, channel);
        Audience {
            seed,
            base: 100.0 + unit(hash(seed, 1)) * 1_900.0,
            followers: 10_000 + hash(seed, 2) % 490_001,
        }
    }

    /// Viewers at a time.
    #[inline]
    pub(super) fn viewers(&self, time: Time) -> u64 {
        let micros = time.micros();
        let mut level = 1.0;
        for (index, (period, height)) in WAVES.into_iter().enumerate() {
            level += height * self.noise(index as u64, micros, period);
        }
        let count = (self.base * level) as i64 + self.raid(micros);
        count.max(FLOOR) as u64
    }

    /// No count of a day is above this one.
    pub(super) fn peak(&self) -> u64 {
        let heights: f64 = WAVES.iter().map(|(_, height)| height).sum();
        (self.base * (1.0 + heights)) as u64 + 500
    }

    /// Smooth noise from -1 to 1: a curve through a random height per period.
    fn noise(&self, wave: u64, micros: i64, period: i64) -> f64 {
        let (index, within) = (micros.div_euclid(period), micros.rem_euclid(period));
        let height = |index: i64| unit(hash(self.seed ^ (wave << 32), index as u64)) * 2.0 - 1.0;
        let (from, to) = (height(index), height(index + 1));
        let x = within as f64 / period as f64;
        from + (to - from) * x * x * (3.0 - 2.0 * x)
    }

    /// Viewers that a raid brought.
    fn raid(&self, micros: i64) -> i64 {
        let bits = hash(self.seed ^ 0x4a1d, micros.div_euclid(RAID_SPAN) as u64);
        if RAID_SHARE <= unit(bits) {
            return 0;
        }
        let size = 50 + (bits % 451) as i64;
        size * (RAID_SPAN - micros.rem_euclid(RAID_SPAN)) / RAID_SPAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_moves_but_does_not_jump_and_keeps_its_limits() {
        for channel in 0..20 {
            let audience = Audience::new(7, channel);
            let counts: Vec<u64> =
                (0..7_200).map(|second| audience.viewers(Time::from_seconds(second))).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(10 <= *least && *most <= audience.peak(), "{least} to {most}");
            assert!(least + least / 5 < *most, "{least} to {most} is hardly a change");
            let raids = counts.windows(2).filter(|two| 45 < two[0].abs_diff(two[1])).count();
            assert!(raids <= 24, "{raids} jumps in two hours");
        }
    }

    #[test]
    fn audiences_differ_by_channel_and_seed() {
        let at = |seed, channel| Audience::new(seed, channel).viewers(Time::from_seconds(5));
        assert_ne!(at(1, 0), at(1, 1));
        assert_ne!(at(1, 0), at(2, 0));
    }
}
