//! What a reader of committed records finds in a topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::source::kafka::{ClientSettings, KafkaSource, Options, Setup};
use highwater::source::{Batch, Poll, Source, Start};

const LIMIT: Duration = Duration::from_secs(60);

/// Keys and values of the committed records of a topic from some offsets on, sorted.
pub(crate) fn records(brokers: &str, topic: &str, from: &[(u32, i64)]) -> Vec<(String, String)> {
    let options = Options::new(topic, brokers, &ClientSettings::default());
    let mut source = KafkaSource::connect(&options, Setup::default()).expect("the topic");
    let (mut all, mut batch) = (Vec::new(), Batch::default());
    let deadline = Instant::now() + LIMIT;
    for partition in 0..source.partitions().expect("partitions") {
        let start = Start::Offsets(from.to_vec());
        let mut reader = source.open(partition, &start, Arc::new(|| {})).expect("a partition");
        loop {
            assert!(Instant::now() < deadline, "the end of {topic} is not reached");
            batch.clear();
            let poll = reader.poll(&mut batch).expect("records");
            let text = |range| {
                let bytes: &[u8] = batch.slice(range).unwrap_or_default();
                String::from_utf8(bytes.to_vec()).expect("text")
            };
            all.extend(batch.records.iter().map(|record| (text(&record.key), text(&record.value))));
            match poll {
                Poll::CaughtUp => break,
                Poll::Ready => {}
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
    all.sort();
    all
}

/// Their values alone, sorted.
pub(crate) fn values(brokers: &str, topic: &str, from: &[(u32, i64)]) -> Vec<String> {
    let mut values: Vec<String> =
        records(brokers, topic, from).into_iter().map(|(_, value)| value).collect();
    values.sort();
    values
}
