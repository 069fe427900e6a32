//! Builds a plan into timely: two scopes, readers, shells, sinks, two probes.
//!
//! ```text
//! tick scope                                                     flow probe ◄─┐
//! ┌────────────────────────────────────────────┐                              │
//! │ event-time scope                           │ leave     ┌──────┐ ──────────┘
//! │  reader ═parcels═► shell ──rows per view──┼──────────►│ sink │ ──► confirmed probe
//! │    └───────────────────┴──────letters──────┼───┐       └──────┘
//! └────────────────────────────────────────────┘   └─────► letters' sink
//! ```
//!
//! In the tick scope stand further, where asked for: windows that differential dataflow keeps, and
//! views over views, which are fed by ports without a sink.

use std::collections::BTreeSet;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Concat, Concatenate, Leave, Probe};
use timely::dataflow::{ProbeHandle, Scope, StreamVec};
use timely::worker::Worker;

use super::context::Context;
use super::job::{BoundSink, Job};
use crate::checkpoint::{Checkpoints, State, sink_name};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::operators::Event;
use crate::operators::differential::{Announcement, Kept, differential};
use crate::operators::shell::shell;
use crate::operators::sink::{MakeQueue, SinkPlan, sink};
use crate::operators::views::{ViewSink, views, waited_for};
use crate::operators::watch::{WatchPlan, watch};
use crate::parcel::Parcel;
use crate::row::{Change, Rows};
use crate::sink::courier::Route;
use crate::sink::queue::{Post, Queue, QueueOptions};
use crate::sink::{Accepts, Placement, Shard};
use crate::source::reader::{ReaderPlan, reader};
use crate::stream::{From, Loose, Operator, Plan, Port, Unpack};
use crate::text::Text;
use crate::time::Millis;

/// The name of the sink of dead letters.
pub(super) const LETTERS: &str = "dead letters";

/// The probes of a job that was built.
pub struct Probes {
    /// What is complete, as far as back-pressure is concerned.
    pub flow: ProbeHandle<u64>,
    /// What the sinks of all workers have confirmed.
    pub confirmed: ProbeHandle<u64>,
}

/// Builds a job on a worker.
///
/// # Errors
///
/// A source cannot be opened, or the description is wrong.
pub fn build(worker: &mut Worker, job: &Job, context: &Rc<Context>) -> Result<Probes> {
    let mut plan = job.plan()?;
    let announce = !job.settings.differential.is_empty() || !plan.view_rows.is_empty();
    let tables: BTreeSet<usize> =
        (0..plan.sources.len()).filter(|source| plan.sources[*source].is_table).collect();
    let readers = reader_plans(job, &mut plan, announce, context)?;
    let watches = watch_plan(&mut plan, &readers, &tables);
    plan.want_updates(|view| {
        let sinks = job.sinks.get(view).into_iter().flatten();
        sinks.into_iter().any(|bound| bound.rows == Accepts::Updates)
    });
    let mut operators = Operator::all(&mut plan, &job.settings.differential);
    let sinks = view_sinks(job, &plan, &tables);
    if let Some(checkpoints) = &job.checkpoints {
        let over = over(&readers, &plan, &sinks, checkpoints);
        for operator in &mut operators {
            restore(operator, checkpoints, context, |operator| forget(operator, &plan, &over))?;
        }
    }
    let (kept, shelled): (Vec<Operator>, Vec<Operator>) =
        operators.into_iter().partition(|operator| !operator.erased.is_empty());
    let probes = Probes { flow: ProbeHandle::new(), confirmed: ProbeHandle::new() };
    worker.dataflow_named(&job.name, |outer: Scope<'_, u64>| {
        let left = outer.scoped::<Event, _, _>("event-time", |inner| {
            event_time_scope((outer, inner), readers, shelled, &kept, &plan, context)
        });
        let Left { mut ports, mut letters, parts, announcements } = left;
        if !kept.is_empty() {
            let announcements = announcements.clone();
            let (rows, more) = keep(outer, kept, &plan, parts, announcements, context);
            ports.extend(rows);
            letters = letters.concat(more);
        }
        if let Some(port) = plan.ports.iter().position(|port| port.from == From::Job) {
            ports.push((port, watch(watches, announcements.clone(), context)));
        }
        let (inner, mut ports): (Vec<_>, Vec<_>) =
            ports.into_iter().partition(|(port, _)| plan.ports[*port].inner);
        if !plan.view_rows.is_empty() {
            context.by_epoch.set(true);
            let inner = inner.into_iter().collect();
            let (rows, more) = views(&plan, sinks, inner, &announcements, context);
            ports.extend(rows);
            letters = outer.concatenate(more.into_iter().chain([letters]));
        }
        let mut refusals = Vec::new();
        for (port, rows) in by_view(outer, &plan, ports) {
            for (index, bound) in job.sinks.get(&port.view).into_iter().flatten().enumerate() {
                let rows = with(rows.clone(), bound.rows, port.updates);
                let mut bound = bound.clone();
                if job.latency {
                    let sources = plan.sources_of_view(&port.view);
                    bound.queue.latency = Some(job.board.latency(&port.view, &sources));
                }
                let plan = sink_plan(&port.view, sink_name(&port.view, index), &bound, context);
                let outputs = sink(rows, None, plan, context);
                outputs.flow.probe_with(&probes.flow);
                outputs.confirmed.probe_with(&probes.confirmed);
                refusals.push(outputs.letters);
            }
        }
        let plan = sink_plan(&LETTERS.into(), LETTERS.into(), &job.letters, context);
        let outputs = sink(letters, Some(outer.concatenate(refusals)), plan, context);
        outputs.flow.probe_with(&probes.flow);
        outputs.confirmed.probe_with(&probes.confirmed);
    });
    Ok(probes)
}

