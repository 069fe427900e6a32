//! Letters that are sent again: each once, also if that is begun again, or by two at once.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::with_a_broker::read;
use super::*;
use crate::letters::parcel::Parcel;
use crate::sink::kafka::replay::{Cluster, Journal, Replay, Sent};
use crate::testing::KafkaServer;

fn cluster(server: &KafkaServer, name: &str) -> Cluster {
    let (brokers, client) = (server.brokers(), ClientSettings::default());
    Admin::new(&brokers, &client).unwrap().create_topic(name, 3).unwrap();
    Cluster { brokers, client, journal: format!("{name}.journal") }
}

fn parcel(topic: &str, offset: i64) -> Parcel {
    Parcel {
        topic: topic.into(),
        source: "chat".into(),
        at: (2, offset, (offset % 2 == 1).then_some(4)),
        key: Some(format!("key {offset}").into_bytes()),
        value: Some(format!("value {offset}").into_bytes()),
        time: Some(Time::from_millis(1_700_000_000_000 + offset)),
        reason: Reason::BadJson,
    }
}

fn parcels(topic: &str, offsets: std::ops::Range<i64>) -> Vec<Parcel> {
    offsets.map(|offset| parcel(topic, offset)).collect()
}

fn values(server: &KafkaServer, topic: &str) -> Vec<String> {
    let mut values: Vec<String> =
        read(server, topic).into_iter().map(|(_, value)| value.unwrap()).collect();
    values.sort();
    values
}

#[test]
fn a_letter_that_was_sent_is_not_sent_again_by_whoever_tries() {
    let Some(server) = KafkaServer::shared() else { return };
    let topic = "replay-once";
    let cluster = cluster(server, topic);
    assert!(Journal::read(&cluster).unwrap().is_empty(), "there is no journal yet");
    let mut replay = Replay::begin(cluster.clone()).unwrap();
    let mut twice = parcels(topic, 0..10);
    twice.push(parcel(topic, 3));
    assert_eq!(replay.send(&twice, 1), Ok(Sent { sent: 10, refused: vec![] }));
    assert_eq!(replay.send(&parcels(topic, 5..12), 1), Ok(Sent { sent: 2, refused: vec![] }));
    drop(replay);
    assert_eq!(Journal::read(&cluster).unwrap().len(), 12);
    let mut again = Replay::begin(cluster.clone()).unwrap();
    assert_eq!(again.send(&parcels(topic, 0..12), 1), Ok(Sent::default()));
    assert_eq!(values(server, topic).len(), 12);
    // Another topic is another letter, and a second attempt is one by a number of its own.
    let other = self::cluster(server, "replay-elsewhere");
    assert_eq!(again.send(&parcels("replay-elsewhere", 0..3), 1).unwrap().sent, 3);
    assert_eq!(again.send(&parcels(topic, 0..4), 2).unwrap().sent, 4);
    assert_eq!(again.send(&parcels(topic, 0..12), 2).unwrap().sent, 8);
    assert_eq!(again.send(&parcels(topic, 0..12), 2).unwrap().sent, 0);
    let found = values(server, topic);
    assert_eq!((found.len(), &found[0], &found[1]), (24, &"value 0".into(), &"value 0".into()));
    assert_eq!(values(server, &other.journal.replace(".journal", "")).len(), 3);
}

#[test]
fn a_record_says_whose_letter_it_is_and_lies_where_it_lay() {
    let Some(server) = KafkaServer::shared() else { return };
    let topic = "replay-headers";
    let mut replay = Replay::begin(cluster(server, topic)).unwrap();
    assert_eq!(replay.send(&parcels(topic, 6..8), 1).unwrap().sent, 2);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", server.brokers())
        .set("group.id", "nobody")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 2, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    for offset in 6..8 {
        let message = consumer.poll(Duration::from_secs(30)).expect("a record").unwrap();
        assert_eq!(message.key(), Some(format!("key {offset}").as_bytes()));
        assert_eq!(message.payload(), Some(format!("value {offset}").as_bytes()));
        assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_000 + offset));
        let headers = message.headers().expect("headers");
        let found: Vec<(String, String)> = headers
            .iter()
            .map(|header| {
                let value = String::from_utf8(header.value.unwrap().to_vec()).unwrap();
                (header.key.replace("highwater.letter.", ""), value)
            })
            .collect();
        let element = (offset % 2 == 1).then_some(("element", "4"));
        let number = offset.to_string();
        let expected = [("source", "chat"), ("reason", "bad_json"), ("partition", "2")]
            .into_iter()
            .chain([("offset", number.as_str())])
            .chain(element)
            .chain([("attempt", "1")])
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}

#[test]
fn of_two_replays_the_later_one_goes_on() {
    let Some(server) = KafkaServer::shared() else { return };
    let topic = "replay-twice";
    let cluster = cluster(server, topic);
    let mut early = Replay::begin(cluster.clone()).unwrap();
    assert_eq!(early.send(&parcels(topic, 0..5), 1).unwrap().sent, 5);
    let mut late = Replay::begin(cluster).unwrap();
    let error = early.send(&parcels(topic, 5..10), 1).unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    assert!(error.to_string().contains("another replay of these letters has begun"), "{error}");
    assert_eq!(late.send(&parcels(topic, 0..10), 1).unwrap().sent, 5);
    assert_eq!(values(server, topic).len(), 10);
}

#[test]
fn a_letter_that_brokers_refuse_is_told_and_the_others_are_sent() {
    let Some(server) = KafkaServer::shared() else { return };
    let (topic, client) = ("replay-large", ClientSettings::default());
    let small = [("max.message.bytes", "5000")];
    Admin::new(&server.brokers(), &client).unwrap().create_topic_with(topic, 3, &small).unwrap();
    let mut replay = Replay::begin(cluster(server, topic)).unwrap();
    let mut all = parcels(topic, 0..6);
    all[2].value = Some(vec![b'x'; 6_000]);
    all[4].value = Some(vec![b'x'; 11 << 20]);
    let Sent { sent, refused } = replay.send(&all, 1).unwrap();
    let refused: Vec<_> = refused.iter().map(|(index, why)| (*index, why.reason)).collect();
    assert_eq!((sent, refused), (4, [2, 4].map(|at| (at, Reason::RejectedBySink)).to_vec()));
    assert_eq!(values(server, topic).len(), 4);
    assert_eq!(replay.send(&parcels(topic, 6..7), 1).unwrap().sent, 1, "and it goes on");
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let Some(server) = KafkaServer::shared() else { return };
    let mut replay = Replay::begin(cluster(server, "replay-missing")).unwrap();
    let error = replay.send(&parcels("replay-missed", 0..1), 1).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("`replay-missed` is not there"), "{error}");
}
