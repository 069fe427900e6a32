//! Records by their bytes, options, and the sink against a real broker: several workers, a broker
//! that dies, rows that it refuses.

#[cfg(feature = "testing")]
mod delivered;
mod on_the_way;
#[cfg(feature = "testing")]
mod replayed;

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::letter::Reason;
use crate::row::{Cell, Change, Column, Mark, Origin, Position, Rows, Schema, Type};
use crate::sink::Refusal;
use crate::time::Time;

fn view(key: &[&str], stamp: Option<&str>) -> View {
    let column = |name: &str, kind| Column { name: name.into(), kind, nullable: true };
    View {
        name: "counts".into(),
        schema: Arc::new(Schema {
            columns: vec![column("word", Type::Text), column("n", Type::I64)],
        }),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        stamp: stamp.map(Into::into),
    }
}

fn rows(rows: &[(Change, Option<&str>, i64)]) -> Rows {
    let mut batch = Rows::default();
    for (change, word, n) in rows {
        let mark = Mark { change: *change, origin: Origin::Record(Position::default()) };
        let word = word.map_or(Cell::Null, |word| Cell::Text(word.into()));
        batch.push(mark, [word, Cell::I64(*n)]);
    }
    batch
}

/// Key and value of each record, as texts.
fn records(view: &View, rows: &Rows) -> Vec<(Option<String>, Option<String>)> {
    let messages = Form::new(view).unwrap().messages(rows, Time::from_seconds(1));
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.into()).unwrap());
    (0..messages.len())
        .map(|record| {
            let (_, key, value) = messages.get(record);
            (text(key), text(value))
        })
        .collect()
}

