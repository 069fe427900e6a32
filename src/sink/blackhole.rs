//! The blackhole sink: takes every row and keeps none. For benchmarks of everything else, and, when
//! it is slow on purpose, for a look at what a job does that its sink holds up.
//!
//! A crash leaves nothing behind, as nothing was there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::{Accepts, Common, Guarantee, Refusal, Shard, Sink, View, Writer};
use crate::config;
use crate::error::Result;
use crate::row::Rows;

/// Options of the blackhole sink.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long it takes over each batch of rows, such as `"10ms"`.
    #[serde(deserialize_with = "config::duration")]
    pub slow: Duration,
}

static ROWS: AtomicU64 = AtomicU64::new(0);

/// How many rows all blackholes of this process have taken.
pub fn rows() -> u64 {
    ROWS.load(Ordering::Relaxed)
}

/// Binds a blackhole to a view.
///
/// # Errors
///
/// None.
pub fn open(options: Options, _view: &View, _common: &Common) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Blackhole { slow: options.slow }))
}

struct Blackhole {
    slow: Duration,
}

impl Sink for Blackhole {
    fn accepts(&self) -> Accepts {
        Accepts::Updates
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Idempotent
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        Ok(Box::new(Blackhole { slow: self.slow }))
    }
}

impl Writer for Blackhole {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        if !self.slow.is_zero() {
            thread::sleep(self.slow);
        }
        ROWS.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Ok(vec![])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Cell, Change, Mark, Origin, Position};

    #[test]
    fn it_counts_what_it_swallows() {
        let view = View {
            name: "clicks".into(),
            schema: std::sync::Arc::default(),
            key: vec![],
            stamp: None,
        };
        let mut sink = open(Options::default(), &view, &Common::default()).unwrap();
        let mut writer = sink.open(Shard { index: 0, count: 1 }).unwrap();
        let mut rows = Rows::default();
        let mark = Mark { change: Change::Final, origin: Origin::Record(Position::default()) };
        rows.push(mark, [Cell::Null]);
        rows.push(mark, [Cell::Null]);
        let before = super::rows();
        assert_eq!(writer.write(&rows), Ok(vec![]));
        assert!(before + 2 <= super::rows());
    }
}