/// Brings an operator to where it was when the checkpoint was made.
fn restore(
    operator: &mut Operator,
    from: &Checkpoints,
    context: &Context,
    forget: impl FnOnce(&Operator),
) -> Result<()> {
    let restored = from.state(&operator.place, (context.worker, context.peers))?;
    for State { part, group, bytes, .. } in &restored.heads {
        operator.restore_head((*part).into(), *group as u16, bytes);
    }
    failpoint!("restore.half_read");
    for State { part, added, bytes, .. } in &restored.entries {
        operator.restore((*part).into(), *added, bytes);
    }
    forget(operator);
    operator.restored();
    let files = from.files(&operator.place, (context.worker, context.peers));
    if let Some(agent) = context.agent.as_ref().filter(|_| !files.is_empty()) {
        operator.resume();
        agent.resume(&operator.place, files);
    }
    Ok(())
}

/// Up to which time the rows of a port were no view's any more where a checkpoint begins.
fn over<'f>(
    readers: &'f [ReaderPlan],
    plan: &Plan,
    sinks: &[ViewSink],
    from: &'f Checkpoints,
) -> impl Fn(&usize) -> Millis + 'f {
    let waited = waited_for(plan, sinks);
    move |port| {
        let sources = waited.get(port).into_iter().flatten();
        from.promised(sources.map(|source| &readers[*source].name))
    }
}

/// Lets go of the rows that no view needs any more. At the end of an epoch one worker may have
/// forgotten what another one is about to (`operators/views/forget.rs`); what all readers had
/// promised by then says what is over for both.
fn forget(operator: &Operator, plan: &Plan, over: impl Fn(&usize) -> Millis) {
    for port in &operator.ports {
        let Some(retained) = &plan.ports[*port].retained else { continue };
        let over = over(port);
        // The end of all input closes windows, but is no time that passes.
        if over != Millis::MAX {
            retained.borrow_mut().expire(over);
        }
    }
}

