//! Random cases: a job, its logs and their delivery, all from one seed.
//!
//! Times are drawn where mistakes are: at the borders of windows, at the watermark, at the distance
//! of a gap from the event before, each a millisecond or a microsecond off, around 1970 and around
//! 2026. `HIGHWATER_SEED=17` in the environment runs that one case; see [`seeds`].

use std::fmt;

use super::job::{
    End, Filter, Job, Kind, Partition, Record, Rule, Source, View, Windowed, floor_ms,
};

/// A job, how its logs arrive, and how it ends.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// Where it comes from; a shrunk case keeps the seed that it was shrunk from.
    pub(crate) seed: u64,
    /// For the engine alone: decides which partition delivers its next poll.
    pub(crate) interleaving: u64,
    /// How it ends.
    pub(crate) end: End,
    /// What runs.
    pub(crate) job: Job,
}

/// The seeds to run: the one in `HIGHWATER_SEED`, else 0 to `count`.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("HIGHWATER_SEED") {
        Ok(seed) => vec![seed.parse().expect("HIGHWATER_SEED is a whole number")],
        Err(_) => (0..count).collect(),
    }
}

/// One distance off a border, in microseconds.
pub(crate) const NUDGES_US: [i64; 5] = [-1_000, -1, 0, 1, 1_000];

impl Case {
    /// The case of a seed: always the same.
    pub(crate) fn random(seed: u64) -> Case {
        let mut random = Random(seed);
        let scale_us = random.pick(&[1_000, 10_000, 1_000_000, 60_000_000]);
        let base_us = random.pick(&[0, 0, -20 * scale_us, 1_767_225_600_000_000]);
        let forget_after_us = random.pick(&[3 * scale_us, 12 * scale_us, 86_400_000_000]);
        let mut job = Job { sources: vec![], windows: vec![], views: vec![], forget_after_us };
        for _ in 0..random.pick(&[1, 1, 2]) {
            job.sources.push(random.source(scale_us));
        }
        for _ in 0..random.pick(&[1, 1, 2, 3, 4]) {
            random.view(&mut job, scale_us);
        }
        random.read_all(&mut job, scale_us);
        for source in 0..job.sources.len() {
            for _ in 0..random.pick(&[1, 1, 2, 3, 4]) {
                let partition = random.partition(&job, source, base_us, scale_us);
                job.sources[source].partitions.push(partition);
            }
        }
        let end = if random.chance(40) { End::Stopped } else { End::Finished };
        Case { seed, interleaving: random.next(), end, job }
    }
}