#[test]
fn a_key_names_the_view_and_a_deletion_has_no_value() {
    use Change::{Delete, Final, Upsert};
    let text = Column { name: String::new(), kind: Type::Text, nullable: true };
    let check = |view: View, given: &[(Change, Option<&str>, i64)], expect: &[[&str; 2]]| {
        let seen: Vec<[String; 2]> = records(&view, &rows(given))
            .into_iter()
            .map(|(key, value)| [key, value].map(|text| text.unwrap_or("-".into())))
            .collect();
        assert_eq!(seen, expect);
    };
    check(
        view(&["word"], Some("processed_at")),
        &[(Final, Some("a\"b"), 1), (Delete, None, 2)],
        &[
            [
                r#"{"view":"counts","word":"a\"b"}"#,
                r#"{"word":"a\"b","n":1,"processed_at":"1970-01-01T00:00:01.000000Z"}"#,
            ],
            [r#"{"view":"counts","word":null}"#, "-"],
        ],
    );
    // Names occur once: a key column of that name tells views apart, too.
    let mut alerts = view(&["view", "n"], None);
    alerts.schema = Arc::new(Schema {
        columns: ["view", "n"].map(|name| Column { name: name.into(), ..text.clone() }).into(),
    });
    check(alerts, &[(Final, Some("a"), 1)], &[[r#"{"view":"a","n":1}"#, r#"{"view":"a","n":1}"#]]);
    check(view(&[], None), &[(Final, Some("a"), 1)], &[["-", r#"{"word":"a","n":1}"#]]);
    // Of what may change the last one of a key goes out, of what is final every one.
    check(
        view(&["n", "word"], None),
        &[
            (Upsert, Some("a"), 1),
            (Final, Some("b"), 2),
            (Upsert, Some("b"), 2),
            (Delete, Some("b"), 2),
            (Upsert, Some("a"), 1),
        ],
        &[
            [r#"{"view":"counts","n":2,"word":"b"}"#, r#"{"word":"b","n":2}"#],
            [r#"{"view":"counts","n":2,"word":"b"}"#, "-"],
            [r#"{"view":"counts","n":1,"word":"a"}"#, r#"{"word":"a","n":1}"#],
        ],
    );
}

/// Writes a batch and waits for its answers.
fn write(writer: &mut dyn Writer, rows: &Rows) -> Result<Vec<Refusal>> {
    assert_eq!(writer.write(rows)?, []);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(refusals) = writer.answer(deadline)? {
            return Ok(refusals);
        }
        assert!(Instant::now() < deadline, "no answer");
    }
}

fn options(brokers: &str, topic: &str, more: &str) -> Options {
    toml::from_str(&format!("topic = \"{topic}\"\nbrokers = \"{brokers}\"\n{more}")).unwrap()
}

#[test]
fn what_the_sink_decides_cannot_be_set() {
    let check = |more: &str, expect: &str| {
        let options = options("b:1", "t", more);
        let error = open(options, &view(&[], None), &Common::default()).err().expect(more);
        assert_eq!((error.kind(), error.message()), (Kind::Config, expect));
    };
    check("client = { acks = 1 }", "kafka: `client` of a sink may not set `acks`");
    check("linger = \"0ms\"", "`linger` of a kafka sink is below a millisecond");
    let options =
        options("b:1", "t", "linger = \"2ms\"\nclient = { \"compression.type\" = \"zstd\" }");
    assert!(open(options, &view(&[], None), &Common::default()).is_ok());
}

#[test]
fn updates_need_a_key() {
    let common = Common { updates: true, ..Common::default() };
    let mut sink = open(options("127.0.0.1:1", "t", ""), &view(&[], None), &common).unwrap();
    assert_eq!((sink.accepts(), sink.guarantee()), (Accepts::Final, Guarantee::AtLeastOnce));
    let error = sink.check().unwrap_err();
    assert_eq!(error.message(), "topic `t` gets updates, and its view has no key");
    let mut sink = open(options("127.0.0.1:1", "t", ""), &view(&["n"], None), &common).unwrap();
    assert_eq!((sink.accepts(), sink.guarantee()), (Accepts::Updates, Guarantee::Idempotent));
    assert_eq!(sink.check().unwrap_err().kind(), Kind::Unreachable);
}

#[test]
fn transactions_need_checkpoints_and_rows_that_come_once_an_epoch() {
    let bind = |common: Common| {
        let common = Common { exactly_once: true, ..common };
        open(options("127.0.0.1:1", "t", ""), &view(&["n"], None), &common)
    };
    let mut sink = bind(Common::default()).unwrap();
    assert_eq!(sink.guarantee(), Guarantee::ExactlyOnce);
    let error = sink.check().unwrap_err();
    assert_eq!(error.message(), "topic `t`: `exactly_once` needs a job with checkpoints");
    assert!(error.to_string().contains("`checkpoint.path`"), "{error}");
    sink.resume(None).unwrap();
    assert_eq!(sink.check().unwrap_err().kind(), Kind::Unreachable);

    let updates = Common { updates: true, ..Common::default() };
    let error = bind(updates).err().expect("updates of windows");
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("`rows = \"final\"`"), "{error}");
    assert!(bind(Common { takes_back: true, ..updates }).is_ok(), "rows of a table");
}

#[cfg(feature = "testing")]
mod with_a_broker {
    use std::collections::BTreeMap;
    #[cfg(feature = "kafka-tls")]
    use std::path::Path;

    use super::*;
    use crate::aggregate::{Count, Max};
    use crate::lateness::Lateness;
    use crate::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
    use crate::sink::memory::Collector;
    use crate::source::memory::Memory;
    use crate::source::{self, Batch, Poll};
    use crate::testing::example::Event;
    use crate::testing::{Example, KafkaServer, Scratch, or_skip};
    use crate::time::{minutes, seconds};
    use crate::window::Sliding;

    const ONLY: Shard = Shard { index: 0, count: 1 };

    fn bind(server: &KafkaServer, topic: &str, view: &View, updates: bool) -> Box<dyn Sink> {
        let common = Common { updates, ..Common::default() };
        open(options(&server.brokers(), topic, ""), view, &common).unwrap()
    }

    /// All records of a topic that are committed, partition after partition: key and value.
    pub(super) fn read(server: &KafkaServer, topic: &str) -> Vec<(Option<String>, Option<String>)> {
        let text = format!("topic = \"{topic}\"\nbrokers = \"{}\"", server.brokers());
        let options: source::kafka::Options = toml::from_str(&text).unwrap();
        let mut topic =
            source::kafka::KafkaSource::connect(&options, source::kafka::Setup::default()).unwrap();
        let mut all = Vec::new();
        for partition in 0..source::Source::partitions(&mut topic).unwrap() {
            let start = source::Start::Earliest;
            let mut partition =
                source::Source::open(&mut topic, partition, &start, Arc::new(|| {})).unwrap();
            let mut batch = Batch::default();
            let deadline = Instant::now() + Duration::from_secs(40);
            loop {
                assert!(Instant::now() < deadline, "the end of the topic is not reached");
                batch.clear();
                let poll = partition.poll(&mut batch).unwrap();
                let text = |range| {
                    let bytes: Option<&[u8]> = batch.slice(range);
                    bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
                };
                all.extend(batch.records.iter().map(|r| (text(&r.key), text(&r.value))));
                match poll {
                    Poll::CaughtUp => break,
                    Poll::Ready => {}
                    _ => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        }
        all
    }

    /// What a compacted topic keeps.
    fn last(records: Vec<(Option<String>, Option<String>)>) -> BTreeMap<String, String> {
        let mut table = BTreeMap::new();
        for (key, value) in records {
            let key = key.expect("a key");
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
        }
        table
    }

    #[test]
    fn a_missing_topic_is_made_and_that_of_updates_is_compacted() {
        let Some(server) = KafkaServer::shared() else { return };
        let mut sink = bind(server, "sink-create", &view(&["n"], None), true);
        assert_eq!(sink.check().unwrap_err().kind(), Kind::Config);
        let made = ["topic `sink-create` with 3 partitions, cleanup.policy=compact"];
        assert_eq!(sink.create().unwrap(), made);
        assert_eq!(sink.create().unwrap(), [""; 0]);
        assert_eq!(sink.check(), Ok(()));
    }

    #[test]
    fn a_row_that_is_too_large_is_refused_and_the_others_are_written() {
        let Some(server) = KafkaServer::shared() else { return };
        let mut sink = bind(server, "sink-large", &view(&["n"], None), false);
        sink.create().unwrap();
        let large = "x".repeat(11 << 20);
        let given = rows(&[
            (Change::Final, Some("a"), 1),
            (Change::Final, Some(&large), 2),
            (Change::Final, Some("c"), 3),
        ]);
        let refused = write(&mut *sink.open(ONLY).unwrap(), &given).unwrap();
        let refused: Vec<_> = refused.iter().map(|r| (r.row, r.reject.reason)).collect();
        assert_eq!(refused, [(1, Reason::RejectedBySink)]);
        assert_eq!(read(server, "sink-large").len(), 2);
    }

    #[test]
    fn the_last_record_of_each_key_is_the_final_row_whatever_the_workers_did() {
        let Some(server) = KafkaServer::shared() else { return };
        let keys = ["ann", "bob", "cem", "dee", "eve"];
        let events = |partition: i64| {
            let event = move |n: i64| {
                let key = keys[((n * 7 + partition) % 5) as usize];
                Event::from((key, n / 3, n * partition))
            };
            Arc::new((0..400).map(event).collect::<Vec<_>>())
        };
        for workers in [1, 3] {
            let topic = format!("sink-updates-{workers}");
            let memory = Memory::new().partition(events(1), &[3]).partition(events(2), &[7]);
            let mut job = Job::new("updates", |flow| {
                let events = flow.source("events", Lateness::from(seconds(5)), Example::time);
                let counts = events
                    .key_by(|event: &Event| event.key.clone())
                    .window(Sliding::new(minutes(1), seconds(20)))
                    .accumulate(|event| (Count::one(), Max::of(event.value)))
                    .rows(|key, window, (count, max)| {
                        let most = max.get().copied().unwrap_or_default();
                        Example::row(key, window, 1_000 * most + count.get())
                    });
                counts.updates().sink("counts");
                Ok(())
            });
            job.sources = [("events".into(), BoundSource::new(Arc::new(memory)))].into();
            let schema = job.schemas().unwrap().remove("counts").unwrap();
            let key = vec!["key".into(), "window_start".into()];
            let view = View { name: "counts".into(), schema, key, stamp: None };
            let mut sink = bind(server, &topic, &view, true);
            sink.create().unwrap();
            let finals = Collector::default();
            let bound = [sink, finals.sink(&view)].map(|sink| BoundSink::new("counts", sink));
            job.sinks = [("counts".into(), bound.into())].into();
            run(vec![Arc::new(job)], &Workers::threads(workers), &Stop::new()).unwrap();

            let mut expect = BTreeMap::new();
            let form = Form::new(&view).unwrap();
            for cells in finals.finals() {
                let mut row = Rows::default();
                let origin = Origin::Record(Position::default());
                row.push(Mark { change: Change::Final, origin }, cells);
                let messages = form.messages(&row, Time::default());
                let (_, key, value) = messages.get(0);
                let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().into()).unwrap();
                expect.insert(text(key), text(value));
            }
            let records = read(server, &topic);
            assert!(expect.len() < records.len(), "there were updates before the final rows");
            assert_eq!(last(records), expect, "{workers} workers");
        }
    }

    #[cfg(feature = "kafka-tls")]
    #[test]
    fn rows_are_written_by_tls_with_a_password_and_not_without() {
        use crate::testing::kafka::SECURE_USER;
        let dir = Scratch::new("kafka-tls");
        let Some(server) = or_skip(KafkaServer::start_secure(dir.path())) else { return };
        bind(&server, "sink-tls", &view(&["n"], None), false).create().unwrap();
        let brokers = server.secure_brokers().expect("a listener with TLS");
        let send = |ca: &Path, password: &str| {
            let more = format!(
                "security_protocol = \"sasl_ssl\"\nsasl_username = \"{}\"\n\
                 sasl_password = \"{password}\"\nssl_ca_location = {ca:?}",
                SECURE_USER.0,
            );
            let options = options(&brokers, "sink-tls", &more);
            let mut sink = open(options, &view(&["n"], None), &Common::default())?;
            sink.check()?;
            write(&mut *sink.open(ONLY)?, &rows(&[(Change::Final, Some("a"), 1)]))
        };
        let wrong = send(&server.certificate(), "guess").unwrap_err();
        assert_eq!(wrong.kind(), Kind::Unreachable);
        assert!(wrong.message().to_lowercase().contains("authentication"), "{wrong}");
        let stranger = Path::new("/etc/ssl/certs/ca-certificates.crt");
        if stranger.exists() {
            assert_eq!(send(stranger, SECURE_USER.1).unwrap_err().kind(), Kind::Unreachable);
        }
        assert_eq!(send(&server.certificate(), SECURE_USER.1), Ok(vec![]));
        assert_eq!(read(&server, "sink-tls").len(), 1);
    }

    #[test]
    fn a_broker_that_dies_is_waited_for_and_nothing_is_written_twice() {
        let dir = Scratch::new("kafka-sink");
        let Some(mut server) = or_skip(KafkaServer::start(dir.path())) else { return };
        let mut sink = bind(&server, "sink-outage", &view(&["n"], None), false);
        sink.create().unwrap();
        let mut writer = sink.open(ONLY).unwrap();
        let batch = |from: i64| {
            let each: Vec<_> = (from..from + 500).map(|n| (Change::Final, Some("w"), n)).collect();
            rows(&each)
        };
        assert_eq!(write(&mut *writer, &batch(0)), Ok(vec![]));
        server.kill();
        let begun = Instant::now();
        // Two batches are on their way beside one another.
        assert_eq!(writer.write(&batch(500)), Ok(vec![]));
        assert_eq!(writer.write(&batch(1_000)), Ok(vec![]));
        let error = writer.answer(begun + Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        server.restart().expect("the broker comes back");
        let deadline = Instant::now() + Duration::from_secs(60);
        for _ in 0..2 {
            loop {
                match writer.answer(deadline) {
                    Ok(answer) => break assert_eq!(answer, Some(vec![])),
                    Err(error) => assert_eq!(error.kind(), Kind::Unreachable),
                }
                assert!(Instant::now() < deadline);
            }
        }
        assert_eq!(write(&mut *writer, &batch(1_500)), Ok(vec![]));
        let mut keys: Vec<_> = read(&server, "sink-outage").into_iter().map(|r| r.0).collect();
        assert_eq!(keys.len(), 2_000);
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 2_000);
    }
}
