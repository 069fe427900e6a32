//! The job watches itself: gathers facts once a second, and decides on worker 0 what is an alert.
//!
//! ```text
//! each worker: keys that came ─┐
//! each process: its board ─────┴─► facts ═to worker 0═► Watch ─► rows of the view `alerts`
//! ```
//!
//! The first operator holds a capability at the ticks of the readers, so that what it says has a
//! time; it follows them at once, and holds none while it is off. The second one answers at the
//! time of what it hears.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator as _;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::Activator;

use super::differential::Announcement;
use crate::alert::Raised;
use crate::alert::watch::{Condition, Facts, Measure, ProcessFacts, SinkFacts, Watch};
use crate::letter::Reason;
use crate::row::{Change, Mark, Origin, Position, Rows};
use crate::runtime::{Context, Phase};
use crate::stream::{SeenKeys, Watches};
use crate::text::Text;
use crate::time::Millis;

/// How often facts are gathered.
const EVERY: Duration = Duration::from_secs(1);

/// What the operators need to know.
pub struct WatchPlan {
    /// The operational alerts.
    pub watches: Watches,
    /// Whether this job is watched: it has input without an end, or it was asked for.
    pub on: bool,
    /// The greatest lateness of the sources.
    pub delay: Duration,
}

/// Builds both operators; the times of `ticks` are those of the readers.
pub fn watch<'s>(
    plan: WatchPlan,
    ticks: StreamVec<'s, u64, Announcement>,
    context: &Rc<Context>,
) -> StreamVec<'s, u64, Rows> {
    let conditions = plan.watches.conditions.clone();
    let facts = facts(plan, ticks, context);
    let (begun, context) = (context.clock.now(), context.clone());
    let mut watch = Watch::new(context.system.as_str().into(), conditions, begun);
    facts.unary::<CapacityContainerBuilder<Vec<Rows>>, _, _, _>(
        Exchange::new(|_: &Facts| 0),
        "watch",
        move |_, _| {
            move |input, output| {
                input.for_each(|time, facts: &mut Vec<Facts>| {
                    let now = context.clock.now();
                    facts.drain(..).for_each(|facts| watch.hear(now, facts));
                    let raised = watch.judge(now);
                    for name in watch.full() {
                        tracing::warn!("alert {name}: more keys than `keys_max`; not all watched");
                    }
                    if !raised.is_empty() {
                        output.session(&time).give(rows(&raised));
                    }
                });
            }
        },
    )
}

fn rows(raised: &[Raised]) -> Rows {
    let mut rows = Rows::default();
    let mark = Mark { change: Change::Final, origin: Origin::Record(Position::default()) };
    for raised in raised {
        if let Err(misfit) = rows.put(mark, raised) {
            tracing::warn!("alert {}: {misfit}", raised.alert);
        }
    }
    rows
}

fn facts<'s>(
    plan: WatchPlan,
    ticks: StreamVec<'s, u64, Announcement>,
    context: &Rc<Context>,
) -> StreamVec<'s, u64, Facts> {
    let scope = ticks.scope();
    let mut builder = OperatorBuilder::new("facts".into(), scope);
    let activator = scope.activator_for(builder.operator_info().address);
    if plan.on {
        context.operators.borrow_mut().push(activator.clone());
    }
    let mut input = builder.new_input(ticks, Pipeline);
    let (output, facts) = builder.new_output();
    let mut output: OutputBuilder<u64, CapacityContainerBuilder<Vec<Facts>>> =
        OutputBuilder::from(output);
    let context = context.clone();
    builder.build(move |mut capabilities| {
        let mut held = capabilities.pop().filter(|_| plan.on);
        let mut gatherer = Gatherer::new(plan, activator, context);
        move |frontiers| {
            input.for_each(|_, announcements: &mut Vec<Announcement>| announcements.clear());
            let Some(capability) = &mut held else { return };
            let tick = frontiers[0].frontier().first().copied();
            if let Some(facts) = gatherer.gather(tick.is_none()) {
                output.activate().session(&*capability).give(facts);
            }
            match tick {
                Some(tick) => follow(capability, tick),
                None => held = None,
            }
        }
    });
    facts
}

fn follow(capability: &mut Capability<u64>, tick: u64) {
    if *capability.time() < tick {
        capability.downgrade(&tick);
    }
}

struct Gatherer {
    conditions: Vec<Condition>,
    seen: Vec<(usize, Rc<RefCell<dyn SeenKeys>>)>,
    delay: Duration,
    activator: Activator,
    context: Rc<Context>,
    due: Duration,
    /// Records read at the last facts.
    read: u64,
    /// The least tick that was not complete then, and since when.
    completed: (u64, Duration),
    /// Event latencies of watched views until then.
    latencies: BTreeMap<Text, Histogram<u64>>,
}