/// The rows of each view, by its first port.
fn by_view<'p, 's>(
    outer: Scope<'s, u64>,
    plan: &'p Plan,
    ports: Vec<(usize, StreamVec<'s, u64, Rows>)>,
) -> Vec<(&'p Port, StreamVec<'s, u64, Rows>)> {
    let mut views: Vec<(&Port, Vec<StreamVec<'s, u64, Rows>>)> = Vec::with_capacity(ports.len());
    for (port, rows) in ports {
        let port = &plan.ports[port];
        match views.iter_mut().find(|(first, _)| first.view == port.view) {
            Some((_, parts)) => parts.push(rows),
            None => views.push((port, vec![rows])),
        }
    }
    let views = views.into_iter().map(|(port, mut parts)| match parts.len() {
        1 => (port, parts.remove(0)),
        _ => (port, outer.concatenate(parts)),
    });
    views.collect()
}

/// What the sinks of views of the scope of ticks need to know.
fn view_sinks(job: &Job, plan: &Plan, tables: &BTreeSet<usize>) -> Vec<ViewSink> {
    let sinks = plan.view_rows.iter().filter_map(|(index, put)| {
        let port = &plan.ports[*index];
        let From::View(node) = port.from else { return None };
        let names = job.settings.keys.get(&port.view).map(Vec::as_slice).unwrap_or_default();
        let key: Vec<usize> = names.iter().filter_map(|name| port.schema.index(name)).collect();
        let holds_window = names.iter().any(|name| name.starts_with("window_"));
        Some(ViewSink {
            port: *index,
            node,
            name: port.view.clone(),
            put: put.clone(),
            key,
            window_end: port.schema.index("window_end").filter(|_| holds_window),
            sources: plan.sources_of(port).difference(tables).copied().collect(),
        })
    });
    sinks.collect()
}

/// Opens the sources of a plan on this worker.
fn reader_plans(
    job: &Job,
    plan: &mut Plan,
    announce: bool,
    context: &Context,
) -> Result<Vec<ReaderPlan>> {
    let counts = (plan.slots.len(), plan.ports.len());
    let sources = std::mem::take(&mut plan.sources);
    let mut readers = Vec::with_capacity(sources.len());
    for (index, source) in sources.into_iter().enumerate() {
        let bound = job.source(&source.name)?;
        if bound.is_global && 1 < context.peers {
            let error = "`watermark_scope = \"global\"` of source `";
            return Err(Error::config(format!("{error}{}` needs a single worker", source.name))
                .hint("run it with -w 1, or leave the key out"));
        }
        let fills = |sources: &BTreeSet<usize>| sources.contains(&index);
        let slots = (0..counts.0).filter(|slot| fills(&plan.slots[*slot].sources)).collect();
        let ports = (0..counts.1).filter(|port| match &plan.ports[*port].from {
            From::Sources(sources) => fills(sources),
            From::Operator(_) | From::View(_) | From::Job => false,
        });
        readers.push(ReaderPlan {
            index,
            delay: source.lateness.delay(),
            intake: source.intake,
            source: bound.connector.open(context.worker, context.peers)?,
            start: bound.start.clone(),
            catch_up_skew: bound.catch_up_skew,
            idle_timeout: bound.idle_timeout,
            limits: bound.limits,
            is_global: bound.is_global,
            rates: bound.rates,
            announce,
            slots,
            ports: ports.collect(),
            counts,
            name: source.name,
        });
    }
    Ok(readers)
}

/// Takes the operational alerts out of a plan. A job whose input ends is not watched unless that
/// was asked for: what it finds is a function of the log.
fn watch_plan(plan: &mut Plan, readers: &[ReaderPlan], tables: &BTreeSet<usize>) -> WatchPlan {
    let watches = std::mem::take(&mut plan.watches);
    let endless =
        |reader: &ReaderPlan| !tables.contains(&reader.index) && !reader.source.is_bounded();
    let on = watches.always || readers.iter().any(endless);
    let delay = readers.iter().map(|reader| reader.delay).max().unwrap_or_default();
    WatchPlan { watches, on, delay }
}

/// What leaves the event-time scope.
struct Left<'s> {
    /// Rows, by port.
    ports: Vec<(usize, StreamVec<'s, u64, Rows>)>,
    letters: StreamVec<'s, u64, Rows>,
    /// Parts for the windows that differential dataflow keeps.
    parts: StreamVec<'s, u64, (Loose, u64, isize)>,
    /// What readers promise, on all workers.
    announcements: StreamVec<'s, u64, Announcement>,
}

/// Everything that runs in event time.
fn event_time_scope<'o, 's>(
    (outer, inner): (Scope<'o, u64>, Scope<'s, Event>),
    readers: Vec<ReaderPlan>,
    operators: Vec<Operator>,
    kept: &[Operator],
    plan: &Plan,
    context: &Rc<Context>,
) -> Left<'o>
where
    'o: 's,
{
    let mut slots: Vec<Vec<StreamVec<'s, Event, Parcel>>> =
        plan.slots.iter().map(|_| vec![]).collect();
    let mut ports: Vec<Vec<StreamVec<'s, Event, Rows>>> =
        plan.ports.iter().map(|_| vec![]).collect();
    let (mut letters, mut announcements) = (Vec::new(), Vec::new());
    for plan in readers {
        let (into_slots, into_ports) = (plan.slots.clone(), plan.ports.clone());
        let outputs = reader(inner, plan, context);
        let filled = into_slots.into_iter().zip(outputs.parcels);
        filled.for_each(|(slot, stream)| slots[slot].push(stream));
        let filled = into_ports.into_iter().zip(outputs.rows);
        filled.for_each(|(port, stream)| ports[port].push(stream));
        letters.push(outputs.letters);
        announcements.push(outputs.announcements);
    }
    let mut parts = Vec::new();
    for operator in kept {
        for (slot, erased) in operator.slots.iter().zip(operator.erased.values()) {
            parts.push(unpack(one(inner, &mut slots[*slot]), erased.unpack.clone()));
        }
    }
    for operator in operators {
        let into_ports = operator.ports.clone();
        let inputs = operator.slots.iter().map(|slot| one(inner, &mut slots[*slot])).collect();
        let (rows, operator_letters) = shell(operator, inputs, context);
        into_ports.into_iter().zip(rows).for_each(|(port, stream)| ports[port].push(stream));
        letters.push(operator_letters);
    }
    // The ports of kept operators are filled in the tick scope.
    let filled = ports.iter_mut().enumerate().filter(|(_, streams)| !streams.is_empty());
    let left = filled.map(|(port, streams)| {
        let rows = one(inner, streams);
        (port, rows.leave(outer))
    });
    Left {
        ports: left.collect(),
        letters: inner.concatenate(letters).leave(outer),
        parts: inner.concatenate(parts).leave(outer),
        announcements: inner.concatenate(announcements).leave(outer).broadcast(),
    }
}

/// Takes parcels apart where they are made; differential dataflow moves the parts by itself.
fn unpack<'s>(
    parcels: StreamVec<'s, Event, Parcel>,
    unpack: Unpack,
) -> StreamVec<'s, Event, (Loose, u64, isize)> {
    parcels.unary::<CapacityContainerBuilder<_>, _, _, _>(Pipeline, "unpack", move |_, _| {
        move |input, output| {
            input.for_each(|time, parcels: &mut Vec<Parcel>| {
                let tick = time.time().outer;
                let parts = parcels.drain(..).flat_map(|parcel| unpack(parcel));
                let updates = parts.map(|part| (part, tick, 1));
                output.session(&time).give_iterator(updates);
            });
        }
    })
}

