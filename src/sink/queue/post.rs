//! The rows of a sink that delivers: of the open epoch, and of those that wait for their
//! checkpoint.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::checkpoint::{Outbox, OutboxFile, Receipt};
use crate::error::Result;
use crate::row::Rows;
use crate::sink::courier::Courier;

/// What a thread needs to deliver.
pub struct Post {
    /// Where rows are kept until they are delivered.
    pub outbox: Outbox,
    /// Delivers the rows of this attempt; with what earlier ones have staged for the same shard.
    pub own: (Box<dyn Courier>, Vec<OutboxFile>),
    /// The same for shards that are no more.
    pub former: Vec<(Box<dyn Courier>, Vec<OutboxFile>)>,
}

/// Rows on their way to a courier.
pub(super) struct Waiting {
    open: Rows,
    staged: VecDeque<Staged>,
    /// How long rows may wait for more, so that fewer deliveries are made.
    every: Duration,
    published: Option<u64>,
    /// The last epoch that was delivered.
    delivered: Option<u64>,
    /// By epoch of a checkpoint that is not published yet: the last epoch that it knows to be
    /// delivered.
    settling: VecDeque<(u64, u64)>,
    settled: Option<u64>,
}

/// The rows of an epoch that are part of a checkpoint, or will be.
struct Staged {
    file: OutboxFile,
    rows: Rows,
    since: Instant,
}

/// Rows that are delivered together.
pub(super) struct Parcel {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) rows: Rows,
    /// When the first of them was staged.
    pub(super) since: Instant,
}

impl Waiting {
    pub(super) fn new(every: Option<Duration>) -> Waiting {
        Waiting {
            open: Rows::default(),
            staged: VecDeque::new(),
            every: every.unwrap_or_default(),
            published: None,
            delivered: None,
            settling: VecDeque::new(),
            settled: None,
        }
    }

    /// A checkpoint is published.
    pub(super) fn publish(&mut self, epoch: Option<u64>) {
        self.published = self.published.max(epoch);
        while let Some((_, delivered)) =
            self.settling.pop_front_if(|(of, _)| Some(*of) <= self.published)
        {
            self.settled = Some(delivered);
        }
    }

    /// Takes rows of the open epoch.
    pub(super) fn add(&mut self, rows: Rows) {
        self.open.append(rows);
    }

    /// Closes the epoch, whose rows a function makes durable; says what has to be delivered.
    pub(super) fn stage(
        &mut self,
        (epoch, now): (u64, Instant),
        put: impl FnOnce(&Rows) -> Result<OutboxFile>,
    ) -> Result<Receipt> {
        if !self.open.is_empty() {
            let file = put(&self.open)?;
            let rows = std::mem::take(&mut self.open);
            self.staged.push_back(Staged { file, rows, since: now });
        }
        self.settling.extend(self.delivered.map(|delivered| (epoch, delivered)));
        let outbox = self.staged.iter().map(|staged| staged.file.clone()).collect();
        Ok(Receipt { outbox, ..Receipt::default() })
    }

    /// When the published rows have to be delivered; of many rows, or in a hurry, at once.
    pub(super) fn due(&self, presses: bool) -> Option<Instant> {
        let first = self.staged.front().filter(|first| Some(first.file.epoch) <= self.published)?;
        Some(if presses { first.since } else { first.since + self.every })
    }

    /// The published rows.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        let published = self.published;
        let mut parcel: Option<Parcel> = None;
        while let Some(Staged { file, rows, since }) =
            self.staged.pop_front_if(|staged| Some(staged.file.epoch) <= published)
        {
            let epoch = file.epoch;
            let empty = || Parcel { first: epoch, last: epoch, rows: Rows::default(), since };
            let parcel = parcel.get_or_insert_with(empty);
            parcel.last = epoch;
            parcel.rows.append(rows);
        }
        parcel
    }

    /// Everything up to an epoch is delivered.
    pub(super) fn deliver(&mut self, epoch: u64) {
        self.delivered = Some(epoch);
    }

    /// What every published checkpoint that may be restored knows to be delivered.
    pub(super) fn settled(&self) -> Option<u64> {
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Cell, Change, Mark, Origin, Position};

    fn rows(number: i64) -> Rows {
        let origin = Origin::Record(Position::default());
        let mut rows = Rows::default();
        rows.push(Mark { change: Change::Final, origin }, [Cell::I64(number)]);
        rows
    }

    fn file(epoch: u64) -> OutboxFile {
        OutboxFile { epoch, name: format!("outbox-{epoch}"), bytes: 1, rows: 1 }
    }

    fn stage(waiting: &mut Waiting, epoch: u64) -> Vec<u64> {
        let receipt = waiting.stage((epoch, Instant::now()), |_| Ok(file(epoch))).unwrap();
        receipt.outbox.iter().map(|file| file.epoch).collect()
    }

    #[test]
    fn rows_leave_when_their_epoch_is_published_and_are_listed_until_they_are_delivered() {
        let mut waiting = Waiting::new(None);
        waiting.add(rows(1));
        assert_eq!(stage(&mut waiting, 1), [1]);
        assert_eq!(stage(&mut waiting, 2), [1], "an epoch without rows has no file");
        waiting.add(rows(3));
        assert_eq!(stage(&mut waiting, 3), [1, 3]);
        assert_eq!(waiting.due(true), None);
        assert!(waiting.take().is_none());
        waiting.publish(Some(2));
        assert!(waiting.due(false).is_some_and(|due| due <= Instant::now()));
        let parcel = waiting.take().unwrap();
        assert_eq!((parcel.first, parcel.last, parcel.rows), (1, 1, rows(1)));
        assert_eq!(waiting.due(true), None);
        waiting.deliver(1);
        assert_eq!(stage(&mut waiting, 4), [3]);
        assert_eq!(waiting.settled(), None, "checkpoint 4 may not come to be");
        waiting.publish(Some(4));
        assert_eq!(waiting.settled(), Some(1));
    }

    #[test]
    fn rows_may_wait_for_more_of_several_epochs() {
        let mut waiting = Waiting::new(Some(Duration::from_secs(3600)));
        for epoch in 1..4 {
            waiting.add(rows(epoch as i64));
            stage(&mut waiting, epoch);
        }
        waiting.publish(Some(3));
        assert!(waiting.due(false).is_some_and(|due| Instant::now() < due));
        assert!(waiting.due(true).is_some_and(|due| due <= Instant::now()));
        let parcel = waiting.take().unwrap();
        assert_eq!((parcel.first, parcel.last, parcel.rows.len()), (1, 3, 3));
    }
}
