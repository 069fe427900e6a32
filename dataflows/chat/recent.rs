//! How many moments of a stream there were of late, for the alert about them.

use highwater::prelude::*;

/// A moment, and how many there were of late.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recent {
    start: Time,
    /// Moments of the stream until this one, itself among them.
    pub count: usize,
}

impl Recent {
    /// The moment whose window starts then.
    pub fn at(start: Time) -> Recent {
        Recent { start, count: 1 }
    }

    /// Counts those of the past that start less than so long before it.
    pub fn counted(self, past: &[Recent], recent: Duration) -> Recent {
        let is_recent = |moment: &&Recent| self.start < moment.start.plus(recent);
        Recent { count: 1 + past.iter().filter(is_recent).count(), ..self }
    }
}
