//! Views of the scope of ticks: joins, tops, counts, whatever is read while it changes.
//!
//! ```text
//! rows of ports, as bytes ─► collections ─► arrange, join, reduce ─► per view: close of epoch
//! readers ── (source, worker, watermark) at their ticks ── broadcast ────────────┘    └─► rows
//! ```
//!
//! One differential dataflow over bytes for all views of a job. A view's sink gets, per epoch and
//! key, the last row or a delete.
//!
//! **Forgetting is not deleting.** A view lets go of closed windows after a while; such a row stays
//! in the sink. A row whose key holds a window is taken for forgotten, and not deleted, in epoch
//! *e* if the announced watermarks of the epochs before *e* had passed the end of its window. That
//! is sound: a shell closes a window in epoch *c*, no later than the epoch *a* in which the
//! watermark is announced as data, as readers announce before they downgrade. What really goes when
//! the window closes goes in *c* ≤ *a*, so it is deleted; what is forgotten goes in *a* + 1 or
//! later (`forget.rs`), so it is not.

mod forget;

use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::{ValBuilder, ValSpine};
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator as _, OutputBuilder};
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{CapabilitySet, Concat};
use timely::dataflow::{Scope, StreamVec};
use timely::progress::frontier::MutableAntichain;

use super::differential::Announcement;
use super::shell::letter_rows;
use crate::hash;
use crate::letter::{Letter, Reason, Reject};
use crate::row::{Cell, Change, Mark, Origin, Position, Rows};
use crate::runtime::{Context, Phase};
use crate::stream::{Plan, Put, ViewPlan, is_null_key};
use crate::text::Text;
use crate::time::Millis;
use forget::{Promises, forgotten};

type Bytes = Vec<u8>;
type Collection<'s> = VecCollection<'s, u64, Bytes, isize>;
type Index<'s> = Arranged<'s, TraceAgent<ValSpine<Bytes, Bytes, u64, isize>>>;

/// What the sink of a view needs to know.
pub struct ViewSink {
    /// The port that it fills.
    pub port: usize,
    /// Its view in the plan.
    pub node: usize,
    /// Its name.
    pub name: Text,
    /// How its rows become cells.
    pub put: Put,
    /// The columns that are its key; none: the whole row.
    pub key: Vec<usize>,
    /// The column that says when the window of a row ends, if the key holds a window.
    pub window_end: Option<usize>,
    /// The sources that its windows wait for.
    pub sources: Vec<usize>,
}

/// Rows by port, and letters.
pub type ViewRows<'s> = (Vec<(usize, StreamVec<'s, u64, Rows>)>, Vec<StreamVec<'s, u64, Rows>>);

/// Builds the views that sinks are bound to. `inner` has the rows of the ports that feed them.
pub fn views<'s>(
    plan: &Plan,
    sinks: Vec<ViewSink>,
    inner: BTreeMap<usize, StreamVec<'s, u64, Rows>>,
    announcements: &StreamVec<'s, u64, Announcement>,
    context: &Rc<Context>,
) -> ViewRows<'s> {
    let mut graph = Graph {
        plan,
        inner,
        sources: waited_for(plan, &sinks),
        announcements,
        context,
        collections: BTreeMap::new(),
        indices: BTreeMap::new(),
    };
    let (mut rows, mut letters) = (Vec::new(), Vec::new());
    for sink in sinks {
        let port = sink.port;
        let collection = graph.collection(sink.node);
        let (made, refused) = close(collection, announcements.clone(), sink, context);
        rows.push((port, made));
        letters.push(refused);
    }
    (rows, letters)
}

/// The sources that rows of each port have to wait for before they may be forgotten: all that the
/// views wait for that are made of them.
pub fn waited_for(plan: &Plan, sinks: &[ViewSink]) -> BTreeMap<usize, Vec<usize>> {
    let mut sources: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for sink in sinks {
        for port in plan.ports_of(sink.node) {
            sources.entry(port).or_default().extend(&sink.sources);
        }
    }
    for sources in sources.values_mut() {
        sources.sort();
        sources.dedup();
    }
    sources
}

/// Views that were built, by their number in the plan.
struct Graph<'p, 's> {
    plan: &'p Plan,
    inner: BTreeMap<usize, StreamVec<'s, u64, Rows>>,
    /// By port, see [`waited_for`].
    sources: BTreeMap<usize, Vec<usize>>,
    announcements: &'p StreamVec<'s, u64, Announcement>,
    context: &'p Rc<Context>,
    collections: BTreeMap<usize, Collection<'s>>,
    indices: BTreeMap<usize, Index<'s>>,
}

