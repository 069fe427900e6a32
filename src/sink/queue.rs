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
//! With a `trigger_interval` rows are gathered. Of a sink that takes updates, what was gathered is
//! coalesced (`coalesce.rs`), over as many epochs as are complete; the last of them is told behind
//! it. Rows of the epoch that is open then stay for the next time, so at each epoch that a writer
//! is told of a keyed store holds what it would hold if every row had been written.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::coalesce::Gathered;
use super::{Refusal, Writer};
use crate::error::{Error, Kind, Result};
use crate::observe::latency::ViewLatency;
use crate::observe::writers::WriterHealth;
use crate::row::{Mark, Rows};
use crate::runtime::{Failure, wall_time};

/// How a queue behaves.
#[derive(Clone, Debug)]
pub struct QueueOptions {
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
}

/// The operator's end.
pub struct Queue {
    shared: Arc<Shared>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
    options: QueueOptions,
}

/// What the thread tells.
#[derive(Debug)]
pub enum Answer {
    /// Everything up to this epoch is written.
    Confirmed(u64),
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
    changed: Condvar,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    rows: usize,
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
    /// Starts the thread; `wake` is called after each answer.
    ///
    /// # Errors
    ///
    /// The system refuses another thread.
    pub fn start(
        writer: Box<dyn Writer>,
        options: QueueOptions,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Queue> {
        let shared =
            Arc::new(Shared { state: Mutex::new(State::default()), changed: Condvar::new() });
        let (answer, answers) = mpsc::channel();
        let (own, theirs) = (options.clone(), shared.clone());
        let worker = Thread {
            writer,
            options: own,
            shared: theirs,
            answer,
            wake,
            gathered: 0,
            coalesced: Coalesced::new(options.key.clone()),
            unclosed: false,
            unconfirmed: None,
        };
        let thread = std::thread::Builder::new()
            .name(format!("sink {}", options.view))
            .spawn(move || worker.run())
            .map_err(|error| Error::unreachable(format!("no thread for a sink: {error}")))?;
        Ok(Queue { shared, answers, thread: Some(thread), options })
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
        self.push(Item::Rows(rows, Instant::now()));
    }

    /// Says that an epoch is complete.
    pub fn epoch(&self, epoch: u64) {
        self.push(Item::Epoch(epoch));
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
            // A panic of the thread has been reported by the hook already.
            let _ = thread.join();
        }
    }
}

/// Rows handed to a writer at once, at most: a batch of a database.
const BATCH_ROWS_MAX: usize = 5_000;

/// First and longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

struct Thread<W> {
    writer: Box<dyn Writer>,
    options: QueueOptions,
    shared: Arc<Shared>,
    answer: Sender<Answer>,
    wake: W,
    /// How many items of the queue have been gathered and are not yet taken.
    gathered: usize,
    /// What has been taken from the queue to be coalesced.
    coalesced: Coalesced,
    /// Rows were written behind the last epoch.
    unclosed: bool,
    /// The last epoch, while the writer holds rows back.
    unconfirmed: Option<u64>,
}

/// What is to be done next.
#[derive(Default)]
struct Work {
    rows: Rows,
    epoch: Option<u64>,
    finish: bool,
    leave: bool,
}

/// Rows that are coalesced, with what stands behind them.
#[derive(Default)]
struct Coalesced {
    rows: Gathered,
    /// Behind the rows: the last epoch, and whether the end has come.
    behind: Work,
    /// When the first of the rows came.
    since: Option<Instant>,
    /// The batches of what is being written.
    batches: VecDeque<Rows>,
    /// What stands behind the last of them.
    then: Option<Work>,
}

impl Coalesced {
    fn new(key: Vec<usize>) -> Coalesced {
        Coalesced { rows: Gathered::new(key), ..Coalesced::default() }
    }