impl Gatherer {
    fn new(plan: WatchPlan, activator: Activator, context: Rc<Context>) -> Gatherer {
        let Watches { conditions, seen, .. } = plan.watches;
        if plan.on {
            seen.iter().for_each(|(_, seen)| seen.borrow_mut().begin());
        }
        let (due, delay, completed) = (EVERY, plan.delay, (0, Duration::ZERO));
        let latencies = BTreeMap::new();
        Gatherer { conditions, seen, delay, activator, context, due, read: 0, completed, latencies }
    }

    /// The facts, if they are due: once a second, and once more when the input has ended.
    fn gather(&mut self, ended: bool) -> Option<Facts> {
        let now = self.context.clock.now();
        if self.context.phase.get() != Phase::Running || self.context.failure.is_set() {
            return None;
        }
        if now < self.due && !ended {
            self.context.alarms.after(self.due - now, &self.activator);
            return None;
        }
        self.due = now + EVERY;
        self.context.alarms.after(EVERY, &self.activator);
        let seen = self.seen.iter().flat_map(|(condition, seen)| {
            let keys = seen.borrow_mut().take();
            keys.into_iter().map(|key| (*condition, key))
        });
        let (worker, seen) = (self.context.worker, seen.collect::<Vec<_>>());
        let process = self.context.speaks.then(|| self.process(now));
        let says = process.is_some() || !seen.is_empty();
        says.then_some(Facts { worker, process, seen })
    }

    /// What is known of this process.
    fn process(&mut self, now: Duration) -> ProcessFacts {
        let board = self.context.board.clone();
        let (ledger, read) = (board.ledger(), board.read());
        let lag = board.partitions().values().filter_map(|partition| partition.lag).sum();
        let held = self.held(now);
        let letters = board.letter_counts().into_iter();
        let failed = letters.filter(|((_, reason), _)| *reason != Reason::Late);
        let views = board.views();
        let rows = self.views().into_iter().map(|view| {
            let rows = views.get(view).copied().unwrap_or_default();
            (Text::from(view), rows)
        });
        let facts = ProcessFacts {
            read: ledger.read,
            used: ledger.used + ledger.duplicates,
            failed: failed.map(|(_, count)| count).sum(),
            lag,
            arriving: self.read < read || 0 < lag || held.is_some(),
            held,
            behind: self.behind(now),
            rows: rows.collect(),
            delays: vec![],
            sinks: self.sinks(),
        };
        self.read = read;
        ProcessFacts { delays: self.delays(held), ..facts }
    }

    /// The views that are watched.
    fn views(&self) -> Vec<&'static str> {
        self.conditions.iter().filter_map(|condition| condition.measure.view()).collect()
    }

    /// For how long nothing was complete, if that is why the readers do not read.
    fn held(&mut self, now: Duration) -> Option<Duration> {
        let completed = self.context.completed.get();
        if completed != self.completed.0 {
            self.completed = (completed, now);
        }
        let full = completed.saturating_add(self.context.pace.in_flight_max);
        let since = now.saturating_sub(self.completed.1);
        (full <= self.context.reached.get() && EVERY <= since).then_some(since)
    }

    /// How far the frontier is behind the time of day, less the lateness; before there is one, the
    /// job is behind since its start.
    fn behind(&self, now: Duration) -> Option<Duration> {
        let frontier = self.context.board.frontier()?;
        let behind = match frontier {
            Millis::MAX => return None,
            Millis::MIN => now,
            Millis(frontier) => {
                let behind = self.context.host.wall_time().floor_ms().0.saturating_sub(frontier);
                Duration::from_millis(behind.max(0) as u64)
            }
        };
        Some(behind.saturating_sub(self.delay))
    }

    /// What records have waited in the last second: those that were written, and those that are
    /// not, as their writer is still at it or the job does not read.
    fn delays(&mut self, held: Option<Duration>) -> Vec<(Text, Duration)> {
        let (board, now) = (self.context.board.clone(), self.context.host.now());
        let mut delays = Vec::new();
        for condition in &self.conditions {
            let Measure::EventDelay { view } = condition.measure else { continue };
            let Some(latency) = board.latency_of(view) else { continue };
            let measured = latency.histograms().event;
            let mut fresh = measured.clone();
            if let Some(before) = self.latencies.insert(view.into(), measured) {
                // It was cloned from the same one, so all of it is there.
                let _ = fresh.subtract(&before);
            }
            let median = Duration::from_micros(fresh.value_at_quantile(0.5));
            let median = Some(median).filter(|_| !fresh.is_empty());
            let writers = board.writers().into_iter().filter(|((of, _), _)| of == view);
            let writers = writers.flat_map(|(_, writers)| writers);
            let busy = writers.filter_map(|writer| writer.busy(now)).max();
            delays.extend(median.max(busy).max(held).map(|delay| (Text::from(view), delay)));
        }
        delays
    }

    fn sinks(&self) -> Vec<SinkFacts> {
        let (writers, now) = (self.context.board.writers(), self.context.host.now());
        let sinks = writers.into_iter().map(|((view, kind), writers)| SinkFacts {
            view,
            kind,
            failed: writers.iter().map(|writer| writer.failed()).sum(),
            away: writers.iter().filter_map(|writer| writer.away(now)).max(),
        });
        sinks.collect()
    }
}
