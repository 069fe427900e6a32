//! Rows that wait for their checkpoint.

use std::sync::{Arc, Mutex};

use super::*;
use crate::checkpoint::{Directory, Outbox, OutboxFile};
use crate::sink::courier::{Courier, Delivered, Delivery};
use crate::testing::Scratch;

/// What a store that is shared by all couriers of a test holds.
#[derive(Clone, Debug, Default)]
struct Shop(Arc<Mutex<Goods>>);

#[derive(Clone, Debug, Default)]
struct Goods {
    /// First and last epoch with the values of each delivery, by courier.
    delivered: Vec<(usize, u64, u64, Vec<i64>)>,
    /// What a courier says at its beginning.
    found: Delivered,
    refused: Vec<i64>,
    settled: Vec<Option<u64>>,
    /// So many calls fail from now on.
    failures: usize,
}

struct Van {
    shop: Shop,
    number: usize,
}

impl Courier for Van {
    /// Rows of 99 are refused by anybody who looks at them.
    fn refuses(&self, rows: &Rows) -> Vec<Refusal> {
        let values = rows.cells.iter().map(value).enumerate();
        let reject = Reject::new(Reason::RejectedBySink, "99");
        let refusal = |(row, value): (usize, i64)| {
            (value == 99).then(|| Refusal { row, reject: reject.clone() })
        };
        values.filter_map(refusal).collect()
    }

    fn begin(&mut self) -> Result<Delivered> {
        let mut goods = self.shop.0.lock().unwrap();
        if 0 < goods.failures {
            goods.failures -= 1;
            return Err(Error::unreachable("closed"));
        }
        Ok(goods.found.clone())
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        let mut goods = self.shop.0.lock().unwrap();
        if 0 < goods.failures {
            goods.failures -= 1;
            return Err(Error::unreachable("closed"));
        }
        let values: Vec<i64> = delivery.rows.cells.iter().map(value).collect();
        let refused = values.iter().enumerate().filter(|(_, value)| goods.refused.contains(value));
        let reject = Reject::new(Reason::RejectedBySink, "no");
        let refused = refused.map(|(row, _)| Refusal { row, reject: reject.clone() }).collect();
        goods.settled.push(delivery.settled);
        goods.delivered.push((self.number, delivery.first, delivery.last, values));
        Ok(refused)
    }
}

impl Shop {
    fn delivered(&self) -> Vec<(usize, u64, u64, Vec<i64>)> {
        self.0.lock().unwrap().delivered.clone()
    }

    fn edit(&self, change: impl FnOnce(&mut Goods)) {
        change(&mut self.0.lock().unwrap());
    }

    fn van(&self, number: usize) -> Box<dyn Courier> {
        Box::new(Van { shop: self.clone(), number })
    }
}

fn outbox(scratch: &Scratch) -> Outbox {
    Outbox::new(Arc::new(Directory::open(scratch.path()).unwrap()), 1, ("v", 0))
}

fn open(scratch: &Scratch, shop: &Shop, pending: Vec<OutboxFile>) -> Queue {
    let post = Post { outbox: outbox(scratch), own: (shop.van(0), pending), former: vec![] };
    Queue::start_post(post, options(), || ()).unwrap()
}

