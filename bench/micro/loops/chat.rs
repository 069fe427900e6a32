//! The chat job as a loop: aggregates per slice and stream in hash maps, windows merged from their
//! slices as they close, the last ten rows of each stream beside them.

use std::collections::BTreeMap;
use std::hash::Hash;

use highwater::error::{Error, Result};
use highwater::hash::FixedMap;
use highwater::lateness::Watermark;
use highwater::prelude::*;
use highwater::row::Rows;
use highwater::window::{Fixed, Windows};
use highwater_dataflows::chat::{Baseline, Chat, Emotes, HISTORY, Moment, Settings, Summary};
use highwater_datasets::chat::{Message, Viewers};

use super::feed::{Batches, Feed};
use super::put;

/// How far watermarks run behind, as in the dataflow.
const LATENESS: Duration = seconds(10);

type Key = Option<Text>;
type Slices<A> = BTreeMap<Time, FixedMap<Key, A>>;

/// What the loop made: rows of both views.
#[derive(Default)]
pub struct Made {
    /// `chat_summary_minute`.
    pub summaries: Rows,
    /// `moments`.
    pub moments: Rows,
}

/// Runs over both topics.
///
/// # Errors
///
/// Those of the feeds, and an event behind its watermark: these inputs have none.
pub fn chat(
    messages: &mut impl Feed<Message>,
    samples: &mut impl Feed<Viewers>,
    settings: &Settings,
) -> Result<Made> {
    let windows = match Sliding::new(settings.window, settings.slide).into() {
        Windows::Fixed(fixed) => fixed,
        Windows::Session(_) => return Err(Error::bug("sliding windows are fixed")),
    };
    let mut chat = Side::new(windows, messages.partitions());
    let mut audience = Side::new(windows, samples.partitions());
    let mut last = Closing {
        windows,
        baseline: settings.baseline,
        emotes: settings.emotes,
        past: FixedMap::default(),
        closed: None,
        made: Made::default(),
    };
    let (mut more_messages, mut more_samples) = (true, true);
    while more_messages || more_samples {
        if more_messages {
            let round = messages.round(|partition, events| {
                for message in events {
                    let Some(at) = message.timestamp else { continue };
                    chat.add(partition, at, &message.stream_id, || Chat::of(message));
                }
            })?;
            more_messages = round == Batches::More;
        }
        if more_samples {
            let round = samples.round(|partition, events| {
                for sample in events {
                    let Some(at) = sample.timestamp else { continue };
                    let mean = || Mean::of(sample.viewer_count);
                    audience.add(partition, at, &sample.stream_id, mean);
                }
            })?;
            more_samples = round == Batches::More;
        }
        let least = chat.least(|p| messages.is_open(p)).into_iter();
        let least = least.chain(audience.least(|p| samples.is_open(p))).min();
        last.close(&mut chat.slices, &mut audience.slices, least);
    }
    if 0 < chat.behind + audience.behind {
        return Err(Error::bug("the loop does not handle events behind their watermark"));
    }
    Ok(last.made)
}

/// One topic.
struct Side<A> {
    windows: Fixed,
    slices: Slices<A>,
    watermarks: Vec<Watermark>,
    behind: u64,
}

impl<A: Aggregate> Side<A> {
    fn new(windows: Fixed, partitions: usize) -> Side<A> {
        let watermarks = vec![Watermark::new(LATENESS); partitions];
        Side { windows, slices: BTreeMap::new(), watermarks, behind: 0 }
    }

    #[inline]
    fn add(&mut self, partition: usize, at: Time, key: &Key, measure: impl FnOnce() -> A) {
        let watermark = &mut self.watermarks[partition];
        self.behind += u64::from(!watermark.is_on_time(at));
        watermark.observe(at);
        let slice = self.slices.entry(self.windows.slice_of(at)).or_default();
        add(slice, key, measure);
    }

    fn least(&self, is_open: impl Fn(usize) -> bool) -> Option<highwater::time::Millis> {
        let open = self.watermarks.iter().enumerate().filter(|(p, _)| is_open(*p));
        open.map(|(_, watermark)| watermark.get()).min()
    }
}

#[inline]
fn add<K: Hash + Eq + Clone, A: Aggregate>(
    groups: &mut FixedMap<K, A>,
    key: &K,
    measure: impl FnOnce() -> A,
) {
    match groups.get_mut(key) {
        Some(sum) => sum.absorb(measure()),
        None => {
            groups.insert(key.clone(), measure());
        }
    }
}

/// Closes windows.
struct Closing {
    windows: Fixed,
    baseline: Baseline,
    emotes: Emotes,
    past: FixedMap<Key, Vec<Summary>>,
    /// End of the last window that closed.
    closed: Option<Time>,
    made: Made,
}

impl Closing {
    /// Closes every window that ends before a watermark; without one, all of them.
    fn close(
        &mut self,
        chat: &mut Slices<Chat>,
        audience: &mut Slices<Mean>,
        least: Option<highwater::time::Millis>,
    ) {
        while let Some(first) = chat.keys().next().copied() {
            // The first slice is dropped with the last window that holds it.
            let open = |window: &Window| self.closed.is_none_or(|end| end < window.end);
            let Some(window) = self.windows.containing(first).find(open) else { return };
            if least.is_some_and(|least| least < window.end.floor_ms()) {
                return;
            }
            self.window(window, chat, audience);
            let over = |slice: &Time| self.windows.last_end(*slice) <= window.end;
            chat.retain(|slice, _| !over(slice));
            audience.retain(|slice, _| !over(slice));
            self.closed = Some(window.end);
        }
    }

    fn window(&mut self, window: Window, chat: &Slices<Chat>, audience: &Slices<Mean>) {
        let chats = merged(self.windows, window, chat);
        let mut viewers = merged(self.windows, window, audience);
        for (key, sum) in chats {
            let mean = key.is_some().then(|| viewers.remove(&key)).flatten();
            let past = self.past.entry(key.clone()).or_default();
            let summary = Summary::new(key, window, sum, mean, self.emotes);
            let summary = summary.compared_with(past, self.baseline);
            if past.len() == HISTORY {
                past.remove(0);
            }
            past.push(summary.clone());
            put(&mut self.made.summaries, window, &summary);
            if let Some(moment) = Moment::spike(summary) {
                put(&mut self.made.moments, window, &moment);
            }
        }
    }
}

/// The sums of a window over its slices.
fn merged<A: Aggregate>(windows: Fixed, window: Window, slices: &Slices<A>) -> FixedMap<Key, A> {
    let mut sums: FixedMap<Key, A> = FixedMap::default();
    for slice in windows.slices(window).filter_map(|slice| slices.get(&slice)) {
        for (key, value) in slice {
            match sums.get_mut(key) {
                Some(sum) => sum.merge(value),
                None => {
                    sums.insert(key.clone(), value.clone());
                }
            }
        }
    }
    sums
}
