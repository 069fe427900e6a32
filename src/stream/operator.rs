//! [`Operator`]: a window operator as the shell sees it, without types.
//!
//! It is a root per `accumulate`, the joins between them, and the panes' way to the ports. All of
//! it is plain state: the shell calls, the operator answers with rows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::differential::{Erased, Loose};
use super::fill::Gaps;
use super::panes::PaneNode;
use super::plan::{OperatorPlan, Plan, RootPlan, Wanted};
use crate::aggregate::Aggregate;
use crate::alert;
use crate::checkpoint::Shape;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::keyed::{Live, Open, Pane, Part, Saved, Saves, State};
use crate::letter::Letter;
use crate::parcel::Parcel;
use crate::row::Rows;
use crate::text::Text;
use crate::time::Millis;
use crate::window::Windows;

/// State of one `accumulate`, without its types.
pub trait Root: Saves {
    /// Takes what the exchange brought.
    fn apply(&mut self, parcel: Parcel);

    /// Shows which panes changed.
    fn flush(&mut self);

    /// Closes what the watermark has passed.
    fn advance(&mut self, watermark: Millis);

    /// Fills gaps, once all roots of the operator have closed what they had to.
    fn fill(&mut self) {}

    /// How much is open.
    fn open(&self) -> Open;

    /// How many groups are held. Asked often.
    fn groups(&self) -> u64 {
        self.open().entries
    }

    /// Takes what was restored as parts for the collection that keeps its windows, if one does;
    /// `root` is its number.
    fn restored_parts(&mut self, _root: u32) -> Vec<Loose> {
        Vec::new()
    }

    /// What it keeps, in words: what was saved is restored into nothing else.
    fn shape(&self) -> String {
        shape_of::<Self>()
    }
}

/// A type without the paths of modules, which may change.
pub(super) fn shape_of<T: ?Sized>() -> String {
    let name = std::any::type_name::<T>();
    let mut shape = String::with_capacity(name.len());
    for word in name.split_inclusive(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':')) {
        shape.push_str(word.rsplit("::").next().unwrap_or(word));
    }
    shape
}

/// A join: waits until both sides have shown what they had.
pub trait Settle {
    /// Pairs what changed.
    fn settle_changes(&mut self);

    /// Pairs what closed.
    fn settle_finals(&mut self);
}

/// Further state of an operator that outlives its windows.
pub trait Durable: Saves {
    /// Forgets what the watermark has made useless, if that is for the state to decide.
    fn forget(&mut self, _watermark: Millis) {}

    /// As [`Root::shape`].
    fn shape(&self) -> String {
        shape_of::<Self>()
    }
}

/// What was saved of an operator, part by part.
pub type Snapshot = Vec<Saved>;

/// A window operator on one worker.
pub struct Operator {
    /// Its name, for letters, logs and the graph.
    pub place: Text,
    /// The slots that feed it, in the order of its inputs.
    pub slots: Vec<usize>,
    /// The ports it fills, in the order of its outputs.
    pub ports: Vec<usize>,
    /// Its roots by number, if differential dataflow keeps its windows.
    pub erased: BTreeMap<u32, Erased>,
    updates: bool,
    /// The view that allows the fewest groups, and how many.
    keys_max: Option<(Text, u64)>,
    roots: Vec<Box<dyn Root>>,
    /// The windows of each root.
    windows: Vec<Option<Windows>>,
    gaps: Option<Rc<RefCell<Gaps>>>,
    joins: Vec<Rc<RefCell<dyn Settle>>>,
    durables: Vec<Rc<RefCell<dyn Durable>>>,
    /// The parts that a save under way is done with.
    saved: Snapshot,
    rows: Vec<Rc<RefCell<Rows>>>,
    /// Which of them feed views.
    inner: Vec<bool>,
    /// What the operators that joins made one share with their steps.
    shared: Vec<Rc<OperatorPlan>>,
}

