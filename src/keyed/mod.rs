//! States of keyed operators: plain values, without timely, clock or IO.
//!
//! ```text
//! events ─► PreAggregate ─► parts, by owner ═exchange═► FixedWindows | Sessions ─► panes
//! ```
//!
//! [`State`] is what a window operator keeps on one worker. Its only host is the shell
//! (`operators/shell.rs`), which calls it in a fixed order and owns everything about timely.

mod fixed;
mod preaggregate;
mod saver;
mod session;
mod shelf;
mod table;

use serde::{Deserialize, Serialize};

pub use fixed::FixedWindows;
pub use preaggregate::{Behind, PreAggregate, Refused};
pub use saver::{ENTRY, Saved, Saves};
pub(crate) use saver::{Saver, entries, head};
pub use session::Sessions;
pub(crate) use shelf::{Set, Shelf, rows};
pub(crate) use table::Table;

use crate::aggregate::Aggregate;
use crate::key::Key;
use crate::time::{Millis, Time};
use crate::window::Window;

/// What one or several events add to one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part<K, A> {
    /// The fixed hash of the key; routes, and saves hashing again.
    pub hash: u64,
    /// Where it adds.
    pub place: Place,
    /// The group.
    pub key: K,
    /// The measure.
    pub measure: A,
}

/// Where a part adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// On time: a slice (by its start), hence all windows that share it; of a session: the event
    /// itself.
    At(Time),
    /// Behind its watermark: one window that is still open, by its start.
    Patch(Time),
}

/// One key's value in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pane<K, A> {
    /// The group.
    pub key: K,
    /// The window.
    pub window: Window,
    /// What its events add up to, or what was made of it.
    pub value: A,
}

/// What changed in an open window.
#[derive(Clone, Debug, PartialEq)]
pub enum Live<K, A> {
    /// The pane now holds this.
    Now(Pane<K, A>),
    /// The pane is gone without having closed: its session grew or merged.
    Gone(K, Window),
}

/// The state of one window operator on one worker.
///
/// The shell calls `apply` for the parts of the open epoch, then `flush`, then `advance`; the
/// watermark never goes back.
pub trait State<K: Key, A: Aggregate>: Saves {
    /// Takes one part. Its windows are open: the part was judged by its partition's watermark.
    fn apply(&mut self, part: Part<K, A>);

    /// Takes parts in their order.
    fn apply_all(&mut self, parts: Vec<Part<K, A>>) {
        parts.into_iter().for_each(|part| self.apply(part));
    }

    /// Tells which panes changed since the last call; nothing unless updates were asked for.
    fn flush(&mut self, changes: &mut Vec<Live<K, A>>);

    /// Emits the panes that became final, in the order of their windows.
    fn advance(&mut self, watermark: Millis, finals: &mut Vec<Pane<K, A>>);

    /// How much is open.
    fn open(&self) -> Open;

    /// How many groups are held: keys in slices and patches, or keys with a session. Asked often.
    fn groups(&self) -> u64;
}

/// How much a state holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Windows that have not closed.
    pub windows: u64,
    /// Entries kept for them: keys in slices and patches, or sessions.
    pub entries: u64,
    /// End of the window that closes first.
    pub first_end: Option<Time>,
}

impl Open {
    /// Both together.
    pub fn and(self, other: Open) -> Open {
        let first_end = match (self.first_end, other.first_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Open {
            windows: self.windows + other.windows,
            entries: self.entries + other.entries,
            first_end,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
