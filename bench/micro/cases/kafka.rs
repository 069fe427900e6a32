//! (c) Count per key and minute of JSON records from a Kafka broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::config::DataLoss;
use highwater::error::Error;
use highwater::prelude::*;
use highwater::sink::Accepts;
use highwater::source::kafka::{
    Admin, ClientSettings, KafkaConnector, KafkaSource, Options, Outgoing, Producer, Setup,
};
use highwater::source::{Connector, Start};
use highwater::testing::{KafkaServer, Scratch};

use super::{Named, Run};
use crate::micro::events::{LATENESS, PARTITIONS, Visit, last_visit, visit};
use crate::micro::job::{Bench, Rows, compare, expect_rows};
use crate::micro::loops::count::{Counted, count};
use crate::micro::loops::feed::Records;
use crate::micro::loops::sorted;
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Records of the usual size.
const RECORDS: u64 = 1_500_000;

const TOPIC: &str = "visits";

/// What librdkafka may hold.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The dataflow.
pub fn describe(flow: &Flow) {
    flow.source("visits", LATENESS, |visit: &Visit| visit.timestamp)
        .key_by(|visit| visit.user_id.clone())
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Named::new(key, window, count.get()))
        .sink("counts");
}

fn options(brokers: &str) -> Options {
    Options {
        topic: TOPIC.into(),
        brokers: brokers.into(),
        start: Start::Earliest,
        group: None,
        refresh: seconds(60),
        client: ClientSettings::default(),
    }
}

/// Writes the records, and one to each partition that closes every window before it.
fn produce(brokers: &str, records: u64) -> Result<()> {
    let client = ClientSettings::default();
    Admin::new(brokers, &client)?.create_topic(TOPIC, PARTITIONS as u32)?;
    let producer = Producer::new(brokers, &client)?;
    let mut value = String::new();
    for n in 0..records + PARTITIONS as u64 {
        let time = match n < records {
            true => visit(n, records, &mut value),
            false => last_visit(n, &mut value),
        };
        producer.send(Outgoing {
            topic: TOPIC,
            partition: (n % PARTITIONS as u64) as u32,
            key: None,
            value: Some(value.as_bytes()),
            time: Some(time),
        })?;
    }
    producer.flush()
}

/// Measures.
///
/// # Errors
///
/// There is no broker, rows differ, or a run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    let dir = Scratch::new("bench-kafka");
    let server = KafkaServer::start(dir.path()).map_err(Error::unreachable)?;
    let brokers = server.brokers();
    let events = run.scaled(RECORDS);
    produce(&brokers, events)?;
    let all = events + PARTITIONS as u64;

    let options = options(&brokers);
    let sources = || -> Vec<(&'static str, Arc<dyn Connector>)> {
        let connector = KafkaConnector::new(options.clone(), QUEUE_BYTES_MAX, DataLoss::Stop, 1);
        vec![("visits", Arc::new(connector))]
    };
    let bench = Bench::new(describe, &sources, Accepts::Final);
    let plain = || -> Result<Counted> {
        let setup = Setup { queue_bytes_max: QUEUE_BYTES_MAX, ..Setup::default() };
        let source = Box::new(KafkaSource::connect(&options, setup)?);
        let mut feed = Records::<Visit>::new(source, Some(all))?;
        let key = |visit: &Visit| visit.user_id.clone();
        count(&mut feed, |visit| visit.timestamp, key, Named::new)
    };
    let expect: Rows = BTreeMap::from([("counts".into(), sorted(&plain()?.rows))]);
    let rows = expect["counts"].len() as u64;
    for workers in [1, 2] {
        compare(&bench.collect(workers, Some(rows))?, &expect)?;
    }
    let mut engine = || expect_rows(bench.run_until(1, rows)?, rows);
    let mut other = || expect_rows(plain()?.rows.len() as u64, rows);
    let pairs = pairs(run.repetitions, &mut engine, &mut other)?;
    run.report.compared(&Compared {
        case: "c",
        question: "count per key and minute, JSON from Kafka",
        events,
        arms: ("engine", "loop"),
        pairs: &pairs,
        inverse: false,
        target: Target::AtLeast(0.8),
    })
}
