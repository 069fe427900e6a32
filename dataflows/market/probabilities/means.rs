//! [`Means`]: the means of many names in one window.

use std::collections::BTreeMap;

use highwater::prelude::*;

/// A mean by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Means(BTreeMap<Text, Mean>);

impl Means {
    /// The mean of one value; of no name for NULL.
    pub(super) fn of(name: &Option<Text>, value: Option<f64>) -> Means {
        Means(name.iter().map(|name| (name.clone(), Mean::of(value))).collect())
    }

    /// Those that have a value.
    pub(super) fn get(&self) -> BTreeMap<Text, f64> {
        self.0.iter().filter_map(|(name, mean)| Some((name.clone(), mean.get()?))).collect()
    }
}

impl Aggregate for Means {
    fn merge(&mut self, other: &Means) {
        for (name, mean) in &other.0 {
            self.0.entry(name.clone()).or_default().merge(mean);
        }
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}