/// A generator of numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }

    /// A source without partitions.
    fn source(&mut self, scale_us: i64) -> Source {
        let scales = self.between(1, 10) * scale_us;
        let off = self.pick(&[0, 0, 1, 500]);
        Source {
            delay_us: self.pick(&[0, 0, 1_000, 500, scale_us, 3 * scale_us, scales + off]),
            rule: if self.chance(65) { Rule::Window } else { Rule::Strict },
            dedup_us: self.chance(35).then_some(scales + off),
            future_skew_us: self.chance(30).then_some(2 * scales + off),
            partitions: Vec::new(),
        }
    }

    /// Adds a view, and the windows it needs.
    fn view(&mut self, job: &mut Job, scale_us: i64) {
        let view = match self.between(0, 99) {
            0..45 => View::Rows { of: self.windowed(job, scale_us) },
            45..60 => {
                let (left, right) = self.pair(job, scale_us);
                View::LeftJoin { left, right }
            }
            60..70 => {
                let (left, right) = self.pair(job, scale_us);
                View::Join { left, right }
            }
            70..92 => View::Trailing {
                of: self.windowed(job, scale_us),
                rows: self.between(1, 4) as usize,
            },
            _ => View::Raw { source: self.index(job.sources.len()), filter: self.filter() },
        };
        job.views.push(view);
    }

    /// Windows that are there already, or new ones.
    fn windowed(&mut self, job: &mut Job, scale_us: i64) -> usize {
        if !job.windows.is_empty() && self.chance(30) {
            return self.index(job.windows.len());
        }
        let kind = if self.chance(25) {
            let gap_us = self.between(1, 5) * scale_us + self.pick(&[0, 0, 1, 500, -1]);
            Kind::Session { gap_us }
        } else {
            self.fixed(scale_us)
        };
        self.push(job, kind)
    }

    /// Two sides of a join.
    fn pair(&mut self, job: &mut Job, scale_us: i64) -> (usize, usize) {
        let kind = self.fixed(scale_us);
        (self.push(job, kind), self.push(job, kind))
    }

    fn push(&mut self, job: &mut Job, kind: Kind) -> usize {
        let all = (0..job.sources.len()).collect();
        let sources = if self.chance(20) { all } else { vec![self.index(job.sources.len())] };
        job.windows.push(Windowed { sources, filter: self.filter(), kind });
        job.windows.len() - 1
    }

    /// Tumbling or sliding windows; odd lengths only where the slices stay below 1,000.
    fn fixed(&mut self, scale_us: i64) -> Kind {
        let odd_us = if scale_us <= 10_000 { self.pick(&[0, 0, 1_000, 3_000]) } else { 0 };
        let slides = self.between(1, 12);
        let size_us = self.between(slides, 12) * scale_us + odd_us;
        let offset_us = self.pick(&[0, 0, 0, 1_000, scale_us, size_us + 1_000]);
        if self.chance(50) {
            Kind::Tumbling { size_us, offset_us }
        } else {
            Kind::Sliding { size_us, slide_us: slides * scale_us, offset_us }
        }
    }

    fn filter(&mut self) -> Option<Filter> {
        let modulus = self.between(2, 4);
        let remainder = self.between(0, modulus - 1);
        self.chance(40).then_some(Filter { modulus, remainder })
    }

    fn index(&mut self, len: usize) -> usize {
        (self.next() % len as u64) as usize
    }

    /// Gives every source that nobody reads a view.
    fn read_all(&mut self, job: &mut Job, scale_us: i64) {
        for source in 0..job.sources.len() {
            let windowed = job.windows.iter().any(|windowed| windowed.sources.contains(&source));
            let raw = |view: &View| matches!(view, View::Raw { source: of, .. } if *of == source);
            if !windowed && !job.views.iter().any(raw) {
                let kind = self.fixed(scale_us);
                job.windows.push(Windowed { sources: vec![source], filter: self.filter(), kind });
                job.views.push(View::Rows { of: job.windows.len() - 1 });
            }
        }
    }

    /// The log of a partition, and its polls.
    fn partition(&mut self, job: &Job, source: usize, base_us: i64, scale_us: i64) -> Partition {
        let of = &job.sources[source];
        let kinds: Vec<Kind> = job
            .windows
            .iter()
            .filter(|windowed| windowed.sources.contains(&source))
            .map(|windowed| windowed.kind)
            .collect();
        let step_us = self.pick(&[scale_us / 4, scale_us, 3 * scale_us]);
        let most = self.pick(&[4, 15, 60]);
        let mut log = Log { clock_us: base_us, last_us: base_us, greatest_us: base_us };
        let mut partition = Partition::default();
        for _ in 0..if self.chance(8) { 0 } else { self.between(0, most) } {
            let time_us = self.time(&mut log, of, &kinds, step_us, scale_us);
            let record = self.record(&partition.records, of, time_us, scale_us);
            partition.records.push(record);
        }
        for _ in 0..self.between(0, 12) {
            partition.batches.push(self.pick(&[0, 1, 1, 2, 3, 7, 20]));
        }
        partition
    }

    /// The next event time: in order, in disorder, or at a border.
    fn time(
        &mut self,
        log: &mut Log,
        of: &Source,
        kinds: &[Kind],
        step_us: i64,
        scale_us: i64,
    ) -> i64 {
        let nudge_us = self.pick(&NUDGES_US);
        let time_us = match self.between(0, 99) {
            0..40 => {
                log.clock_us += self.between(0, 2 * step_us);
                let grain_us = self.pick(&[1, 1_000, scale_us]);
                log.clock_us.div_euclid(grain_us) * grain_us
            }
            40..55 => log.clock_us - self.between(0, of.delay_us + 12 * scale_us),
            55..75 if !kinds.is_empty() => {
                let kind = self.pick(kinds);
                self.border(log, kind) + nudge_us
            }
            75..88 => floor_ms(log.greatest_us - of.delay_us) * 1_000 + nudge_us,
            88..96 => log.last_us + of.dedup_us.unwrap_or(scale_us) + nudge_us,
            96..98 => log.clock_us - 100 * scale_us,
            98 if self.chance(30) => log.clock_us + 200 * scale_us,
            _ => log.last_us,
        };
        log.last_us = time_us;
        log.greatest_us = log.greatest_us.max(time_us);
        time_us
    }

    /// A time at which a window begins or ends, or a session would.
    fn border(&mut self, log: &Log, kind: Kind) -> i64 {
        let (size, slide, offset) = match kind {
            Kind::Tumbling { size_us, offset_us } => (size_us, size_us, offset_us),
            Kind::Sliding { size_us, slide_us, offset_us } => (size_us, slide_us, offset_us),
            Kind::Session { gap_us } => return log.last_us + self.pick(&[-gap_us, gap_us]),
        };
        let number = (log.clock_us - offset).div_euclid(slide) + self.between(-1, 1);
        number * slide + offset + self.pick(&[0, size])
    }

    /// A record at a time, or one without.
    fn record(&mut self, past: &[Record], of: &Source, time_us: i64, scale_us: i64) -> Record {
        let known = past.iter().rev().nth(self.between(0, 6) as usize).and_then(|record| record.id);
        let id = match self.between(0, 9) {
            0 => None,
            1..4 if known.is_some() => known,
            _ => Some(past.len() as u64),
        };
        let behind_us = match (of.future_skew_us, self.between(0, 9)) {
            (Some(skew), 0..2) => skew + self.pick(&NUDGES_US),
            (Some(skew), 2) => skew + scale_us,
            _ => self.between(-scale_us, scale_us),
        };
        let value = if self.chance(4) { self.between(0, 1 << 50) } else { self.between(0, 40) };
        Record {
            time_us: match self.between(0, 999) {
                0..25 => None,
                25..30 => Some(self.pick(&ILLEGAL_US)),
                30 => Some(self.pick(&EXTREME_US)),
                _ => Some(time_us),
            },
            key: (!self.chance(10)).then_some(self.pick(&[0, 0, 0, 1, 2, 7])),
            value: value - self.pick(&[0, 20, 1 << 49]) * i64::from(self.chance(50)),
            id,
            record_time_us: (!self.chance(20)).then_some(time_us - behind_us),
        }
    }
}