impl Operator {
    /// Takes the operators out of a plan; differential dataflow keeps the windows of those that
    /// feed one of the views.
    pub fn all(plan: &mut Plan, differential: &BTreeSet<Text>) -> Vec<Operator> {
        let count = plan.operators.len();
        let mut makes: Vec<Vec<(usize, RootPlan)>> = (0..count).map(|_| Vec::new()).collect();
        let roots = std::mem::take(&mut plan.roots);
        for (index, root) in roots.into_iter().enumerate() {
            makes[plan.operator(root.operator)].push((index, root));
        }
        let kept = (0..count).filter(|index| plan.operators[*index].joined.get().is_none());
        let mut operators: Vec<Operator> = kept
            .map(|index| {
                Operator::new(plan, index, std::mem::take(&mut makes[index]), differential)
            })
            .collect();
        number_namesakes(&mut operators);
        operators
    }

    fn new(
        plan: &Plan,
        index: usize,
        makes: Vec<(usize, RootPlan)>,
        differential: &BTreeSet<Text>,
    ) -> Operator {
        let mine = |other: usize| plan.operator(other) == index;
        let merged = || (0..plan.operators.len()).filter(|other| mine(*other));
        let updates = merged().any(|other| plan.operators[other].updates.get());
        let slot = |root: usize| plan.slots.iter().position(|slot| slot.root == root);
        let ports: Vec<usize> = (0..plan.ports.len())
            .filter(|port| match plan.ports[*port].from {
                super::plan::From::Operator(operator) => mine(operator),
                super::plan::From::Sources(_)
                | super::plan::From::View(_)
                | super::plan::From::Job => false,
            })
            .collect();
        // Alerts are about rows of another view, if there is one.
        let other = ports.iter().find(|port| plan.ports[**port].view != alert::VIEW);
        let first = other.or(ports.first()).map(|port| plan.name_of(*port));
        for other in merged() {
            *plan.operators[other].place.borrow_mut() = first.clone().unwrap_or_default();
        }
        let asked = ports.iter().any(|port| differential.contains(&plan.ports[*port].view));
        let erased: BTreeMap<u32, Erased> = makes
            .iter()
            .filter_map(|(number, root)| Some((*number as u32, root.erased.clone()?)))
            .collect();
        let forget_after = plan.forget_after_of(&ports).unwrap_or(plan.forget_after);
        let histories = plan.histories.iter().filter(|(operator, _)| mine(*operator));
        histories.for_each(|(_, history)| history.set(forget_after));
        let filled = ports.iter().any(|port| plan.filled.contains(&plan.ports[*port].view));
        let windows = makes.first().and_then(|(_, root)| root.windows).filter(|_| filled);
        let gaps = match windows {
            // Joins have made sure that the others have the same windows.
            Some(Windows::Fixed(fixed)) => {
                Some(Rc::new(RefCell::new(Gaps::new(fixed, forget_after))))
            }
            _ => None,
        };
        // Sessions stay with the hash tables.
        let differential = asked && erased.len() == makes.len();
        let wanted = Wanted { updates, differential, gaps: gaps.clone() };
        Operator {
            place: first.unwrap_or_default(),
            slots: makes.iter().map(|(root, _)| slot(*root).expect("it has a slot")).collect(),
            rows: ports.iter().map(|port| plan.ports[*port].rows.clone()).collect(),
            inner: ports.iter().map(|port| plan.ports[*port].inner).collect(),
            keys_max: plan.keys_max_of(&ports),
            ports,
            updates,
            erased: if wanted.differential { erased } else { BTreeMap::new() },
            windows: makes.iter().map(|(_, root)| root.windows).collect(),
            roots: makes.into_iter().map(|(_, root)| (root.make)(wanted.clone())).collect(),
            joins: {
                let joins = plan.joins.iter().filter(|join| mine(join.operator));
                joins.map(|join| join.settle.clone()).collect()
            },
            durables: {
                let durables = plan.durables.iter().filter(|(operator, _)| mine(*operator));
                let durables = durables.map(|(_, durable)| durable.clone());
                durables.chain(gaps.clone().map(|gaps| gaps as Rc<RefCell<dyn Durable>>)).collect()
            },
            gaps,
            saved: Snapshot::new(),
            shared: merged().map(|other| plan.operators[other].clone()).collect(),
        }
    }

    /// Takes what an exchange brought to an input.
    pub fn apply(&mut self, input: usize, parcel: Parcel) {
        self.roots[input].apply(parcel);
    }

