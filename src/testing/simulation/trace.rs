//! [`Trace`]: what has happened in a simulated world, one line an event.
//!
//! ```text
//! microseconds  who         what
//!         12407 checkpoints of 0  disk: rename tmp-3 to state-…-0-1
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::hash;

/// Lines that are kept, if `HIGHWATER_TRACE` does not ask for another number.
const LINES: usize = 200;

/// The last lines, and a hash of all of them and of every turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    lines_max: usize,
    lines: VecDeque<String>,
    count: u64,
    hash: u64,
}

impl Default for Trace {
    fn default() -> Trace {
        let asked = std::env::var("HIGHWATER_TRACE").ok().and_then(|lines| lines.parse().ok());
        let lines_max = asked.unwrap_or(LINES);
        Trace { lines_max, lines: VecDeque::new(), count: 0, hash: 0 }
    }
}

impl Trace {
    /// Adds what somebody has done.
    pub(super) fn add(&mut self, now: Duration, who: &str, what: &str) {
        let line = format!("{:>12} {who:<20} {what}", now.as_micros());
        self.hash = hash::of(&(self.hash, line.as_str()));
        self.count += 1;
        self.lines.push_back(line);
        if self.lines_max < self.lines.len() {
            self.lines.pop_front();
        }
    }

    /// It is the turn of a thread.
    pub(super) fn turn(&mut self, seat: usize) {
        self.hash = hash::of(&(self.hash, seat));
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The same for the same lines and the same turns.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub fn last(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
