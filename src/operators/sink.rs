//! The sink operator: from the tick scope to the queue of a writer.
//!
//! It holds two kinds of capabilities on purpose, on two outputs, each with a probe:
//!
//! - *flow*: only while the queue is full, so that the sources of every process stop reading;
//! - *confirmed*: for every epoch with rows until its writer has confirmed it, so that the frontier
//!   of this output tells what all sinks of all workers have written. With checkpoints, until the
//!   one of that epoch is published.
//!
//! A third output carries the letters about rows that the sink refused. They come when the writer
//! has answered, and their capability is held until then; the sink of the dead letters takes them
//! by an input of its own that does not touch its flow, or every sink would hold the flow of its
//! job for an epoch.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::Antichain;
use timely::progress::frontier::MutableAntichain;
use timely::scheduling::Activator;

use super::shell::letter_rows;
use crate::checkpoint::Receipt;
use crate::letter::{Letter, Reject};
use crate::row::{Origin, Position, Rows};
use crate::runtime::{Context, Phase};
use crate::sink::queue::{Answer, Queue};
use crate::sink::{Placement, Refusal};
use crate::text::Text;

/// What a sink operator needs to know.
pub struct SinkPlan {
    /// Name of the view.
    pub view: Text,
    /// Name of the sink in checkpoints.
    pub name: Text,
    /// Who writes.
    pub placement: Placement,
    /// The writer of this worker, if it has one; made once the operator's address is known, so
    /// that the writer can wake it.
    pub queue: Option<MakeQueue>,
}

/// Starts a queue whose thread calls a function after each answer.
pub type MakeQueue = Box<dyn FnOnce(Box<dyn Fn() + Send>) -> Option<Queue>>;

/// The outputs of a sink operator.
pub struct SinkOutputs<'s> {
    /// Held while the queue is full.
    pub flow: StreamVec<'s, u64, ()>,
    /// Held for epochs that are not confirmed.
    pub confirmed: StreamVec<'s, u64, ()>,
    /// Letters about refused rows.
    pub letters: StreamVec<'s, u64, Rows>,
}

type Letters = OutputBuilder<u64, CapacityContainerBuilder<Vec<Rows>>>;

/// Writes the rows of a stream; `refusals` are letters that other sinks wrote.
pub fn sink<'s>(
    rows: StreamVec<'s, u64, Rows>,
    refusals: Option<StreamVec<'s, u64, Rows>>,
    plan: SinkPlan,
    context: &Rc<Context>,
) -> SinkOutputs<'s> {
    let scope = rows.scope();
    let mut builder = OperatorBuilder::new(format!("sink {}", plan.view), scope);
    let address = builder.operator_info().address.to_vec();
    let waker = scope.activator_for(builder.operator_info().address);
    let activator = scope.worker().sync_activator_for(address);
    let wake = Box::new(move || {
        // When the worker has ended, nobody needs waking.
        let _ = activator.activate();
    });
    let SinkPlan { view, name, placement, queue } = plan;
    let queue = queue.and_then(|make| make(wake));
    if let Some(agent) = context.agent.as_ref().filter(|_| queue.is_some()) {
        agent.expect();
        let activator = || scope.activator_for(builder.operator_info().address);
        let (on_published, on_phase) = (activator(), activator());
        agent.listen(move || on_published.activate());
        context.operators.borrow_mut().push(on_phase);
    }
    let target = match placement {
        Placement::EachWorker => context.worker as u64,
        Placement::One => 0,
    };
    let route = move || Exchange::new(move |_: &Rows| target);
    let mut input = builder.new_input(rows, route());
    let mut refusals = refusals.map(|letters| builder.new_input(letters, route()));
    let from_rows = [(0, Antichain::from_elem(0))];
    let (flow_output, flow) = builder.new_output_connection::<Vec<()>, _>(from_rows);
    let (confirmed_output, confirmed) = builder.new_output::<Vec<()>>();
    let (letters_output, letters) = builder.new_output();
    let context = context.clone();
    builder.build(move |capabilities| {
        // Nothing is held before the first row; with checkpoints, one, or the operator would be
        // gone before it hears that its writer has finished.
        let stays = context.agent.is_some() && queue.is_some();
        let standing = capabilities.into_iter().nth(2).filter(|_| stays);
        let _never_used = (flow_output, confirmed_output);
        let letters = OutputBuilder::from(letters_output);
        let ordered = placement == Placement::One;
        let mut sink =
            Sink::new((view, name, ordered), (queue, letters), (standing, waker), context);
        move |frontiers| {
            let _held_open = &_never_used;
            input.for_each(|capability, batches: &mut Vec<Rows>| {
                sink.flow(&capability);
                sink.take(&capability, std::mem::take(batches));
            });
            if let Some(refusals) = &mut refusals {
                refusals.for_each(|capability, batches: &mut Vec<Rows>| {
                    sink.take(&capability, std::mem::take(batches));
                });
            }
            sink.work(frontiers);
        }
    });
    SinkOutputs { flow, confirmed, letters }
}

