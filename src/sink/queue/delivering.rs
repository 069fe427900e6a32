//! The thread of a courier: rows into the outbox, and out of it once their checkpoint is published.

use super::desk::Desk;
use super::post::{Parcel, Post, Waiting};
use super::{Answer, Item};
use crate::checkpoint::{Outbox, OutboxFile};
use crate::error::{Kind, Result};
use crate::failpoint::failpoint;
use crate::row::{Mark, Rows};
use crate::sink::courier::{Courier, Delivered, Delivery};

pub(super) struct Delivering<'d, W> {
    desk: &'d Desk<W>,
    outbox: Outbox,
    courier: Box<dyn Courier>,
    waiting: Waiting,
}

impl<'d, W: Fn()> Delivering<'d, W> {
    /// Delivers what earlier attempts have staged, as rows of this one may replace it; then serves
    /// the queue until the end, or an error that waiting does not cure.
    pub(super) fn serve(post: Post, desk: &'d Desk<W>) -> Result<()> {
        let Post { outbox, own: (courier, pending), former } = post;
        let waiting = Waiting::new(courier.every().or(desk.options.gather));
        let mut this = Delivering { desk, outbox, courier, waiting };
        for (mut courier, files) in former {
            catch_up(desk, &this.outbox, &mut *courier, &files)?;
        }
        catch_up(desk, &this.outbox, &mut *this.courier, &pending)?;
        loop {
            match this.next() {
                Next::Item(Item::Rows(rows, _)) => this.waiting.add(rows),
                Next::Item(Item::Epoch(epoch)) => this.stage(epoch)?,
                Next::Item(Item::Finish) => {
                    this.deliver()?;
                    desk.tell(Answer::Finished);
                    return Ok(());
                }
                Next::Item(Item::Leave) => return Ok(()),
                Next::Deliver => this.deliver()?,
            }
        }
    }

    /// Waits for something to do. What is due goes first: it makes room.
    fn next(&mut self) -> Next {
        let mut state = self.desk.shared.state();
        loop {
            self.waiting.publish(state.published);
            let presses = state.hurry
                || state.presses
                || self.desk.options.rows_max <= state.rows
                || matches!(state.items.back(), Some(Item::Finish | Item::Leave));
            let left = self.waiting.due(presses);
            let left = left.map(|due| due.saturating_duration_since(self.desk.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Next::Deliver;
            }
            if let Some(item) = state.items.pop_front() {
                return Next::Item(item);
            }
            state = self.desk.wait(state, left);
        }
    }

    fn stage(&mut self, epoch: u64) -> Result<()> {
        let Delivering { desk, outbox, waiting, .. } = self;
        let put = |rows: &Rows| desk.patiently(None, || outbox.put(epoch, rows));
        failpoint!("sink.before_stage");
        let receipt = waiting.stage((epoch, desk.now()), put)?;
        failpoint!("sink.after_stage");
        desk.tell(Answer::Staged(epoch, receipt));
        Ok(())
    }

    fn deliver(&mut self) -> Result<()> {
        let Delivering { desk, courier, waiting, .. } = self;
        let settled = waiting.settled();
        let Some(Parcel { first, last, rows, since }) = waiting.take() else { return Ok(()) };
        let delivery = Delivery { first, last, rows: &rows, settled };
        failpoint!("sink.before_deliver");
        let refusals = desk.patiently(Some(since), || courier.deliver(&delivery))?;
        failpoint!("sink.after_deliver");
        desk.written(&rows, refusals);
        waiting.deliver(last);
        failpoint!("sink.before_confirm");
        desk.tell(Answer::Confirmed(last));
        Ok(())
    }
}

/// What there is to do.
enum Next {
    Item(Item),
    /// Rows are due.
    Deliver,
}

/// Delivers what earlier attempts have staged and not delivered.
fn catch_up<W: Fn()>(
    desk: &Desk<W>,
    outbox: &Outbox,
    courier: &mut dyn Courier,
    files: &[OutboxFile],
) -> Result<()> {
    let Delivered { last, refused } = desk.patiently(None, || courier.begin())?;
    for (first, refusal) in refused {
        let since = files.iter().position(|file| file.epoch == first);
        // What the checkpoint does not list has had its letter.
        let Some(since) = since else { continue };
        if let Some(mark) = mark(desk, outbox, &files[since..], refusal.row)? {
            desk.tell(Answer::Refused(mark, refusal));
        }
    }
    for file in files.iter().filter(|file| Some(file.epoch) <= last) {
        let rows = get(desk, outbox, file)?;
        for refusal in courier.refuses(&rows) {
            desk.tell(Answer::Refused(rows.marks[refusal.row], refusal));
        }
    }
    let mut rows = Rows::default();
    let open = files.iter().filter(|file| last < Some(file.epoch));
    let (Some(first), Some(last)) = (open.clone().next(), open.clone().next_back()) else {
        return Ok(());
    };
    open.clone().try_for_each(|file| get(desk, outbox, file).map(|more| rows.append(more)))?;
    let delivery = Delivery { first: first.epoch, last: last.epoch, rows: &rows, settled: None };
    let refusals = desk.patiently(None, || courier.deliver(&delivery))?;
    tracing::info!(
        sink = %desk.options.view,
        "{} rows of epochs {} to {} were staged before the start and are delivered now",
        rows.len(),
        first.epoch,
        last.epoch
    );
    for refusal in refusals {
        desk.tell(Answer::Refused(rows.marks[refusal.row], refusal));
    }
    Ok(())
}

/// The rows of a file; a store that is away is waited for, one that has lost it is not.
fn get<W: Fn()>(desk: &Desk<W>, outbox: &Outbox, file: &OutboxFile) -> Result<Rows> {
    desk.patiently(None, || match outbox.get(file) {
        Err(error) if error.kind() == Kind::Unreachable => Err(error),
        read => Ok(read),
    })?
}

/// The mark of a row, counted over some files.
fn mark<W: Fn()>(
    desk: &Desk<W>,
    outbox: &Outbox,
    files: &[OutboxFile],
    mut row: usize,
) -> Result<Option<Mark>> {
    for file in files {
        if row < file.rows {
            return Ok(get(desk, outbox, file)?.marks.get(row).copied());
        }
        row -= file.rows;
    }
    Ok(None)
}
