//! The thread of a writer: what it is given, and when; what is tried again; what is told.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::pending::{Coalesced, OnTheWay, Sent, Work};
use super::{Answer, Item, State};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::sink::Writer;

/// Rows handed to a writer at once, at most: a batch of a database.
pub(super) const BATCH_ROWS_MAX: usize = 5_000;

/// Rows that are on their way at most, of a writer that answers later, before it is waited for.
/// More would only pile up in its client, and rows that wait here become larger batches.
pub(super) const ON_THE_WAY_MAX: usize = 2 * BATCH_ROWS_MAX;

/// How long one call waits for answers where nothing else can be done.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Thread<'d, W> {
    writer: Box<dyn Writer>,
    desk: &'d Desk<W>,
    /// How many items of the queue have been gathered and are not yet taken.
    gathered: usize,
    /// What has been taken from the queue to be coalesced.
    coalesced: Coalesced,
    /// What the writer has taken and not answered.
    on_the_way: OnTheWay,
    /// Rows were written behind the last epoch.
    unclosed: bool,
    /// The last epoch, while the writer holds rows back.
    unconfirmed: Option<u64>,
}

impl<'d, W: Fn()> Thread<'d, W> {
    /// Serves a queue with a writer, once it runs.
    pub(super) fn new(writer: Box<dyn Writer>, desk: &'d Desk<W>) -> Thread<'d, W> {
        Thread {
            writer,
            coalesced: Coalesced::new(desk.options.key.clone()),
            desk,
            gathered: 0,
            on_the_way: OnTheWay::default(),
            unclosed: false,
            unconfirmed: None,
        }
    }

    /// Until the end, or an error that waiting does not cure.
    pub(super) fn serve(&mut self) -> Result<()> {
        loop {
            let Work { rows, epoch, finish, leave } = self.next();
            if !rows.is_empty() {
                failpoint!("sink.before_write");
                let refusals = self.patiently(|writer| writer.write(&rows))?;
                self.unclosed = true;
                match self.writer.answers_later() {
                    Some(_) => self.on_the_way.push(rows, self.desk.now()),
                    None => self.desk.written(&rows, refusals),
                }
            }
            if let Some(epoch) = epoch {
                self.patiently(|writer| writer.epoch(epoch))?;
                self.unclosed = false;
            }
            if let Some(epoch) = epoch.filter(|_| self.desk.options.stages) {
                self.stage(epoch)?;
            } else if let Some(epoch) = epoch {
                match self.on_the_way.batches.back_mut() {
                    Some(last) => last.epoch = Some(epoch),
                    None => self.unconfirmed = Some(epoch),
                }
            }
            // Rows that are gathered are not in a hurry.
            let waits = finish || leave || self.desk.options.gather.is_some();
            self.hear(if waits { 0 } else { ON_THE_WAY_MAX })?;
            if self.due().is_some_and(|due| due <= self.desk.now()) {
                self.patiently(|writer| writer.flush())?;
            }
            self.confirm();
            if finish {
                self.patiently(|writer| writer.finish())?;
                self.desk.tell(Answer::Finished);
            }
            if finish || leave {
                return Ok(());
            }
        }
    }

    /// Everything of an epoch goes to where a checkpoint finds it again.
    fn stage(&mut self, epoch: u64) -> Result<()> {
        self.hear(0)?;
        if self.writer.held_until().is_some() {
            self.patiently(|writer| writer.flush())?;
        }
        let receipt = self.patiently(|writer| writer.stage(epoch))?;
        self.desk.tell(Answer::Staged(epoch, receipt));
        Ok(())
    }

    /// Takes the answers that are there, and waits until at most so many rows are on their way.
    fn hear(&mut self, rows_max: usize) -> Result<()> {
        while !self.on_the_way.batches.is_empty() {
            let waits = rows_max < self.on_the_way.rows;
            let until = self.desk.now() + if waits { ANSWER_WAIT } else { Duration::ZERO };
            match self.patiently(|writer| writer.answer(until))? {
                Some(refusals) => {
                    let Some(Sent { rows, epoch, .. }) = self.on_the_way.pop() else { break };
                    self.desk.written(&rows, refusals);
                    epoch.into_iter().for_each(|epoch| self.desk.tell(Answer::Confirmed(epoch)));
                }
                None if !waits => break,
                None => {}
            }
        }
        let since = self.on_the_way.since();
        if let (Some(since), Some(health)) = (since, &self.desk.options.health) {
            health.begin(since);
        }
        let pause = self.writer.answers_later().filter(|_| since.is_some());
        self.on_the_way.look = pause.map(|pause| self.desk.now() + pause);
        Ok(())
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
            self.desk.tell(Answer::Confirmed(epoch));
        }
    }

