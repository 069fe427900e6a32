//! The memory sink: keeps rows where a test finds them.
//!
//! Every writer of a view puts its rows into the [`Collector`] of that name: the log of all rows,
//! and the table that a keyed store would hold after them. A crash leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::{Accepts, Common, Guarantee, Refusal, Shard, Sink, View, Writer};
use crate::error::Result;
use crate::row::{Cell, Change, Mark, Rows};

/// Options of the memory sink.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Name under which [`collector`] finds the rows; without it the name of the view. Tests that
    /// run side by side need names of their own.
    pub name: Option<String>,
}

/// Binds a collector to a view.
///
/// # Errors
///
/// None.
pub fn open(options: Options, view: &View, _common: &Common) -> Result<Box<dyn Sink>> {
    let name = options.name.as_deref().unwrap_or(&view.name);
    Ok(collector(name).sink(view))
}

/// The collector of a name, made where there is none yet; one per name and process.
pub fn collector(name: &str) -> Collector {
    static COLLECTORS: LazyLock<Mutex<BTreeMap<String, Collector>>> = LazyLock::new(Mutex::default);
    let mut collectors = COLLECTORS.lock().unwrap_or_else(PoisonError::into_inner);
    collectors.entry(name.into()).or_default().clone()
}

/// Rows that were written, shared by the writers and the test.
///
/// ```
/// use highwater::row::{Cell, Change, Mark, Origin, Position, Rows, Schema};
/// use highwater::sink::{Shard, Sink, View, Writer, memory::Collector};
///
/// let collector = Collector::default();
/// let view = View { name: "v".into(), schema: Default::default(), key: vec![], stamp: None };
/// let mut writer = collector.sink(&view).open(Shard { index: 0, count: 1 }).unwrap();
/// let mut rows = Rows::default();
/// let mark = Mark { change: Change::Final, origin: Origin::Record(Position::default()) };
/// rows.push(mark, [Cell::I64(7)]);
/// writer.write(&rows).unwrap();
/// assert_eq!(collector.finals(), [[Cell::I64(7)]]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Collector(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    log: Vec<(Mark, Vec<Cell>)>,
    table: BTreeMap<Ordered, Vec<Cell>>,
    epochs: Vec<u64>,
    finished: usize,
}

impl Collector {
    /// A sink whose writers put rows here.
    pub fn sink(&self, view: &View) -> Box<dyn Sink> {
        let key = view.key.iter().filter_map(|name| view.schema.index(name)).collect();
        Box::new(Memory { collector: self.clone(), key })
    }

    /// Every row in the order of writing, with its mark.
    pub fn log(&self) -> Vec<(Mark, Vec<Cell>)> {
        self.lock().log.clone()
    }

    /// Cells of the final rows, in the order of writing.
    pub fn finals(&self) -> Vec<Vec<Cell>> {
        let collected = self.lock();
        let finals = collected.log.iter().filter(|(mark, _)| mark.change == Change::Final);
        finals.map(|(_, cells)| cells.clone()).collect()
    }

    /// What a store that keeps one row per key holds now, in the order of keys; empty where the
    /// view has no key.
    pub fn table(&self) -> Vec<Vec<Cell>> {
        self.lock().table.values().cloned().collect()
    }

    /// The epochs that writers were told of, in that order.
    pub fn epochs(&self) -> Vec<u64> {
        self.lock().epochs.clone()
    }

    /// How many writers were told that nothing more will come.
    pub fn finished(&self) -> usize {
        self.lock().finished
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lock() = Collected::default();
    }

    /// A test that failed while it held the lock must not fail the others.
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cells as a key, in the order of [`Cell::order`].
#[derive(Debug)]
struct Ordered(Vec<Cell>);

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> std::cmp::Ordering {
        let cells = self.0.iter().zip(&other.0).map(|(a, b)| a.order(b));
        cells.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Ordered) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

#[derive(Clone)]
struct Memory {
    collector: Collector,
    /// Indices of the key columns.
    key: Vec<usize>,
}

impl Sink for Memory {
    fn accepts(&self) -> Accepts {
        Accepts::Updates
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Writer for Memory {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        let mut collected = self.collector.lock();
        for (mark, cells) in rows.iter() {
            collected.log.push((*mark, cells.to_vec()));
            if self.key.is_empty() {
                continue;
            }
            let key = Ordered(self.key.iter().map(|index| cells[*index].clone()).collect());
            match mark.change {
                Change::Delete => collected.table.remove(&key),
                Change::Final | Change::Upsert => collected.table.insert(key, cells.to_vec()),
            };
        }
        Ok(vec![])
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        self.collector.lock().epochs.push(epoch);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.collector.lock().finished += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Column, Origin, Position, Schema, Type};

    #[test]
    fn the_table_holds_the_last_row_of_each_key() {
        let column = |name: &str, kind| Column { name: name.into(), kind, nullable: false };
        let schema = Schema { columns: vec![column("n", Type::I64), column("id", Type::Text)] };
        let view = View {
            name: "memory_table_test".into(),
            schema: Arc::new(schema),
            key: vec!["id".into()],
            stamp: None,
        };
        let mut sink = open(Options::default(), &view, &Common::default()).unwrap();
        let mut writer = sink.open(Shard { index: 0, count: 1 }).unwrap();
        let row = |n: i64, id: &str| vec![Cell::I64(n), Cell::Text(id.into())];
        let mut rows = Rows::default();
        for (change, n, id) in [
            (Change::Upsert, 1, "b"),
            (Change::Upsert, 2, "a"),
            (Change::Upsert, 3, "b"),
            (Change::Delete, 3, "a"),
            (Change::Final, 4, "c"),
        ] {
            let origin = Origin::Record(Position::default());
            rows.push(Mark { change, origin }, row(n, id));
        }
        writer.write(&rows).unwrap();
        writer.epoch(3).unwrap();
        writer.finish().unwrap();
        let collector = collector("memory_table_test");
        assert_eq!(collector.table(), [row(3, "b"), row(4, "c")]);
        assert_eq!(collector.finals(), [row(4, "c")]);
        assert_eq!((collector.log().len(), collector.finished()), (5, 1));
        assert_eq!(collector.epochs(), [3]);
    }
}
