//! Count per key and minute: one hash map.

use std::hash::Hash;

use highwater::error::Result;
use highwater::hash::FixedMap;
use highwater::lateness::Watermark;
use highwater::prelude::*;
use highwater::row::Rows;

use super::feed::{Batches, Feed};
use super::put;
use crate::micro::events::LATENESS;

const MINUTE: i64 = 60_000_000;

/// Counts events; makes a row of each key and minute once the minute is over in every partition.
///
/// # Errors
///
/// Those of the feed.
pub fn count<E, K, R>(
    feed: &mut impl Feed<E>,
    time: impl Fn(&E) -> Option<Time>,
    key: impl Fn(&E) -> K,
    row: impl Fn(K, Window, i64) -> R,
) -> Result<Counted>
where
    K: Hash + Eq,
    R: Row,
{
    let mut groups: FixedMap<(i64, K), i64> = FixedMap::default();
    let mut watermarks = vec![Watermark::new(LATENESS); feed.partitions()];
    let mut counted = Counted::default();
    // The first minute that is open.
    let mut first = i64::MAX;
    loop {
        let round = feed.round(|partition, events| {
            let watermark = &mut watermarks[partition];
            for event in events {
                let Some(at) = time(event) else { continue };
                let minute = at.micros().div_euclid(MINUTE);
                if !watermark.is_on_time(at) && end(minute).floor_ms() <= watermark.get() {
                    counted.late += 1;
                    continue;
                }
                watermark.observe(at);
                *groups.entry((minute, key(event))).or_default() += 1;
                first = first.min(minute);
            }
        })?;
        let open = watermarks.iter().enumerate().filter(|(partition, _)| feed.is_open(*partition));
        let least = open.map(|(_, watermark)| watermark.get()).min();
        let closed = |minute: i64| least.is_none_or(|least| end(minute).floor_ms() <= least);
        if closed(first) {
            let over = groups.extract_if(|(minute, _), _| closed(*minute));
            for ((minute, key), count) in over {
                let window = Window::new(end(minute - 1), end(minute));
                put(&mut counted.rows, window, &row(key, window, count));
            }
            first = groups.keys().map(|(minute, _)| *minute).min().unwrap_or(i64::MAX);
        }
        if round == Batches::Ended {
            return Ok(counted);
        }
    }
}

/// What a loop made.
#[derive(Default)]
pub struct Counted {
    /// The rows.
    pub rows: Rows,
    /// Events that came too late.
    pub late: u64,
}

fn end(minute: i64) -> Time {
    Time::from_micros((minute + 1) * MINUTE)
}