    /// Waits for something to do, or until something is due. Rows come alone or with the epochs
    /// behind them.
    fn next(&mut self) -> Work {
        match self.desk.options.gather {
            Some(gather) if !self.desk.options.key.is_empty() => self.next_coalesced(gather),
            _ => self.next_items(),
        }
    }

    /// As [`Thread::next`], of rows that are coalesced.
    fn next_coalesced(&mut self, gather: Duration) -> Work {
        if let Some(work) = self.coalesced.next() {
            return work;
        }
        let shared = self.desk.shared.clone();
        let mut state = shared.state();
        loop {
            // Rows behind a complete epoch must not replace rows of it before it is written.
            let open = |item: &Item| matches!(item, Item::Rows(..));
            let mut items = state.items.iter();
            // Each epoch is staged by itself.
            let last = match self.desk.options.stages {
                true => items.position(|item| !open(item)),
                false => items.rposition(|item| !open(item)),
            };
            let complete = last.map_or(0, |at| at + 1);
            let staging = self.desk.options.stages && self.coalesced.behind.epoch.is_some();
            let ready = match self.coalesced.behind.epoch {
                _ if staging => 0,
                None if complete == 0 => state.items.len(),
                _ => complete,
            };
            if 0 < ready {
                let items: Vec<Item> = state.items.drain(..ready).collect();
                drop(state);
                let replaced = self.coalesced.absorb(items);
                if self.desk.make_room(replaced) {
                    // Whoever has seen it full would else wait for the next write.
                    (self.desk.wake)();
                }
                state = shared.state();
                continue;
            }
            let Coalesced { behind, since, .. } = &self.coalesced;
            let ends = behind.finish || behind.leave;
            let presses =
                ends || staging || state.hurry || self.desk.options.rows_max <= state.rows;
            let left = match since {
                Some(since) if !presses => {
                    Some(gather.saturating_sub(self.desk.options.host.since(*since)))
                }
                None if !ends && behind.epoch.is_none() => {
                    self.due().map(|due| due.saturating_duration_since(self.desk.now()))
                }
                _ => Some(Duration::ZERO),
            };
            if left.is_some_and(|left| left.is_zero()) {
                self.coalesced.begin();
                return self.coalesced.next().unwrap_or_default();
            }
            state = self.desk.wait(state, left);
        }
    }

    /// As [`Thread::next`], of rows that are written one by one.
    fn next_items(&mut self) -> Work {
        let mut work = Work::default();
        let shared = self.desk.shared.clone();
        let mut state = shared.state();
        while state.items.is_empty() {
            let next = self.on_the_way.look.or(self.due());
            let left = next.map(|next| next.saturating_duration_since(self.desk.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return work;
            }
            state = self.desk.wait(state, left);
        }
        if self.gathered == 0 {
            state = Self::gather(self.desk, state);
            self.gathered = state.items.len();
        }
        while 0 < self.gathered && work.rows.len() < BATCH_ROWS_MAX {
            match state.items.pop_front() {
                // Each epoch is staged by itself, and rows behind one are not part of it.
                Some(item @ Item::Epoch(_)) if work.epoch.is_some() && self.desk.options.stages => {
                    state.items.push_front(item);
                    break;
                }
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
    fn gather<'a>(desk: &'a Desk<W>, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let Some(gather) = desk.options.gather else { return state };
        let deadline = desk.now() + gather;
        loop {
            let left = deadline.saturating_duration_since(desk.now());
            let more = 0 < state.rows && state.rows < desk.options.rows_max;
            let ends =
                state.hurry || matches!(state.items.back(), Some(Item::Finish | Item::Leave));
            if left.is_zero() || !more || ends {
                return state;
            }
            state = desk.wait(state, Some(left));
        }
    }

    /// Calls the writer until it succeeds or waiting is no use.
    fn patiently<T>(&mut self, mut call: impl FnMut(&mut dyn Writer) -> Result<T>) -> Result<T> {
        let since = self.on_the_way.since();
        self.desk.patiently(since, || call(&mut *self.writer))
    }
}
