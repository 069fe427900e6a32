//! Who has said what about an epoch: on each worker, and of all workers on worker 0. Plain values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, PartitionMark, SinkReceipt, StateFile};
use crate::text::Text;

/// What one operator of a worker says about an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contribution {
    /// A reader: where its partitions stand.
    Source(Text, Vec<PartitionMark>),
    /// A shell: the files that hold its state, a whole one first.
    State(Text, Vec<StateFile>),
    /// A sink: what it has written.
    Receipt(Text, SinkReceipt),
}

impl Contribution {
    /// Whether another is that of the same sink; nobody else says more than one last word.
    fn is_of(&self, other: &Contribution) -> bool {
        match (self, other) {
            (Contribution::Receipt(name, _), Contribution::Receipt(other, _)) => name == other,
            _ => false,
        }
    }
}

/// All that one worker has to say about an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The epoch.
    pub epoch: u64,
    /// The worker.
    pub worker: usize,
    /// Its sources.
    pub sources: Vec<(Text, Vec<PartitionMark>)>,
    /// Its states.
    pub states: Vec<(Text, StateFile)>,
    /// Its sinks.
    pub receipts: Vec<(Text, SinkReceipt)>,
}

impl Part {
    pub(super) fn take(&mut self, contribution: Contribution) {
        match contribution {
            Contribution::Source(name, marks) => self.sources.push((name, marks)),
            Contribution::State(name, files) => {
                self.states.extend(files.into_iter().map(|file| (name.clone(), file)));
            }
            Contribution::Receipt(name, receipt) => self.receipts.push((name, receipt)),
        }
    }
}

/// What workers tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// To worker 0: all that a worker has to say about an epoch.
    Part(Part),
    /// To worker 0: all operators of a worker have ended, and this holds from its epoch on; for
    /// ever if nothing is left to do, else until a sink has delivered what was staged last.
    Ended(Part, bool),
    /// From worker 0: the manifest of this epoch is durable; whether it is the last one.
    Published(u64, bool),
}

/// What a worker says from now on, once all of its operators have ended, and whether nothing is
/// left to do.
pub(super) type Ended = Option<(Part, bool)>;

/// Gathers what the operators of one worker contribute.
#[derive(Debug, Default)]
pub(super) struct Collector {
    worker: usize,
    operators: usize,
    epochs: BTreeMap<u64, (usize, Part)>,
    /// What operators say that have ended, for each epoch from one on.
    ended: Vec<Last>,
}

/// The last contribution of an operator.
#[derive(Debug)]
struct Last {
    from: u64,
    contribution: Contribution,
    /// Whether nothing is left to do.
    settled: bool,
}

impl Collector {
    pub(super) fn new(worker: usize) -> Collector {
        Collector { worker, ..Collector::default() }
    }

    /// One more operator will contribute to every epoch.
    pub(super) fn expect(&mut self) {
        self.operators += 1;
    }

    /// Takes a contribution; the part comes out with the last one of its epoch.
    pub(super) fn hear(&mut self, epoch: u64, contribution: Contribution) -> Option<Part> {
        let worker = self.worker;
        let (heard, part) = self
            .epochs
            .entry(epoch)
            .or_insert_with(|| (0, Part { epoch, worker, ..Part::default() }));
        part.take(contribution);
        *heard += 1;
        self.whole(epoch)
    }

    /// Takes what a sink says that has staged everything and waits for the checkpoint: it holds for
    /// each epoch from this one on, up to that from which on the sink has ended.
    pub(super) fn stand(&mut self, from: u64, contribution: Contribution) -> (Vec<Part>, Ended) {
        self.ended.push(Last { from, contribution, settled: false });
        self.completed(from)
    }

    /// Takes the last contribution of an operator, which holds for each epoch from this one on.
    /// What is whole by it comes out, and what this worker says from now on, if it was the last
    /// operator.
    pub(super) fn end(&mut self, from: u64, contribution: Contribution) -> (Vec<Part>, Ended) {
        self.ended.push(Last { from, contribution, settled: true });
        self.completed(from)
    }

    /// The last contributions that hold for an epoch: of a sink that has stood and ended, one.
    fn last(&self, epoch: u64) -> impl Iterator<Item = &Last> {
        let holds = move |last: &&Last| last.from <= epoch;
        self.ended.iter().enumerate().filter(move |(_, last)| holds(last)).filter_map(
            move |(index, last)| {
                let mut later = self.ended[index + 1..].iter().filter(holds);
                let replaced = later.any(|later| later.contribution.is_of(&last.contribution));
                (!replaced).then_some(last)
            },
        )
    }

