//! Aggregates: commutative semigroups, one file each.
//!
//! An aggregate is what events of a window add up to; a *measure* sends one event into it, by `of`.
//! Merging is commutative and associative **to the last bit**, so the number of workers, the
//! pre-aggregation before the exchange, slices shared by windows and a restore cannot show in a
//! result. `#[derive(Aggregate)]` merges a struct field by field.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::Key;
use crate::row::Position;
use crate::time::Time;

/// What the events of a window add up to. [`Default`] is the aggregate of nothing.
///
/// A law, tested for every aggregate: for all `a`, `b`, `c`, merging gives equal values whatever
/// the order and the grouping, and merging the default changes nothing.
pub trait Aggregate: Clone + Default + Send + Serialize + DeserializeOwned + 'static {
    /// Takes in what another part of the same window holds.
    fn merge(&mut self, other: &Self);

    /// As [`Aggregate::merge`], when the other is needed no more.
    fn absorb(&mut self, other: Self) {
        self.merge(&other);
    }
}

/// When and where an event happened: what `accumulate_with` hands to a measure, and the order of
/// events everywhere: by time, then position.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
pub struct Stamp {
    /// Event time.
    pub time: Time,
    /// Source, partition, offset, element.
    pub position: Position,
}

/// What an aggregate of single values may hold.
pub trait Value: Key {}
impl<T: Key> Value for T {}

impl Aggregate for () {
    fn merge(&mut self, _other: &()) {}
}
