//! A simulated world for whole jobs: one seed decides who runs when, how time passes, and what of
//! the disk, the log and the sinks fails.
//!
//! ```text
//! real    workers, operators, source reader, queues of sinks, keeper, manifests, restore
//! drawn   World          threads take turns; a clock that jumps, stands still, is wrong; kills
//!         SimulatedDisk  below the store of checkpoints: full, failing, forgetting
//!         SimulatedLog   batches, pauses, gaps
//!         Place          sinks: away, slow, failing half way, answers lost, late deliveries
//! ```
//!
//! The same seed gives the same [`Trace`], line by line. Why it is made so stands in
//! `docs/design/20261126_simulation.md`.

mod disk;
mod log;
mod place;
mod trace;
mod world;

pub use disk::{DiskFaults, SimulatedDisk};
pub use log::{Logged, SimulatedLog};
pub use place::{Place, PlaceFaults, Way};
pub use trace::Trace;
pub use world::{Climate, Counts, Kill, World};
