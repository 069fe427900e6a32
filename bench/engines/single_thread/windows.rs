//! One thread over synthetic windows: slices that the windows share, and for events that come
//! behind the watermark of their partition the windows that still take them, one by one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use highwater::error::Result;
use highwater::hash::{FixedMap, FixedSet};
use highwater::lateness::Watermark;
use highwater::source::kafka::{ClientSettings, Outgoing, Producer};

use super::Job;
use crate::micro::loops::feed::{Batches, Feed, Records};
use crate::workloads::windows::{Event, Shape, Values};

/// What is known of a group, in one slice or in a window.
#[derive(Clone, Default)]
struct State {
    events: i64,
    sum: i64,
    values: FixedSet<i64>,
}

/// Groups by key.
type Groups = FixedMap<i64, State>;

/// All that is open.
struct Open {
    size: i64,
    slide: i64,
    /// Events that are in all of their windows, by where their slice begins.
    slices: BTreeMap<i64, Groups>,
    /// Events that are in some of their windows, by where each window begins.
    behind: BTreeMap<i64, Groups>,
    /// End of the last window that was closed.
    closed: i64,
}

/// What is written.
trait Out {
    fn row(&mut self, start: i64, key: i64, values: Values) -> Result<()>;

    fn refused(&mut self, partition: usize, offset: u64) -> Result<()>;
}

/// Reads a backlog to its end, and writes final rows and what was refused.
pub(super) fn answer(
    feed: &mut Records<Event>,
    shape: Shape,
    job: &Job,
    stop: &AtomicBool,
) -> Result<()> {
    let linger = [("linger.ms".to_owned(), job.linger_ms.to_string())];
    let producer = Producer::new(&job.output.brokers, &ClientSettings(linger.into()))?;
    let mut out = Topic { producer, topic: &job.output.topic, text: String::new() };
    let delay = Duration::from_millis(job.delay_ms.unsigned_abs());
    let mut watermarks = vec![Watermark::new(delay); feed.partitions()];
    let mut offsets = vec![0; feed.partitions()];
    let mut open = Open::new(shape);
    loop {
        let mut written = Ok(());
        let round = feed.round(|partition, events| {
            for event in events {
                let (watermark, offset) = (&mut watermarks[partition], offsets[partition]);
                offsets[partition] += 1;
                if !open.take(event, watermark) && written.is_ok() {
                    written = out.refused(partition, offset);
                }
            }
        })?;
        written?;
        let least = watermarks.iter().map(|watermark| watermark.get().0).min();
        open.close(least.unwrap_or(i64::MIN), &mut out)?;
        // Answers of the broker are looked at, and what lingers is sent.
        out.producer.serve()?;
        if round == Batches::Ended || stop.load(Ordering::Relaxed) {
            return out.producer.flush();
        }
    }
}

impl Open {
    fn new(shape: Shape) -> Open {
        let Shape { size_ms, slide_ms, .. } = shape;
        let (slices, behind) = (BTreeMap::new(), BTreeMap::new());
        Open { size: size_ms, slide: slide_ms, slices, behind, closed: i64::MIN }
    }

    /// Whether any window takes the event.
    fn take(&mut self, event: &Event, watermark: &mut Watermark) -> bool {
        let Event { key: Some(key), at: Some(at), value: Some(value) } = *event else {
            return false;
        };
        let slice = at.micros().div_euclid(self.slide * 1_000) * self.slide;
        let now = watermark.get().0;
        if watermark.is_on_time(at) || now < slice + self.slide {
            watermark.observe(at);
            self.slices.entry(slice).or_default().entry(key).or_default().add(value);
            return true;
        }
        // Its first windows are closed to its partition.
        let mut any = false;
        let mut start = slice;
        while now < start + self.size && slice < start + self.size {
            self.behind.entry(start).or_default().entry(key).or_default().add(value);
            any = true;
            start -= self.slide;
        }
        any
    }

    /// The end of the first window that is open.
    fn next_end(&self) -> Option<i64> {
        let of_slice =
            |first: i64| (first + self.slide).max(self.closed.saturating_add(self.slide));
        let slice = self.slices.first_key_value().map(|(first, _)| of_slice(*first));
        let behind = self.behind.first_key_value().map(|(first, _)| first + self.size);
        slice.into_iter().chain(behind).min()
    }

    /// Writes the rows of every window that ends at or before the watermark; forgets its slices.
    fn close(&mut self, watermark_ms: i64, out: &mut impl Out) -> Result<()> {
        while let Some(end) = self.next_end().filter(|end| *end <= watermark_ms) {
            let start = end - self.size;
            let mut merged = self.behind.remove(&start).unwrap_or_default();
            let kept = self.slices.split_off(&(start + self.slide));
            let first = std::mem::replace(&mut self.slices, kept).remove(&start);
            if let Some(first) = first {
                merge(&mut merged, first.into_iter());
            }
            for (_, groups) in self.slices.range(..end) {
                merge(&mut merged, groups.iter().map(|(key, state)| (*key, state.clone())));
            }
            for (key, state) in &merged {
                out.row(start, *key, state.values())?;
            }
            self.closed = end;
        }
        Ok(())
    }
}