    /// Takes in what was in the queue; returns how many rows need not be written any more.
    fn absorb(&mut self, items: Vec<Item>) -> usize {
        let mut replaced = 0;
        for item in items {
            match item {
                Item::Rows(rows, came) => {
                    self.since.get_or_insert(came);
                    replaced += self.rows.absorb(rows);
                }
                Item::Epoch(epoch) => self.behind.epoch = Some(epoch),
                Item::Finish => self.behind.finish = true,
                Item::Leave => self.behind.leave = true,
            }
        }
        replaced
    }

    /// Begins to write what is there.
    fn begin(&mut self) {
        self.batches.extend(self.rows.take(BATCH_ROWS_MAX));
        self.then = Some(std::mem::take(&mut self.behind));
        self.since = None;
    }

    /// The next batch of what is being written; the last comes with what stands behind it.
    fn next(&mut self) -> Option<Work> {
        self.then.as_ref()?;
        let rows = self.batches.pop_front().unwrap_or_default();
        let behind = if self.batches.is_empty() { self.then.take() } else { None };
        Some(Work { rows, ..behind.unwrap_or_default() })
    }
}

impl<W: Fn()> Thread<W> {
    fn run(mut self) {
        if let Err(error) = self.serve() {
            if let Some(failure) = &self.options.failure {
                failure.set(error.clone());
            }
            self.tell(Answer::Failed(error));
        }
    }

    fn serve(&mut self) -> Result<()> {
        loop {
            let Work { rows, epoch, finish, leave } = self.next();
            if !rows.is_empty() {
                let refusals = self.patiently(|writer| writer.write(&rows))?;
                let written = rows.len() - refusals.len();
                for refusal in refusals {
                    let mark = rows.marks[refusal.row];
                    self.tell(Answer::Refused(mark, refusal));
                }
                if let Some(latency) = &self.options.latency {
                    latency.written(&rows, Instant::now(), wall_time());
                }
                self.shared.state().rows -= rows.len();
                self.unclosed = true;
                self.tell(Answer::Written(written as u64));
            }
            if let Some(epoch) = epoch {
                self.patiently(|writer| writer.epoch(epoch))?;
                (self.unclosed, self.unconfirmed) = (false, Some(epoch));
            }
            if self.due().is_some_and(|due| due <= Instant::now()) {
                self.patiently(|writer| writer.flush())?;
            }
            self.confirm();
            if finish {
                self.patiently(|writer| writer.finish())?;
                self.tell(Answer::Finished);
            }
            if finish || leave {
                return Ok(());
            }
        }
    }

    /// When the writer has to be told that what it holds back is due.
    fn due(&self) -> Option<Instant> {
        if self.unclosed { None } else { self.writer.held_until() }
    }

    /// Confirms the last epoch once nothing of it is held back.
    fn confirm(&mut self) {
        if !self.unclosed
            && self.writer.held_until().is_none()
            && let Some(epoch) = self.unconfirmed.take()
        {
            self.tell(Answer::Confirmed(epoch));
        }
    }

    /// Waits for something to do, or until something is due. Rows come alone or with the epochs
    /// behind them.
    fn next(&mut self) -> Work {
        match self.options.gather {
            Some(gather) if !self.options.key.is_empty() => self.next_coalesced(gather),
            _ => self.next_items(),
        }
    }