impl<'s> Graph<'_, 's> {
    fn collection(&mut self, node: usize) -> Collection<'s> {
        if let Some(built) = self.collections.get(&node) {
            return built.clone();
        }
        let plan = self.plan;
        let built = match &plan.views[node] {
            ViewPlan::Port(port) => changes(self.rows(*port)),
            ViewPlan::Each(of, make) => {
                let make = make.clone();
                self.collection(*of).flat_map(move |row| {
                    let mut made = Vec::new();
                    make(&row, &mut made);
                    made
                })
            }
            ViewPlan::Concat(left, right) => {
                let right = self.collection(*right);
                self.collection(*left).concat(right)
            }
            ViewPlan::Arrange(of, _) => self.collection(*of),
            ViewPlan::Join { left, right, pair, alone } => {
                let (left, right) = (self.index(*left), self.index(*right));
                let pair = pair.clone();
                let pairs = left.clone().join_core(right.clone(), move |key, left, right| {
                    (!is_null_key(key)).then(|| pair(left, right))
                });
                match alone {
                    None => pairs,
                    Some(alone) => {
                        let alone = alone.clone();
                        pairs.concat(unmatched(left, right).flat_map(move |row| {
                            let mut made = Vec::new();
                            alone(&row, &mut made);
                            made
                        }))
                    }
                }
            }
            ViewPlan::Reduce(of, reduce) => {
                let reduce = reduce.clone();
                reduced(self.index(*of), move |key, rows, made| reduce(key, rows, made))
            }
        };
        self.collections.insert(node, built.clone());
        built
    }

    /// What comes into the views from a port, and what is forgotten of it.
    fn rows(&self, port: usize) -> StreamVec<'s, u64, Rows> {
        let rows = self.inner[&port].clone();
        let Some(retained) = self.plan.ports[port].retained.clone() else { return rows };
        let (announcements, sources) = (self.announcements.clone(), self.sources[&port].clone());
        rows.clone().concat(forgotten(rows, announcements, retained, sources, self.context))
    }

    fn index(&mut self, node: usize) -> Index<'s> {
        if let Some(built) = self.indices.get(&node) {
            return built.clone();
        }
        let plan = self.plan;
        let ViewPlan::Arrange(of, locate) = &plan.views[node] else {
            unreachable!("only arrangements are joined and reduced")
        };
        let locate = locate.clone();
        let built = self.collection(*of).map(move |row| (locate(&row), row)).arrange_by_key();
        self.indices.insert(node, built.clone());
        built
    }
}

/// What a function makes of all rows of each key.
fn reduced<'s>(
    rows: Index<'s>,
    mut reduce: impl FnMut(&[u8], &[(&Bytes, isize)], &mut Vec<(Bytes, isize)>) + 'static,
) -> Collection<'s> {
    type Made = ValSpine<Bytes, Bytes, u64, isize>;
    let reduced = rows.reduce_abelian::<_, ValBuilder<_, _, _, _>, Made, _, _>(
        "reduce",
        move |key: &Bytes, rows, made| reduce(key, rows, made),
        |batch, key, rows| {
            batch.clear();
            let keyed =
                rows.drain(..).map(|(row, tick, change)| ((key.clone(), row), tick, change));
            batch.extend(keyed);
        },
    );
    reduced.as_collection(|_, row: &Bytes| row.clone())
}

/// Left rows whose key the right side does not have.
fn unmatched<'s>(left: Index<'s>, right: Index<'s>) -> Collection<'s> {
    let keys = right.as_collection(|key: &Bytes, _| key.clone());
    let keys = keys.filter(|key| !is_null_key(key)).distinct().arrange_by_self();
    let matched = left.clone().join_core(keys, |_, row: &Bytes, ()| [row.clone()]);
    left.as_collection(|_, row: &Bytes| row.clone()).concat(matched.negate())
}

