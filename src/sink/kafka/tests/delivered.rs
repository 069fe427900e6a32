//! Epochs that are delivered: seen once by readers of what is committed, whoever tries again, and
//! delivered by nobody who is too old.

use std::thread;

use rdkafka::producer::{BaseRecord, Producer as _};

use super::with_a_broker::read;
use super::*;
use crate::sink::courier::{Courier, Delivered, Delivery, Route};
use crate::sink::kafka::producer::transactional;
use crate::testing::{KafkaServer, Scratch, or_skip};

/// A topic for one test.
struct Shop<'s> {
    server: &'s KafkaServer,
    topic: String,
    view: View,
    more: &'static str,
}

/// The name of a topic is that of the job, too, as the groups of the tests lie in one cluster.
fn route(topic: &str, generation: u64, restored: Option<u64>) -> Route {
    let (job, sink) = (topic.into(), "counts".into());
    Route { job, sink, shard: 0, generation, life: 100, restored }
}

impl Shop<'_> {
    fn new<'s>(server: &'s KafkaServer, topic: &str, view: View) -> Shop<'s> {
        let shop = Shop { server, topic: topic.into(), view, more: "" };
        shop.sink().create().unwrap();
        shop.sink().check().unwrap();
        shop
    }

    fn options(&self) -> Options {
        options(&self.server.brokers(), &self.topic, self.more)
    }

    fn sink(&self) -> Box<dyn Sink> {
        let common = Common { exactly_once: true, ..Common::default() };
        let mut sink = open(self.options(), &self.view, &common).unwrap();
        sink.resume(None).unwrap();
        sink
    }

    fn courier(&self, generation: u64, restored: Option<u64>) -> Box<dyn Courier> {
        self.courier_of(route(&self.topic, generation, restored))
    }

    fn courier_of(&self, route: Route) -> Box<dyn Courier> {
        self.sink().courier(route).unwrap().expect("it delivers")
    }

    /// What readers of committed records see: the numbers, in order.
    fn numbers(&self) -> Vec<i64> {
        let number = |(_, value): (_, Option<String>)| {
            let value: serde_json::Value = serde_json::from_str(&value.unwrap()).unwrap();
            value["n"].as_i64().unwrap()
        };
        let mut numbers: Vec<i64> =
            read(self.server, &self.topic).into_iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn finals(numbers: impl IntoIterator<Item = i64>) -> Rows {
    let rows_of: Vec<_> = numbers.into_iter().map(|n| (Change::Final, Some("w"), n)).collect();
    rows(&rows_of)
}

fn deliver(courier: &mut dyn Courier, epoch: u64, rows: &Rows) -> Result<Vec<Refusal>> {
    let delivery = Delivery { first: epoch, last: epoch, rows, settled: None };
    patiently(|| courier.deliver(&delivery))
}

fn begin(courier: &mut dyn Courier) -> Result<Delivered> {
    patiently(|| courier.begin())
}

/// Calls again while the broker is away, as the queue does.
fn patiently<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        match call() {
            Err(error) if error.kind() == Kind::Unreachable && Instant::now() < deadline => {}
            done => return done,
        }
    }
}

fn last(epoch: u64) -> Delivered {
    Delivered { last: Some(epoch), refused: vec![] }
}

fn refused(refusals: Result<Vec<Refusal>>) -> Vec<usize> {
    refusals.unwrap().iter().map(|refusal| refusal.row).collect()
}

#[test]
fn an_epoch_that_is_delivered_again_is_there_once() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-twice", view(&[], None));
    let mut courier = test.courier(200, None);
    assert_eq!(begin(&mut *courier), Ok(Delivered::default()));
    for _ in 0..2 {
        assert_eq!(deliver(&mut *courier, 3, &finals([1, 2])), Ok(vec![]));
    }
    assert_eq!(deliver(&mut *courier, 4, &finals([1])), Ok(vec![]));
    assert_eq!(test.numbers(), [1, 1, 2]);
    // As after an answer that was lost with the process.
    let mut next = test.courier(201, Some(4));
    assert_eq!(begin(&mut *next), Ok(last(4)));
    assert_eq!(deliver(&mut *next, 4, &finals([1])), Ok(vec![]));
    assert_eq!(deliver(&mut *next, 5, &finals([3])), Ok(vec![]));
    assert_eq!(test.numbers(), [1, 1, 2, 3]);
}

