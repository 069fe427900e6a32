//! The cases, a file each. Every case verifies its rows before it reports a time.

pub mod chat;
pub mod checkpoints;
pub mod idle;
pub mod kafka;
pub mod latency;
pub mod memory;
pub mod replay;
pub mod systems;
pub mod types;
pub mod unbounded;
pub mod workers;

use highwater::prelude::*;

use crate::micro::report::Report;

/// What a case is run with.
pub struct Run<'a> {
    /// Where figures go.
    pub report: &'a mut Report,
    /// How much larger or smaller the input is than the usual one.
    pub scale: f64,
    /// How many pairs are sampled.
    pub repetitions: usize,
}

impl Run<'_> {
    /// The size of an input.
    pub fn scaled(&self, events: u64) -> u64 {
        (events as f64 * self.scale).max(1_000.0) as u64
    }
}

/// A row of a count by number.
#[derive(Clone, Debug, Row)]
pub struct Numbered {
    key: i64,
    window: Window,
    events: i64,
}

/// A row of a count by text.
#[derive(Clone, Debug, Row)]
pub struct Named {
    key: Option<Text>,
    window: Window,
    events: i64,
}

impl Numbered {
    /// The row of a group.
    pub fn new(key: u32, window: Window, events: i64) -> Numbered {
        Numbered { key: key.into(), window, events }
    }
}

impl Named {
    /// The row of a group.
    pub fn new(key: Option<Text>, window: Window, events: i64) -> Named {
        Named { key, window, events }
    }
}