/// Where the generator stands in a partition.
struct Log {
    clock_us: i64,
    last_us: i64,
    greatest_us: i64,
}

/// Outside the years 1 to 9999.
const ILLEGAL_US: [i64; 4] = [i64::MIN, -62_135_596_800_000_001, 253_402_300_800_000_000, i64::MAX];

/// The ends of the years 1 to 9999.
const EXTREME_US: [i64; 2] = [-62_135_596_800_000_000, 253_402_300_799_999_999];

/// Prints the case a record a line, times in microseconds, with the seed that repeats it.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "HIGHWATER_SEED={}", self.seed)?;
        writeln!(f, "{:?}, interleaving {}", self.end, self.interleaving)?;
        for (number, source) in self.job.sources.iter().enumerate() {
            write!(f, "source {number}: delay {} us, {:?}", source.delay_us, source.rule)?;
            option(f, ", dedup", source.dedup_us)?;
            option(f, ", future skew", source.future_skew_us)?;
            writeln!(f)?;
            for (number, partition) in source.partitions.iter().enumerate() {
                writeln!(f, "  partition {number}: batches {:?}", partition.batches)?;
                for (offset, record) in partition.records.iter().enumerate() {
                    write!(f, "    {offset}: value {}", record.value)?;
                    option(f, ", time", record.time_us)?;
                    option(f, ", key", record.key)?;
                    option(f, ", id", record.id)?;
                    option(f, ", record time", record.record_time_us)?;
                    writeln!(f)?;
                }
            }
        }
        for (number, Windowed { sources, filter, kind }) in self.job.windows.iter().enumerate() {
            writeln!(f, "windows {number}: {kind:?} over {sources:?}, {}", Kept(filter))?;
        }
        for (number, view) in self.job.views.iter().enumerate() {
            match view {
                View::Rows { of } => writeln!(f, "view {number}: rows of windows {of}")?,
                View::Join { left, right } => {
                    writeln!(f, "view {number}: windows {left} join windows {right}")?;
                }
                View::LeftJoin { left, right } => {
                    writeln!(f, "view {number}: windows {left} left join windows {right}")?;
                }
                View::Trailing { of, rows } => {
                    let after_us = self.job.forget_after_us;
                    writeln!(
                        f,
                        "view {number}: trailing {rows} of windows {of}, for {after_us} us"
                    )?;
                }
                View::Raw { source, filter } => {
                    writeln!(f, "view {number}: raw source {source}, {}", Kept(filter))?;
                }
            }
        }
        Ok(())
    }
}

/// What passes a filter, in words.
struct Kept<'a>(&'a Option<Filter>);

impl fmt::Display for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("all values"),
            Some(Filter { modulus, remainder }) => {
                write!(f, "values with remainder {remainder} mod {modulus}")
            }
        }
    }
}

fn option(f: &mut fmt::Formatter<'_>, name: &str, value: Option<impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, "{name} {value}"))
}

#[cfg(test)]
mod tests;
