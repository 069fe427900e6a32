//! Operators on timely: the shell of all keyed states, the sinks, and the timestamps they run at.
//!
//! Capabilities are held here and in `source/reader.rs`, nowhere else.

pub mod checkpoints;
pub mod differential;
pub mod floors;
pub mod shell;
pub mod sink;
mod timestamp;

pub use timestamp::Event;
pub mod views;
pub mod watch;