/// The rows of a port that feeds views: each is one cell of bytes.
fn changes<'s>(rows: StreamVec<'s, u64, Rows>) -> Collection<'s> {
    let name = "changes";
    let changes = rows.unary::<CapacityContainerBuilder<_>, _, _, _>(Pipeline, name, |_, _| {
        move |input, output| {
            input.for_each(|time, batches: &mut Vec<Rows>| {
                let tick = *time.time();
                let mut session = output.session(&time);
                for Rows { marks, cells, .. } in batches.drain(..) {
                    for (mark, cell) in marks.into_iter().zip(cells) {
                        let change = if mark.change == Change::Delete { -1 } else { 1 };
                        if let Cell::Bytes(row) = cell {
                            session.give((row, tick, change));
                        }
                    }
                }
            });
        }
    });
    changes.as_collection()
}

type Keyed = (Bytes, Bytes);

/// Gathers the changes of a view by epoch and key.
fn close<'s>(
    rows: Collection<'s>,
    announcements: StreamVec<'s, u64, Announcement>,
    sink: ViewSink,
    context: &Rc<Context>,
) -> (StreamVec<'s, u64, Rows>, StreamVec<'s, u64, Rows>) {
    let scope: Scope<'s, u64> = rows.inner.scope();
    let (put, key) = (sink.put.clone(), sink.key.clone());
    let keyed =
        rows.inner.map(move |(row, tick, change)| ((key_of(&put, &key, &row), row), tick, change));
    let mut builder = OperatorBuilder::new(format!("view {}", sink.name), scope);
    let activator = scope.activator_for(builder.operator_info().address);
    context.operators.borrow_mut().push(activator);
    let route = Exchange::new(|update: &(Keyed, u64, isize)| hash::of(&update.0.0));
    let mut input = builder.new_input(keyed, route);
    let mut announced = builder.new_input(announcements, Pipeline);
    let (output, made) = builder.new_output();
    let mut output = OutputBuilder::<u64, CapacityContainerBuilder<Vec<Rows>>>::from(output);
    let (refused, letters) = builder.new_output();
    let mut refused = OutputBuilder::<u64, CapacityContainerBuilder<Vec<Rows>>>::from(refused);
    let context = context.clone();
    builder.build(move |capabilities| {
        let mut held: Vec<CapabilitySet<u64>> =
            capabilities.into_iter().map(CapabilitySet::from_elem).collect();
        let mut closer = Closer::new(sink, context.peers, context.first_epoch());
        move |frontiers| {
            let pace = context.pace;
            input.for_each(|_, updates: &mut Vec<(Keyed, u64, isize)>| {
                for ((key, row), tick, change) in updates.drain(..) {
                    closer.take(pace.epoch(tick), key, row, change);
                }
            });
            announced.for_each(|capability, announcements: &mut Vec<Announcement>| {
                closer.promises.announced(pace.epoch(*capability.time()), announcements);
            });
            match context.phase.get() {
                Phase::Running | Phase::Stopping => {}
                Phase::Confirmed => return,
                Phase::Halted => {
                    held.iter_mut().for_each(|held| held.downgrade(std::iter::empty::<&u64>()));
                    return;
                }
            }
            let complete = least(frontiers);
            let epoch = complete.map(|tick| pace.epoch(tick));
            while let Some((at, rows)) = closer.next(epoch) {
                let tick = pace.first_tick(at + 1) - 1;
                if !rows.is_empty() {
                    let capability = held[0].delayed(&tick);
                    output.activate().session(&capability).give(rows);
                }
                let letters = std::mem::take(&mut closer.letters);
                if !letters.is_empty() {
                    context.board.letters(&letters);
                    let capability = held[1].delayed(&tick);
                    let rows = letter_rows(&letters, &context.system);
                    refused.activate().session(&capability).give(rows);
                }
            }
            closer.settle(epoch);
            // What has arrived of an epoch leaves at its last tick, so nothing may pass that.
            let hold = complete.map(|tick| match closer.first() {
                Some(open) => tick.min(pace.first_tick(open + 1) - 1),
                None => tick,
            });
            held.iter_mut().for_each(|held| held.downgrade(hold.iter()));
        }
    });
    (made, letters)
}

fn least(frontiers: &[MutableAntichain<u64>]) -> Option<u64> {
    frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min()
}

/// The key of a row, as bytes that decide which worker gathers it.
fn key_of(put: &Put, key: &[usize], row: &[u8]) -> Bytes {
    if key.is_empty() {
        return row.to_vec();
    }
    let mut rows = Rows::default();
    // A row that does not fit its columns is refused where it is gathered.
    let mark = Mark { change: Change::Upsert, origin: Origin::Record(Position::default()) };
    let _ = put(row, mark, &mut rows);
    let cells: Vec<&Cell> = key.iter().filter_map(|column| rows.cells.get(*column)).collect();
    bincode::serialize(&cells).expect("cells serialise")
}

