//! Medians, and how far a median of ratios can be trusted.

use highwater::hash;

/// How often pairs are drawn again.
const RESAMPLES: u64 = 10_000;

/// A median with the bounds of its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// 2.5 % of the resampled medians are below.
    pub low: f64,
    /// 2.5 % are above.
    pub high: f64,
    /// How many values there were.
    pub count: usize,
}

/// A median and what it is the middle of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The greatest.
    pub max: f64,
    /// How many.
    pub count: usize,
}

impl Spread {
    /// Of some values; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let values: Vec<f64> = values.into_iter().collect();
        Some(Spread {
            min: values.iter().copied().min_by(f64::total_cmp)?,
            median: median(&values)?,
            max: values.iter().copied().max_by(f64::total_cmp)?,
            count: values.len(),
        })
    }

    /// That of the inverse of each value.
    pub fn inverse(self) -> Spread {
        let Spread { min, median, max, count } = self;
        Spread { min: 1.0 / max, median: 1.0 / median, max: 1.0 / min, count }
    }
}

/// The median of some values; the mean of the two middle ones of an even number.
///
/// ```
/// use highwater_bench::harness::stats::median;
/// assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
/// assert_eq!(median(&[]), None);
/// ```
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = |at: usize| values.get(at).copied();
    Some((middle(values.len().checked_sub(1)? / 2)? + middle(values.len() / 2)?) / 2.0)
}

/// The median with a 95 % bootstrap interval: values are drawn with replacement 10,000 times, by a
/// fixed seed. Of less than three values the bounds are the least and the greatest.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let whole = median(values)?;
    let mut medians: Vec<f64> = match values.len() {
        0..3 => values.to_vec(),
        _ => (0..RESAMPLES).filter_map(|round| median(&drawn(values, round))).collect(),
    };
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians[((medians.len() - 1) as f64 * share).round() as usize];
    let (low, high) = match values.len() {
        0..3 => (at(0.0), at(1.0)),
        _ => (at(0.025), at(0.975)),
    };
    Some(Estimate { median: whole, low, high, count: values.len() })
}

fn drawn(values: &[f64], round: u64) -> Vec<f64> {
    let draw = |n: usize| values[(hash::of(&(round, n as u64)) % values.len() as u64) as usize];
    (0..values.len()).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_an_interval_of_no_width() {
        let same = estimate(&[2.0; 9]).unwrap();
        assert_eq!((same.low, same.median, same.high, same.count), (2.0, 2.0, 2.0, 9));
    }

    #[test]
    fn the_interval_surrounds_the_median_and_leaves_out_a_stray_value() {
        let values: Vec<f64> = (0..20).map(|n| 1.0 + f64::from(n) / 100.0).chain([50.0]).collect();
        let found = estimate(&values).unwrap();
        assert!(found.low < found.median && found.median < found.high && found.high < 1.2);
        assert_eq!(estimate(&values), Some(found));
    }

    #[test]
    fn a_spread_has_the_ends_of_its_values_and_its_inverse_those_of_their_inverses() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max, spread.count), (1.0, 2.5, 4.0, 4));
        assert_eq!((spread.inverse().min, spread.inverse().max), (0.25, 1.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn two_values_have_no_resampled_interval() {
        let found = estimate(&[3.0, 1.0]).unwrap();
        assert_eq!((found.low, found.median, found.high), (1.0, 2.0, 3.0));
        assert_eq!(estimate(&[]), None);
    }
}
