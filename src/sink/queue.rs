//! A writer on a thread of its own, behind a bounded queue.
//!
//! ```text
//! sink operator ──rows, epochs──► [ queue ] ──► thread: Writer
//!        ▲                                         │
//!        └───────── confirmed epochs, refusals ────┘   and a wake-up
//! ```
//!
//! A service that is away is waited for, with growing pauses, without end; a full disk for
//! `retry_max`. Nothing is lost meanwhile: the queue fills, the operator holds the frontier, and
//! the sources stop reading.
//!
//! A writer that answers later is given rows while others are on their way; an epoch is confirmed
//! when all rows up to its end are answered, and nothing waits for that but the end.
//!
//! With checkpoints a sink may deliver instead of write (`courier.rs`): its rows wait here and in
//! the outbox of the checkpoint until that is published.
//!
//! With a `trigger_interval` rows are gathered. Of a sink that takes updates, what was gathered is
//! coalesced (`coalesce.rs`), over as many epochs as are complete; the last of them is told behind
//! it. Rows of the epoch that is open then stay for the next time, so at each epoch that a writer
//! is told of a keyed store holds what it would hold if every row had been written.

mod delivering;
mod desk;
mod pending;
mod post;
#[cfg(test)]
mod tests;
mod thread;

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Refusal, Writer};
use crate::checkpoint::Receipt;
use crate::error::{Error, Result};
use crate::host::{Host, Signal, Thread as HostThread};
use crate::observe::latency::ViewLatency;
use crate::observe::writers::WriterHealth;
use crate::row::{Mark, Rows};
use crate::runtime::Failure;
use delivering::Delivering;
use desk::Desk;
pub use post::Post;
use thread::Thread;

/// How a queue behaves.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// The machine.
    pub host: Host,
    /// Name of the view, for the thread and messages.
    pub view: String,
    /// `sink.queue_rows_max`.
    pub rows_max: usize,
    /// `trigger_interval`: rows are gathered for so long before they are written.
    pub gather: Option<Duration>,
    /// Columns of the view's key, of a sink that takes updates: of the rows that are gathered,
    /// a later one replaces an earlier one that may change. With none every row is written.
    pub key: Vec<usize>,
    /// `sink.retry_max`: how long a full disk is waited for.
    pub retry_max: Duration,
    /// Where an error goes that waiting does not cure, also when nobody listens any more.
    pub failure: Option<Failure>,
    /// Where the latencies of the view are kept, if they are measured.
    pub latency: Option<Arc<ViewLatency>>,
    /// Where it is said how the writer fares.
    pub health: Option<Arc<WriterHealth>>,
    /// Whether epochs are staged for a checkpoint instead of confirmed. Nothing is gathered over
    /// the end of an epoch then.
    pub stages: bool,
}

/// The operator's end.
pub struct Queue {
    shared: Arc<Shared>,
    answers: Receiver<Answer>,
    thread: Option<HostThread>,
    options: QueueOptions,
    delivers: bool,
}

/// What the thread tells.
#[derive(Debug)]
pub enum Answer {
    /// Everything up to this epoch is written.
    Confirmed(u64),
    /// The same, and what a checkpoint has to remember of it.
    Staged(u64, Receipt),
    /// So many rows were written.
    Written(u64),
    /// A row was refused for good.
    Refused(Mark, Refusal),
    /// The writer has finished.
    Finished,
    /// The writer failed in a way that waiting does not cure.
    Failed(Error),
}

struct Shared {
    state: Mutex<State>,
    changed: Signal,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    rows: usize,
    /// The newest epoch whose checkpoint is published.
    published: Option<u64>,
    /// The job stops: rows wait for no more.
    presses: bool,
    /// The process wants to end: what cannot be written now is given up.
    hurry: bool,
}

enum Item {
    /// With the instant at which they came.
    Rows(Rows, Instant),
    Epoch(u64),
    Finish,
    /// The job ends before its time: what is written stays unfinished.
    Leave,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Starts the thread; `wake` is called when there is room again, and after each answer but
    /// those that only count rows.
    ///
    /// # Errors
    ///
    /// The system refuses another thread.
    pub fn start(
        writer: Box<dyn Writer>,
        options: QueueOptions,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Queue> {
        Queue::spawn(options, wake, false, |desk| Thread::new(writer, desk).serve())
    }

    /// As [`Queue::start`], of rows that are delivered.
    ///
    /// # Errors
    ///
    /// As [`Queue::start`].
    pub fn start_post(
        post: Post,
        options: QueueOptions,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Queue> {
        Queue::spawn(options, wake, true, |desk| Delivering::serve(post, desk))
    }

    fn spawn<W: Fn() + Send + 'static>(
        options: QueueOptions,
        wake: W,
        delivers: bool,
        serve: impl FnOnce(&Desk<W>) -> Result<()> + Send + 'static,
    ) -> Result<Queue> {
        let changed = Signal::new(&options.host);
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), changed });
        let (answer, answers) = mpsc::channel();
        let desk =
            Desk { options: options.clone(), shared: shared.clone(), answer, wake, delivers };
        let serves = move || {
            if let Err(error) = serve(&desk) {
                desk.fail(error);
            }
        };
        let thread = options
            .host
            .spawn(format!("sink {}", options.view), serves)
            .map_err(|error| Error::unreachable(format!("no thread for a sink: {error}")))?;
        Ok(Queue { shared, answers, thread: Some(thread), options, delivers })
    }

    /// Whether rows are delivered once their checkpoint is published. Such a queue has to take all
    /// rows of an epoch, full or not: they leave after the epoch is complete.
    pub fn delivers(&self) -> bool {
        self.delivers
    }

    /// Whether rows have to wait.
    pub fn is_full(&self) -> bool {
        self.options.rows_max <= self.shared.state().rows
    }

    /// Rows that wait.
    pub fn len(&self) -> usize {
        self.shared.state().rows
    }

    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over rows; asked before whether it is full.
    pub fn rows(&self, rows: Rows) {
        self.push(Item::Rows(rows, self.options.host.now()));
    }

    /// Says that an epoch is complete.
    pub fn epoch(&self, epoch: u64) {
        self.push(Item::Epoch(epoch));
    }

    /// Says that the checkpoint of an epoch is published; what is delivered now waits for no more
    /// rows if the job stops.
    pub fn published(&self, epoch: u64, stops: bool) {
        let mut state = self.shared.state();
        (state.published, state.presses) = (Some(epoch), stops);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Says that nothing more will come.
    pub fn finish(&self) {
        self.push(Item::Finish);
    }

    /// Gives up waiting for a service that is away.
    pub fn hurry(&self) {
        self.shared.state().hurry = true;
        self.shared.changed.notify_all();
    }

    /// The next answer, if there is one.
    pub fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    fn push(&self, item: Item) {
        let mut state = self.shared.state();
        if let Item::Rows(rows, _) = &item {
            state.rows += rows.len();
            if let Some(health) = &self.options.health {
                health.set_pending(state.rows);
            }
        }
        state.items.push_back(item);
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.hurry();
        // A writer that has finished is not there any more to hear it.
        self.push(Item::Leave);
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}
