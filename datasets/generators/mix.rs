//! Which record of which topic record *n* of a run is.
//!
//! The topics take turns in a fixed cycle in which each has as many places as its weight says,
//! spread as evenly as can be, so the answer has a closed form both ways.

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    /// For each place of the cycle, the topic and how many of its places come before.
    cycle: Vec<(usize, u64)>,
    /// For each topic, its places in the cycle.
    places: Vec<Vec<u64>>,
}

impl Mix {
    /// A mix of some of the topics, which are indexes of `weights`; at least one.
    pub(crate) fn new(topics: &[usize], weights: &[u64]) -> Mix {
        if let [topic] = *topics {
            let mut places = vec![Vec::new(); weights.len()];
            places[topic].push(0);
            return Mix { cycle: vec![(topic, 0)], places };
        }
        let total: u64 = topics.iter().map(|topic| weights[*topic]).sum();
        let mut places = vec![Vec::new(); weights.len()];
        let mut credits = vec![0; topics.len()];
        let turn = |place: u64| {
            // Whoever has waited longest for its share comes next.
            for (credit, topic) in credits.iter_mut().zip(topics) {
                *credit += weights[*topic] as i64;
            }
            let most = (0..topics.len()).max_by_key(|index| credits[*index]).unwrap_or(0);
            credits[most] -= total as i64;
            let own: &mut Vec<u64> = &mut places[topics[most]];
            own.push(place);
            (topics[most], own.len() as u64 - 1)
        };
        Mix { cycle: (0..total).map(turn).collect(), places }
    }

    /// The topic of a record, and which of the topic's records it is.
    #[inline]
    pub(crate) fn place(&self, number: u64) -> (usize, u64) {
        let length = self.cycle.len() as u64;
        let (topic, before) = self.cycle[(number % length) as usize];
        (topic, number / length * self.places[topic].len() as u64 + before)
    }

    /// The number in the run of a topic's record; the reverse of [`Mix::place`].
    #[inline]
    pub(crate) fn number(&self, topic: usize, index: u64) -> u64 {
        let own = &self.places[topic];
        let count = own.len() as u64;
        index / count * self.cycle.len() as u64 + own[(index % count) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_gets_its_share_and_its_records_are_counted_without_a_gap() {
        let mix = Mix::new(&[0, 2, 3], &[15, 7, 4, 1]);
        let mut next = [0; 4];
        for number in 0..100 {
            let (topic, index) = mix.place(number);
            assert_eq!(index, next[topic]);
            assert_eq!(mix.number(topic, index), number);
            next[topic] += 1;
        }
        assert_eq!(next, [75, 0, 20, 5]);
    }

    #[test]
    fn one_topic_alone_has_every_record() {
        let mix = Mix::new(&[1], &[15, 7, 4]);
        assert_eq!(mix.place(41), (1, 41));
        assert_eq!(mix.number(1, 41), 41);
    }
}