    /// Shows updates, then closes what the watermark has passed.
    pub fn emit(&mut self, watermark: Millis) {
        if self.updates {
            self.roots.iter_mut().for_each(|root| root.flush());
            self.joins.iter().for_each(|join| join.borrow_mut().settle_changes());
        }
        self.roots.iter_mut().for_each(|root| root.advance(watermark));
        if let Some(gaps) = &self.gaps {
            gaps.borrow_mut().settle();
            self.roots.iter_mut().for_each(|root| root.fill());
        }
        self.joins.iter().for_each(|join| join.borrow_mut().settle_finals());
        self.durables.iter().for_each(|durable| durable.borrow_mut().forget(watermark));
    }

    /// Whether it holds no more groups than its views allow.
    ///
    /// # Errors
    ///
    /// It holds more; with the view and both numbers.
    pub fn check_groups(&self, worker: usize) -> Result<()> {
        let Some((view, most)) = &self.keys_max else { return Ok(()) };
        let groups: u64 = self.roots.iter().map(|root| root.groups()).sum();
        if groups <= *most {
            return Ok(());
        }
        let held = format!("view `{view}` holds {groups} groups on worker {worker}");
        Err(Error::config(format!("{held}, `keys_max` is {most}")).hint(
            "a restart would not help: raise keys_max, or have fewer keys or shorter windows",
        ))
    }

    /// Takes the rows that were made for an output.
    pub fn rows(&mut self, output: usize) -> Rows {
        std::mem::take(&mut *self.rows[output].borrow_mut())
    }

    /// Takes what was restored of an output that feeds views; of others nothing.
    pub fn restored_rows(&mut self, output: usize) -> Rows {
        if self.inner[output] { self.rows(output) } else { Rows::default() }
    }

    /// Takes the letters that were written.
    pub fn letters(&mut self) -> Vec<Letter> {
        let letters = self.shared.iter().flat_map(|shared| shared.letters.take());
        letters.collect()
    }

    /// Refused (record, window) pairs.
    pub fn late_windows(&self) -> u64 {
        self.shared.iter().map(|shared| shared.late_windows.get()).sum()
    }

    /// How much is open.
    pub fn open(&self) -> Open {
        self.roots.iter().map(|root| root.open()).fold(Open::default(), Open::and)
    }

    /// See [`Saves::begin_save`].
    pub fn begin_save(&mut self, whole: bool) {
        self.roots.iter_mut().for_each(|root| root.begin_save(whole));
        self.durables.iter().for_each(|durable| durable.borrow_mut().begin_save(whole));
    }

    /// Goes on saving, as [`Saves::save`] has it.
    pub fn save(&mut self, budget: &mut usize) -> Option<Snapshot> {
        for part in self.saved.len()..self.roots.len() + self.durables.len() {
            let saved = self.part(part, |part| part.save(budget))?;
            self.saved.push(saved);
        }
        Some(std::mem::take(&mut self.saved))
    }

    /// Takes in the head of one of its parts; see [`Saves::restore_head`].
    pub fn restore_head(&mut self, part: usize, group: u16, head: &[u8]) {
        self.part(part, |part| part.restore_head(group, head));
    }

    /// Takes in what one of its parts kept for a key group that this worker owns, or what was added
    /// to that.
    pub fn restore(&mut self, part: usize, added: bool, bytes: &[u8]) {
        self.part(part, |part| if added { part.restore_added(bytes) } else { part.restore(bytes) });
    }

    /// Everything was taken in.
    pub fn restored(&mut self) {
        self.roots.iter_mut().for_each(|root| root.restored());
        self.durables.iter().for_each(|durable| durable.borrow_mut().restored());
    }

    /// Its next save will follow those that were taken in; see [`Saves::resume`].
    pub fn resume(&mut self) {
        self.roots.iter_mut().for_each(|root| root.resume());
        self.durables.iter().for_each(|durable| durable.borrow_mut().resume());
    }

    /// Takes what was restored of windows that a collection keeps; it is to be told of them anew.
    pub fn restored_parts(&mut self) -> Vec<Loose> {
        let roots = self.roots.iter_mut().zip(self.erased.keys());
        roots.flat_map(|(root, number)| root.restored_parts(*number)).collect()
    }

    fn part<T>(&mut self, part: usize, call: impl FnOnce(&mut dyn Saves) -> T) -> T {
        match part.checked_sub(self.roots.len()) {
            None => call(&mut *self.roots[part]),
            Some(durable) => call(&mut *self.durables[durable].borrow_mut()),
        }
    }

