//! Coalescing within `trigger_interval`: what is written, when, and what a keyed store then holds.

use super::*;

fn of_updates(gather: Duration) -> QueueOptions {
    QueueOptions { gather: Some(gather), key: vec![0], ..options() }
}

fn changes(values: impl IntoIterator<Item = (Change, i64, i64)>) -> Rows {
    let mut rows = Rows::default();
    for (change, key, value) in values {
        let mark = Mark { change, origin: Origin::Record(Position::default()) };
        rows.push(mark, [Cell::I64(key), Cell::I64(value)]);
    }
    rows
}

fn upserts(values: impl IntoIterator<Item = (i64, i64)>) -> Rows {
    changes(values.into_iter().map(|(key, value)| (Change::Upsert, key, value)))
}

#[test]
fn updates_of_a_key_are_coalesced_over_epochs_and_those_of_an_open_epoch_stay() {
    let (queue, script) = start(of_updates(millis(300)));
    let begun = Instant::now();
    queue.rows(upserts([(1, 10), (2, 20), (1, 11)]));
    queue.epoch(0);
    queue.rows(upserts([(1, 12), (3, 30)]));
    queue.epoch(1);
    std::thread::sleep(millis(150));
    queue.rows(upserts([(1, 13), (1, 14)]));
    assert_eq!(answer(&queue), "written 3");
    assert!(millis(300) <= begun.elapsed());
    assert_eq!(answer(&queue), "confirmed 1");
    // Their own time is counted from when they came, whether their epoch ends or not.
    assert_eq!(answer(&queue), "written 1");
    assert!(millis(450) <= begun.elapsed());
    queue.epoch(2);
    assert_eq!(answer(&queue), "confirmed 2");
    assert_eq!(
        script.calls(),
        ["write [1, 12, 2, 20, 3, 30]", "epoch 1", "write [1, 14]", "epoch 2"]
    );
}

#[test]
fn a_queue_of_updates_counts_the_rows_that_it_holds() {
    let (queue, script) = start(of_updates(seconds(600)));
    // Each of these would fill the queue if the earlier ones of its keys were counted.
    for value in 0..10 {
        queue.rows(upserts((0..5).map(|key| (key, value))));
        let begun = Instant::now();
        while queue.len() != 5 {
            assert!(begun.elapsed() < seconds(20), "{} rows", queue.len());
            std::thread::sleep(millis(1));
        }
    }
    assert!(script.calls().is_empty(), "{:?}", script.calls());
    // Now it is full: it must not wait for more.
    queue.rows(upserts((5..10).map(|key| (key, 9))));
    assert_eq!(answer(&queue), "written 10");
    assert!(queue.is_empty());
}

#[test]
fn a_full_queue_that_has_room_again_wakes_the_operator() {
    let (wake, wakes) = mpsc::channel();
    let options = of_updates(seconds(600));
    let queue = Queue::start(Box::new(Script::default()), options, move || {
        // The test may be over when the last answer comes.
        let _ = wake.send(());
    });
    let queue = queue.unwrap();
    queue.rows(upserts((0..10).map(|value| (1, value))));
    wakes.recv_timeout(seconds(20)).expect("a wake-up, as nine rows need not be written");
    assert_eq!((queue.len(), queue.is_full()), (1, false));
}

#[test]
fn updates_that_need_not_be_gathered_are_not_waited_for() {
    let check = |fill: &dyn Fn(&Queue), expect: &[&str]| {
        let (queue, _script) = start(of_updates(seconds(600)));
        fill(&queue);
        expect.iter().for_each(|expect| assert_eq!(answer(&queue), *expect));
    };
    check(&|queue| queue.epoch(0), &["confirmed 0"]);
    check(
        &|queue| {
            queue.rows(upserts([(1, 1), (1, 2)]));
            queue.epoch(0);
            queue.finish();
        },
        &["written 1", "confirmed 0", "finished"],
    );
    check(
        &|queue| {
            queue.rows(upserts([(1, 1)]));
            queue.hurry();
        },
        &["written 1"],
    );
    let (queue, script) = start(of_updates(seconds(600)));
    queue.rows(upserts([(1, 1)]));
    drop(queue);
    assert_eq!(script.calls(), ["write [1, 1]"]);
}

