//! Aggregates: commutative semigroups, one file each.
//!
//! An aggregate is what events of a window add up to; a *measure* sends one event into it, by `of`.
//! Merging is commutative and associative **to the last bit**, so the number of workers, the
//! pre-aggregation before the exchange, slices shared by windows and a restore cannot show in a
//! result. `#[derive(Aggregate)]` merges a struct field by field:
//!
//! ```
//! use highwater::prelude::*;
//!
//! #[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
//! struct Audience {
//!     viewers: Distinct<Text>,
//!     events: Count,
//!     seconds: Sum<i64>,
//! }
//!
//! let event = |user: &str, seconds: Option<i64>| Audience {
//!     viewers: Distinct::of(&Text::from(user)),
//!     events: Count::one(),
//!     seconds: Sum::of(seconds),
//! };
//! let mut audience = event("ann", Some(40));
//! audience.absorb(event("bob", None));
//! audience.merge(&event("ann", Some(2)));
//! assert_eq!(audience.viewers.get(), 2);
//! assert_eq!(audience.events.get(), 3);
//! assert_eq!(audience.seconds.get(), Some(42));
//! ```
//!
//! NULL, which is `None`, is no value: nothing is added up for it. As a field of a row an aggregate
//! is its value; floats that are not finite are NULL there.

use std::cmp::Ordering;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use collect::Collect;
pub use count::Count;
pub use distinct::Distinct;
pub use ends::{First, Last};
pub use extremes::{Max, Min};
pub use mean::Mean;
pub use number::Number;
pub use sum::{Sum, Summand};
pub use topk::TopK;
pub use variance::Variance;

use crate::key::Key;
use crate::row::Position;
use crate::time::Time;

mod collect;
mod count;
mod distinct;
mod ends;
mod exact;
mod extremes;
mod floats;
#[cfg(test)]
pub(crate) mod laws;
mod mean;
mod natural;
mod number;
mod sum;
mod topk;
mod variance;

/// What the events of a window add up to. [`Default`] is the aggregate of nothing.
///
/// A law, tested for every aggregate: for all `a`, `b`, `c`, merging gives equal values whatever
/// the order and the grouping, and merging the default changes nothing.
pub trait Aggregate: Clone + Default + Send + Serialize + DeserializeOwned + 'static {
    /// Takes in what another part of the same window holds.
    fn merge(&mut self, other: &Self);

    /// As [`Aggregate::merge`], when the other is needed no more.
    #[inline]
    fn absorb(&mut self, other: Self) {
        self.merge(&other);
    }

    /// How many values it holds that came one by one, about; 0 if it has a fixed size. A group that
    /// holds many is not saved as a whole in each checkpoint, but by what was added to it.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// let mut users: Distinct<u32> = (1..=40).fold(Distinct::default(), |mut users, user| {
    ///     users.absorb(Distinct::of(&user));
    ///     users
    /// });
    /// assert_eq!(users.weight(), 40);
    /// assert_eq!((users, Count::one()).weight(), 40);
    /// ```
    #[inline]
    fn weight(&self) -> usize {
        0
    }
}

/// When and where an event happened: what `accumulate_with` hands to a measure, and the order of
/// events everywhere: by time, then position.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Stamp {
    /// Event time.
    pub time: Time,
    /// Source, partition, offset, element.
    pub position: Position,
}

/// What an aggregate of single values may hold: every [`Key`], and `f64`.
pub trait Value: Clone + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// A total order.
    fn order(&self, other: &Self) -> Ordering;

    /// Whether it is no value: NULL or NaN.
    fn is_absent(&self) -> bool;
}

impl<T: Key> Value for T {
    #[inline]
    fn order(&self, other: &T) -> Ordering {
        self.cmp(other)
    }

    #[inline]
    fn is_absent(&self) -> bool {
        self.is_null()
    }
}

impl Value for f64 {
    #[inline]
    fn order(&self, other: &f64) -> Ordering {
        self.total_cmp(other)
    }

    #[inline]
    fn is_absent(&self) -> bool {
        self.is_nan()
    }
}

/// A float that may be NULL, for `Last<Option<f64>>`.
impl Value for Option<f64> {
    #[inline]
    fn order(&self, other: &Option<f64>) -> Ordering {
        match (self, other) {
            (Some(one), Some(other)) => one.total_cmp(other),
            _ => self.is_some().cmp(&other.is_some()),
        }
    }

    #[inline]
    fn is_absent(&self) -> bool {
        self.is_none_or(f64::is_nan)
    }
}

/// Nothing: what a view without measures adds up.
impl Aggregate for () {
    fn merge(&mut self, _other: &()) {}
}

/// `None` is the aggregate of nothing.
impl<A: Aggregate> Aggregate for Option<A> {
    fn merge(&mut self, other: &Option<A>) {
        match (self, other) {
            (_, None) => {}
            (Some(held), Some(other)) => held.merge(other),
            (held @ None, Some(other)) => *held = Some(other.clone()),
        }
    }

    fn absorb(&mut self, other: Option<A>) {
        match (self, other) {
            (_, None) => {}
            (Some(held), Some(other)) => held.absorb(other),
            (held @ None, other) => *held = other,
        }
    }

    #[inline]
    fn weight(&self) -> usize {
        self.as_ref().map_or(0, A::weight)
    }
}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        /// Merged part by part.
        impl<$($name: Aggregate),*> Aggregate for ($($name,)*) {
            fn merge(&mut self, other: &Self) {
                $( self.$index.merge(&other.$index); )*
            }

            fn absorb(&mut self, other: Self) {
                $( self.$index.absorb(other.$index); )*
            }

            #[inline]
            fn weight(&self) -> usize {
                0 $( + self.$index.weight() )*
            }
        }
    };
}

tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_tuples_are_merged_part_by_part() {
        let part = |n: Option<i64>| (Count::one(), n.map(Sum::<i64>::of));
        let mut all = <(Count, Option<Sum<i64>>)>::default();
        all.merge(&part(None));
        assert!(all.1.is_none());
        all.absorb(part(Some(2)));
        all.merge(&part(Some(3)));
        assert_eq!((all.0.get(), all.1.and_then(|sum| sum.get())), (3, Some(5)));
    }
}
