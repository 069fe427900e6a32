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

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Refusal, Writer};
use crate::error::{Error, Kind, Result};
use crate::observe::latency::ViewLatency;
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
    /// `sink.retry_max`: how long a full disk is waited for.
    pub retry_max: Duration,
    /// Where an error goes that waiting does not cure, also when nobody listens any more.
    pub failure: Option<Failure>,
    /// Where the latencies of the view are kept, if they are measured.
    pub latency: Option<Arc<ViewLatency>>,
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
    Rows(Rows),
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
        self.push(Item::Rows(rows));
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
        if let Item::Rows(rows) = &item {
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
    /// Rows were written behind the last epoch.
    unclosed: bool,
    /// The last epoch, while the writer holds rows back.
    unconfirmed: Option<u64>,
}

/// What is to be done next.
struct Work {
    rows: Rows,
    epoch: Option<u64>,
    finish: bool,
    leave: bool,
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
        let mut work = Work { rows: Rows::default(), epoch: None, finish: false, leave: false };
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
                Some(Item::Rows(rows)) if work.epoch.is_some() => {
                    state.items.push_front(Item::Rows(rows));
                    break;
                }
                Some(Item::Rows(rows)) => work.rows.append(rows),
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
        loop {
            let error = match call(&mut *self.writer) {
                Ok(done) => return Ok(done),
                Err(error) => error.within(format!("view `{}`", self.options.view)),
            };
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
