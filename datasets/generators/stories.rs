//! Stories: records that belong together and come in order, with other stories in between.
//!
//! The records of a partition are cut into blocks. At the start, some ways to fill a block with
//! stories are drawn; each block then takes one of them, and each story in it has a random
//! sequence of its own. So which step of which story a record is needs no look at other records.
//! No story crosses the end of a block; the last one may have to end early.

use crate::random::{Random, hash};

/// Records of a block.
const BLOCK: usize = 256;
/// How many ways there are to fill one.
const LAYOUTS: u64 = 32;
/// How many stories go on at the same time.
const OPEN: usize = 6;
/// How often another story is drawn when one is too long for what is left of a block.
const TRIES: usize = 6;

const LAYOUT: u64 = 0x1a10;
const STORY: u64 = 0x5704;

/// See the module; `E` is the event of a step.
#[derive(Clone, Debug)]
pub(crate) struct Stories<E> {
    seed: u64,
    /// For each place of a block, the story within the block and the event.
    layouts: Vec<Vec<(u16, E)>>,
}

impl<E: Copy> Stories<E> {
    /// Of stories whose events, at least one, `tell` appends to a list.
    pub(crate) fn new(seed: u64, tell: impl Fn(&mut Random, &mut Vec<E>)) -> Stories<E> {
        let layout = |index| layout(&mut Random::new(seed ^ LAYOUT, index), &tell);
        Stories { seed, layouts: (0..LAYOUTS).map(layout).collect() }
    }

    /// The event at a place of a partition (index, of how many), and the random sequence of its
    /// story, from the sequence's start.
    #[inline]
    pub(crate) fn at(&self, place: u64, (partition, of): (u64, u64)) -> (E, Random) {
        let block = place / BLOCK as u64 * of + partition;
        let layout = &self.layouts[(hash(self.seed ^ LAYOUT, block) % LAYOUTS) as usize];
        let (story, event) = layout[(place % BLOCK as u64) as usize];
        (event, Random::new(self.seed ^ STORY, block * BLOCK as u64 + u64::from(story)))
    }
}

/// A way to fill a block.
fn layout<E: Copy>(random: &mut Random, tell: &impl Fn(&mut Random, &mut Vec<E>)) -> Vec<(u16, E)> {
    let mut places = Vec::with_capacity(BLOCK);
    // The stories that go on, each with the events that are still to come, last one first.
    let mut open: Vec<(u16, Vec<E>)> = Vec::new();
    let (mut stories, mut waiting) = (0, 0);
    let mut is_full = false;
    while places.len() < BLOCK {
        while open.len() < OPEN && !is_full {
            let room = BLOCK - places.len() - waiting;
            match begin(random, tell, room) {
                Some(events) => {
                    waiting += events.len();
                    open.push((stories, events));
                    stories += 1;
                }
                None => is_full = true,
            }
        }
        let index = random.below(open.len() as u64) as usize;
        let (story, events) = &mut open[index];
        places.extend(events.pop().map(|event| (*story, event)));
        waiting -= 1;
        if events.is_empty() {
            open.swap_remove(index);
        }
    }
    places
}

/// A story that fits the room, if need be without its end; none if there is no room.
fn begin<E>(
    random: &mut Random,
    tell: &impl Fn(&mut Random, &mut Vec<E>),
    room: usize,
) -> Option<Vec<E>> {
    let mut events = Vec::new();
    for _ in 0..if room == 0 { 0 } else { TRIES } {
        events.clear();
        tell(random, &mut events);
        if events.len() <= room {
            break;
        }
    }
    events.truncate(room);
    events.reverse();
    (!events.is_empty()).then_some(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_steps_of_a_story_come_in_order_and_share_a_sequence() {
        let stories = Stories::new(7, |random, events| events.extend(0..=random.below(5)));
        let mut seen: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut order = vec![];
        for place in 0..2_560 {
            let (step, mut random) = stories.at(place, (1, 3));
            let story = random.bits();
            seen.entry(story).or_default().push(step);
            order.push(story);
        }
        for (story, steps) in &seen {
            let expect: Vec<u64> = (0..steps.len() as u64).collect();
            assert_eq!(steps, &expect, "story {story}");
        }
        assert!((750..950).contains(&seen.len()), "{} stories", seen.len());
        let together = order.windows(2).filter(|two| two[0] == two[1]).count();
        assert!(together < order.len() / 2, "stories hardly mix");
    }

    #[test]
    fn partitions_tell_stories_of_their_own() {
        let stories = Stories::new(7, |_, events| events.push(()));
        let first = |partition| stories.at(0, (partition, 2)).1.bits();
        assert_ne!(first(0), first(1));
    }
}
