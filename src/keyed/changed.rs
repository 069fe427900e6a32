//! [`Changed`]: which buckets of a table a save has to look at.
//!
//! As long as few buckets change in an interval they are remembered one by one, so a save costs
//! what has changed and not what the table holds. Whether an entry is saved is decided by its
//! stamp: a bucket that is looked at in vain, or twice, does no harm.

use super::saver::Saver;

/// More than one of so many buckets are not remembered one by one: all are looked at, in order.
const FEW: usize = 16;

/// Buckets of a table that have changed in the interval, and those of the one before that a save
/// under way still looks at.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The stamp of the interval of the last change.
    stamp: u8,
    now: Buckets,
    due: Buckets,
    /// How many of those that are due were looked at; nothing if no save needs the table.
    seen: Option<usize>,
}

#[derive(Debug, Default)]
struct Buckets {
    few: Vec<u32>,
    all: bool,
}

impl Buckets {
    fn clear(&mut self) {
        self.few.clear();
        self.all = false;
    }
}

impl Changed {
    /// The entry in a bucket, of so many, has got the stamp of now.
    pub(super) fn note(&mut self, saver: &Saver, (bucket, buckets): (usize, usize)) {
        self.stamp = saver.now();
        // The first save looks at all, and there may be none.
        if !saver.has_begun() || self.now.all {
            return;
        }
        match u32::try_from(bucket) {
            Ok(bucket) if self.now.few.len() < buckets / FEW => self.now.few.push(bucket),
            _ => self.now.all = true,
        }
    }

    /// Entries have changed their buckets.
    #[cold]
    pub(super) fn moved(&mut self) {
        (self.now.all, self.due.all) = (true, true);
        self.seen = self.seen.map(|_| 0);
    }

    /// The interval is about to end: whether the table has something to be saved.
    pub(super) fn begin(&mut self, saver: &Saver, whole: bool) -> bool {
        if whole || self.stamp == saver.now() {
            std::mem::swap(&mut self.now, &mut self.due);
            self.due.all |= whole;
            self.seen = Some(0);
        }
        self.now.clear();
        self.seen.is_some()
    }

    /// The bucket of so many that a save looks at next.
    pub(super) fn next(&self, buckets: usize) -> Option<usize> {
        let seen = self.seen?;
        if self.due.all {
            return (seen < buckets).then_some(seen);
        }
        self.due.few.get(seen).map(|bucket| *bucket as usize)
    }

    /// It was looked at.
    pub(super) fn saw(&mut self) {
        self.seen = self.seen.map(|seen| seen + 1);
    }

    /// All were looked at.
    pub(super) fn finish(&mut self) {
        self.seen = None;
        self.due.clear();
    }
}
