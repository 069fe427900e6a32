//! The Kafka source against a real broker. Each test has topics of its own; those that kill the
//! broker have a broker of their own.
#![cfg(feature = "testing")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::*;
use crate::error::Kind;
use crate::source::{Batch, Poll};
use crate::testing::{KafkaServer, Scratch};
use crate::time::Time;

/// The longest wait of a test for anything; reached only by a failure.
const LONG: Duration = Duration::from_secs(40);

/// What a test compares of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    offset: i64,
    time: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

fn options(server: &KafkaServer, topic: &str, more: &str) -> Options {
    let brokers = server.brokers();
    toml::from_str(&format!("topic = \"{topic}\"\nbrokers = \"{brokers}\"\n{more}")).unwrap()
}

fn connect(server: &KafkaServer, topic: &str, more: &str) -> KafkaSource {
    KafkaSource::connect(&options(server, topic, more), Setup::default()).unwrap()
}

fn create(server: &KafkaServer, topic: &str, partitions: u32) -> (Admin, Producer) {
    let settings = ClientSettings::default();
    let admin = Admin::new(&server.brokers(), &settings).unwrap();
    assert_eq!(admin.create_topic(topic, partitions), Ok(partitions));
    (admin, Producer::new(&server.brokers(), &settings).unwrap())
}

/// Writes records `range` to a partition: value and time are their numbers.
fn write(producer: &Producer, topic: &str, partition: u32, range: std::ops::Range<i64>) {
    for number in range {
        let value = number.to_string();
        let (value, time) = (Some(value.as_bytes()), Some(Time::from_millis(1_000 + number)));
        producer.send(Outgoing { topic, partition, key: None, value, time }).unwrap();
    }
    producer.flush().unwrap();
}

fn nobody() -> Wake {
    Arc::new(|| {})
}

fn records(batch: &Batch) -> Vec<Read> {
    let read = |record: &crate::source::Record| Read {
        offset: record.offset,
        time: record.time.map_or(-1, |time| time.floor_ms().0),
        key: batch.slice(&record.key).map(<[u8]>::to_vec),
        value: batch.slice(&record.value).map(<[u8]>::to_vec),
    };
    batch.records.iter().map(read).collect()
}

