//! The plan of a run: when record *n* is due, which time it carries, what is wrong with it.
//!
//! Everything is a function of the record's number. With bursts, the run is a series of periods
//! that are all alike but for the place of the burst, so the due time has a closed form:
//!
//! ```text
//! rate ×20            ┌────┐                        ┌────┐
//! rate     ───────────┘    └────────┬───────────────┘    └────┬───
//!          ◄──────── period ───────►◄──────── period ────────►
//! ```

use std::time::Duration;

use highwater::dataset::{Fault, Generator, GeneratorOptions, Made};
use highwater::error::{Error, Result};
use highwater::time::{Time, micros};

use crate::random::{Random, hash, unit};

/// How many times the rate a burst has.
pub(crate) const BURST_FACTOR: f64 = 20.0;
/// How long a burst is, in seconds.
pub(crate) const BURST_SECONDS: f64 = 30.0;
/// How far back a repeated record may lie, in records of its partition.
const REPEAT_MAX: u64 = 100;
/// How far ahead of its place a record from the future is, in microseconds.
const AHEAD: i64 = 3_600_000_000;

/// Salts that keep the random numbers of one purpose apart from those of another.
const FAULT: u64 = 0xfa17;
const SHAPE: u64 = 0x5a9e;
const SHIFT: u64 = 0x5417;
const BURST: u64 = 0xb125;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    seed: u64,
    start: Time,
    rate: f64,
    speed: f64,
    bursts: Option<Bursts>,
    /// Greatest delay of a record that is in disorder, and of a late one, in microseconds.
    disorder: u64,
    late_by: u64,
    /// Each fault with the end of its part of 0 to 1.
    faults: [(Fault, f64); 6],
}

/// Bursts: one in each period, or a single one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bursts {
    /// How many in an hour; 0 is none, or only the first.
    pub(crate) per_hour: f64,
    /// How long after the start the first one begins; else at random.
    pub(crate) first: Option<Duration>,
}

impl Bursts {
    /// Seconds of a period.
    fn period(&self) -> f64 {
        3_600.0 / self.per_hour
    }

    fn check(self) -> Result<Option<Bursts>> {
        let Bursts { per_hour, first } = self;
        if !(0.0..=60.0).contains(&per_hour) {
            let message = format!("`spikes` is {per_hour}, but a burst lasts {BURST_SECONDS} s");
            return Err(Error::config(message).hint("write 0 to 60 bursts an hour"));
        }
        let room = self.period() - BURST_SECONDS;
        if first.is_some_and(|first| room < first.as_secs_f64()) {
            let message = format!("`burst` is later than the first burst of {per_hour} an hour");
            return Err(Error::config(message).hint(format!("write {room} s or less")));
        }
        Ok((0.0 < per_hour || first.is_some()).then_some(self))
    }

    /// Seconds from the start at which a record is due that would be due at `steady` without
    /// bursts.
    fn seconds(&self, seed: u64, steady: f64) -> f64 {
        const EXTRA: f64 = BURST_SECONDS * (BURST_FACTOR - 1.0);
        let (index, within) = if 0.0 < self.per_hour {
            let records = self.period() + EXTRA;
            let index = (steady / records).floor();
            (index, (steady - index * records).clamp(0.0, records))
        } else {
            (0.0, steady)
        };
        let begin = match self.first {
            Some(first) if index == 0.0 => first.as_secs_f64(),
            _ => unit(hash(seed ^ BURST, index as u64)) * (self.period() - BURST_SECONDS),
        };
        let before = if index == 0.0 { 0.0 } else { index * self.period() };
        let in_burst = (within - begin).clamp(0.0, BURST_SECONDS * BURST_FACTOR);
        before + within - in_burst + in_burst / BURST_FACTOR
    }
}

impl Plan {
    /// The plan of a run; `rate` is the data set's own.
    ///
    /// # Errors
    ///
    /// Bursts that do not fit their period (exit 65).
    pub(crate) fn new(options: &GeneratorOptions, rate: f64, bursts: Bursts) -> Result<Plan> {
        use Fault::*;
        let mut end = 0.0;
        let faults = options.faults.shares().map(|(name, share)| {
            let fault = match name {
                "late" => Late,
                "duplicates" => Duplicate,
                "bad_json" => BadJson,
                "null_fields" => NullField,
                "no_time" => NoTime,
                _ => Future,
            };
            end += share;
            (fault, end)
        });
        Ok(Plan {
            seed: options.seed,
            start: options.start,
            rate: options.rate.unwrap_or(rate),
            speed: options.speed,
            bursts: bursts.check()?,
            disorder: micros(options.faults.disorder) as u64,
            late_by: micros(options.faults.late_by) as u64,
            faults,
        })
    }

