//! How often a worker saves its states: each epoch, or fewer if it cannot keep up. Plain values.

use std::collections::BTreeMap;

/// At the least each epoch of 2 to the power of this is saved.
const SELDOM_MAX: u32 = 3;

/// So many epochs in a row that were saved in time let it be more often again.
const CALM: u32 = 8;

/// Decides which epochs a worker saves.
///
/// A manifest needs the states of one epoch from all workers, and they do not ask each other. If
/// each left out an epoch as it liked, one could save the even ones and another the odd ones. So a
/// worker that cannot keep up saves the epochs whose number is a multiple of two, then four, then
/// eight: those of a slow worker are among those of a faster one.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    seldom: u32,
    calm: u32,
    /// States that will be saved for an epoch and are not.
    unsaved: BTreeMap<u64, usize>,
    /// Operators that save a state each.
    operators: usize,
}

impl Rhythm {
    /// One more operator saves a state; returns how many there were before.
    pub(super) fn expect(&mut self) -> usize {
        self.operators += 1;
        self.operators - 1
    }

    /// How many operators there are.
    pub(super) fn operators(&self) -> usize {
        self.operators
    }

    /// Whether an epoch is saved, given whether the store keeps up. Asked once for each.
    pub(super) fn decide(&mut self, epoch: u64, has_room: bool) -> bool {
        if !epoch.is_multiple_of(1 << self.seldom) {
            return false;
        }
        // The rarest epochs are saved whatever the cost, unless memory would fill with them.
        let is_slow = !self.unsaved.is_empty() && self.seldom < SELDOM_MAX;
        if is_slow || !has_room {
            self.seldom = (self.seldom + 1).min(SELDOM_MAX);
            self.calm = 0;
            return false;
        }
        self.calm += 1;
        if self.calm == CALM {
            self.seldom = self.seldom.saturating_sub(1);
            self.calm = 0;
        }
        if 0 < self.operators {
            self.unsaved.insert(epoch, self.operators);
        }
        true
    }

    /// An operator has saved its state for an epoch.
    pub(super) fn saved(&mut self, epoch: u64) {
        if let Some(count) = self.unsaved.get_mut(&epoch) {
            *count -= 1;
            if *count == 0 {
                self.unsaved.remove(&epoch);
            }
        }
    }

    /// An operator has ended: it has saved its state for all epochs from this one on.
    pub(super) fn ended(&mut self, from: u64) {
        self.operators = self.operators.saturating_sub(1);
        let epochs: Vec<u64> = self.unsaved.range(from..).map(|(epoch, _)| *epoch).collect();
        epochs.into_iter().for_each(|epoch| self.saved(epoch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm() -> Rhythm {
        let mut rhythm = Rhythm::default();
        assert_eq!((rhythm.expect(), rhythm.expect()), (0, 1));
        rhythm
    }

    fn save(rhythm: &mut Rhythm, epoch: u64) {
        (0..2).for_each(|_| rhythm.saved(epoch));
    }

    #[test]
    fn every_epoch_is_saved_while_all_operators_keep_up() {
        let mut rhythm = rhythm();
        for epoch in 0..20 {
            assert!(rhythm.decide(epoch, true), "{epoch}");
            save(&mut rhythm, epoch);
        }
    }

    #[test]
    fn workers_that_cannot_keep_up_save_the_same_epochs() {
        // One needs two epochs for each save, the other nearly three, and begins in the middle.
        let mut workers = [(rhythm(), 2, None), (rhythm(), 3, None)];
        let mut both = 0;
        for epoch in 1..1_000u64 {
            let mut saved = 0;
            for (rhythm, needs, begun) in &mut workers {
                if begun.is_some_and(|begun| begun + *needs <= epoch) {
                    save(rhythm, begun.take().unwrap());
                }
                if rhythm.decide(epoch, true) {
                    assert_eq!(*begun, None, "epoch {epoch} began while another was saved");
                    *begun = Some(epoch);
                    saved += 1;
                }
            }
            both += usize::from(saved == 2);
        }
        assert!(100 < both, "{both}");
    }

    #[test]
    fn a_store_that_fails_gets_no_more_and_one_that_never_keeps_up_gets_some() {
        let mut rhythm = rhythm();
        let full = (0..100).filter(|epoch| rhythm.decide(*epoch, false)).count();
        assert_eq!(full, 0);
        let taken: Vec<u64> = (100..200).filter(|epoch| rhythm.decide(*epoch, true)).collect();
        assert!(10 <= taken.len() && taken.iter().all(|epoch| epoch % 4 == 0), "{taken:?}");
    }

    #[test]
    fn an_operator_that_has_ended_holds_up_nothing() {
        let mut rhythm = rhythm();
        assert!(rhythm.decide(4, true));
        rhythm.saved(4);
        rhythm.ended(4);
        assert_eq!((rhythm.unsaved.len(), rhythm.operators()), (0, 1));
        assert!(rhythm.decide(5, true));
        rhythm.saved(5);
        assert!(rhythm.decide(6, true));
    }
}