#[test]
fn many_updates_are_written_in_batches_before_their_epoch_is_told() {
    let (queue, script) = start(QueueOptions { rows_max: 1_000_000, ..of_updates(seconds(600)) });
    (0..3).for_each(|value| queue.rows(upserts((0..6_000).map(|key| (key, value)))));
    queue.epoch(7);
    queue.finish();
    let expect = [&format!("written {BATCH_ROWS_MAX}"), "written 1000", "confirmed 7", "finished"];
    expect.iter().for_each(|expect| assert_eq!(answer(&queue), *expect));
    assert_eq!(script.calls().len(), 4);
}

/// A keyed store: the table at each epoch that it was told of, and how many rows were written.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Stored>>);

#[derive(Clone, Default)]
struct Stored {
    table: Table,
    epochs: Vec<(u64, Table)>,
    written: usize,
    finals: Vec<(i64, i64)>,
}

type Table = std::collections::BTreeMap<i64, i64>;

impl Stored {
    fn apply(&mut self, rows: &Rows) {
        self.written += rows.len();
        for (mark, cells) in rows.iter() {
            let (key, now) = (value(&cells[0]), value(&cells[1]));
            match mark.change {
                Change::Delete => {
                    self.table.remove(&key);
                }
                Change::Upsert => {
                    self.table.insert(key, now);
                }
                Change::Final => {
                    self.table.insert(key, now);
                    self.finals.push((key, now));
                }
            }
        }
    }
}

impl Writer for Store {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        self.0.lock().unwrap().apply(rows);
        Ok(vec![])
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        let mut stored = self.0.lock().unwrap();
        let table = stored.table.clone();
        stored.epochs.push((epoch, table));
        Ok(())
    }
}

#[test]
fn at_every_epoch_a_store_of_coalesced_updates_holds_what_one_of_all_updates_does() {
    let (mut coalesced, mut given) = (0, 0);
    for seed in 0..60 {
        let mut random = seed;
        let mut below = |bound: u64| {
            random = crate::hash::of(&(random, seed));
            random % bound
        };
        let store = Store::default();
        let gather = Duration::from_micros(500 * (1 + below(8)));
        let options = QueueOptions { rows_max: 40, ..of_updates(gather) };
        let queue = Queue::start(Box::new(store.clone()), options, || ()).unwrap();
        let mut every = Stored::default();
        for step in 0..200 {
            match below(8) {
                0 => {
                    queue.epoch(step);
                    every.epochs.push((step, every.table.clone()));
                }
                1 => std::thread::sleep(Duration::from_micros(below(400))),
                _ => {
                    let change = [Change::Upsert, Change::Upsert, Change::Delete, Change::Final];
                    let values = (0..1 + below(6))
                        .map(|_| (change[below(4) as usize], below(5) as i64, below(1_000) as i64));
                    let rows = changes(values.collect::<Vec<_>>());
                    every.apply(&rows);
                    queue.rows(rows);
                }
            }
        }
        queue.epoch(200);
        every.epochs.push((200, every.table.clone()));
        queue.finish();
        let mut confirmed = Vec::new();
        loop {
            match queue.answers.recv_timeout(seconds(20)).expect("the writer answers") {
                Answer::Confirmed(epoch) => confirmed.push(epoch),
                Answer::Finished => break,
                _ => {}
            }
        }
        let stored = store.0.lock().unwrap().clone();
        let told: Vec<u64> = stored.epochs.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(told, confirmed, "seed {seed}");
        assert_eq!(confirmed.last(), Some(&200));
        for (epoch, table) in &stored.epochs {
            let expect = every.epochs.iter().find(|(other, _)| other == epoch);
            assert_eq!(Some(table), expect.map(|(_, table)| table), "seed {seed} epoch {epoch}");
        }
        // Final rows are all written; those of one key in their order.
        for key in 0..5 {
            let of = |finals: &[(i64, i64)]| -> Vec<i64> {
                finals.iter().filter(|(of, _)| *of == key).map(|(_, value)| *value).collect()
            };
            assert_eq!(of(&stored.finals), of(&every.finals), "seed {seed} key {key}");
        }
        assert!(queue.is_empty());
        (coalesced, given) = (coalesced + stored.written, given + every.written);
    }
    assert!(coalesced < given * 3 / 4, "{coalesced} of {given} rows were written");
}
