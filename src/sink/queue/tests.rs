//! The queue: when it is full, what is tried again and for how long, and in which order a writer
//! hears of rows and epochs.

mod coalesced;
mod delivered;
mod later;

use super::thread::{BATCH_ROWS_MAX, ON_THE_WAY_MAX};
use std::sync::Condvar;

use super::*;
use crate::letter::{Reason, Reject};
use crate::row::{Cell, Change, Origin, Position};
use crate::time::{millis, seconds};

/// What a writer was asked for, and how it answers; shared with the test.
#[derive(Clone, Default)]
struct Script(Arc<(Mutex<Scripted>, Condvar)>);

#[derive(Default)]
struct Scripted {
    calls: Vec<String>,
    /// Errors that the next calls end with.
    errors: VecDeque<Error>,
    /// An error that every call ends with.
    always: Option<Error>,
    /// Rows with these values are refused.
    refused: Vec<i64>,
    /// Every write waits until the test opens the gate.
    closed: bool,
}

impl Script {
    fn edit<T>(&self, edit: impl FnOnce(&mut Scripted) -> T) -> T {
        let edited = edit(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        edited
    }

    fn calls(&self) -> Vec<String> {
        self.edit(|script| script.calls.clone())
    }

    /// Waits until a writer has begun so many calls.
    fn wait(&self, calls: usize) {
        let (script, changed) = &*self.0;
        let waiting = |script: &mut Scripted| script.calls.len() < calls;
        drop(changed.wait_while(script.lock().unwrap(), waiting).unwrap());
    }

    fn call(&self, call: String) -> Result<()> {
        let (script, changed) = &*self.0;
        let mut script = script.lock().unwrap();
        script.calls.push(call);
        changed.notify_all();
        script = changed.wait_while(script, |script| script.closed).unwrap();
        match script.errors.pop_front().or_else(|| script.always.clone()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Writer for Script {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        let values: Vec<i64> = rows.cells.iter().map(value).collect();
        self.call(format!("write {values:?}"))?;
        let refused = self.edit(|script| script.refused.clone());
        let refusals = values.iter().enumerate().filter(|(_, value)| refused.contains(value));
        let reject = Reject::new(Reason::RejectedBySink, "no");
        Ok(refusals.map(|(row, _)| Refusal { row, reject: reject.clone() }).collect())
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        self.call(format!("epoch {epoch}"))
    }

    fn finish(&mut self) -> Result<()> {
        self.call("finish".into())
    }
}

fn value(cell: &Cell) -> i64 {
    match cell {
        Cell::I64(value) => *value,
        other => panic!("rows of this test have no {other:?}"),
    }
}

fn rows(values: impl IntoIterator<Item = i64>) -> Rows {
    let mut rows = Rows::default();
    for value in values {
        let position = Position { offset: value, ..Position::default() };
        let mark = Mark { change: Change::Final, origin: Origin::Record(position) };
        rows.push(mark, [Cell::I64(value)]);
    }
    rows
}

fn options() -> QueueOptions {
    let (view, retry_max) = ("v".into(), millis(150));
    QueueOptions {
        host: Host::default(),
        view,
        rows_max: 10,
        gather: None,
        key: vec![],
        retry_max,
        failure: None,
        latency: None,
        health: None,
        stages: false,
    }
}

fn start(options: QueueOptions) -> (Queue, Script) {
    let script = Script::default();
    let queue = Queue::start(Box::new(script.clone()), options, || ()).unwrap();
    (queue, script)
}

/// Waits for the next answer.
fn answer(queue: &Queue) -> String {
    let answer = queue.answers.recv_timeout(seconds(20)).expect("the writer answers");
    match answer {
        Answer::Confirmed(epoch) => format!("confirmed {epoch}"),
        Answer::Staged(epoch, receipt) => format!("staged {epoch} {}", receipt.words),
        Answer::Written(rows) => format!("written {rows}"),
        Answer::Refused(mark, refusal) => format!("refused {:?} {}", mark.origin, refusal.row),
        Answer::Finished => "finished".into(),
        Answer::Failed(error) => format!("failed: {error}"),
    }
}

#[test]
fn rows_epochs_and_the_end_reach_the_writer_in_order() {
    let (queue, script) = start(options());
    script.edit(|script| script.closed = true);
    queue.rows(rows([1]));
    script.wait(1);
    // These wait together behind the first write: rows of one epoch are written together, those of
    // the next one apart.
    queue.rows(rows([2]));
    queue.rows(rows([3, 4]));
    queue.epoch(0);
    queue.rows(rows([5]));
    queue.epoch(1);
    queue.epoch(2);
    queue.finish();
    script.edit(|script| script.closed = false);
    let expected =
        ["written 1", "written 3", "confirmed 0", "written 1", "confirmed 2", "finished"];
    for expected in expected {
        assert_eq!(answer(&queue), expected);
    }
    assert_eq!(
        script.calls(),
        ["write [1]", "write [2, 3, 4]", "epoch 0", "write [5]", "epoch 2", "finish"]
    );
}

/// Holds rows back for a moment, as a writer of files does.
struct Holding {
    script: Script,
    hold: Duration,
    until: Option<Instant>,
}

impl Writer for Holding {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        self.until.get_or_insert(Instant::now() + self.hold);
        self.script.write(rows)
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        self.script.epoch(epoch)
    }

    fn held_until(&self) -> Option<Instant> {
        self.until
    }

    fn flush(&mut self) -> Result<()> {
        self.script.call("flush".into())?;
        self.until = None;
        Ok(())
    }
}

#[test]
fn epochs_are_confirmed_once_their_rows_are_not_held_any_more() {
    let start = |hold: Duration| {
        let script = Script::default();
        let writer = Holding { script: script.clone(), hold, until: None };
        (Queue::start(Box::new(writer), options(), || ()).unwrap(), script)
    };
    let (queue, script) = start(millis(200));
    let begun = Instant::now();
    queue.rows(rows([1]));
    queue.epoch(1);
    assert_eq!(answer(&queue), "written 1");
    // The failed flush is tried again; nobody sends anything meanwhile.
    script.wait(2);
    script.edit(|script| script.errors.push_back(Error::storage("disk full")));
    assert_eq!(answer(&queue), "confirmed 1");
    assert!(millis(200) <= begun.elapsed());
    assert_eq!(script.calls()[2..], ["flush", "flush"]);

    // Rows of an open epoch are not written without it, however long it takes.
    let (queue, script) = start(Duration::ZERO);
    queue.rows(rows([1]));
    assert_eq!(answer(&queue), "written 1");
    std::thread::sleep(millis(50));
    assert_eq!(script.calls(), ["write [1]"]);
    queue.epoch(0);
    assert_eq!(answer(&queue), "confirmed 0");
    assert_eq!(script.calls(), ["write [1]", "epoch 0", "flush"]);
    // Without rows nothing is held.
    queue.epoch(1);
    assert_eq!(answer(&queue), "confirmed 1");
    assert_eq!(script.calls().len(), 4);
}

#[test]
fn a_queue_is_full_until_its_rows_are_written() {
    let (queue, script) = start(options());
    assert!(queue.is_empty());
    script.edit(|script| script.closed = true);
    queue.rows(rows(0..9));
    script.wait(1);
    assert_eq!((queue.len(), queue.is_full()), (9, false), "rows that are being written count");
    queue.rows(rows([9]));
    assert!(queue.is_full());
    script.edit(|script| script.closed = false);
    assert_eq!(answer(&queue), "written 9");
    assert_eq!(answer(&queue), "written 1");
    assert!(queue.is_empty() && !queue.is_full());
}

#[test]
fn a_service_that_is_away_is_waited_for_with_the_same_rows() {
    let (queue, script) = start(options());
    // Longer than `retry_max`, which is about disks.
    let errors = [(); 2].map(|()| Error::unreachable("gone"));
    script.edit(|script| script.errors = errors.into());
    queue.rows(rows([1, 2]));
    assert_eq!(answer(&queue), "written 2");
    assert_eq!(script.calls(), ["write [1, 2]"; 3]);

    script.edit(|script| script.errors.push_back(Error::unreachable("gone")));
    queue.epoch(0);
    assert_eq!(answer(&queue), "confirmed 0");
    assert_eq!(script.calls()[3..], ["epoch 0"; 2]);
}

#[test]
fn a_full_disk_is_waited_for_until_retry_max() {
    let (queue, script) = start(options());
    script.edit(|script| script.errors.push_back(Error::storage("disk full")));
    queue.rows(rows([1]));
    assert_eq!(answer(&queue), "written 1");
    script.edit(|script| script.always = Some(Error::storage("disk full")));
    queue.rows(rows([2]));
    assert_eq!(answer(&queue), "failed: view `v`: disk full");
    let tries = script.calls().iter().filter(|call| **call == "write [2]").count();
    assert!((2..5).contains(&tries), "{tries} tries");
}

#[test]
fn an_error_that_waiting_does_not_cure_ends_the_writer_at_once() {
    let (queue, script) = start(options());
    script.edit(|script| script.always = Some(Error::config("no such column")));
    queue.rows(rows([1]));
    assert_eq!(answer(&queue), "failed: view `v`: no such column");
    assert_eq!(script.calls().len(), 1);
}

#[test]
fn hurry_ends_the_wait_for_a_service_that_is_away() {
    let (queue, script) = start(QueueOptions { retry_max: seconds(600), ..options() });
    script.edit(|script| script.always = Some(Error::unreachable("gone")));
    queue.rows(rows([1]));
    script.wait(3);
    let begun = Instant::now();
    queue.hurry();
    assert_eq!(answer(&queue), "failed: view `v`: gone");
    assert!(begun.elapsed() < seconds(10));
}

#[test]
fn a_queue_that_is_dropped_writes_what_it_has_and_leaves_the_end_open() {
    let (queue, script) = start(QueueOptions { gather: Some(seconds(600)), ..options() });
    queue.rows(rows([1]));
    drop(queue);
    assert_eq!(script.calls(), ["write [1]"]);
}

#[test]
fn refused_rows_are_told_before_the_others_are_confirmed() {
    let (queue, script) = start(options());
    script.edit(|script| script.refused = vec![2, 4]);
    script.edit(|script| script.closed = true);
    queue.rows(rows([1, 2]));
    queue.rows(rows([3, 4]));
    queue.epoch(0);
    script.edit(|script| script.closed = false);
    let mut answers = Vec::new();
    while answers.last().is_none_or(|last| last != "confirmed 0") {
        answers.push(answer(&queue));
    }
    let refused: Vec<&String> = answers.iter().filter(|a| a.starts_with("refused")).collect();
    assert_eq!(refused.len(), 2, "{answers:?}");
    assert!(refused[0].contains("offset: 2") && refused[1].contains("offset: 4"), "{refused:?}");
    let written: u64 =
        answers.iter().filter_map(|a| a.strip_prefix("written ")?.parse::<u64>().ok()).sum();
    assert_eq!(written, 2);
    assert!(queue.is_empty(), "refused rows make room as well");
}

#[test]
fn rows_are_gathered_before_they_are_written() {
    let (queue, script) = start(QueueOptions { gather: Some(millis(300)), ..options() });
    let begun = Instant::now();
    for row in 0..3 {
        queue.rows(rows([row]));
        std::thread::sleep(millis(20));
    }
    assert_eq!(answer(&queue), "written 3");
    assert!(millis(300) <= begun.elapsed());
    assert_eq!(script.calls(), ["write [0, 1, 2]"]);
}

#[test]
fn rows_are_gathered_over_epochs_which_stay_apart() {
    let (queue, script) = start(QueueOptions { gather: Some(seconds(600)), ..options() });
    queue.rows(rows(0..3));
    queue.epoch(0);
    queue.rows(rows(3..6));
    queue.epoch(1);
    std::thread::sleep(millis(50));
    assert!(script.calls().is_empty(), "{:?}", script.calls());
    // Now the queue is full. With a pause for each epoch, the second one would not be written yet.
    queue.rows(rows(6..10));
    queue.epoch(2);
    let expected =
        ["written 3", "confirmed 0", "written 3", "confirmed 1", "written 4", "confirmed 2"];
    for expected in expected {
        assert_eq!(answer(&queue), expected);
    }
}

#[test]
fn what_need_not_be_gathered_is_not_waited_for() {
    let check = |fill: &dyn Fn(&Queue), expect: &str| {
        let (queue, _script) = start(QueueOptions { gather: Some(seconds(600)), ..options() });
        fill(&queue);
        assert_eq!(answer(&queue), expect);
    };
    check(&|queue| queue.epoch(0), "confirmed 0");
    check(&|queue| queue.finish(), "finished");
    // A full queue holds the sources, so it must not wait for more.
    check(&|queue| queue.rows(rows(0..10)), "written 10");
    check(
        &|queue| {
            queue.rows(rows([1]));
            queue.finish();
        },
        "written 1",
    );
    check(
        &|queue| {
            queue.rows(rows([1]));
            queue.hurry();
        },
        "written 1",
    );
}

#[test]
fn the_operator_is_woken_when_there_is_room_again_and_when_an_epoch_is_confirmed() {
    let (wake, wakes) = mpsc::channel();
    let queue = Queue::start(Box::new(Script::default()), options(), move || {
        wake.send(()).unwrap();
    });
    let queue = queue.unwrap();
    queue.rows(rows([1]));
    assert_eq!(answer(&queue), "written 1");
    assert!(wakes.recv_timeout(millis(50)).is_err(), "rows that are counted can wait");
    queue.rows(rows(0..10));
    assert!(queue.is_full() || queue.is_empty());
    wakes.recv_timeout(seconds(20)).expect("a wake-up for the room");
    assert!(!queue.is_full());
    assert_eq!(answer(&queue), "written 10");
    queue.epoch(0);
    wakes.recv_timeout(seconds(20)).expect("a wake-up for the epoch");
    assert!(matches!(queue.answer(), Some(Answer::Confirmed(0))));
}

#[test]
fn many_rows_are_written_in_batches() {
    let (queue, script) = start(QueueOptions { rows_max: 1_000_000, ..options() });
    script.edit(|script| script.closed = true);
    queue.rows(rows([1]));
    script.wait(1);
    (0..30).for_each(|_| queue.rows(rows(0..1_000)));
    script.edit(|script| script.closed = false);
    assert_eq!(answer(&queue), "written 1");
    for _ in 0..6 {
        assert_eq!(answer(&queue), format!("written {BATCH_ROWS_MAX}"));
    }
}
