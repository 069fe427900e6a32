//! A reader's share in checkpoints: where its partitions stand, and where they begin again.

use std::time::Duration;

use super::{Reader, ReaderPlan, Reading};
use crate::checkpoint::{At, Contribution, PartitionMark, SLICE, memory_name};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::lateness::Watermark;
use crate::runtime::Context;
use crate::source::Start;
use crate::stream::PartitionState;

/// The watermark of a partition where a checkpoint begins: a floor that it holds acts.
fn watermark(mark: &PartitionMark, delay: Duration) -> Watermark {
    let floor = mark.decided.map_or(mark.floor, |decided| mark.floor.max(decided));
    Watermark::restore(delay, mark.greatest, floor)
}

/// Registers a reader with the agent of its worker; the number of its files, if it has any.
pub(super) fn register(plan: &ReaderPlan, context: &Context) -> Option<usize> {
    let agent = context.agent.as_ref()?;
    agent.expect();
    plan.intake.remembers().then(|| agent.expect_state())
}

impl Reader {
    /// Where a partition begins: where the checkpoint left it, if there is one.
    pub(super) fn begin(&self, id: u32) -> (Start, PartitionState) {
        let agent = self.context.agent.as_ref();
        let mark = agent.and_then(|agent| agent.checkpoints.mark(&self.plan.name, id));
        let delay = self.plan.delay;
        let mut state = PartitionState::new(id, delay);
        let Some(mark) = mark else {
            let kept = agent.and_then(|agent| agent.checkpoints.marks(&self.plan.name));
            // One that is new since the checkpoint must not open windows again that are closed.
            let others = kept.into_iter().flatten();
            others.map(|other| watermark(other, delay).get()).min().into_iter().for_each(|least| {
                state.watermark.raise(least);
            });
            let first = self.known == 0 && kept.is_none();
            let start = if first { self.plan.start.clone() } else { Start::Earliest };
            return (start, state);
        };
        state.watermark = watermark(&mark, delay);
        (state.next_offset, state.ledger) = (mark.next_offset, mark.ledger);
        let start = mark.next_offset.map_or_else(|| self.plan.start.clone(), Start::Offset);
        (start, state)
    }

    /// Refuses positions that are those of another log, or of partitions that are no more.
    pub(super) fn check_marks(&self, count: u32) -> Result<()> {
        let agent = self.context.agent.as_ref();
        let marks = agent.and_then(|agent| agent.checkpoints.marks(&self.plan.name));
        let marks = marks.unwrap_or_default();
        let (now, before) = (self.plan.source.log(), marks.iter().map(|mark| mark.partition + 1));
        let before = before.max().unwrap_or(0);
        let is_other = |then: u64| now.is_some_and(|now| then != now);
        let error = if count < before {
            format!("it had {before} partitions at the checkpoint and now has {count}")
        } else if marks.iter().filter_map(|mark| mark.log).any(is_other) {
            "what it reads was deleted and made anew since the checkpoint".into()
        } else {
            return Ok(());
        };
        Err(Error::config(error).hint(
            "positions of the checkpoint say nothing about it: bring the old one back, or set \
             another `checkpoint.path` to start anew",
        ))
    }

    /// Remembers of a partition what the checkpoint says of it.
    pub(super) fn recall(&mut self, id: u32) -> Result<()> {
        let Some(agent) = &self.context.agent else { return Ok(()) };
        for state in agent.checkpoints.memory(&self.plan.name, id)? {
            self.plan.intake.restore(id, &state.bytes, &mut self.outbox);
            self.recalled = true;
        }
        Ok(())
    }

    /// Where the partitions stand, for a checkpoint.
    fn marks(&self) -> Contribution {
        failpoint!("source.before_record_offsets");
        let log = self.plan.source.log();
        let mark = |Reading { state, partition, hold, .. }: &Reading| PartitionMark {
            partition: state.id,
            next_offset: state.next_offset.or_else(|| partition.position()),
            greatest: state.watermark.greatest(),
            floor: state.watermark.floor(),
            decided: hold.decided(),
            promised: self.settled,
            ledger: state.ledger,
            log,
        };
        let marks = self.partitions.iter().map(mark).collect();
        Contribution::Source(self.plan.name.clone(), marks)
    }

    /// Says where the partitions stand at the end of an epoch, or at the end of all of them, and
    /// begins to save what is remembered of them.
    pub(super) fn save(&mut self, at: At) {
        let Some(agent) = self.context.agent.clone() else { return };
        let wanted = match at {
            At::Epoch(epoch) => {
                agent.contribute(epoch, self.marks());
                agent.wants(epoch)
            }
            At::End(from) => {
                agent.end(from, self.marks());
                true
            }
        };
        if self.memory.is_some() && wanted {
            self.go_on_saving(usize::MAX);
            self.plan.intake.begin_save(agent.wants_whole(&memory_name(&self.plan.name)));
            self.saving = Some(at);
            self.go_on_saving(if matches!(at, At::End(_)) { usize::MAX } else { SLICE });
        }
    }

    /// Goes on with a save under way; whether there is more to save.
    pub(super) fn go_on_saving(&mut self, mut budget: usize) -> bool {
        let (Some(at), Some(number), Some(agent)) = (self.saving, self.memory, &self.context.agent)
        else {
            return false;
        };
        if let Some(saved) = self.plan.intake.save(&mut budget) {
            agent.memory(at, (number, &self.plan.name), saved);
            self.saving = None;
        }
        self.saving.is_some()
    }
}