    fn completed(&mut self, from: u64) -> (Vec<Part>, Ended) {
        let open: Vec<u64> = self.epochs.range(from..).map(|(epoch, _)| *epoch).collect();
        let parts = open.into_iter().filter_map(|epoch| self.whole(epoch)).collect();
        let all: Vec<&Last> = self.last(u64::MAX).collect();
        if all.len() < self.operators {
            return (parts, None);
        }
        let epoch = all.iter().map(|last| last.from).max().unwrap_or(0);
        let mut part = Part { epoch, worker: self.worker, ..Part::default() };
        all.iter().for_each(|last| part.take(last.contribution.clone()));
        (parts, Some((part, all.iter().all(|last| last.settled))))
    }

    /// Takes a part out if all operators have contributed to it.
    fn whole(&mut self, epoch: u64) -> Option<Part> {
        let ended = || self.last(epoch);
        let (heard, _) = self.epochs.get(&epoch)?;
        if heard + ended().count() < self.operators {
            return None;
        }
        let more: Vec<Contribution> = ended().map(|last| last.contribution.clone()).collect();
        let (_, mut part) = self.epochs.remove(&epoch)?;
        more.into_iter().for_each(|contribution| part.take(contribution));
        Some(part)
    }

    /// Forgets epochs that are published or given up.
    pub(super) fn forget(&mut self, published: u64) {
        self.epochs = self.epochs.split_off(&(published + 1));
    }
}

/// Makes manifests of the parts of all workers.
#[derive(Debug)]
pub(super) struct Council {
    peers: usize,
    /// What all manifests have in common.
    common: Manifest,
    /// The newest epoch of which a manifest was made.
    made: Option<u64>,
    epochs: BTreeMap<u64, Vec<Part>>,
    /// What workers say for each epoch from that of the part on, and whether they have done all.
    ended: Vec<(Part, bool)>,
}

impl Council {
    pub(super) fn new(common: Manifest) -> Council {
        let (peers, made) = (common.peers, common.epoch.checked_sub(1));
        Council { peers, common, made, epochs: BTreeMap::new(), ended: Vec::new() }
    }

    /// Takes a part; the manifest comes out with the last one of its epoch.
    pub(super) fn hear(&mut self, part: Part) -> Option<Manifest> {
        let epoch = part.epoch;
        if Some(epoch) <= self.made {
            return None;
        }
        self.epochs.entry(epoch).or_default().push(part);
        self.whole(epoch)
    }

    fn whole(&mut self, epoch: u64) -> Option<Manifest> {
        let ended = self.last(epoch);
        if self.epochs.get(&epoch)?.len() + ended.len() < self.peers {
            return None;
        }
        let more: Vec<Part> = ended.into_values().map(|(part, _)| part.clone()).collect();
        let mut parts = self.epochs.remove(&epoch)?;
        parts.extend(more);
        // What is older and incomplete will not be completed in time to be of use.
        self.epochs = self.epochs.split_off(&epoch);
        self.made = Some(epoch);
        Some(self.manifest(epoch, parts, false))
    }

    /// Takes the part of a worker whose operators have all ended; it holds for each epoch from its
    /// own on. With the last worker a manifest comes out, the last one once all have done all.
    pub(super) fn end(&mut self, part: Part, done: bool) -> Option<Manifest> {
        let from = part.epoch;
        self.ended.push((part, done));
        let all = self.last(u64::MAX);
        if all.len() < self.peers {
            let newest = self.epochs.range(from..).next_back().map(|(epoch, _)| *epoch);
            return newest.and_then(|epoch| self.whole(epoch));
        }
        let epoch = all.values().map(|(part, _)| part.epoch).max().unwrap_or(0);
        let done = all.values().all(|(_, done)| *done);
        let parts = all.into_values().map(|(part, _)| part.clone()).collect();
        let next = self.made.map_or(0, |made| made + 1);
        // What only waits for a checkpoint has it, if one of its epoch was made.
        if !done && epoch < next {
            return None;
        }
        let epoch = epoch.max(next);
        self.made = Some(epoch);
        Some(self.manifest(epoch, parts, done))
    }

    /// What workers say that have ended and that holds for an epoch: the last of each.
    fn last(&self, epoch: u64) -> BTreeMap<usize, &(Part, bool)> {
        let holds = self.ended.iter().filter(|(part, _)| part.epoch <= epoch);
        holds.map(|ended| (ended.0.worker, ended)).collect()
    }