/// The changes of one key in one epoch, row by row.
type Net = BTreeMap<Bytes, Sum>;

/// What the changes of a row come to.
#[derive(Default)]
struct Sum {
    all: isize,
    /// Those of them that were restored: the sink has seen what they come to.
    restored: isize,
}

/// Gathers changes until their epoch is complete.
struct Closer {
    sink: ViewSink,
    /// The first epoch of this attempt.
    begins: u64,
    epochs: BTreeMap<u64, BTreeMap<Bytes, Net>>,
    /// What was promised in the epochs before the one that is written.
    promises: Promises,
    letters: Vec<Letter>,
}

impl Closer {
    fn new(sink: ViewSink, peers: usize, begins: u64) -> Closer {
        let promises = Promises::new(sink.sources.clone(), peers);
        Closer { sink, begins, epochs: BTreeMap::new(), promises, letters: Vec::new() }
    }

    fn take(&mut self, epoch: u64, key: Bytes, row: Bytes, change: isize) {
        // What was restored is shown again.
        let at = epoch.max(self.begins);
        let sum =
            self.epochs.entry(at).or_default().entry(key).or_default().entry(row).or_default();
        sum.all += change;
        sum.restored += if epoch < at { change } else { 0 };
    }

    /// The first epoch of which something has arrived.
    fn first(&self) -> Option<u64> {
        self.epochs.first_key_value().map(|(epoch, _)| *epoch)
    }

    /// Takes the promises that no epoch before them needs any more: a view may be quiet for long.
    fn settle(&mut self, open: Option<u64>) {
        if let Some(before) = self.first().into_iter().chain(open).min() {
            self.promises.take_before(before);
        }
    }

    /// The rows of the next complete epoch; `open` is the first that is not.
    fn next(&mut self, open: Option<u64>) -> Option<(u64, Rows)> {
        let epoch = self.first().filter(|first| open.is_none_or(|open| *first < open))?;
        let changes = self.epochs.remove(&epoch).expect("found above");
        self.promises.take_before(epoch);
        let over = self.promises.watermark();
        let mut rows = Rows::default();
        for net in changes.into_values() {
            self.write(&net, over, &mut rows);
        }
        Some((epoch, rows))
    }

    /// What becomes of a key: the greatest of the rows that came, else a delete of what went; what
    /// was restored and went in the same epoch is still in the sink.
    fn write(&mut self, net: &Net, over: Millis, rows: &mut Rows) {
        let origin = Origin::Record(Position::default());
        if let Some((row, _)) = net.iter().rfind(|(_, sum)| 0 < sum.all) {
            let mark = Mark { change: Change::Upsert, origin };
            if let Err(misfit) = (self.sink.put)(row, mark, rows) {
                self.letters.push(refused(&self.sink.name, misfit));
            }
        } else if let Some((row, _)) = net.iter().find(|(_, sum)| sum.all < 0 || 0 < sum.restored) {
            let mut gone = Rows::default();
            let put = (self.sink.put)(row, Mark { change: Change::Delete, origin }, &mut gone);
            if put.is_ok() && !self.is_forgotten(&gone.cells, over) {
                rows.append(gone);
            }
        }
    }

    fn is_forgotten(&self, cells: &[Cell], over: Millis) -> bool {
        let end = self.sink.window_end.and_then(|column| cells.get(column));
        matches!(end, Some(Cell::Time(end)) if end.floor_ms() <= over)
    }
}