/// Polls until `enough` says so of what was read, the last answer and the next offset.
fn poll_until(
    partition: &mut dyn Partition,
    mut enough: impl FnMut(&[Read], Poll, i64) -> bool,
) -> Result<Vec<Read>> {
    let (mut batch, mut all) = (Batch::default(), Vec::new());
    let deadline = Instant::now() + LONG;
    loop {
        batch.clear();
        let poll = partition.poll(&mut batch)?;
        assert_eq!(poll == Poll::Ready, !batch.records.is_empty());
        all.extend(records(&batch));
        if enough(&all, poll, batch.next_offset) {
            return Ok(all);
        }
        assert!(Instant::now() < deadline, "{} records, then {poll:?}", all.len());
        if poll != Poll::Ready {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Reads to the end as it is now.
fn read_to_end(partition: &mut dyn Partition) -> Vec<Read> {
    poll_until(partition, |_, poll, _| poll == Poll::CaughtUp).unwrap()
}

fn numbers(read: &[Read]) -> Vec<i64> {
    let value = |read: &Read| String::from_utf8(read.value.clone().unwrap()).unwrap();
    read.iter().map(|read| value(read).parse().unwrap()).collect()
}

fn fails(mut test: impl FnMut() -> Result<()>) -> Error {
    let deadline = Instant::now() + LONG;
    loop {
        if let Err(error) = test() {
            return error;
        }
        assert!(Instant::now() < deadline, "no error");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn records_come_back_in_order_with_their_keys_values_and_times() {
    let Some(server) = KafkaServer::shared() else { return };
    let (admin, producer) = create(server, "round", 4);
    let count: i64 = 10_000;
    let expect = |partition: u32, offset: i64| Read {
        offset,
        time: 1_000 + offset,
        key: (offset % 3 != 0).then(|| format!("key {partition}").into_bytes()),
        value: (offset % 5 != 0).then(|| format!("value {offset}").into_bytes()),
    };
    for (partition, offset) in (0..count).flat_map(|i| (0..4).map(move |p| (p, i))) {
        let read = expect(partition, offset);
        let time = Some(Time::from_millis(read.time));
        let (key, value) = (read.key.as_deref(), read.value.as_deref());
        producer.send(Outgoing { topic: "round", partition, key, value, time }).unwrap();
    }
    producer.flush().unwrap();
    assert_eq!(producer.delivered(), 4 * 10_000);
    assert_eq!(admin.end_offsets("round").unwrap(), (0..4).map(|p| (p, count)).collect());

    let mut source = connect(server, "round", "");
    assert_eq!(source.partitions(), Ok(4));
    assert_eq!(source.name(2), "round/2");
    for number in 0..4 {
        let mut partition = source.open(number, &Start::Earliest, nobody()).unwrap();
        let read = read_to_end(&mut *partition);
        let expect: Vec<Read> = (0..count).map(|offset| expect(number, offset)).collect();
        assert!(read == expect, "partition {number} differs");
        assert_eq!(partition.lag(), Some(0));
    }
}

#[test]
fn reading_begins_where_it_is_told() {
    let Some(server) = KafkaServer::shared() else { return };
    let (_admin, producer) = create(server, "starts", 2);
    write(&producer, "starts", 0, 0..10);
    let check = |from: Start, expect: Vec<i64>| {
        let mut source = connect(server, "starts", "");
        let mut partition = source.open(0, &from, nobody()).unwrap();
        assert_eq!(numbers(&read_to_end(&mut *partition)), expect, "{from:?}");
    };
    check(Start::Earliest, (0..10).collect());
    check(Start::Latest, vec![]);
    check(Start::Offset(7), vec![7, 8, 9]);
    check(Start::Offset(10), vec![]);
    check(Start::Offsets(vec![(1, 5), (0, 8)]), vec![8, 9]);
    check(Start::Offsets(vec![(1, 0)]), (0..10).collect());
    check(Start::Time(Time::from_millis(1_006)), vec![6, 7, 8, 9]);
    check(Start::Time(Time::from_micros(1_006_001)), vec![7, 8, 9]);
    check(Start::Time(Time::from_millis(-5)), (0..10).collect());
    check(Start::Time(Time::from_millis(9_000)), vec![]);

    let mut source = connect(server, "starts", "");
    let mut latest = source.open(0, &Start::Latest, nobody()).unwrap();
    assert_eq!(latest.position(), Some(10), "a checkpoint before its first record needs it");
    write(&producer, "starts", 0, 10..12);
    let read = poll_until(&mut *latest, |all, _, _| all.len() == 2).unwrap();
    assert_eq!(numbers(&read), [10, 11]);
    let error = source.open(1, &Start::Offsets(vec![(2, 0)]), nobody()).err().unwrap();
    assert_eq!(error.message(), "starts/2 is not there: the topic has 2");
    assert_eq!(source.open(0, &Start::Earliest, nobody()).err().unwrap().kind(), Kind::Bug);
}

#[test]
fn a_missing_topic_is_named_with_its_neighbours_and_the_command_that_makes_it() {
    let Some(server) = KafkaServer::shared() else { return };
    create(server, "chat.messages", 1);
    let error =
        KafkaSource::connect(&options(server, "chat.mesages", ""), Setup::default()).err().unwrap();
    assert_eq!(error.kind(), Kind::Config);
    let text = error.to_string();
    for part in ["`chat.mesages` is not there", "`chat.messages`", "--create --topic chat.mesages"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_broker_that_is_not_there_is_reported_at_once() {
    let port = crate::testing::process::free_port().unwrap();
    let text = format!("topic = \"t\"\nbrokers = \"127.0.0.1:{port}\"");
    let began = Instant::now();
    let options: Options = toml::from_str(&text).unwrap();
    let error = KafkaSource::connect(&options, Setup::default()).err().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.message().contains("refused"), "{error}");
}

#[test]
fn settings_that_librdkafka_does_not_know_are_refused() {
    let text = "topic = \"t\"\nbrokers = \"127.0.0.1:1\"\nclient = { \"no.such\" = 1 }";
    let options: Options = toml::from_str(text).unwrap();
    let error = KafkaSource::connect(&options, Setup::default()).err().unwrap();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("no.such"), "{error}");
}

#[test]
fn a_partition_that_appears_is_counted_and_read_and_the_worker_woken() {
    let Some(server) = KafkaServer::shared() else { return };
    let (admin, producer) = create(server, "growing", 1);
    let mut source = connect(server, "growing", "refresh = \"100ms\"");
    let wakes = Arc::new(AtomicU64::new(0));
    let count = wakes.clone();
    let wake: Wake = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut first = source.open(0, &Start::Earliest, wake).unwrap();
    read_to_end(&mut *first);
    let before = wakes.load(Ordering::Relaxed);
    admin.add_partitions("growing", 3).unwrap();
    let deadline = Instant::now() + LONG;
    while source.partitions().unwrap() != 3 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(10));
    }
    assert!(before < wakes.load(Ordering::Relaxed));
    write(&producer, "growing", 2, 0..5);
    let mut third = source.open(2, &Start::Earliest, nobody()).unwrap();
    assert_eq!(numbers(&read_to_end(&mut *third)), [0, 1, 2, 3, 4]);
}

#[test]
fn a_record_wakes_a_worker_that_sleeps() {
    let Some(server) = KafkaServer::shared() else { return };
    let (_admin, producer) = create(server, "waking", 1);
    let mut source = connect(server, "waking", "");
    let (sender, woken) = mpsc::channel();
    let wake: Wake = Arc::new(move || {
        let _ = sender.send(());
    });
    let mut partition = source.open(0, &Start::Earliest, wake).unwrap();
    read_to_end(&mut *partition);
    while woken.try_recv().is_ok() {}
    for number in 0..20 {
        write(&producer, "waking", 0, number..number + 1);
        loop {
            woken.recv_timeout(Duration::from_secs(5)).expect("no wake");
            let mut batch = Batch::default();
            if partition.poll(&mut batch).unwrap() == Poll::Ready {
                assert_eq!(numbers(&records(&batch)), [number]);
                break;
            }
        }
    }
}

#[test]
fn offsets_that_are_gone_end_the_job_or_are_counted() {
    let Some(server) = KafkaServer::shared() else { return };
    let (admin, producer) = create(server, "gone", 1);
    write(&producer, "gone", 0, 0..100);
    admin.delete_records("gone", 0, 60).unwrap();
    let (sender, woken) = mpsc::channel();
    let wake: Wake = Arc::new(move || {
        let _ = sender.send(());
    });
    let open = |from: i64, data_loss: DataLoss| {
        let setup = Setup { data_loss, ..Setup::default() };
        let mut source = KafkaSource::connect(&options(server, "gone", ""), setup).unwrap();
        let partition = source.open(0, &Start::Offset(from), wake.clone()).unwrap();
        (source, partition)
    };
    let end = |partition: &mut dyn Partition| {
        poll_until(partition, |_, poll, _| poll == Poll::CaughtUp).map(|read| numbers(&read))
    };
    let (_source, mut partition) = open(30, DataLoss::Stop);
    let error = end(&mut *partition).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(error.message(), "position 30 of gone/0 is no longer there: the first kept is 60");
    let (_source, mut partition) = open(30, DataLoss::Count);
    assert_eq!(end(&mut *partition), Ok((60..100).collect()));
    // The wake has survived the new beginning.
    while woken.try_recv().is_ok() {}
    write(&producer, "gone", 0, 100..101);
    woken.recv_timeout(LONG).expect("no wake");
    assert_eq!(end(&mut *partition), Ok(vec![100]));
    for data_loss in [DataLoss::Stop, DataLoss::Count] {
        let (_source, mut partition) = open(102, data_loss);
        let error = end(&mut *partition).unwrap_err();
        assert_eq!(error.message(), "position 102 of gone/0 is beyond its end, 101");
    }
    let mut source = connect(server, "gone", "");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    assert_eq!(end(&mut *partition), Ok((60..101).collect()));
}

#[test]
fn a_topic_that_is_deleted_or_made_anew_ends_the_job() {
    let Some(server) = KafkaServer::shared() else { return };
    let (admin, producer) = create(server, "anew", 1);
    write(&producer, "anew", 0, 0..5);
    let mut source = connect(server, "anew", "refresh = \"100ms\"");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    assert_eq!(read_to_end(&mut *partition).len(), 5);
    admin.delete_topic("anew").unwrap();
    admin.create_topic("anew", 1).unwrap();
    // More records than before: no offset betrays it.
    write(&producer, "anew", 0, 100..120);
    let error = fails(|| source.partitions().map(drop));
    assert_eq!(error.message(), "topic `anew` was deleted and made anew");
    let error = fails(|| partition.poll(&mut Batch::default()).map(drop));
    assert_eq!(error.kind(), Kind::Config);

    let (admin, _producer) = create(server, "deleted", 1);
    let mut source = connect(server, "deleted", "refresh = \"100ms\"");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    read_to_end(&mut *partition);
    admin.delete_topic("deleted").unwrap();
    let error = fails(|| partition.poll(&mut Batch::default()).map(drop));
    assert!(error.message().contains("`deleted` is not there"), "{error}");
    assert_eq!(source.partitions().unwrap_err(), error);
}

#[test]
fn a_record_of_nine_mebibytes_arrives_among_small_ones() {
    let Some(server) = KafkaServer::shared() else { return };
    let (_admin, producer) = create(server, "large", 1);
    write(&producer, "large", 0, 0..3);
    let value = vec![b'x'; 9 << 20];
    let large =
        Outgoing { topic: "large", partition: 0, key: None, value: Some(&value), time: None };
    producer.send(large).unwrap();
    write(&producer, "large", 0, 4..6);
    let mut source = connect(server, "large", "");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    let read = read_to_end(&mut *partition);
    let sizes: Vec<usize> = read.iter().map(|read| read.value.as_ref().unwrap().len()).collect();
    assert_eq!(sizes, [1, 1, 1, 9 << 20, 1, 1]);
}

#[test]
fn batches_keep_their_limits_and_lose_nothing() {
    let Some(server) = KafkaServer::shared() else { return };
    let (_admin, producer) = create(server, "limits", 1);
    write(&producer, "limits", 0, 0..5_000);
    let mut source = connect(server, "limits", "");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    let mut batch = Batch::default();
    batch.limits.records = 7;
    let mut read = vec![];
    while read.len() < 5_000 {
        batch.clear();
        if partition.poll(&mut batch).unwrap() == Poll::Ready {
            assert!(batch.records.len() <= 7);
            assert_eq!(batch.next_offset, batch.records.last().unwrap().offset + 1);
            read.extend(numbers(&records(&batch)));
        }
    }
    assert!(read.into_iter().eq(0..5_000));
    // A source and a partition that are dropped with records in their queues, in either order.
    for source_first in [true, false] {
        let mut source = connect(server, "limits", "");
        let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
        batch.clear();
        while partition.poll(&mut batch).unwrap() != Poll::Ready {}
        if source_first {
            drop(source);
            drop(partition);
        } else {
            drop(partition);
            drop(source);
        }
    }
}

#[test]
fn positions_are_published_to_the_group() {
    let Some(server) = KafkaServer::shared() else { return };
    let (_admin, producer) = create(server, "published", 2);
    write(&producer, "published", 1, 0..50);
    let mut source = connect(server, "published", "group = \"lag\"");
    let row = || {
        let text = server.describe_group("lag").unwrap_or_default();
        let row = text.lines().find(|line| line.split_whitespace().nth(2) == Some("1"));
        row.map(|row| row.split_whitespace().skip(1).take(5).map(str::to_owned).collect::<Vec<_>>())
    };
    source.committed(&[(0, 0), (1, 20)]).unwrap();
    // The first commit of a new broker waits until it has made its topic of offsets.
    let deadline = Instant::now() + LONG;
    while row().is_none_or(|row| row != ["published", "1", "20", "50", "30"]) {
        assert!(Instant::now() < deadline, "{:?}", row());
    }
    source.committed(&[(1, 30)]).unwrap();
    source.committed(&[(1, 42)]).unwrap();
    // The last positions are published while the source is dropped.
    drop(source);
    assert_eq!(row().unwrap(), ["published", "1", "42", "50", "8"]);
}

#[test]
fn an_aborted_transaction_is_not_read_and_its_end_is_reached() {
    let Some(server) = KafkaServer::shared() else { return };
    let (_admin, producer) = create(server, "transactions", 1);
    write(&producer, "transactions", 0, 0..3);
    let transactional: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", server.brokers())
        .set("transactional.id", "source-test")
        .create()
        .unwrap();
    transactional.init_transactions(LONG).unwrap();
    for (value, commit) in [("7", false), ("8", true)] {
        transactional.begin_transaction().unwrap();
        let record = BaseRecord::<(), str>::to("transactions").partition(0).payload(value);
        transactional.send(record).unwrap();
        if commit {
            transactional.commit_transaction(LONG).unwrap();
        } else {
            transactional.flush(LONG).unwrap();
            transactional.abort_transaction(LONG).unwrap();
        }
    }
    let mut source = connect(server, "transactions", "");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    let mut behind = 0;
    let read = poll_until(&mut *partition, |_, poll, next| {
        behind = next;
        poll == Poll::CaughtUp
    });
    assert_eq!(numbers(&read.unwrap()), [0, 1, 2, 8]);
    // Three records, two in transactions, two markers.
    assert_eq!((behind, partition.lag()), (7, Some(0)));
}

#[test]
fn a_broker_that_dies_is_waited_for_and_nothing_is_lost_or_read_twice() {
    let dir = Scratch::new("kafka-crash");
    let Some(mut server) = crate::testing::or_skip(KafkaServer::start(dir.path())) else { return };
    let (_admin, producer) = create(&server, "crash", 1);
    write(&producer, "crash", 0, 0..1_000);
    let mut source = connect(&server, "crash", "group = \"g\"\nrefresh = \"200ms\"");
    let mut partition = source.open(0, &Start::Earliest, nobody()).unwrap();
    let mut read = read_to_end(&mut *partition);
    source.committed(&[(0, 1_000)]).unwrap();

    server.kill();
    // An outage is no idleness: the end is not known while the leader does not answer.
    let began = Instant::now();
    let more = poll_until(&mut *partition, |_, poll, _| poll == Poll::Waiting).unwrap();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(more, []);
    let calm = Instant::now() + Duration::from_secs(2);
    while Instant::now() < calm {
        source.committed(&[(0, 1_000)]).unwrap();
        assert_eq!(partition.poll(&mut Batch::default()), Ok(Poll::Waiting));
        assert_eq!(source.partitions(), Ok(1));
        thread::sleep(Duration::from_millis(20));
    }

    server.restart().unwrap();
    write(&producer, "crash", 0, 1_000..2_000);
    read.extend(poll_until(&mut *partition, |all, _, _| all.len() == 1_000).unwrap());
    assert!(numbers(&read).into_iter().eq(0..2_000));
    read_to_end(&mut *partition);

    // A broker that hangs with open connections does not answer either.
    server.freeze();
    poll_until(&mut *partition, |_, poll, _| poll == Poll::Waiting).unwrap();
    server.thaw();
    read_to_end(&mut *partition);

    // Dropped while the broker is away and a commit waits: bounded.
    server.kill();
    source.committed(&[(0, 2_000)]).unwrap();
    let began = Instant::now();
    drop(partition);
    drop(source);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
