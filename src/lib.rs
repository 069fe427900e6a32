//! Highwater keeps windowed views over Kafka, incrementally, on timely and differential dataflow.

pub mod aggregate;
pub mod alert;
pub mod checkpoint;
pub mod cli;
pub mod codec;
pub mod config;
pub mod control;
pub mod dataset;
pub mod error;
mod failpoint;
pub mod hash;
pub mod host;
pub mod key;
pub mod keyed;
pub mod lateness;
pub mod letter;
pub mod letters;
pub mod objects;
pub mod observe;
pub mod operators;
pub mod parcel;
pub mod prelude;
pub mod replay;
pub mod row;
pub mod runtime;
pub mod sink;
pub mod source;
pub mod stats;
pub mod stream;
pub mod testing;
pub mod text;
pub mod time;
pub mod window;

// The derives name `::highwater::…`, also inside this crate.
extern crate self as highwater;

#[doc = include_str!("../docs/guide/dataflows.md")]
pub mod guide {}
