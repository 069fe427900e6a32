//! Batches beside one another, at brokers of librdkafka that answer slowly, late or with an error.

use std::collections::BTreeMap;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::*;
use crate::sink::queue::{Answer, Queue, QueueOptions};
use crate::time::{millis, seconds};

const TOPIC: &str = "rows";

/// A round trip to brokers that are far away.
const TRIP: Duration = Duration::from_millis(1_500);

type Brokers = MockCluster<'static, DefaultProducerContext>;

fn brokers() -> Brokers {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, 2, 1).unwrap();
    brokers
}

fn writer(brokers: &Brokers) -> Box<dyn Writer> {
    let options = options(&brokers.bootstrap_servers(), TOPIC, "linger = \"1ms\"");
    let common = Common { updates: true, ..Common::default() };
    let mut sink = open(options, &view(&["word"], None), &common).unwrap();
    sink.open(Shard { index: 0, count: 1 }).unwrap()
}

/// A row for each of the words, all with the same number.
fn batch(words: &[&str], n: i64) -> Rows {
    let each: Vec<_> = words.iter().map(|word| (Change::Upsert, Some(*word), n)).collect();
    rows(&each)
}

/// The numbers of each word in the order of the topic; a word has one partition.
fn read(brokers: &Brokers) -> BTreeMap<String, Vec<i64>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers.bootstrap_servers()).set("group.id", "test");
    let consumer: BaseConsumer = config.create().unwrap();
    let (mut list, mut left) = (TopicPartitionList::new(), 0);
    for partition in 0..2 {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
        let (low, high) = consumer.fetch_watermarks(TOPIC, partition, seconds(20)).unwrap();
        left += high - low;
    }
    consumer.assign(&list).unwrap();
    let mut numbers = BTreeMap::<String, Vec<i64>>::new();
    let deadline = Instant::now() + seconds(20);
    while 0 < left {
        assert!(Instant::now() < deadline, "{numbers:?}");
        let Some(message) = consumer.poll(millis(100)) else { continue };
        let message = message.unwrap();
        let row: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        let word = row["word"].as_str().unwrap().to_owned();
        numbers.entry(word).or_default().push(row["n"].as_i64().unwrap());
        left -= 1;
    }
    numbers
}

/// Waits until all batches are answered; returns how many errors there were.
fn settle(writer: &mut dyn Writer, batches: usize) -> usize {
    let (mut errors, mut answered, deadline) = (0, 0, Instant::now() + seconds(30));
    while answered < batches {
        assert!(Instant::now() < deadline, "{answered} of {batches} batches are answered");
        match writer.answer(deadline) {
            Ok(answer) => answered += usize::from(answer == Some(vec![])),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unreachable, "{error}");
                errors += 1;
            }
        }
    }
    errors
}

#[test]
fn batches_do_not_wait_for_the_answers_to_others_and_keep_their_order() {
    let brokers = brokers();
    let mut writer = writer(&brokers);
    assert_eq!(write(&mut *writer, &batch(&["a"], 0)), Ok(vec![]));
    brokers.broker_round_trip_time(1, TRIP).unwrap();
    let begun = Instant::now();
    for n in 1..10 {
        assert_eq!(writer.write(&batch(&["a", "b", "c"], n)), Ok(vec![]));
        // Longer than the linger: each is a request of its own.
        std::thread::sleep(millis(5));
    }
    assert!(begun.elapsed() < TRIP, "{:?}", begun.elapsed());
    assert_eq!(writer.answer(Instant::now()), Ok(None), "nobody has answered yet");
    assert_eq!(settle(&mut *writer, 9), 0);
    assert!(TRIP <= begun.elapsed());
    // One after the other they would take nine round trips.
    assert!(begun.elapsed() < TRIP * 7, "{:?}", begun.elapsed());
    brokers.broker_round_trip_time(1, millis(0)).unwrap();
    let numbers = read(&brokers);
    assert_eq!(numbers["a"], (0..10).collect::<Vec<_>>());
    assert_eq!([&numbers["b"], &numbers["c"]], [&(1..10).collect::<Vec<_>>(); 2]);
}