#[test]
fn an_older_attempt_delivers_nothing_any_more() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-zombie", view(&[], None));
    let mut old = test.courier(200, None);
    begin(&mut *old).unwrap();
    deliver(&mut *old, 3, &finals([1])).unwrap();
    let mut new = test.courier(201, Some(3));
    assert_eq!(begin(&mut *new), Ok(last(3)));
    // Fenced by the broker, and then by what the new attempt has written.
    for _ in 0..2 {
        let error = deliver(&mut *old, 4, &finals([2])).unwrap_err();
        assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Fenced, 75), "{error}");
    }
    assert_eq!(begin(&mut *old).unwrap_err().kind(), Kind::Fenced);
    // The new one has not been hindered.
    assert_eq!(deliver(&mut *new, 4, &finals([3])), Ok(vec![]));
    assert_eq!(test.numbers(), [1, 3]);
}

#[test]
fn what_a_crash_has_left_open_is_never_seen_and_keeps_nobody_waiting() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-open", view(&[], None));
    let crashed = transactional(&test.options(), "highwater.tx-open.counts.0", false).unwrap();
    let wait = Duration::from_secs(20);
    crashed.init_transactions(wait).unwrap();
    crashed.begin_transaction().unwrap();
    let record: BaseRecord<'_, str, str, usize> = BaseRecord::with_opaque_to("tx-open", 0);
    assert!(crashed.send(record.payload("{\"n\":1}")).is_ok());
    crashed.flush(wait).unwrap();
    let mut courier = test.courier(200, None);
    let begun = Instant::now();
    assert_eq!(begin(&mut *courier), Ok(Delivered::default()));
    deliver(&mut *courier, 3, &finals([2])).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "the transaction timed out");
    assert_eq!(test.numbers(), [2]);
    assert!(crashed.commit_transaction(wait).is_err());
    assert_eq!(test.numbers(), [2]);
}

#[test]
fn a_job_that_starts_anew_does_not_mind_what_another_life_has_delivered() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-anew", view(&[], None));
    let mut courier = test.courier(200, None);
    begin(&mut *courier).unwrap();
    deliver(&mut *courier, 30, &finals([1])).unwrap();
    let again = Route { life: 201, ..route("tx-anew", 201, None) };
    let mut courier = test.courier_of(again);
    assert_eq!(begin(&mut *courier), Ok(Delivered::default()));
    deliver(&mut *courier, 3, &finals([2])).unwrap();
    assert_eq!(test.numbers(), [1, 2]);
}

#[test]
fn a_job_that_goes_further_back_is_refused() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-back", view(&["n"], None));
    let mut courier = test.courier(200, None);
    begin(&mut *courier).unwrap();
    deliver(&mut *courier, 7, &finals([1])).unwrap();
    let error = begin(&mut *test.courier(201, Some(5))).unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Config, 65));
    assert!(error.message().contains("epoch 7, the checkpoint is that of 5"), "{error}");
    assert!(error.has_hint());
    assert_eq!(begin(&mut *test.courier(202, Some(7))), Ok(last(7)));
}

#[test]
fn what_a_worker_that_is_no_more_has_delivered_cannot_be_taken_back_either() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-back-workers", view(&["n"], None));
    let of = |shard, generation, restored| {
        test.courier_of(Route { shard, ..route(&test.topic, generation, restored) })
    };
    for (shard, epoch) in [(0, 5), (3, 7)] {
        let mut courier = of(shard, 200, None);
        begin(&mut *courier).unwrap();
        deliver(&mut *courier, epoch, &finals([shard as i64])).unwrap();
    }
    // One worker alone goes on, from a checkpoint that does not name the other.
    let error = begin(&mut *of(0, 201, Some(5))).unwrap_err();
    assert!(error.message().contains("epoch 7, the checkpoint is that of 5"), "{error}");
    assert_eq!(begin(&mut *of(0, 202, Some(7))), Ok(last(5)));
    // Another shard of the same attempt is not behind, whatever it has delivered meanwhile.
    let mut other = of(3, 203, Some(7));
    begin(&mut *other).unwrap();
    deliver(&mut *other, 9, &finals([9])).unwrap();
    assert_eq!(begin(&mut *of(0, 203, Some(7))), Ok(last(5)));
}

