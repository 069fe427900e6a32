//! The plan: what a dataflow function described, before anything of timely is built.
//!
//! Every worker runs the function and gets the same plan, as its indices come from the order of
//! calls. `check` and `list` read it without running anything.
//!
//! ```text
//! sources ─► slots (exchanges) ─► roots ─┐
//!    │                                   ├─ operators ─► ports ─► sinks
//!    │                           joins ──┘                 ▲
//!    └── rows of streams without windows ──────────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::differential::Erased;
use super::fill::Gaps;
use super::intake::Intake;
use super::operator::{Durable, Root, Settle};
use super::retain::Retained;
use super::view::{Put, ViewPlan};
use super::watches::Watches;
use crate::alert::{self, Raised};
use crate::error::Error;
use crate::lateness::{Lateness, Reach};
use crate::letter::Letter;
use crate::row::{Rows, Schema};
use crate::text::Text;
use crate::window::Windows;

/// What a dataflow function described.
#[derive(Default)]
pub struct Plan {
    /// Its sources, in the order of their first mention.
    pub sources: Vec<SourcePlan>,
    /// Exchanges: from sources to window operators.
    pub slots: Vec<Slot>,
    /// Parts of window operators, one per `accumulate`.
    pub roots: Vec<RootPlan>,
    /// The operator of each root, also when the roots have been taken out.
    pub root_operators: Vec<usize>,
    /// Joins of them.
    pub joins: Vec<JoinPlan>,
    /// Further state that a snapshot holds, with the operator it belongs to.
    pub durables: Vec<(usize, Rc<RefCell<dyn Durable>>)>,
    /// Where rows leave: one per `sink(…)`, and one per way from a window or a table into a view.
    /// Those of one name are one view.
    pub ports: Vec<Port>,
    /// Views of the scope of ticks; each is made of earlier ones.
    pub views: Vec<ViewPlan>,
    /// How the rows of ports that views fill become cells.
    pub view_rows: Vec<(usize, Put)>,
    /// What window operators are called and share, by operator.
    pub operators: Vec<Rc<OperatorPlan>>,
    /// Views with `fill_gaps`.
    pub filled: BTreeSet<Text>,
    /// `forget_after` of views of which nothing is said.
    pub forget_after: Duration,
    /// `forget_after`, by view.
    pub forget: BTreeMap<Text, Duration>,
    /// For how long trailing histories outlive their last rows, by operator.
    pub(super) histories: Vec<(usize, Rc<Cell<Duration>>)>,
    /// `keys_max`, by view.
    pub keys_max: BTreeMap<Text, u64>,
    /// The operational alerts.
    pub watches: Watches,
    /// What the description got wrong.
    pub errors: Vec<Error>,
}

/// A source of the plan.
pub struct SourcePlan {
    /// Its name: the port that a binding binds.
    pub name: Text,
    /// How late its events may be.
    pub lateness: Lateness,
    /// Whether it is a table, whose records have no event time.
    pub is_table: bool,
    /// How far each of its consumers reaches.
    pub reaches: Rc<RefCell<Vec<Reach>>>,
    /// Decodes, judges and runs the steps behind it.
    pub intake: Box<dyn Intake>,
}

/// An exchange between sources and one root.
pub struct Slot {
    /// The sources that fill it.
    pub sources: BTreeSet<usize>,
    /// The root that it feeds.
    pub root: usize,
}

/// One `accumulate`.
pub struct RootPlan {
    /// The operator it is a part of; joins make several one.
    pub operator: usize,
    /// Its windows; none of what merely waits.
    pub windows: Option<Windows>,
    /// Makes its state, once it is known what is wanted of it.
    pub make: MakeRoot,
    /// What differential dataflow needs to keep it; not for sessions.
    pub erased: Option<Erased>,
}

/// Makes the state of an `accumulate`.
pub type MakeRoot = Box<dyn FnOnce(Wanted) -> Box<dyn Root>>;

/// What is wanted of the state of an `accumulate`.
#[derive(Clone)]
pub struct Wanted {
    /// Whether panes are shown while they are open.
    pub updates: bool,
    /// Whether differential dataflow keeps the windows.
    pub differential: bool,
    /// Fills windows without events, together with the other roots of the operator.
    pub(super) gaps: Option<Rc<RefCell<Gaps>>>,
}

/// One `join` or `left_join`.
pub struct JoinPlan {
    /// The operator it is a part of.
    pub operator: usize,
    /// Its buffer.
    pub settle: Rc<RefCell<dyn Settle>>,
}

/// Where the rows of a view leave.
///
/// One that is `inner` has no sink: it feeds views of the scope of ticks, with each row as one
/// cell of bytes; what is deleted there is taken back.
pub struct Port {
    /// Name of the view.
    pub view: Text,
    /// Its columns.
    pub schema: Arc<Schema>,
    /// What fills it.
    pub from: From,
    /// Whether it declares updates.
    pub updates: bool,
    /// Whether a row that was shown may go again, so that another attempt to run the job, which
    /// cuts the time elsewhere, may never take back what this one has shown.
    pub takes_back: bool,
    /// Whether it feeds views instead of sinks.
    pub inner: bool,
    /// What views hold of it until it is forgotten, if it comes from windows.
    pub retained: Option<Rc<RefCell<dyn Retained>>>,
    /// Rows that have not been fetched yet.
    pub rows: Rc<RefCell<Rows>>,
}