fn merge(into: &mut Groups, groups: impl Iterator<Item = (i64, State)>) {
    for (key, state) in groups {
        match into.get_mut(&key) {
            None => drop(into.insert(key, state)),
            Some(whole) => {
                whole.events += state.events;
                whole.sum += state.sum;
                whole.values.extend(state.values);
            }
        }
    }
}

impl State {
    fn add(&mut self, value: i64) {
        self.events += 1;
        self.sum += value;
        self.values.insert(value);
    }

    fn values(&self) -> Values {
        Values { events: self.events, sum: self.sum, distinct: self.values.len() as i64 }
    }
}

/// A topic with one partition.
struct Topic<'a> {
    producer: Producer,
    topic: &'a str,
    text: String,
}

impl Topic<'_> {
    fn send(&self) -> Result<()> {
        self.producer.send(Outgoing {
            topic: self.topic,
            partition: 0,
            key: None,
            value: Some(self.text.as_bytes()),
            time: None,
        })
    }
}

impl Out for Topic<'_> {
    fn row(&mut self, start: i64, key: i64, values: Values) -> Result<()> {
        self.text.clear();
        let Values { events, sum, distinct } = values;
        write!(
            self.text,
            "{{\"key\":{key},\"start\":{start},\"events\":{events},\"sum\":{sum},\
             \"distinct\":{distinct}}}"
        )
        .expect("a string takes all that is written to it");
        self.send()
    }

    fn refused(&mut self, partition: usize, offset: u64) -> Result<()> {
        self.text.clear();
        write!(self.text, "{{\"partition\":{partition},\"offset\":{offset},\"reason\":\"late\"}}")
            .expect("a string takes all that is written to it");
        self.send()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::windows::{Answer, PARTITIONS, Plan};
    use highwater::time::Time;

    #[derive(Default)]
    struct Found {
        answer: Answer,
    }

    impl Out for Found {
        fn row(&mut self, start: i64, key: i64, values: Values) -> Result<()> {
            let before = self.answer.rows.insert((start, key), values);
            assert_eq!(before, None, "one row of {key} at {start}");
            Ok(())
        }

        fn refused(&mut self, partition: usize, offset: u64) -> Result<()> {
            assert!(self.answer.refused.insert((partition as u32, offset as i64)));
            Ok(())
        }
    }

    /// Batches of so many events of each partition, the first partition ahead of the others.
    fn run(plan: &Plan, shape: Shape, batch: usize) -> Answer {
        let mut parts = vec![Vec::new(); PARTITIONS as usize];
        for n in 0..plan.events {
            let facts = plan.facts(n);
            let at = Some(Time::from_millis(facts.at_ms));
            let event = Event { key: Some(facts.key), at, value: Some(facts.value) };
            parts[(n % u64::from(PARTITIONS)) as usize].push(event);
        }
        let delay = Duration::from_millis(shape.disorder_ms.unsigned_abs());
        let mut watermarks = vec![Watermark::new(delay); parts.len()];
        let (mut open, mut found) = (Open::new(shape), Found::default());
        let rounds = parts[0].len().div_ceil(batch);
        for round in 0..=rounds {
            for (partition, events) in parts.iter().enumerate() {
                let Some(at) = round.checked_sub(usize::from(partition != 0)) else { continue };
                let range = (at * batch).min(events.len())..((at + 1) * batch).min(events.len());
                for offset in range {
                    if !open.take(&events[offset], &mut watermarks[partition]) {
                        found.refused(partition, offset as u64).unwrap();
                    }
                }
            }
            let least = watermarks.iter().map(|watermark| watermark.get().0).min().unwrap();
            open.close(least, &mut found).unwrap();
        }
        open.close(i64::MAX, &mut found).unwrap();
        found.answer
    }

    #[test]
    fn the_thread_finds_the_answer() {
        for parameters in [
            "keys=20 size=4s slide=4s disorder=1s late=0.05",
            "keys=20 size=4s slide=1s disorder=1s late=0.05",
            "keys=300 size=4s slide=2s disorder=0s late=0.2 skew=1",
            "keys=20 size=1s slide=1s disorder=6s late=0",
        ] {
            let shape: Shape = parameters.parse().unwrap();
            let plan = Plan::backlog(3, 12_000, 500, shape);
            let expected = plan.answer();
            for batch in [1, 100, 5_000] {
                let found = run(&plan, shape, batch);
                assert!(found.rows == expected.rows, "{parameters}, batches of {batch}");
                assert_eq!(found.refused, expected.refused, "{parameters}, batches of {batch}");
            }
        }
    }
}