type RowStreams<'s> = (Vec<(usize, StreamVec<'s, u64, Rows>)>, StreamVec<'s, u64, Rows>);

/// Builds the windows that differential dataflow keeps.
fn keep<'s>(
    outer: Scope<'s, u64>,
    operators: Vec<Operator>,
    plan: &Plan,
    parts: StreamVec<'s, u64, (Loose, u64, isize)>,
    announcements: StreamVec<'s, u64, Announcement>,
    context: &Rc<Context>,
) -> RowStreams<'s> {
    let merges = operators.iter().flat_map(|operator| &operator.erased);
    let merges = merges.map(|(root, erased)| (*root, erased.merge)).collect();
    let kept = operators.into_iter().map(|operator| {
        let slots = operator.slots.iter().map(|slot| &plan.slots[*slot]);
        let sources: BTreeSet<usize> = slots.flat_map(|s| s.sources.iter().copied()).collect();
        Kept {
            roots: operator.erased.keys().copied().collect(),
            sources: sources.into_iter().collect(),
            number: 0,
            operator,
        }
    });
    differential(outer, kept.collect(), merges, parts, announcements, context)
}

/// One stream of several.
fn one<'s, D: 'static + Clone>(
    scope: Scope<'s, Event>,
    streams: &mut Vec<StreamVec<'s, Event, D>>,
) -> StreamVec<'s, Event, D> {
    match streams.len() {
        1 => streams.pop().expect("counted"),
        _ => scope.concatenate(streams.drain(..)),
    }
}