impl Port {
    /// Whether its rows change without end: a view of the scope of ticks.
    pub fn is_table(&self) -> bool {
        matches!(self.from, From::View(_))
    }

    /// Whether a binding may say how long its closed rows stay. What `keep(…)` says is part of what
    /// a view is.
    fn may_be_kept(&self) -> bool {
        self.updates && self.retained.is_some()
    }

    /// Whether it is this very port.
    fn is(&self, other: &Port) -> bool {
        Rc::ptr_eq(&self.rows, &other.rows)
    }
}

/// What fills a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A window operator.
    Operator(usize),
    /// Sources, without windows.
    Sources(BTreeSet<usize>),
    /// A view of the scope of ticks.
    View(usize),
    /// The running job itself: operational alerts.
    Job,
}

/// What the parts of one window operator share.
#[derive(Default)]
pub struct OperatorPlan {
    /// Name: that of its first view.
    pub place: Rc<RefCell<Text>>,
    /// The operator that this one was joined into.
    pub joined: Cell<Option<usize>>,
    /// Whether updates are wanted of it.
    pub updates: Cell<bool>,
    /// Letters that have not been fetched yet.
    pub letters: Rc<RefCell<Vec<Letter>>>,
    /// Refused (record, window) pairs.
    pub late_windows: Rc<Cell<u64>>,
}

impl Plan {
    /// The operator that a number stands for, after all joins.
    pub fn operator(&self, mut index: usize) -> usize {
        while let Some(joined) = self.operators[index].joined.get() {
            index = joined;
        }
        index
    }

    /// Drops the updates of views that nobody takes them of: showing a row costs a merge of all
    /// slices of its window, each time it changes.
    pub fn want_updates(&mut self, wanted: impl Fn(&Text) -> bool) {
        self.operators.iter().for_each(|operator| operator.updates.set(false));
        for index in 0..self.ports.len() {
            let port = &mut self.ports[index];
            port.updates &= port.inner || wanted(&port.view);
            if let (true, From::Operator(operator)) = (port.updates, &port.from) {
                let operator = *operator;
                self.operators[self.operator(operator)].updates.set(true);
            }
        }
    }

    /// Adds a source.
    pub(super) fn add_source(&mut self, source: SourcePlan) {
        if self.sources.iter().any(|other| other.name == source.name) {
            let error = Error::config(format!("source `{}` is read in two ways", source.name));
            let hint = "read it once, as one type, as a stream or as a table";
            self.errors.push(error.hint(hint));
        }
        self.sources.push(source);
    }

    /// Why a port cannot be a further part of the view that has its name.
    pub(super) fn clash(&self, port: &Port) -> Option<Error> {
        let view = &port.view;
        if view == alert::VIEW && port.schema != Raised::schema() {
            let error = Error::config(format!("a view is called `{view}` and holds other rows"));
            return Some(error.hint("the name is that of what alert(…) raises; choose another"));
        }
        let other = self.parts(view).next()?;
        let columns = |port: &Port| {
            let columns = port.schema.columns.iter();
            columns.map(|c| format!("{} {}", c.name, c.kind)).collect::<Vec<_>>().join(", ")
        };
        let what = match (columns(other), columns(port)) {
            (one, two) if one != two => format!("of different columns: {one}; {two}"),
            _ if other.schema != port.schema => "of which one may have NULLs elsewhere".into(),
            _ if other.updates != port.updates => "of which one shows updates".into(),
            _ if other.is_table() || port.is_table() => "of which one is a table".into(),
            _ => return None,
        };
        let error = Error::config(format!("two views are called `{view}`, {what}"));
        Some(error.hint("give each a name of its own, or both the same rows to make them one"))
    }

    /// Index of a new operator.
    pub(super) fn add_operator(&mut self) -> usize {
        self.operators.push(Rc::default());
        self.operators.len() - 1
    }

    /// Makes two operators one.
    pub(super) fn join_operators(&mut self, a: usize, b: usize) -> usize {
        let (a, b) = (self.operator(a), self.operator(b));
        let (keep, gone) = (a.min(b), a.max(b));
        if keep != gone {
            self.operators[gone].joined.set(Some(keep));
        }
        keep
    }

    /// Names of the sources.
    pub fn source_names(&self) -> Vec<&str> {
        self.sources.iter().map(|source| source.name.as_str()).collect()
    }

    /// Names of the views.
    pub fn view_names(&self) -> Vec<&str> {
        self.sunk().map(|port| port.view.as_str()).collect()
    }

