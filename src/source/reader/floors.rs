//! A reader's idle and new partitions: the floors under their watermarks, and when they act.
//!
//! ```text
//! decided at the end of epoch k ─► in the marks of epoch k and of later ones ─► published ─► acts
//!                    └────────────── the partition is not read ──────────────────┘
//! ```
//!
//! A floor comes from a clock, so a replay would not find it again. With checkpoints it acts only
//! once one that names it is published, and at the offset that the mark beside it names: what is
//! read behind is judged by the same floor in every attempt. Without them it acts at once.

use std::time::Duration;

use super::{Poll, Reader};
use crate::operators::floors::{Report, watermark_of};
use crate::time::Millis;

/// A floor that waits for the checkpoint that holds it, and the epoch whose marks name it first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hold(Option<(u64, Millis)>);

impl Hold {
    /// A floor is to act once the checkpoint of an epoch, or a later one, is published.
    pub(super) fn decide(&mut self, epoch: u64, floor: Millis) {
        self.0 = Some((epoch, floor));
    }

    /// Whether one waits: the partition must not be read.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// What marks have to name.
    pub(super) fn decided(&self) -> Option<Millis> {
        self.0.map(|(_, floor)| floor)
    }

    /// Lets go of the floor if the newest checkpoint names it: from now on it acts.
    pub(super) fn release(&mut self, published: Option<u64>) -> Option<Millis> {
        let (_, floor) = self.0.take_if(|(epoch, _)| Some(*epoch) <= published)?;
        Some(floor)
    }
}

impl Reader {
    /// At the end of an epoch, before its positions are noted: lets floors act that are in a
    /// checkpoint, decides others for idle partitions, and reports for the next ones.
    pub(super) fn raise_floors(&mut self) {
        let (now, delay, timeout) =
            (self.context.clock.now(), self.plan.delay, self.plan.idle_timeout);
        let published = self.context.agent.as_ref().map(|agent| agent.published());
        let decided = self.context.floors.of(self.plan.index);
        let mut report = Report {
            source: self.plan.index,
            worker: self.context.worker,
            epoch: self.epoch,
            busy: None,
            idle: false,
            greatest: None,
            quiet: Duration::MAX,
        };
        for reading in self.partitions.iter_mut().filter(|r| r.last != Poll::Finished) {
            let is_idle = timeout.is_some_and(|timeout| reading.is_idle(now, timeout));
            let watermark = &mut reading.state.watermark;
            if let Some(floor) = published.and_then(|published| reading.hold.release(published)) {
                watermark.raise(floor);
                // What has come meanwhile is not known: it must be polled before it is idle again.
                reading.last = Poll::Waiting;
            }
            let greatest = watermark.greatest().map(|time| watermark_of(time, delay));
            report.greatest = report.greatest.max(greatest);
            report.quiet = report.quiet.min(now.saturating_sub(reading.arrived));
            if !is_idle {
                let own = watermark.get();
                report.busy = Some(report.busy.map_or(own, |busy| busy.min(own)));
                continue;
            }
            report.idle = true;
            let Some(floor) = decided.filter(|floor| watermark.get() < *floor) else { continue };
            if published.is_none() {
                watermark.raise(floor);
            } else if !reading.hold.is_held() && reading.last != Poll::Waiting {
                reading.hold.decide(self.epoch, floor);
            }
        }
        if timeout.is_some() {
            self.context.floors.report(report);
        }
    }

    /// A partition that appears while the job runs begins at the watermark of the others, which is
    /// a floor, too.
    pub(super) fn hold_if_new(&self, floor: Millis) -> Hold {
        let mut hold = Hold::default();
        if 0 < self.known && self.context.agent.is_some() {
            hold.decide(self.epoch, floor);
        }
        hold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    /// A partition whose every record has the number of its offset as time.
    #[derive(Clone, Debug, Default)]
    struct Read {
        offset: i64,
        floor: i64,
    }

    /// What a checkpoint says: offset, acting floor, decided floor.
    type Mark = (i64, i64, Option<i64>);

    #[test]
    fn a_floor_acts_once_the_checkpoint_that_names_it_is_published() {
        let mut hold = Hold::default();
        assert_eq!((hold.is_held(), hold.release(Some(9))), (false, None));
        hold.decide(7, Millis(50));
        assert_eq!(hold.decided(), Some(Millis(50)));
        assert_eq!((hold.release(None), hold.release(Some(6))), (None, None));
        assert!(hold.is_held());
        assert_eq!(hold.release(Some(8)), Some(Millis(50)), "epoch 7 was passed over");
        assert_eq!((hold.is_held(), hold.decided()), (false, None));
    }

    #[test]
    fn every_attempt_judges_a_record_by_the_floor_of_the_first() {
        let (mut acted, mut replayed) = (0, 0);
        for seed in 0..2_000_u64 {
            let mut dice = hash::of(&seed);
            let mut roll = |sides: u64| {
                dice = hash::of(&dice);
                dice % sides
            };
            let (mut read, mut hold) = (Read::default(), Hold::default());
            let mut judged: Vec<i64> = Vec::new();
            let (mut waiting, mut published) = (Vec::<(u64, Mark)>::new(), None);
            let mut newest: Mark = (0, 0, None);
            for epoch in 0..40 {
                // STEP 1. The end of an epoch, as in `raise_floors`, then its marks.
                if let Some(Millis(floor)) = hold.release(published) {
                    read.floor = floor;
                    acted += 1;
                }
                if roll(4) == 0 && !hold.is_held() {
                    hold.decide(epoch, Millis(read.floor + 1));
                }
                waiting.push((epoch, (read.offset, read.floor, hold.decided().map(|f| f.0))));
                // STEP 2. The store takes some of what it was given, in order, or passes it over.
                while !waiting.is_empty() && roll(3) == 0 {
                    let (epoch, mark) = waiting.remove(0);
                    if roll(4) != 0 {
                        (published, newest) = (Some(epoch), mark);
                    }
                }
                // STEP 3. Records of the next epoch.
                if !hold.is_held() && roll(2) == 0 {
                    judged.push(read.floor);
                    read.offset += 1;
                }
            }
            // It is killed, and goes on from the newest checkpoint without deciding anything.
            let (offset, floor, decided) = newest;
            let floor = decided.unwrap_or(floor);
            for before in &judged[offset as usize..] {
                assert_eq!(*before, floor, "seed {seed}, from offset {offset}");
                replayed += 1;
            }
        }
        assert!(1_000 < acted && 1_000 < replayed, "{acted} floors, {replayed} records");
    }
}