struct Sink {
    view: Text,
    name: Text,
    /// Rows of a later epoch wait for it, so that the writer sees whole epochs in order. What is
    /// delivered has to be: the rows of an epoch are part of its checkpoint, and no others.
    ordered: bool,
    queue: Option<Queue>,
    letters: Letters,
    /// Rows that have no room in the queue, or whose epoch has not opened yet.
    waiting: VecDeque<(u64, Rows)>,
    /// Held while rows wait for room.
    full: Option<Capability<u64>>,
    /// By epoch, until the writer has confirmed it, or the checkpoint that holds it is published.
    unconfirmed: BTreeMap<u64, Capability<u64>>,
    /// By epoch, until the writer can refuse none of its rows any more. A checkpoint waits for the
    /// letters about them, so this must not wait for the checkpoint.
    unanswered: BTreeMap<u64, Capability<u64>>,
    /// The last epoch that was staged.
    last: Option<(u64, Receipt)>,
    /// Held, at the first epoch that is not staged, until the writer has finished and the agent
    /// knows. Letters about rows that are delivered later leave by it, so a checkpoint that calls
    /// them delivered holds the letters as well.
    standing: Option<Capability<u64>>,
    /// Wakes the operator while it waits for a checkpoint and nothing comes any more.
    waker: Activator,
    open: u64,
    /// What a queue that delivers was told last: the newest epoch that is published, and whether
    /// the job stops.
    told: (Option<u64>, bool),
    end: End,
    context: Rc<Context>,
}

/// How far the end of the input has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Not,
    /// This was the last epoch; what it has left may need its checkpoint.
    Staging(u64),
    /// The writer has been told.
    Told,
}

impl Sink {
    fn new(
        (view, name, ordered): (Text, Text, bool),
        (queue, letters): (Option<Queue>, Letters),
        (standing, waker): (Option<Capability<u64>>, Activator),
        context: Rc<Context>,
    ) -> Sink {
        Sink {
            view,
            name,
            ordered: ordered || queue.as_ref().is_some_and(Queue::delivers),
            queue,
            letters,
            waiting: VecDeque::new(),
            full: None,
            unconfirmed: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            last: None,
            standing,
            waker,
            open: context.first_epoch(),
            told: (None, false),
            end: End::Not,
            context,
        }
    }

    /// Holds the flow; the earliest time stays, and is dropped again if there is room.
    fn flow(&mut self, capability: &InputCapability<u64>) {
        self.full.get_or_insert_with(|| capability.retain(0));
    }

    fn take(&mut self, capability: &InputCapability<u64>, batches: Vec<Rows>) {
        let epoch = self.context.pace.epoch(*capability.time());
        self.waiting.extend(batches.into_iter().map(|rows| (epoch, rows)));
        self.unconfirmed.entry(epoch).or_insert_with(|| capability.retain(1));
        self.unanswered.entry(epoch).or_insert_with(|| capability.retain(2));
    }

