//! The alert about many moments of one stream.

use highwater::prelude::*;

use super::Moment;

/// The time in which moments are counted.
const RECENT: Duration = minutes(10);

/// Raises an alert at each moment with which there are too many in ten minutes.
pub(super) fn watch(moments: &Windowed<Option<Text>, Moment>, slide: Duration, many: Alert) {
    if many.is_on() {
        let windows = RECENT.as_micros().div_ceil(slide.as_micros().max(1)) as usize;
        moments
            .rows(|_, window, _| Recent::at(window.start))
            .trailing(windows, |past, moment| moment.counted(past))
            .alert(many, "moments", &["stream_id"], |moment| moment.count as f64);
    }
}

/// A moment, and how many there were of late.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recent {
    start: Time,
    /// Moments of the stream until this one, itself among them.
    pub(super) count: usize,
}

impl Recent {
    /// The moment whose window starts then.
    pub(super) fn at(start: Time) -> Recent {
        Recent { start, count: 1 }
    }

    /// Counts those of the past that start less than ten minutes before it.
    pub(super) fn counted(self, past: &[Recent]) -> Recent {
        let is_recent = |moment: &&Recent| self.start < moment.start.plus(RECENT);
        Recent { count: 1 + past.iter().filter(is_recent).count(), ..self }
    }
}