    /// All of its state, as it is now.
    #[cfg(test)]
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.begin_save(true);
        self.save(&mut usize::MAX.clone()).expect("the budget was large")
    }

    /// Takes in a snapshot, or the groups of it that this worker owns.
    #[cfg(test)]
    pub(super) fn restore_all(&mut self, snapshot: &Snapshot) {
        for (part, Saved { head, groups, added, .. }) in snapshot.iter().enumerate() {
            (0..256).for_each(|group| self.restore_head(part, group, head));
            groups.iter().for_each(|(_, bytes)| self.restore(part, false, bytes));
            added.iter().for_each(|(_, bytes)| self.restore(part, true, bytes));
        }
        self.restored();
    }

    /// What it keeps, part by part, in words, and its place in the plan that it was taken out of.
    pub fn shape(&self, plan: &Plan) -> Shape {
        let roots = self.roots.iter().zip(&self.windows).map(|(root, windows)| match windows {
            Some(windows) => format!("{} in {windows:?}", root.shape()),
            None => root.shape(),
        });
        let durables = self.durables.iter().map(|durable| durable.borrow().shape());
        let fed_by = self.slots.iter().flat_map(|slot| &plan.slots[*slot].sources);
        let fed_by: BTreeSet<usize> = fed_by.copied().collect();
        let mut views: BTreeSet<Text> = self.ports.iter().map(|port| plan.name_of(*port)).collect();
        // Alerts are about rows of another view, if there is one.
        if 1 < views.len() {
            views.remove(alert::VIEW);
        }
        Shape {
            operator: self.place.clone(),
            parts: roots.chain(durables).collect(),
            views: views.into_iter().collect(),
            sources: fed_by.into_iter().map(|index| plan.sources[index].name.clone()).collect(),
            source: None,
        }
    }
}

/// Tells apart operators that fill one view: what they report is kept by name.
fn number_namesakes(operators: &mut [Operator]) {
    let mut counts: BTreeMap<Text, usize> = BTreeMap::new();
    for operator in operators {
        let count = counts.entry(operator.place.clone()).or_default();
        *count += 1;
        if 1 < *count {
            operator.place = Text::from(format!("{} ({count})", operator.place));
        }
    }
}

/// A state with the steps that its panes take.
pub(super) struct TypedRoot<K, A, S> {
    pub(super) state: S,
    pub(super) panes: Rc<PaneNode<K, A>>,
    pub(super) finals: Vec<Pane<K, A>>,
    pub(super) changes: Vec<Live<K, A>>,
}

impl<K: Key, A: Aggregate, S: State<K, A>> TypedRoot<K, A, S> {
    pub(super) fn new(state: S, panes: Rc<PaneNode<K, A>>) -> TypedRoot<K, A, S> {
        TypedRoot { state, panes, finals: Vec::new(), changes: Vec::new() }
    }
}

impl<K: Key, A: Aggregate, S: State<K, A>> Root for TypedRoot<K, A, S> {
    fn apply(&mut self, parcel: Parcel) {
        self.state.apply_all(parcel.open::<Part<K, A>>());
    }

    fn flush(&mut self) {
        self.state.flush(&mut self.changes);
        self.panes.changes(std::mem::take(&mut self.changes));
    }

    fn advance(&mut self, watermark: Millis) {
        self.state.advance(watermark, &mut self.finals);
        self.panes.finals(std::mem::take(&mut self.finals));
    }

    fn open(&self) -> Open {
        self.state.open()
    }

    fn groups(&self) -> u64 {
        self.state.groups()
    }
}

impl<K: Key, A: Aggregate, S: State<K, A>> Saves for TypedRoot<K, A, S> {
    fn begin_save(&mut self, whole: bool) {
        self.state.begin_save(whole);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.state.save(budget)
    }

    fn restore_head(&mut self, group: u16, head: &[u8]) {
        self.state.restore_head(group, head);
    }

    fn restore(&mut self, bytes: &[u8]) {
        self.state.restore(bytes);
    }

    fn restore_added(&mut self, bytes: &[u8]) {
        self.state.restore_added(bytes);
    }

    fn restored(&mut self) {
        self.state.restored();
    }

    fn resume(&mut self) {
        self.state.resume();
    }
}

#[cfg(test)]
mod tests;
