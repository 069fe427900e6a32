//! What a writer's thread has in hand: rows that are coalesced, and batches on their way.

use std::collections::VecDeque;
use std::time::Instant;

use super::Item;
use super::thread::BATCH_ROWS_MAX;
use crate::row::Rows;
use crate::sink::coalesce::Gathered;

/// What is to be done next.
#[derive(Default)]
pub(super) struct Work {
    pub(super) rows: Rows,
    pub(super) epoch: Option<u64>,
    pub(super) finish: bool,
    pub(super) leave: bool,
}

/// Batches that a writer which answers later has not answered; the oldest first.
#[derive(Default)]
pub(super) struct OnTheWay {
    pub(super) batches: VecDeque<Sent>,
    pub(super) rows: usize,
    /// When to ask for answers again.
    pub(super) look: Option<Instant>,
}

/// A batch that is on its way.
pub(super) struct Sent {
    pub(super) rows: Rows,
    pub(super) since: Instant,
    /// The epoch that is complete behind it.
    pub(super) epoch: Option<u64>,
}

/// Rows that are coalesced, with what stands behind them.
#[derive(Default)]
pub(super) struct Coalesced {
    rows: Gathered,
    /// Behind the rows: the last epoch, and whether the end has come.
    pub(super) behind: Work,
    /// When the first of the rows came.
    pub(super) since: Option<Instant>,
    /// The batches of what is being written.
    batches: VecDeque<Rows>,
    /// What stands behind the last of them.
    then: Option<Work>,
}

impl OnTheWay {
    pub(super) fn push(&mut self, rows: Rows, since: Instant) {
        self.rows += rows.len();
        self.batches.push_back(Sent { rows, since, epoch: None });
    }

    pub(super) fn pop(&mut self) -> Option<Sent> {
        let sent = self.batches.pop_front()?;
        self.rows -= sent.rows.len();
        Some(sent)
    }

    /// Since when the oldest batch is on its way.
    pub(super) fn since(&self) -> Option<Instant> {
        self.batches.front().map(|sent| sent.since)
    }
}

impl Coalesced {
    pub(super) fn new(key: Vec<usize>) -> Coalesced {
        Coalesced { rows: Gathered::new(key), ..Coalesced::default() }
    }

    /// Takes in what was in the queue; returns how many rows need not be written any more.
    pub(super) fn absorb(&mut self, items: Vec<Item>) -> usize {
        let mut replaced = 0;
        for item in items {
            match item {
                Item::Rows(rows, came) => {
                    self.since.get_or_insert(came);
                    replaced += self.rows.absorb(rows);
                }
                Item::Epoch(epoch) => self.behind.epoch = Some(epoch),
                Item::Finish => self.behind.finish = true,
                Item::Leave => self.behind.leave = true,
            }
        }
        replaced
    }

    /// Begins to write what is there.
    pub(super) fn begin(&mut self) {
        self.batches.extend(self.rows.take(BATCH_ROWS_MAX));
        self.then = Some(std::mem::take(&mut self.behind));
        self.since = None;
    }

    /// The next batch of what is being written; the last comes with what stands behind it.
    pub(super) fn next(&mut self) -> Option<Work> {
        self.then.as_ref()?;
        let rows = self.batches.pop_front().unwrap_or_default();
        let behind = if self.batches.is_empty() { self.then.take() } else { None };
        Some(Work { rows, ..behind.unwrap_or_default() })
    }
}