fn refused(view: &Text, misfit: String) -> Letter {
    Letter::of_row(view, Position::default(), Reject::new(Reason::RejectedBySink, misfit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;
    use crate::stream::Stored;
    use crate::time::Time;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Pair(i64, Time);

    impl Row for Pair {
        fn columns() -> Vec<crate::row::Column> {
            Vec::new()
        }

        fn put(&self, cells: &mut crate::row::Cells) {
            cells.push(Cell::I64(self.0));
            cells.push(Cell::Time(self.1));
        }
    }

    fn closer(window_end: Option<usize>) -> Closer {
        let put = put::<Pair>();
        let (name, key) = ("v".into(), vec![1]);
        let sink = ViewSink { port: 0, node: 0, name, put, key, window_end, sources: vec![0] };
        Closer::new(sink, 1, 0)
    }

    fn put<R: Row + Stored>() -> Put {
        Rc::new(|row: &[u8], mark: Mark, rows: &mut Rows| {
            rows.put::<R>(mark, &bincode::deserialize(row).expect("test data"))
        })
    }

    fn row(value: i64, second: i64) -> Bytes {
        bincode::serialize(&Pair(value, Time::from_seconds(second))).expect("test data")
    }

    fn changes(rows: &Rows) -> Vec<(Change, Cell)> {
        rows.iter().map(|(mark, cells)| (mark.change, cells[0].clone())).collect()
    }

    #[test]
    fn an_epoch_writes_each_key_once_and_nothing_that_came_and_went() {
        let mut closer = closer(None);
        let key = |n: u8| vec![n];
        closer.take(3, key(1), row(1, 60), 1);
        closer.take(3, key(1), row(1, 60), -1);
        closer.take(3, key(1), row(2, 60), 1);
        closer.take(3, key(2), row(5, 60), 1);
        closer.take(3, key(2), row(5, 60), -1);
        closer.take(3, key(3), row(7, 60), -1);
        closer.take(4, key(3), row(8, 60), 1);
        assert!(closer.next(Some(3)).is_none(), "epoch 3 is open");
        let (epoch, rows) = closer.next(Some(4)).unwrap();
        assert_eq!(epoch, 3);
        let expect = [(Change::Upsert, Cell::I64(2)), (Change::Delete, Cell::I64(7))];
        assert_eq!(changes(&rows), expect);
        assert_eq!(closer.first(), Some(4));
        assert_eq!(changes(&closer.next(None).unwrap().1), [(Change::Upsert, Cell::I64(8))]);
    }

    #[test]
    fn what_was_restored_is_shown_again_or_deleted_if_it_went_since() {
        let mut closer = Closer { begins: 8, ..closer(None) };
        let key = |n: u8| vec![n];
        closer.take(7, key(1), row(1, 60), 1);
        closer.take(7, key(2), row(2, 60), 1);
        closer.take(8, key(2), row(2, 60), -1);
        // Nobody has seen these: not what came and went by the restore, nor what did so behind it.
        for epoch in [7, 8] {
            closer.take(epoch, key(epoch as u8), row(3, 60), 1);
            closer.take(epoch, key(epoch as u8), row(3, 60), -1);
        }
        let (epoch, rows) = closer.next(Some(9)).unwrap();
        assert_eq!(epoch, 8);
        let expect = [(Change::Upsert, Cell::I64(1)), (Change::Delete, Cell::I64(2))];
        assert_eq!(changes(&rows), expect);
        closer.take(9, key(3), row(3, 60), 1);
        closer.take(9, key(3), row(3, 60), -1);
        assert!(closer.next(None).unwrap().1.is_empty(), "nobody has seen it");
    }

    #[test]
    fn promises_do_not_pile_up_while_nothing_is_written() {
        let mut closer = closer(Some(1));
        let announce = |closer: &mut Closer, epoch: u64| {
            let watermark = Millis(epoch as i64 * 1_000);
            let announcement = Announcement { source: 0, worker: 0, watermark };
            closer.promises.announced(epoch, &mut vec![announcement]);
        };
        (0..100).for_each(|epoch| announce(&mut closer, epoch));
        closer.take(50, vec![1], row(1, 60), 1);
        closer.settle(Some(90));
        assert_eq!(closer.promises.watermark(), Millis(49_000), "epoch 50 is not written yet");
        assert_eq!(closer.next(Some(90)).unwrap().0, 50);
        closer.settle(Some(90));
        assert_eq!(closer.promises.waiting(), 10);
    }

    #[test]
    fn a_row_of_a_window_that_was_over_before_the_epoch_is_forgotten_and_not_deleted() {
        let check = |announced_in: u64, until: i64, expect: usize| {
            let mut closer = closer(Some(1));
            let watermark = Millis(until * 1_000);
            let mut announcements = vec![Announcement { source: 0, worker: 0, watermark }];
            closer.promises.announced(announced_in, &mut announcements);
            closer.take(5, vec![1], row(1, 60), -1);
            assert_eq!(closer.next(None).unwrap().1.len(), expect, "{announced_in} {until}");
        };
        check(4, 60, 0);
        check(4, 59, 1);
        check(5, 60, 1);
        check(2, 100, 0);
    }
}