#[test]
fn the_last_row_of_a_key_is_right_after_an_earlier_batch_was_given_up() {
    let brokers = brokers();
    let mut writer = writer(&brokers);
    assert_eq!(write(&mut *writer, &batch(&["a"], 0)), Ok(vec![]));
    // The next request fails for a reason that trying again does not cure, the others do not.
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS;
    brokers.request_errors(RDKafkaApiKey::Produce, &[error]);
    for n in 1..4 {
        assert_eq!(writer.write(&batch(&["a", "b", "c", "d"], n)), Ok(vec![]));
        std::thread::sleep(millis(20));
    }
    assert!(0 < settle(&mut *writer, 3), "a request has failed");
    assert_eq!(write(&mut *writer, &batch(&["z"], 9)), Ok(vec![]));
    let numbers = read(&brokers);
    for word in ["a", "b", "c", "d"] {
        assert!(numbers[word].ends_with(&[1, 2, 3]), "{word}: {numbers:?}");
    }
    let again = numbers.values().filter(|numbers| 4 < numbers.len()).count();
    assert!(0 < again, "what was accepted behind it was written again: {numbers:?}");
}

#[test]
fn a_broker_that_is_away_interrupts_all_batches_and_loses_none() {
    let brokers = brokers();
    let mut writer = writer(&brokers);
    assert_eq!(write(&mut *writer, &batch(&["a"], 0)), Ok(vec![]));
    brokers.broker_down(1).unwrap();
    for n in 1..20 {
        assert_eq!(writer.write(&batch(&["a", "b"], n)), Ok(vec![]));
    }
    let begun = Instant::now();
    for _ in 0..2 {
        // The first call says so at its time, and each later one waits as long.
        assert_eq!(
            writer.answer(Instant::now() + seconds(9)).unwrap_err().kind(),
            Kind::Unreachable
        );
    }
    assert!(seconds(3) <= begun.elapsed(), "{:?}", begun.elapsed());
    brokers.broker_up(1).unwrap();
    settle(&mut *writer, 19);
    let numbers = read(&brokers);
    assert_eq!(numbers["a"], (0..20).collect::<Vec<_>>());
    assert_eq!(numbers["b"], (1..20).collect::<Vec<_>>());
}

#[test]
fn an_epoch_is_confirmed_and_a_writer_finishes_when_all_is_answered() {
    let brokers = brokers();
    let mut first = writer(&brokers);
    assert_eq!(write(&mut *first, &batch(&["a"], 0)), Ok(vec![]));
    brokers.broker_round_trip_time(1, millis(200)).unwrap();
    let options = QueueOptions {
        host: Default::default(),
        view: "v".into(),
        rows_max: 100,
        gather: None,
        key: vec![],
        retry_max: seconds(1),
        failure: None,
        latency: None,
        health: None,
        stages: false,
    };
    let (begun, queue) = (Instant::now(), Queue::start(first, options, || ()).unwrap());
    queue.rows(batch(&["a", "b"], 1));
    queue.epoch(0);
    queue.rows(batch(&["a", "b"], 2));
    queue.finish();
    let mut answers = Vec::new();
    while answers.last().is_none_or(|last| last != "finished") {
        assert!(begun.elapsed() < seconds(20), "{answers:?}");
        match queue.answer() {
            None => std::thread::sleep(millis(1)),
            Some(Answer::Finished) => answers.push("finished".to_owned()),
            Some(Answer::Confirmed(epoch)) => answers.push(format!("confirmed {epoch}")),
            Some(Answer::Written(rows)) => answers.push(format!("written {rows}")),
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(answers, ["written 2", "confirmed 0", "written 2", "finished"]);
    assert!(millis(200) <= begun.elapsed());
    brokers.broker_round_trip_time(1, millis(0)).unwrap();
    assert_eq!(read(&brokers)["a"], [0, 1, 2]);
}