    /// As [`Thread::next`], of rows that are coalesced.
    fn next_coalesced(&mut self, gather: Duration) -> Work {
        if let Some(work) = self.coalesced.next() {
            return work;
        }
        let shared = self.shared.clone();
        let mut state = shared.state();
        loop {
            // Rows behind a complete epoch must not replace rows of it before it is written.
            let open = |item: &Item| matches!(item, Item::Rows(..));
            let complete = state.items.iter().rposition(|item| !open(item)).map_or(0, |at| at + 1);
            let ready = match self.coalesced.behind.epoch {
                None if complete == 0 => state.items.len(),
                _ => complete,
            };
            if 0 < ready {
                let was_full = self.options.rows_max <= state.rows;
                let items: Vec<Item> = state.items.drain(..ready).collect();
                drop(state);
                let replaced = self.coalesced.absorb(items);
                state = shared.state();
                state.rows -= replaced;
                if was_full && state.rows < self.options.rows_max {
                    // Whoever has seen it full would else wait for the next write.
                    (self.wake)();
                }
                continue;
            }
            let Coalesced { behind, since, .. } = &self.coalesced;
            let ends = behind.finish || behind.leave;
            let presses = ends || state.hurry || self.options.rows_max <= state.rows;
            let left = match since {
                Some(since) if !presses => Some(gather.saturating_sub(since.elapsed())),
                None if !ends && behind.epoch.is_none() => {
                    self.due().map(|due| due.saturating_duration_since(Instant::now()))
                }
                _ => Some(Duration::ZERO),
            };
            if left.is_some_and(|left| left.is_zero()) {
                self.coalesced.begin();
                return self.coalesced.next().unwrap_or_default();
            }
            state = self.wait(state, left);
        }
    }

    /// As [`Thread::next`], of rows that are written one by one.
    fn next_items(&mut self) -> Work {
        let mut work = Work::default();
        let shared = self.shared.clone();
        let mut state = shared.state();
        while state.items.is_empty() {
            let left = self.due().map(|due| due.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return work;
            }
            state = self.wait(state, left);
        }
        if self.gathered == 0 {
            state = self.gather(state);
            self.gathered = state.items.len();
        }
        while 0 < self.gathered && work.rows.len() < BATCH_ROWS_MAX {
            match state.items.pop_front() {
                Some(item @ Item::Rows(..)) if work.epoch.is_some() => {
                    state.items.push_front(item);
                    break;
                }
                Some(Item::Rows(rows, _)) => work.rows.append(rows),
                Some(Item::Epoch(epoch)) => work.epoch = Some(epoch),
                Some(Item::Finish) => work.finish = true,
                Some(Item::Leave) => work.leave = true,
                None => break,
            }
            self.gathered -= 1;
        }
        work
    }

    /// Waits while more rows may join those that are there. What has been gathered, over however
    /// many epochs, is then written without another pause.
    fn gather<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let Some(gather) = self.options.gather else { return state };
        let deadline = Instant::now() + gather;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let more = 0 < state.rows && state.rows < self.options.rows_max;
            let ends =
                state.hurry || matches!(state.items.back(), Some(Item::Finish | Item::Leave));
            if left.is_zero() || !more || ends {
                return state;
            }
            state = self.wait(state, Some(left));
        }
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match timeout {
            None => self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.shared.changed.wait_timeout(state, timeout);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Calls the writer until it succeeds or waiting is no use.
    fn patiently<T>(&mut self, mut call: impl FnMut(&mut dyn Writer) -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        let mut pause = PAUSES.0;
        let health = self.options.health.clone().unwrap_or_default();
        health.begin(begun);
        loop {
            let error = match call(&mut *self.writer) {
                Ok(done) => {
                    health.succeed();
                    return Ok(done);
                }
                Err(error) => error.within(format!("view `{}`", self.options.view)),
            };
            health.fail(Instant::now());
            let wait_on = match error.kind() {
                Kind::Unreachable => true,
                Kind::Storage => begun.elapsed() < self.options.retry_max,
                Kind::Usage | Kind::Config | Kind::Bug => false,
            };
            if !wait_on || self.shared.state().hurry {
                return Err(error);
            }
            tracing::warn!(sink = %self.options.view, pause_ms = pause.as_millis() as u64,
                "{}; trying again", error.message());
            let until = Instant::now() + pause;
            let mut state = self.shared.state();
            while !state.hurry && Instant::now() < until {
                let left = until.saturating_duration_since(Instant::now());
                state = self.wait(state, Some(left));
            }
            drop(state);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn tell(&self, answer: Answer) {
        // Nobody listens any more when the job has ended with an error.
        let _ = self.answer.send(answer);
        (self.wake)();
    }
}

#[cfg(test)]
mod tests;