    /// The views that sinks are bound to: the first port of each.
    pub fn sunk(&self) -> impl Iterator<Item = &Port> {
        let is_first = |port: &&Port| self.parts(&port.view).next().is_some_and(|f| f.is(port));
        self.ports.iter().filter(|port| !port.inner).filter(is_first)
    }

    /// The ports that fill a view.
    pub fn parts<'a>(&'a self, view: &'a str) -> impl Iterator<Item = &'a Port> {
        self.ports.iter().filter(move |port| !port.inner && port.view == view)
    }

    /// The sources that a view is made from.
    pub fn sources_of_view(&self, view: &str) -> BTreeSet<usize> {
        self.parts(view).flat_map(|part| self.sources_of(part)).collect()
    }

    /// The sources that a port is filled from.
    pub fn sources_of(&self, port: &Port) -> BTreeSet<usize> {
        match &port.from {
            From::Sources(sources) => sources.clone(),
            From::Job => BTreeSet::new(),
            From::View(node) => {
                let inner = self.ports_of(*node).into_iter().map(|port| &self.ports[port]);
                inner.flat_map(|port| self.sources_of(port)).collect()
            }
            From::Operator(operator) => {
                let (operator, mine) = (self.operator(*operator), |root: usize| {
                    self.operator(self.root_operators[root])
                });
                let slots = self.slots.iter().filter(|slot| mine(slot.root) == operator);
                slots.flat_map(|slot| slot.sources.iter().copied()).collect()
            }
        }
    }

    /// What a port is called: of one that feeds views, after the first of them that has a sink.
    pub fn name_of(&self, port: usize) -> Text {
        let feeds = |other: &&Port| match other.from {
            From::View(view) => self.ports_of(view).contains(&port),
            _ => false,
        };
        match &self.ports[port] {
            of if of.inner => self.ports.iter().find(feeds).map(|fed| fed.view.clone()),
            of => Some(of.view.clone()),
        }
        .unwrap_or_default()
    }

    /// The ports that a view of the scope of ticks is made from.
    pub fn ports_of(&self, view: usize) -> BTreeSet<usize> {
        match &self.views[view] {
            ViewPlan::Port(port) => BTreeSet::from([*port]),
            ViewPlan::Each(of, _) | ViewPlan::Arrange(of, _) | ViewPlan::Reduce(of, _) => {
                self.ports_of(*of)
            }
            ViewPlan::Concat(left, right) | ViewPlan::Join { left, right, .. } => {
                let mut ports = self.ports_of(*left);
                ports.append(&mut self.ports_of(*right));
                ports
            }
        }
    }

    /// Whether a binding may say how long closed rows stay in a view.
    pub fn is_retained(&self, port: &Port) -> bool {
        match port.from {
            From::View(node) => {
                let fed = self.ports_of(node);
                fed.iter().any(|port| self.ports[*port].may_be_kept())
            }
            From::Operator(_) | From::Sources(_) | From::Job => false,
        }
    }

    /// Takes what bindings say about how long closed rows stay; of views that share them, the
    /// longest.
    pub(super) fn retain(&mut self, keep: &BTreeMap<Text, Duration>) {
        for (index, port) in self.ports.iter().enumerate().filter(|(_, port)| port.may_be_kept()) {
            let feeds = |port: &&Port| match port.from {
                From::View(node) => self.ports_of(node).contains(&index),
                From::Operator(_) | From::Sources(_) | From::Job => false,
            };
            let fed = self.ports.iter().filter(feeds);
            if let Some(asked) = fed.filter_map(|port| keep.get(&port.view)).max()
                && let Some(retained) = &port.retained
            {
                retained.borrow_mut().keep_for(*asked);
            }
        }
    }

    /// Of the views that some ports of an operator feed, the one that allows the fewest groups.
    pub(super) fn keys_max_of(&self, ports: &[usize]) -> Option<(Text, u64)> {
        let fed = self.keys_max.iter().filter(|(view, _)| self.feed(ports, view));
        fed.min_by_key(|(_, most)| **most).map(|(view, most)| (view.clone(), *most))
    }

    /// Of the views that some ports of an operator feed, the longest `forget_after`.
    pub(super) fn forget_after_of(&self, ports: &[usize]) -> Option<Duration> {
        let fed = self.forget.iter().filter(|(view, _)| self.feed(ports, view));
        fed.map(|(_, forget_after)| *forget_after).max()
    }

    /// Whether some ports feed a view.
    fn feed(&self, ports: &[usize], view: &Text) -> bool {
        self.ports.iter().enumerate().filter(|(_, port)| port.view == *view).any(|(index, port)| {
            match port.from {
                From::View(node) => ports.iter().any(|fed| self.ports_of(node).contains(fed)),
                From::Operator(_) | From::Sources(_) | From::Job => ports.contains(&index),
            }
        })
    }

    /// The windows of an operator.
    pub fn windows(&self, operator: usize) -> impl Iterator<Item = Windows> + '_ {
        self.roots
            .iter()
            .filter(move |root| self.operator(root.operator) == operator)
            .filter_map(|root| root.windows)
    }
}
