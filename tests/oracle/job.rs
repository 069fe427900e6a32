//! A job and its logs as plain data. Times and durations are `i64` microseconds; watermarks and
//! frontiers are `i64` milliseconds. Everything refers to everything else by index.
//!
//! ```text
//! sources[s].partitions[p].records[offset] ─► windows[w] (filter, panes) ─► views[v] (rows)
//! ```

/// A whole job: its sources with their logs, its windows, and the views that have a sink.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// Each is read by at least one window or raw view.
    pub(crate) sources: Vec<Source>,
    /// Windows over sources: the `Windowed` of the API. Several views may share one.
    pub(crate) windows: Vec<Windowed>,
    /// What is written.
    pub(crate) views: Vec<View>,
    /// A larger distance between the ends of two rows of a key ends the history that
    /// [`View::Trailing`] keeps of it.
    pub(crate) forget_after_us: i64,
}

/// A source and all records that it will ever deliver.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// How far the watermark of a partition runs behind the greatest event time seen in it.
    pub(crate) delay_us: i64,
    /// What the windows over it refuse.
    pub(crate) rule: Rule,
    /// `dedup` by [`Record::id`]: how long an id is remembered.
    pub(crate) dedup_us: Option<i64>,
    /// `future_skew`: how far an event may lie ahead of [`Record::record_time_us`].
    pub(crate) future_skew_us: Option<i64>,
    /// At least one.
    pub(crate) partitions: Vec<Partition>,
}

/// The lateness rule of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A fixed window refuses an event when its end is not ahead of the watermark.
    Window,
    /// Every window refuses every event behind the watermark.
    Strict,
}

/// The log of one partition, and how it is delivered.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    /// In order; the offset of a record is its index.
    pub(crate) records: Vec<Record>,
    /// Sizes of successive polls, for the engine alone; see [`Partition::polls`]. 0 is a poll that
    /// finds nothing.
    pub(crate) batches: Vec<usize>,
}

impl Job {
    /// Per entry of `windows` the first one of those that joins connect it with, directly or not.
    /// They are one operator: they close together.
    pub(crate) fn groups(&self) -> Vec<usize> {
        let mut groups: Vec<usize> = (0..self.windows.len()).collect();
        for view in &self.views {
            if let View::Join { left, right } | View::LeftJoin { left, right } = view {
                let (one, other) = (groups[*left], groups[*right]);
                let is_either = |group: &&mut usize| **group == one || **group == other;
                groups.iter_mut().filter(is_either).for_each(|group| *group = one.min(other));
            }
        }
        groups
    }
}

impl Partition {
    /// The records of successive polls, as ranges of offsets: the sizes of `batches`, cut to what
    /// is left, then whatever is left behind the last size in one poll.
    pub(crate) fn polls(&self) -> Vec<std::ops::Range<usize>> {
        let mut polls = Vec::new();
        let mut next = 0;
        for size in self.batches.iter().copied().chain([self.records.len()]) {
            let end = (next + size).min(self.records.len());
            polls.push(next..end);
            next = end;
        }
        polls
    }
}

/// A record of a log: the wire type of the engine's side has the same five fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Event time; `None`, and what lies outside the years 1 to 9999, is undatable.
    pub(crate) time_us: Option<i64>,
    /// Group; `None` is a group of its own, which joins nothing.
    pub(crate) key: Option<u32>,
    /// What is aggregated.
    pub(crate) value: i64,
    /// What `dedup` compares; a record without an id is never a duplicate.
    pub(crate) id: Option<u64>,
    /// The service's own time; without it the guard against the future is off.
    pub(crate) record_time_us: Option<i64>,
}

impl Record {
    /// The number that the float sum adds up: a whole number below 1,024 times 2^-40, 1 or 2^40,
    /// so that a plain `f64` sum would round and an exact one must not.
    pub(crate) fn float(&self) -> f64 {
        let scale = [1.0 / (1u64 << 40) as f64, 1.0, (1u64 << 40) as f64];
        (self.value % 1_024) as f64 * scale[self.value.rem_euclid(3) as usize]
    }
}

/// One row per key and window.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Windowed {
    /// Sources, ascending; more than one is a `concat`.
    pub(crate) sources: Vec<usize>,
    /// Stands between the sources and the windows.
    pub(crate) filter: Option<Filter>,
    /// Which windows.
    pub(crate) kind: Kind,
}

/// Keeps what has `value mod modulus == remainder`, the remainder never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Above 0.
    pub(crate) modulus: i64,
    /// From 0 to below the modulus.
    pub(crate) remainder: i64,
}

impl Filter {
    /// Whether a value passes.
    pub(crate) fn keeps(&self, value: i64) -> bool {
        value.rem_euclid(self.modulus) == self.remainder
    }
}

/// Which windows; fixed ones are whole milliseconds long and begin on whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// One behind the other.
    Tumbling { size_us: i64, offset_us: i64 },
    /// One every slide; the slide is at most the size and need not divide it.
    Sliding { size_us: i64, slide_us: i64, offset_us: i64 },
    /// Ended by a silence.
    Session { gap_us: i64 },
}

/// What a sink gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The final rows of `windows[of]`.
    Rows { of: usize },
    /// `join` of two equal fixed windows: rows that both sides have.
    Join { left: usize, right: usize },
    /// `left_join` of two equal fixed windows: all rows of the left side.
    LeftJoin { left: usize, right: usize },
    /// `trailing(rows)` over `windows[of]`: each final row with the sum of the counts of at most so
    /// many rows of its key before it.
    Trailing { of: usize, rows: usize },
    /// `filter` and `sink` of a source, without a window.
    Raw { source: usize, filter: Option<Filter> },
}

/// How the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The sources are bounded and have ended: everything closes.
    Finished,
    /// A stop after all records were read: what is open stays unwritten.
    Stopped,
}

/// `value` rounded down to whole milliseconds: toward minus infinity.
pub(crate) fn floor_ms(time_us: i64) -> i64 {
    time_us.div_euclid(1_000)
}