    fn work(&mut self, frontiers: &[MutableAntichain<u64>]) {
        if self.queue.is_none() {
            self.discard();
            return;
        }
        self.hear();
        self.fill();
        let ticks = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied());
        let reached = ticks.min().map(|tick| self.context.pace.epoch(tick));
        // An epoch is told to the writer once all of its rows are in the queue.
        while self.can_close(reached) {
            if let Some(queue) = &self.queue
                && (self.unconfirmed.contains_key(&self.open) || self.context.agent.is_some())
            {
                queue.epoch(self.open);
            }
            self.open = match reached {
                Some(_) => self.open + 1,
                None => self.later().unwrap_or(self.open + 1),
            };
            self.fill();
        }
        if reached.is_none() && self.waiting.is_empty() {
            self.finish();
        }
    }

    /// Nothing will come any more. With checkpoints the writer finishes when the last one holds
    /// everything, or a crash would find it finished too early; not if the job is stopped, as none
    /// will come.
    fn finish(&mut self) {
        let Some(queue) = &self.queue else { return };
        let halted = self.context.phase.get() == Phase::Halted;
        match self.end {
            End::Not => {
                queue.epoch(self.open);
                self.end = End::Staging(self.open);
                self.finish();
            }
            End::Staging(epoch) if halted || self.context.is_kept(epoch) => {
                queue.finish();
                self.end = End::Told;
            }
            End::Staging(epoch) => self.wait(epoch),
            End::Told => {}
        }
    }

    /// Lets the letters' sink go on, an epoch at a time: it has to say something about one that
    /// everybody has said something about, and which that is nobody knows here.
    fn wait(&mut self, epoch: u64) {
        let pace = self.context.pace;
        let now = pace.epoch(pace.tick_at(self.context.clock.now()));
        if let (Some(standing), Some((staged, _))) = (&mut self.standing, &self.last)
            && *staged == epoch
        {
            let next = pace.first_tick(now.max(epoch + 1));
            standing.downgrade(&next.max(*standing.time()));
            self.context.alarms.after(pace.time_of(pace.ticks_per_epoch), &self.waker);
        }
    }

    /// Whether the open epoch is complete and handed over.
    fn can_close(&self, reached: Option<u64>) -> bool {
        let complete = match reached {
            Some(reached) => self.open < reached,
            None => self.later().is_some(),
        };
        complete && !self.waiting.iter().any(|(epoch, _)| *epoch <= self.open)
    }

    /// At the end of input: the next epoch that has rows. They may be in the queue already.
    fn later(&self) -> Option<u64> {
        let waiting = self.waiting.iter().map(|(epoch, _)| *epoch);
        let given = self.unconfirmed.keys().copied();
        waiting.chain(given).filter(|epoch| self.open < *epoch).min()
    }

    /// Hands over what there is room for.
    fn fill(&mut self) {
        let Some(queue) = &self.queue else { return };
        let mut later = VecDeque::new();
        let mut stuck = false;
        while let Some((epoch, rows)) = self.waiting.pop_front() {
            if self.ordered && self.open < epoch {
                later.push_back((epoch, rows));
            } else if stuck || !queue.delivers() && queue.is_full() {
                stuck = true;
                later.push_back((epoch, rows));
            } else {
                queue.rows(rows);
            }
        }
        self.waiting = later;
        let has_room = !queue.delivers() || !queue.is_full();
        if !stuck && has_room {
            self.full = None;
        }
    }

    /// Takes the answers of the writer.
    fn hear(&mut self) {
        let agent = self.context.agent.clone();
        while let Some(answer) = self.queue.as_ref().and_then(Queue::answer) {
            match answer {
                Answer::Staged(epoch, receipt) => self.staged(epoch, receipt),
                Answer::Written(rows) => self.context.board.count_rows(&self.view, rows),
                Answer::Confirmed(epoch) => {
                    self.unconfirmed = self.unconfirmed.split_off(&(epoch + 1));
                    self.unanswered = self.unanswered.split_off(&(epoch + 1));
                }
                Answer::Refused(mark, refusal) => self.refused(mark.origin, refusal),
                Answer::Finished => self.finished(),
                Answer::Failed(error) => self.context.failure.set(error),
            }
        }
        let Some(published) = agent.and_then(|agent| agent.published()) else { return };
        match &self.queue {
            Some(queue) if queue.delivers() => {
                // Once for each: it takes a lock and wakes the thread, and this runs at every tick.
                let news = (Some(published), self.context.phase.get() != Phase::Running);
                if self.told != news {
                    self.told = news;
                    queue.published(published, news.1);
                }
            }
            // What is staged counts as written once the checkpoint that holds it is published.
            _ => self.unconfirmed = self.unconfirmed.split_off(&(published + 1)),
        }
    }

    fn staged(&mut self, epoch: u64, receipt: Receipt) {
        self.unanswered = self.unanswered.split_off(&(epoch + 1));
        let Some(agent) = &self.context.agent else { return };
        self.last = Some((epoch, receipt.clone()));
        let contribution = agent.receipt(&self.name, receipt);
        match self.end {
            End::Staging(last) if last == epoch => agent.stand(epoch, contribution),
            _ => agent.contribute(epoch, contribution),
        }
        if let Some(standing) = &mut self.standing {
            standing.downgrade(&self.context.pace.first_tick(epoch + 1));
        }
    }

    /// The writer has finished: what it has staged last holds for ever, or has been delivered.
    fn finished(&mut self) {
        self.unconfirmed.clear();
        self.unanswered.clear();
        let standing = self.standing.take().map(|held| self.context.pace.epoch(*held.time()));
        let delivers = self.queue.as_ref().is_some_and(Queue::delivers);
        if let (Some(agent), Some((epoch, receipt))) = (&self.context.agent, self.last.take()) {
            let receipt = if delivers { Receipt::default() } else { receipt };
            // Before that, a checkpoint may lack letters about what was delivered last.
            let from = standing.unwrap_or(0).max(epoch + 1);
            agent.end(from, agent.receipt(&self.name, receipt));
        }
    }

    fn refused(&mut self, origin: Origin, refusal: Refusal) {
        let held = self.unanswered.first_key_value().map(|(_, held)| held);
        let Some(held) = held.or(self.standing.as_ref()) else { return };
        let (position, about) = match origin {
            Origin::Record(position) => (position, String::new()),
            Origin::Window(window) => {
                (Position::default(), format!(" (window {} to {})", window.start, window.end))
            }
        };
        let detail = refusal.reject.detail + &about;
        let reject = Reject { detail, ..refusal.reject };
        let letter = Letter::of_row(&self.view, position, reject);
        let letters = [letter];
        self.context.board.letters(&letters);
        let rows = letter_rows(&letters, &self.context.system);
        self.letters.activate().session(held).give(rows);
    }

    /// This worker has no writer: nothing reaches it but what it sends on.
    fn discard(&mut self) {
        self.waiting.clear();
        self.full = None;
        self.unconfirmed.clear();
        self.unanswered.clear();
    }
}