    fn manifest(&self, epoch: u64, mut parts: Vec<Part>, done: bool) -> Manifest {
        parts.sort_by_key(|part| part.worker);
        let mut manifest = Manifest { epoch, done, ..self.common.clone() };
        for part in parts {
            for (source, marks) in part.sources {
                manifest.sources.entry(source).or_default().extend(marks);
            }
            for (operator, file) in part.states {
                manifest.states.entry(operator).or_default().push(file);
            }
            for (sink, receipt) in part.receipts {
                manifest.receipts.entry(sink).or_default().push(receipt);
            }
        }
        let marks = manifest.sources.values_mut();
        marks.for_each(|marks| marks.sort_by_key(|mark| mark.partition));
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::super::Receipt;
    use super::*;
    use crate::lateness::Ledger;
    use crate::time::{Millis, Time};

    fn mark(partition: u32, next: i64) -> PartitionMark {
        let (next_offset, ledger) = (Some(next), Ledger::default());
        let (greatest, floor, decided) = (None, Millis::MIN, None);
        let (promised, log) = (floor, None);
        PartitionMark { partition, next_offset, greatest, floor, decided, promised, ledger, log }
    }

    fn source(partition: u32, next: i64) -> Contribution {
        Contribution::Source("chat".into(), vec![mark(partition, next)])
    }

    fn state(worker: usize) -> Contribution {
        let file = StateFile { name: format!("file-{worker}"), bytes: 1, worker, whole: true };
        Contribution::State("counts".into(), vec![file])
    }

    fn council(peers: usize, first: u64) -> Council {
        Council::new(Manifest {
            system: "chat".into(),
            job: "chat".into(),
            engine: "0".into(),
            generation: 1,
            epoch: first,
            peers,
            life: 1,
            written_at: Time::from_micros(0),
            done: false,
            shapes: vec![],
            sources: BTreeMap::new(),
            states: BTreeMap::new(),
            receipts: BTreeMap::new(),
        })
    }

    /// The part of a worker with one source and one state.
    fn part(worker: usize, epoch: u64) -> Part {
        let mut collector = Collector::new(worker);
        (0..2).for_each(|_| collector.expect());
        assert_eq!(collector.hear(epoch, source(worker as u32, 10)), None);
        collector.hear(epoch, state(worker)).expect("it was the last one")
    }

    #[test]
    fn a_part_is_whole_with_the_last_operator_of_its_epoch() {
        let mut collector = Collector::new(1);
        (0..2).for_each(|_| collector.expect());
        assert_eq!(collector.hear(4, source(0, 10)), None);
        assert_eq!(collector.hear(5, source(0, 20)), None, "of another epoch");
        let part = collector.hear(4, state(1)).expect("all of epoch 4");
        assert_eq!((part.epoch, part.worker), (4, 1));
        assert_eq!(part.sources, [("chat".into(), vec![mark(0, 10)])]);
        assert_eq!(part.states.len(), 1);
    }

    #[test]
    fn an_operator_that_has_ended_speaks_for_all_later_epochs() {
        let mut collector = Collector::new(1);
        (0..2).for_each(|_| collector.expect());
        collector.hear(4, state(1));
        collector.hear(5, state(1));
        let (parts, last) = collector.end(5, source(0, 99));
        assert_eq!(parts.iter().map(|part| part.epoch).collect::<Vec<_>>(), [5]);
        assert_eq!(parts[0].sources, [("chat".into(), vec![mark(0, 99)])]);
        assert_eq!(last, None, "one goes on");
        assert!(collector.hear(6, state(1)).is_some());
        assert!(collector.hear(4, source(0, 10)).is_some(), "it had spoken for that itself");
        let (parts, last) = collector.end(7, state(1));
        assert!(parts.is_empty());
        assert!(last.is_some_and(|(part, all)| all && part.epoch == 7 && part.sources.len() == 1));
    }

    #[test]
    fn a_worker_that_has_ended_speaks_for_all_later_epochs() {
        let mut council = council(2, 0);
        assert_eq!(council.hear(part(0, 3)), None);
        assert_eq!(council.hear(part(0, 4)), None);
        let manifest = council.end(part(1, 4), true).expect("all of epoch 4");
        assert_eq!((manifest.epoch, manifest.done), (4, false));
        assert!(
            council.hear(part(0, 5)).is_some_and(|manifest| manifest.sources["chat"].len() == 2)
        );
        assert!(council.end(part(0, 6), true).is_some_and(|manifest| manifest.done));
    }

    fn receipt(words: &str) -> Contribution {
        let receipt = Receipt { words: words.into(), ..Receipt::default() };
        Contribution::Receipt("counts".into(), SinkReceipt { shard: 1, receipt })
    }

    #[test]
    fn a_sink_that_waits_for_its_last_checkpoint_speaks_until_it_has_delivered() {
        let mut collector = Collector::new(1);
        (0..2).for_each(|_| collector.expect());
        assert_eq!(collector.stand(4, receipt("staged")), (vec![], None));
        let (parts, ended) = collector.end(5, source(0, 99));
        let (part, all) = ended.expect("both have ended");
        assert!(parts.is_empty() && part.epoch == 5 && !all);
        let (_, ended) = collector.end(6, receipt("delivered"));
        let (part, all) = ended.expect("both have ended");
        let words: Vec<&str> = part.receipts.iter().map(|r| &*r.1.receipt.words).collect();
        assert!(all && part.epoch == 6 && words == ["delivered"], "{part:?}");
        // Of an epoch before, it has not delivered: the letters about it may be missing there.
        let last = collector.last(5).map(|last| last.contribution.clone());
        assert_eq!(last.collect::<Vec<_>>(), [receipt("staged"), source(0, 99)]);
    }

    #[test]
    fn the_last_manifest_waits_for_what_has_to_be_delivered() {
        let mut council = council(2, 0);
        assert_eq!(council.end(part(0, 3), false), None);
        let staged = council.end(part(1, 4), true).expect("all have staged");
        assert_eq!((staged.epoch, staged.done), (4, false));
        let last = council.end(part(0, 3), true).expect("all have delivered");
        assert_eq!((last.epoch, last.done), (5, true));
        // A worker that stages more meanwhile gets a checkpoint of that, too.
        let mut council = self::council(2, 0);
        council.end(part(0, 3), false);
        council.end(part(1, 3), false);
        assert_eq!(council.end(part(1, 3), true), None, "epoch 3 was made");
        assert!(council.end(part(0, 7), false).is_some_and(|m| (m.epoch, m.done) == (7, false)));
        assert!(council.end(part(0, 7), true).is_some_and(|m| (m.epoch, m.done) == (8, true)));
    }

    #[test]
    fn what_is_forgotten_is_not_completed() {
        let mut collector = Collector::new(0);
        (0..2).for_each(|_| collector.expect());
        collector.hear(4, source(0, 10));
        collector.forget(4);
        assert_eq!(collector.hear(4, state(0)), None);
    }

    #[test]
    fn a_manifest_is_made_of_the_parts_of_all_workers_in_any_order() {
        let mut council = council(2, 0);
        assert_eq!(council.hear(part(1, 3)), None);
        assert_eq!(council.hear(part(0, 4)), None);
        let manifest = council.hear(part(0, 3)).expect("both parts of epoch 3");
        assert_eq!((manifest.epoch, manifest.done), (3, false));
        assert_eq!(manifest.sources["chat"], [mark(0, 10), mark(1, 10)]);
        let files: Vec<&str> = manifest.files().collect();
        assert_eq!(files, ["file-0", "file-1"]);
        assert!(council.hear(part(1, 4)).is_some_and(|manifest| manifest.epoch == 4));
    }

    #[test]
    fn an_epoch_that_one_worker_left_out_is_passed_over() {
        let mut council = council(2, 0);
        assert_eq!(council.hear(part(0, 3)), None);
        assert_eq!(council.hear(part(0, 4)), None);
        assert!(council.hear(part(1, 4)).is_some());
        assert_eq!(council.hear(part(1, 3)), None, "an older one would take the job back");
    }

    #[test]
    fn the_last_manifest_is_behind_all_others_also_right_after_a_restart() {
        let check = |peers, first, parts: Vec<Part>, expect| {
            let mut council = council(peers, first);
            parts.into_iter().for_each(|part| drop(council.hear(part)));
            for worker in 1..peers {
                let last = Part { worker, ..Part::default() };
                assert_eq!(council.end(last, true), None);
            }
            let manifest = council.end(Part::default(), true).expect("all have ended");
            assert_eq!((manifest.epoch, manifest.done), (expect, true));
        };
        check(1, 0, vec![], 0);
        check(2, 413, vec![], 413);
        check(2, 0, vec![part(0, 7), part(1, 7)], 8);
    }
}
