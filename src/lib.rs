//! Highwater keeps windowed views over Kafka, incrementally, on timely and differential dataflow.

pub mod aggregate;
pub mod codec;
pub mod error;
pub mod hash;
pub mod key;
pub mod lateness;
pub mod letter;
pub mod prelude;
pub mod row;
pub mod sink;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
pub mod time;
pub mod window;

// The derives name `::highwater::…`, also inside this crate.
extern crate self as highwater;
