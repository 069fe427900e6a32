//! What a reader shows of its partitions: once an epoch, or more often where that is long.

use std::collections::VecDeque;
use std::time::Duration;

use super::Reader;
use crate::observe::PartitionBoard;
use crate::runtime::wall_time;
use crate::source::Poll;

/// The partitions are shown at least so often.
pub(super) const SHOWN: Duration = Duration::from_secs(1);

/// How many records of a partition are on their way: read, and not confirmed by all sinks.
#[derive(Debug)]
pub(super) struct InFlight {
    /// Records up to the last epoch that is confirmed.
    confirmed: u64,
    /// Records up to the end of each epoch that is not.
    ends: VecDeque<(u64, u64)>,
}

impl InFlight {
    /// Of a partition all of whose records are confirmed: so many.
    pub(super) fn new(read: u64) -> InFlight {
        InFlight { confirmed: read, ends: VecDeque::new() }
    }

    /// An epoch has ended; so many records had been read.
    fn end(&mut self, epoch: u64, read: u64) {
        self.ends.push_back((epoch, read));
    }

    /// All epochs before this one are confirmed.
    fn confirm(&mut self, confirmed: u64) {
        while let Some((_, read)) = self.ends.pop_front_if(|(epoch, _)| *epoch < confirmed) {
            self.confirmed = read;
        }
    }

    /// How many of those that were read are not confirmed.
    fn of(&self, read: u64) -> u64 {
        read.saturating_sub(self.confirmed)
    }
}

impl Reader {
    /// The first epoch that the sinks of all workers have not confirmed, or no checkpoint holds.
    pub(super) fn confirmed(&self) -> u64 {
        let confirmed = self.context.pace.epoch(self.context.confirmed.get());
        match &self.context.agent {
            Some(agent) => confirmed.min(agent.published().map_or(0, |published| published + 1)),
            None => confirmed,
        }
    }

    /// The open epoch ends here.
    pub(super) fn note_flight(&mut self) {
        let (epoch, confirmed) = (self.epoch, self.confirmed());
        for reading in &mut self.partitions {
            reading.flight.end(epoch, reading.state.ledger.read);
            reading.flight.confirm(confirmed);
        }
    }

    /// Says where the partitions stand.
    pub(super) fn report(&mut self) {
        let (now, wall) = (self.context.clock.now(), wall_time());
        self.shown = now;
        for reading in &self.partitions {
            let state = &reading.state;
            assert!(state.ledger.adds_up(), "{} {}: {:?}", self.plan.name, state.id, state.ledger);
            let quiet: Duration = now.saturating_sub(reading.arrived);
            let board = PartitionBoard {
                name: self.plan.source.name(state.id),
                worker: self.context.worker,
                ledger: state.ledger,
                watermark: state.watermark.get(),
                next_offset: state.next_offset,
                lag: reading.partition.lag(),
                greatest: state.watermark.greatest(),
                last: wall.minus(quiet),
                in_flight: reading.flight.of(state.ledger.read),
                is_finished: reading.last == Poll::Finished,
            };
            self.context.board.partition(&self.plan.name, state.id, board);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_confirmed_is_no_longer_on_its_way() {
        let mut flight = InFlight::new(100);
        assert_eq!(flight.of(130), 30);
        flight.end(4, 130);
        flight.end(5, 170);
        flight.confirm(4);
        assert_eq!(flight.of(180), 80, "epoch 4 is the first that is not confirmed");
        flight.confirm(5);
        assert_eq!(flight.of(180), 50);
        flight.confirm(9);
        assert_eq!(flight.of(180), 10);
    }
}
