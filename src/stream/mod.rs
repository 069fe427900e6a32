//! The façade: what a dataflow author sees, and the plan it describes.
//!
//! | type | holds |
//! |---|---|
//! | [`Flow`] | the names of the sources |
//! | [`Stream`] | events, each once |
//! | [`Keyed`] | events that know their key |
//! | [`Windowed`] | one row per key and window, once it is final |
//! | [`Updates`] | the same rows, shown while they change |
//! | [`View`] | a table that changes |
//! | [`Arranged`] | such a table by key |
//!
//! Handles describe; nothing runs. `runtime` builds the [`Plan`] into timely, per worker.

mod accumulate;
mod alerts;
mod chunk;
mod dedup;
mod differential;
mod events;
mod expiry;
mod fill;
mod flow;
mod intake;
mod join;
mod judge;
mod keep;
mod node;
mod operator;
mod panes;
mod pending;
mod plan;
mod retain;
mod table;
mod times;
mod trailing;
mod view;
mod watches;
mod windowed;

pub use alerts::Alerts;
pub use differential::{Erased, Loose, LooseKey, Merge, Merged, Unpack};
pub use events::{Keyed, KeyedWindows, Stream};
pub use flow::{Flow, Settings};
pub use intake::{Intake, PartitionState, SourceOptions, SourceStats};
pub use node::{Outbox, is_catching};
pub use operator::{Durable, Operator, Root, Settle, Snapshot};
pub use pending::Pending;
pub use plan::{
    From, JoinPlan, MakeRoot, OperatorPlan, Plan, Port, RootPlan, Slot, SourcePlan, Wanted,
};
pub use retain::Retained;
pub use view::{Arranged, Make, Pair, Put, Reduce, Stored, View, ViewPlan, is_null_key};
pub use watches::{SeenKeys, Silence, Watches};
pub use windowed::{Updates, Windowed};

#[cfg(test)]
mod tests;
