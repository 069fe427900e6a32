//! [`Key`]: what events can be grouped by.

use std::fmt::Debug;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::row::Position;
use crate::text::Text;
use crate::time::{Millis, Time};
use crate::window::Window;

/// A value that events can be grouped by: ordered, hashed by the fixed hash, written to the wire.
///
/// Implement it for a type of your own with `impl Key for UserId {}`.
pub trait Key: Clone + Ord + Hash + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// Whether this is SQL's NULL: a group like any other, but it joins nothing.
    fn is_null(&self) -> bool {
        false
    }

    /// Bytes it holds outside of itself, for the limit on the size of a key.
    fn heap_bytes(&self) -> usize {
        0
    }
}

macro_rules! keys {
    ($($type:ty),*) => { $( impl Key for $type {} )* };
}

keys!((), bool, u8, u16, u32, u64, i8, i16, i32, i64, i128, Time, Millis, Window, Position);

impl Key for Text {
    fn heap_bytes(&self) -> usize {
        if self.is_heap_allocated() { self.len() } else { 0 }
    }
}

impl Key for String {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl<T: Key> Key for Option<T> {
    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(Key::is_null)
    }

    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, Key::heap_bytes)
    }
}

impl<T: Key> Key for std::cmp::Reverse<T> {}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        /// NULL if one of its parts is.
        impl<$($name: Key),*> Key for ($($name,)*) {
            fn is_null(&self) -> bool {
                false $(|| self.$index.is_null())*
            }

            fn heap_bytes(&self) -> usize {
                0 $(+ self.$index.heap_bytes())*
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