/// The rows that a sink gets: of a view with updates, one that appends takes the final ones only.
fn with<'s>(
    rows: StreamVec<'s, u64, Rows>,
    accepts: Accepts,
    updates: bool,
) -> StreamVec<'s, u64, Rows> {
    use timely::dataflow::operators::vec::Map;
    if accepts == Accepts::Updates || !updates {
        return rows;
    }
    rows.flat_map(|rows| {
        let mut finals = Rows::default();
        for (mark, cells) in rows.iter().filter(|(mark, _)| mark.change == Change::Final) {
            finals.push(*mark, cells.iter().cloned());
        }
        (!finals.is_empty()).then_some(finals)
    })
}

fn sink_plan(view: &Text, name: Text, bound: &BoundSink, context: &Rc<Context>) -> SinkPlan {
    let (count, writes) = match bound.placement {
        Placement::EachWorker => (context.peers, true),
        Placement::One => (1, context.worker == 0),
    };
    let shard = Shard { index: context.worker, count };
    let (bound, place, failure) = (bound.clone(), bound.placement, context.failure.clone());
    let host = context.host.clone();
    let (board, agent, sink) = (context.board.clone(), context.agent.clone(), name.clone());
    let make: MakeQueue = Box::new(move |wake| {
        let (failed, health) = (failure.clone(), board.writer(&bound.queue.view, &bound.kind));
        let options = QueueOptions {
            host: host.clone(),
            failure: Some(failed),
            health: Some(health),
            stages: agent.is_some(),
            ..bound.queue.clone()
        };
        let start = || {
            let post = match &agent {
                Some(agent) => post(&bound, (&sink, shard), &agent.checkpoints)?,
                None => None,
            };
            match post {
                Some(post) => Queue::start_post(post, options, wake),
                None => Queue::start(bound.lock().open(shard)?, options, wake),
            }
        };
        start()
            .map_err(|error| failure.set(error.within(format!("view `{}`", bound.queue.view))))
            .ok()
    });
    SinkPlan { view: view.clone(), name, placement: place, queue: writes.then_some(make) }
}

/// What a worker needs to deliver the rows of a sink, if that delivers: its own couriers and those
/// of shards that are no more and fall to it.
fn post(
    bound: &BoundSink,
    (sink, shard): (&Text, Shard),
    checkpoints: &Checkpoints,
) -> Result<Option<Post>> {
    let restored = checkpoints.restored.as_ref();
    let courier = |shard| {
        bound.lock().courier(Route {
            job: checkpoints.job().into(),
            sink: sink.to_string(),
            shard,
            generation: checkpoints.generation(),
            life: checkpoints.life(),
            restored: restored.map(|manifest| manifest.epoch),
        })
    };
    let Some(own) = courier(shard.index)? else { return Ok(None) };
    let undelivered = restored.map(|manifest| manifest.undelivered(sink)).unwrap_or_default();
    let (mut pending, mut former) = (Vec::new(), Vec::new());
    for (index, files) in undelivered {
        if index == shard.index {
            pending = files.to_vec();
        } else if shard.count <= index && index % shard.count == shard.index {
            former.extend(courier(index)?.map(|courier| (courier, files.to_vec())));
        }
    }
    let outbox = checkpoints.outbox(sink, shard.index);
    Ok(Some(Post { outbox, own: (own, pending), former }))
}
