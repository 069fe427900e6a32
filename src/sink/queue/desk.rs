//! What every thread of a queue has at hand: its options, the way to the operator, patience.

use std::sync::mpsc::Sender;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::{Answer, QueueOptions, Shared, State};
use crate::error::{Error, Kind, Result};
use crate::row::Rows;
use crate::sink::Refusal;

/// First and longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

pub(super) struct Desk<W> {
    pub(super) options: QueueOptions,
    pub(super) shared: Arc<Shared>,
    pub(super) answer: Sender<Answer>,
    pub(super) wake: W,
    /// Whether what is staged is delivered later.
    pub(super) delivers: bool,
}

impl<W: Fn()> Desk<W> {
    /// The time, on the clock of the host.
    pub(super) fn now(&self) -> Instant {
        self.options.host.now()
    }

    /// Says that the thread cannot go on.
    pub(super) fn fail(&self, error: Error) {
        if let Some(failure) = &self.options.failure {
            failure.set(error.clone());
        }
        self.tell(Answer::Failed(error));
    }

    /// Tells what became of rows.
    pub(super) fn written(&self, rows: &Rows, refusals: Vec<Refusal>) {
        let written = rows.len() - refusals.len();
        for refusal in refusals {
            let mark = rows.marks[refusal.row];
            self.tell(Answer::Refused(mark, refusal));
        }
        if let Some(latency) = &self.options.latency {
            latency.written(rows, self.now(), self.options.host.wall_time());
        }
        let wakes = self.make_room(rows.len());
        // That rows are counted can wait until the operator has something else to do.
        let _ = self.answer.send(Answer::Written(written as u64));
        if wakes {
            (self.wake)();
        }
    }

    /// Rows need not wait any more; true if somebody may have seen the queue full.
    pub(super) fn make_room(&self, rows: usize) -> bool {
        let mut state = self.shared.state();
        let was_full = self.options.rows_max <= state.rows;
        state.rows -= rows;
        if let Some(health) = &self.options.health {
            health.set_pending(state.rows);
        }
        was_full && state.rows < self.options.rows_max
    }

    pub(super) fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        self.shared.changed.wait(&self.shared.state, state, timeout)
    }

    /// Makes a call until it succeeds or waiting is no use; `since` is when what it is about was
    /// handed to the sink, if that was before.
    pub(super) fn patiently<T>(
        &self,
        since: Option<Instant>,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let begun = self.now();
        let mut pause = PAUSES.0;
        let health = self.options.health.clone().unwrap_or_default();
        health.begin(since.unwrap_or(begun));
        loop {
            let error = match call() {
                Ok(done) => {
                    health.succeed();
                    return Ok(done);
                }
                Err(error) => error.within(format!("view `{}`", self.options.view)),
            };
            health.fail(self.now());
            let wait_on = match error.kind() {
                Kind::Unreachable => true,
                Kind::Storage => {
                    self.now().saturating_duration_since(begun) < self.options.retry_max
                }
                Kind::Usage | Kind::Config | Kind::Bug | Kind::Fenced => false,
            };
            if !wait_on || self.shared.state().hurry {
                return Err(error);
            }
            tracing::warn!(sink = %self.options.view, pause_ms = pause.as_millis() as u64,
                "{}; trying again", error.message());
            let until = self.now() + pause;
            let mut state = self.shared.state();
            while !state.hurry && self.now() < until {
                let left = until.saturating_duration_since(self.now());
                state = self.wait(state, Some(left));
            }
            drop(state);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    pub(super) fn tell(&self, answer: Answer) {
        if let (Answer::Confirmed(epoch) | Answer::Staged(epoch, _), Some(health)) =
            (&answer, &self.options.health)
        {
            // What is delivered later is confirmed later as well.
            let is_written = !self.delivers || matches!(answer, Answer::Confirmed(_));
            if is_written {
                health.confirm(*epoch);
            }
        }
        // Nobody listens any more when the job has ended with an error.
        let _ = self.answer.send(answer);
        (self.wake)();
    }
}
