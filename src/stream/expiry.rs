//! [`Expiry`]: keys in the order in which they are to be forgotten.
//!
//! A key is noted once, with its end as it stands then. It may live longer by the time that end is
//! reached; it is then noted again. So a key that is used often costs nothing here.

use std::collections::BTreeMap;

use crate::time::{Millis, Time};

/// Keys by the time at which they end, as it stood when it was noted.
#[derive(Debug)]
pub(super) struct Expiry<K>(BTreeMap<Time, Vec<K>>);

impl<K> Default for Expiry<K> {
    fn default() -> Expiry<K> {
        Expiry(BTreeMap::new())
    }
}

impl<K> Expiry<K> {
    /// Notes the end of a key that is not noted.
    pub(super) fn note(&mut self, end: Time, key: K) {
        self.0.entry(end).or_default().push(key);
    }

    /// How many keys are noted.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Asks about each key whose noted end lies before the watermark: `later` forgets it, or says
    /// its end if that is later than the noted one.
    pub(super) fn pass(
        &mut self,
        watermark: Millis,
        mut later: impl FnMut(&K, Time) -> Option<Time>,
    ) {
        while let Some(entry) = self.0.first_entry() {
            // What comes from now on ends at the watermark or behind it.
            if watermark <= entry.key().floor_ms() {
                break;
            }
            let (noted, keys) = entry.remove_entry();
            for key in keys {
                if let Some(end) = later(&key, noted) {
                    self.note(end, key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_lives_longer_is_asked_about_again() {
        let mut expiry = Expiry::default();
        expiry.note(Time::from_seconds(10), "a");
        expiry.note(Time::from_seconds(20), "b");
        let mut asked = Vec::new();
        let mut pass = |watermark: i64, later: Option<i64>| {
            asked.clear();
            expiry.pass(Millis(watermark), |key, noted| {
                asked.push(format!("{key} {}", noted.micros() / 1_000_000));
                later.map(Time::from_seconds)
            });
            asked.join(", ")
        };
        assert_eq!(pass(10_000, None), "");
        assert_eq!(pass(10_001, Some(30)), "a 10");
        assert_eq!(pass(30_001, None), "b 20, a 30");
        assert_eq!(pass(i64::MAX, None), "");
    }
}