/// Waits for the receipt of an epoch; the epochs that have to be delivered.
fn staged(queue: &Queue) -> Vec<u64> {
    match queue.answers.recv_timeout(seconds(20)).expect("an answer") {
        Answer::Staged(_, receipt) => receipt.outbox.iter().map(|file| file.epoch).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_are_delivered_once_their_checkpoint_is_published() {
    let (scratch, shop) = (Scratch::new("delivered"), Shop::default());
    let queue = open(&scratch, &shop, vec![]);
    assert!(queue.delivers());
    queue.rows(rows([1, 2]));
    queue.rows(rows([3]));
    queue.epoch(4);
    queue.rows(rows([4]));
    queue.epoch(5);
    assert_eq!(staged(&queue), [4]);
    assert_eq!(staged(&queue), [4, 5]);
    assert_eq!(shop.delivered(), [], "no checkpoint holds them");
    queue.published(4, false);
    assert_eq!([answer(&queue), answer(&queue)], ["written 3", "confirmed 4"]);
    assert_eq!(shop.delivered(), [(0, 4, 4, vec![1, 2, 3])]);
    queue.epoch(6);
    assert_eq!(staged(&queue), [5]);
    queue.published(6, false);
    queue.finish();
    assert_eq!([answer(&queue), answer(&queue)], ["written 1", "confirmed 5"]);
    assert_eq!(answer(&queue), "finished");
    assert_eq!(shop.delivered().len(), 2);
    assert_eq!(shop.0.lock().unwrap().settled, [None, Some(4)]);
}

#[test]
fn an_epoch_with_more_rows_than_there_is_room_for_is_staged_all_the_same() {
    let (scratch, shop) = (Scratch::new("delivered-full"), Shop::default());
    let queue = open(&scratch, &shop, vec![]);
    (0..25).for_each(|value| queue.rows(rows([value])));
    assert!(queue.is_full());
    queue.epoch(1);
    assert_eq!(staged(&queue), [1]);
    queue.published(1, false);
    assert_eq!([answer(&queue), answer(&queue)], ["written 25", "confirmed 1"]);
    assert!(queue.is_empty());
}

#[test]
fn a_sink_that_is_away_gets_the_same_rows_again_and_refused_ones_are_told() {
    let (scratch, shop) = (Scratch::new("delivered-away"), Shop::default());
    shop.edit(|goods| (goods.failures, goods.refused) = (3, vec![2]));
    let queue = open(&scratch, &shop, vec![]);
    queue.rows(rows([1, 2]));
    queue.epoch(1);
    queue.published(1, false);
    assert_eq!(staged(&queue), [1]);
    assert!(answer(&queue).starts_with("refused Record"));
    assert_eq!([answer(&queue), answer(&queue)], ["written 1", "confirmed 1"]);
    assert_eq!(shop.delivered(), [(0, 1, 1, vec![1, 2])]);
}

#[test]
fn what_is_not_published_when_the_job_leaves_is_not_delivered() {
    let (scratch, shop) = (Scratch::new("delivered-left"), Shop::default());
    let queue = open(&scratch, &shop, vec![]);
    queue.rows(rows([1]));
    queue.epoch(1);
    assert_eq!(staged(&queue), [1]);
    drop(queue);
    assert_eq!(shop.delivered(), []);
}

#[test]
fn what_earlier_attempts_have_staged_is_delivered_first() {
    let (scratch, shop) = (Scratch::new("delivered-later"), Shop::default());
    let kept = outbox(&scratch);
    let file = |epoch: u64, values: &[i64]| kept.put(epoch, &rows(values.to_vec())).unwrap();
    let (own, other) = (vec![file(1, &[10, 99]), file(2, &[20, 21])], vec![file(3, &[30])]);
    // Both couriers have delivered epoch 1, and the letters about two rows may be lost.
    let refusal = |row| Refusal { row, reject: Reject::new(Reason::RejectedBySink, "no") };
    let refused = vec![(1, refusal(3)), (0, refusal(0))];
    shop.edit(|goods| goods.found = Delivered { last: Some(1), refused });
    let former = vec![(shop.van(7), other)];
    let post = Post { outbox: outbox(&scratch), own: (shop.van(0), own), former };
    let queue = Queue::start_post(post, options(), || ()).unwrap();
    queue.rows(rows([40]));
    queue.epoch(4);
    let told = answer(&queue);
    assert!(told.starts_with("refused") && told.contains("offset: 21"), "{told}");
    let told = answer(&queue);
    assert!(told.starts_with("refused") && told.contains("offset: 99"), "{told}");
    assert_eq!(staged(&queue), [4]);
    assert_eq!(shop.delivered(), [(7, 3, 3, vec![30]), (0, 2, 2, vec![20, 21])]);
}

#[test]
fn rows_may_wait_for_the_trigger_interval_but_not_for_longer_than_there_is_room() {
    let (scratch, shop) = (Scratch::new("delivered-gathered"), Shop::default());
    let post = Post { outbox: outbox(&scratch), own: (shop.van(0), vec![]), former: vec![] };
    let options = QueueOptions { gather: Some(seconds(3_600)), ..options() };
    let queue = Queue::start_post(post, options, || ()).unwrap();
    for epoch in 1..=3 {
        queue.rows(rows([epoch as i64; 4]));
        queue.epoch(epoch);
        queue.published(epoch, false);
    }
    // The third epoch leaves no room; which of its neighbours is published by then is chance.
    let mut confirmed = None;
    while confirmed.is_none() {
        confirmed = answer(&queue).strip_prefix("confirmed ").map(str::to_owned);
    }
    let delivered = shop.delivered();
    assert!(delivered.len() == 1 && delivered[0].1 == 1, "{delivered:?}");
}

#[test]
fn a_job_that_stops_delivers_what_is_published_at_once() {
    let (scratch, shop) = (Scratch::new("delivered-stop"), Shop::default());
    let post = Post { outbox: outbox(&scratch), own: (shop.van(0), vec![]), former: vec![] };
    let options = QueueOptions { gather: Some(seconds(3_600)), ..options() };
    let queue = Queue::start_post(post, options, || ()).unwrap();
    queue.rows(rows([1]));
    queue.epoch(1);
    assert_eq!(staged(&queue), [1]);
    queue.published(1, false);
    assert_eq!(shop.delivered(), []);
    queue.published(1, true);
    assert_eq!([answer(&queue), answer(&queue)], ["written 1", "confirmed 1"]);
}