    /// Random numbers for the content of a record.
    #[inline]
    pub(crate) fn random(&self, number: u64) -> Random {
        Random::new(self.seed, number)
    }

    /// Random bits for how the fault of a record looks.
    #[inline]
    pub(crate) fn shape(&self, number: u64) -> u64 {
        hash(self.seed ^ SHAPE, number)
    }

    /// When a record is due.
    #[inline]
    pub(crate) fn due(&self, number: u64) -> Time {
        Time::from_micros(self.start.micros().saturating_add(self.elapsed(number)))
    }

    /// Microseconds from the start to a record's due time.
    #[inline]
    fn elapsed(&self, number: u64) -> i64 {
        let steady = number as f64 / self.rate;
        let seconds = match &self.bursts {
            None => steady,
            Some(bursts) => bursts.seconds(self.seed, steady),
        };
        (seconds * 1e6) as i64
    }

    /// What is wrong with a record.
    #[inline]
    pub(crate) fn fault(&self, number: u64) -> Option<Fault> {
        if self.faults[5].1 == 0.0 {
            return None;
        }
        let place = unit(hash(self.seed ^ FAULT, number));
        self.faults.iter().find(|(_, end)| place < *end).map(|(fault, _)| *fault)
    }

    /// Which record a record with [`Fault::Duplicate`] repeats, among those of its partition, of
    /// which there are `partitions`; none if none before it is without a fault.
    pub(crate) fn repeated(&self, number: u64, partitions: u64) -> Option<u64> {
        let back = 1 + self.shape(number) % REPEAT_MAX;
        let mut earlier = number.saturating_sub(back * partitions);
        if number < back * partitions {
            earlier = number % partitions;
        }
        while earlier < number && self.fault(earlier).is_some() {
            earlier += partitions;
        }
        (earlier < number).then_some(earlier)
    }

    /// The event time that a record has before anything shifts it.
    #[inline]
    pub(crate) fn planned(&self, number: u64) -> Time {
        let elapsed = (self.elapsed(number) as f64 * self.speed) as i64;
        Time::from_micros(self.start.micros().saturating_add(elapsed))
    }

    /// The event time of a record.
    #[inline]
    pub(crate) fn time(&self, number: u64, fault: Option<Fault>) -> Time {
        let planned = self.planned(number).micros();
        let shifted = match fault {
            Some(Fault::Future) => planned.saturating_add(AHEAD),
            Some(Fault::Late) => {
                let more = self.delay(number, self.late_by);
                planned.saturating_sub(self.late_by as i64).saturating_sub(more)
            }
            _ if self.disorder == 0 => planned,
            _ => planned.saturating_sub(self.delay(number, self.disorder)),
        };
        Time::from_micros(shifted)
    }

    fn delay(&self, number: u64, most: u64) -> i64 {
        Random::new(self.seed ^ SHIFT, number).below(most.saturating_add(1)) as i64
    }
}

/// What a data set adds to a plan: the content of a record.
pub(crate) trait Fill: Send + Sync {
    /// Writes topic, partition, time, key and value of a record; key and value are empty before.
    fn fill(&self, number: u64, fault: Option<Fault>, made: &mut Made);
}

/// A generator: a plan, and what fills its records.
pub(crate) struct Planned<F> {
    plan: Plan,
    /// A repetition lies a multiple of so many records behind what it repeats.
    step: u64,
    content: F,
}

impl<F: Fill> Planned<F> {
    pub(crate) fn new(plan: Plan, partitions: u32, content: F) -> Planned<F> {
        Planned { plan, step: u64::from(partitions), content }
    }
}

impl<F: Fill> Generator for Planned<F> {
    fn make(&self, number: u64, made: &mut Made) {
        made.key.clear();
        made.value.clear();
        made.due = self.plan.due(number);
        made.fault = self.plan.fault(number);
        // A repetition is made again, whole and without a fault of its own.
        let content = match made.fault {
            Some(Fault::Duplicate) => self.plan.repeated(number, self.step),
            _ => Some(number),
        };
        if content.is_none() {
            made.fault = None;
        }
        let fault = made.fault.filter(|fault| *fault != Fault::Duplicate);
        self.content.fill(content.unwrap_or(number), fault, made);
    }
}

#[cfg(test)]
mod tests;
