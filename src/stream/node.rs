//! The steps of a dataflow between a source and its exchanges: a tree that batches run through.
//!
//! Two phases keep a batch whole. `take` runs the author's functions and fills scratch space;
//! `commit` hands the results over. When a function panics, `abort` forgets the scratch, the
//! events that panic are found one by one, and the batch runs again without them.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::chunk::Chunk;
use crate::letter::{Letter, Reason, Reject};
use crate::parcel::Parcel;
use crate::row::Rows;
use crate::text::Text;

/// What a batch leaves behind: parts for the exchanges, rows, letters.
#[derive(Default)]
pub struct Outbox {
    /// How many workers there are.
    pub peers: usize,
    /// Parcels, by slot of the plan.
    pub parcels: Vec<Vec<Parcel>>,
    /// Rows of views without windows, by port of the plan.
    pub rows: Vec<Rows>,
    /// Records and events that nobody could use.
    pub letters: Vec<Letter>,
}

/// One step, with everything behind it.
pub(crate) trait Step<E> {
    /// Runs over the events; results stay in scratch space.
    fn take(&mut self, chunk: &Chunk<'_, E>);

    /// Hands the results over.
    fn commit(&mut self, out: &mut Outbox);

    /// Forgets the results.
    fn abort(&mut self);
}

/// A place in the tree: what several steps read.
pub(crate) struct Node<E> {
    steps: RefCell<Vec<Branch<E>>>,
}

struct Branch<E> {
    place: Rc<RefCell<Text>>,
    step: Box<dyn Step<E>>,
}

impl<E> Node<E> {
    pub(crate) fn new() -> Rc<Node<E>> {
        Rc::new(Node { steps: RefCell::new(Vec::new()) })
    }

    /// Hangs a step below; `place` is what letters about it call it.
    pub(crate) fn push(&self, place: Rc<RefCell<Text>>, step: Box<dyn Step<E>>) {
        self.steps.borrow_mut().push(Branch { place, step });
    }

    pub(crate) fn take(&self, chunk: &Chunk<'_, E>) {
        if chunk.len() == 0 {
            return;
        }
        for branch in self.steps.borrow_mut().iter_mut() {
            branch.step.take(chunk);
        }
    }

    pub(crate) fn commit(&self, out: &mut Outbox) {
        for branch in self.steps.borrow_mut().iter_mut() {
            branch.step.commit(out);
        }
    }

    pub(crate) fn abort(&self) {
        for branch in self.steps.borrow_mut().iter_mut() {
            branch.step.abort();
        }
    }

    /// As `take` and `commit`, but a panic in a branch costs that branch only the events that
    /// cause it; each becomes a letter `user_panic`.
    pub(crate) fn run(&self, chunk: &Chunk<'_, E>, out: &mut Outbox) {
        if chunk.len() == 0 {
            return;
        }
        for branch in self.steps.borrow_mut().iter_mut() {
            if caught(|| branch.step.take(chunk)).is_err() {
                branch.step.abort();
                branch.retry(chunk, out);
            }
            branch.step.commit(out);
        }
    }
}

impl<E> Branch<E> {
    /// Runs event by event to find those that panic, then all others together.
    fn retry(&mut self, chunk: &Chunk<'_, E>, out: &mut Outbox) {
        let mut good = Vec::with_capacity(chunk.len());
        chunk.each(|index| {
            let one = [index as u32];
            let outcome = caught(|| self.step.take(&chunk.select(&one)));
            self.step.abort();
            match outcome {
                Ok(()) => good.push(index as u32),
                Err(panic) => {
                    let reject = Reject::new(Reason::UserPanic, panic);
                    out.letters.push(chunk.letter(index, reject, &self.place.borrow()));
                }
            }
        });
        if !good.is_empty() {
            self.step.take(&chunk.select(&good));
        }
    }
}

thread_local! {
    static CATCHING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether a panic on this thread right now will be caught and become a dead letter; the panic
/// hook lets such a panic pass in silence.
pub fn is_catching() -> bool {
    CATCHING.with(std::cell::Cell::get)
}

/// Runs a function on events; a panic comes back as its text.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let before = CATCHING.replace(true);
    // The state behind `f` is scratch space, which the caller empties after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(before);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without a text".into())
    })
}

/// Selects events.
pub(crate) struct Filter<E, F> {
    pub(crate) keep: F,
    pub(crate) selected: Vec<u32>,
    pub(crate) below: Rc<Node<E>>,
}

impl<E, F: Fn(&E) -> bool> Step<E> for Filter<E, F> {
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        self.selected.clear();
        let (keep, selected) = (&self.keep, &mut self.selected);
        chunk.each(|index| {
            if keep(&chunk.events[index]) {
                selected.push(index as u32);
            }
        });
        self.below.take(&chunk.select(&self.selected));
    }

    fn commit(&mut self, out: &mut Outbox) {
        self.below.commit(out);
    }

    fn abort(&mut self) {
        self.below.abort();
    }
}

/// Makes other events: none, one or several of each, or a refusal.
pub(crate) struct Make<E, U, F> {
    /// Calls its third argument with each event made.
    pub(crate) make: F,
    pub(crate) made: Made<U>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) place: Rc<RefCell<Text>>,
    pub(crate) below: Rc<Node<U>>,
    pub(crate) of: std::marker::PhantomData<fn(E)>,
}

/// Events that a step made, with their roots.
pub(crate) struct Made<U> {
    events: Vec<U>,
    roots: Vec<u32>,
}

impl<U> Made<U> {
    pub(crate) fn new() -> Made<U> {
        Made { events: Vec::new(), roots: Vec::new() }
    }
}

impl<E, U, F> Step<E> for Make<E, U, F>
where
    F: Fn(&E, &mut Vec<U>) -> Result<(), Reject>,
{
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        let Made { events, roots } = &mut self.made;
        events.clear();
        roots.clear();
        let (make, letters, place) = (&self.make, &mut self.letters, &self.place);
        chunk.each(|index| {
            if let Err(reject) = make(&chunk.events[index], events) {
                letters.push(chunk.letter(index, reject, &place.borrow()));
            }
            roots.resize(events.len(), chunk.root(index));
        });
        let origin = chunk.origin;
        self.below.take(&Chunk { events, selected: None, roots: Some(roots), origin });
    }

    fn commit(&mut self, out: &mut Outbox) {
        out.letters.append(&mut self.letters);
        self.below.commit(out);
    }

    fn abort(&mut self) {
        self.letters.clear();
        self.below.abort();
    }
}

/// Passes events on: how two streams become one.
pub(crate) struct Pass<E>(pub(crate) Rc<Node<E>>);

impl<E> Step<E> for Pass<E> {
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        self.0.take(chunk);
    }

    fn commit(&mut self, out: &mut Outbox) {
        self.0.commit(out);
    }

    fn abort(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