#[test]
fn rows_that_are_too_large_are_refused_and_told_again_until_a_checkpoint_has_their_letters() {
    let Some(server) = KafkaServer::shared() else { return };
    let admin = Admin::new(&server.brokers(), &ClientSettings::default()).unwrap();
    admin.create_topic_with("tx-large", 1, &[("max.message.bytes", "20000")]).unwrap();
    let test = Shop::new(server, "tx-large", view(&[], None));
    let mut courier = test.courier(200, None);
    begin(&mut *courier).unwrap();
    let (large, huge) = ("x".repeat(30_000), "x".repeat(11 << 20));
    // One that brokers refuse, with others in its request; one that the client does not even send.
    let texts = ["a", &large, "b", &huge, "c", &large, "d"];
    let given = (0..).zip(texts).map(|(n, text)| (Change::Final, Some(text), n));
    let given = rows(&given.collect::<Vec<_>>());
    for _ in 0..2 {
        assert_eq!(refused(deliver(&mut *courier, 3, &given)), [1, 3, 5]);
    }
    assert_eq!(deliver(&mut *courier, 4, &finals([7])), Ok(vec![]));
    assert_eq!(test.numbers(), [0, 2, 4, 6, 7]);
    let told = |courier: &mut dyn Courier| {
        let refused = begin(courier).unwrap().refused;
        refused.iter().map(|(first, refusal)| (*first, refusal.row)).collect::<Vec<_>>()
    };
    let mut next = test.courier(201, Some(4));
    assert_eq!(told(&mut *next), [(3, 1), (3, 3), (3, 5)]);
    let delivery = Delivery { first: 5, last: 6, rows: &finals([8]), settled: Some(3) };
    assert_eq!(next.deliver(&delivery), Ok(vec![]));
    assert_eq!(told(&mut *test.courier(202, Some(6))), []);
    assert_eq!(test.numbers(), [0, 2, 4, 6, 7, 8]);
}

#[test]
fn a_broker_that_dies_in_the_middle_of_deliveries_has_each_row_once() {
    let dir = Scratch::new("kafka-tx");
    let Some(mut server) = or_skip(KafkaServer::start(dir.path())) else { return };
    let (epochs, each) = (60, 500);
    let test = Shop::new(&server, "tx-killed", view(&[], None));
    let mut courier = test.courier(200, None);
    begin(&mut *courier).unwrap();
    let delivering = thread::spawn(move || {
        for epoch in 1..=epochs {
            let from = (epoch as i64 - 1) * each;
            deliver(&mut *courier, epoch, &finals(from..from + each)).unwrap();
        }
    });
    for _ in 0..2 {
        // In whatever it is doing.
        thread::sleep(Duration::from_millis(400));
        server.kill();
        server.restart().expect("the broker comes back");
    }
    delivering.join().unwrap();
    let test = Shop { server: &server, topic: "tx-killed".into(), view: view(&[], None), more: "" };
    assert!(test.numbers().into_iter().eq(0..epochs as i64 * each));
}

#[test]
fn a_transaction_that_may_take_too_long_for_the_brokers_is_refused() {
    let Some(server) = KafkaServer::shared() else { return };
    let test = Shop::new(server, "tx-timeout", view(&[], None));
    let test = Shop { more: "transaction_timeout = \"1h\"", ..test };
    let error = begin(&mut *test.courier(200, None)).unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error}");
    assert!(error.to_string().contains("lower `transaction_timeout`"), "{error}");
}

#[test]
fn rows_of_tables_are_delivered_by_epoch_without_transactions_too() {
    let Some(server) = KafkaServer::shared() else { return };
    let common = Common { updates: true, takes_back: true, ..Common::default() };
    let topic = "tx-plain";
    let settings = options(&server.brokers(), topic, "");
    let mut sink = open(settings, &view(&["n"], None), &common).unwrap();
    sink.create().unwrap();
    let mut courier = sink.courier(route(topic, 1, None)).unwrap().expect("it delivers");
    assert_eq!(courier.begin(), Ok(Delivered::default()));
    let given = [(Change::Upsert, Some("a"), 1), (Change::Delete, Some("b"), 2)];
    for epoch in 3..5 {
        assert_eq!(deliver(&mut *courier, epoch, &rows(&given)), Ok(vec![]));
    }
    let values = read(server, topic).into_iter().map(|(_, value)| value);
    assert_eq!(values.filter(Option::is_none).count(), 2, "a deletion is a tombstone");
}
