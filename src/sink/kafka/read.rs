//! The rows of a topic back: the committed records that it holds now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Options;
use crate::error::{Error, Result};
use crate::row::Schema;
use crate::sink::cells::{TakeRow, json_row};
use crate::source::kafka::{ClientSettings, KafkaSource, Setup};
use crate::source::{Batch, Poll, Source, Start, kafka};

/// How long a partition may stay silent before its end is reached.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// The pause between two looks at a partition.
const PAUSE: Duration = Duration::from_millis(1);

/// Gives each row of a topic to `take`, partition after partition, up to what is there now.
pub(crate) fn read(options: &Options, schema: &Schema, take: &mut TakeRow<'_>) -> Result<()> {
    let Options { topic, brokers, client, .. } = options;
    records(brokers, topic, client, &mut |_, value| {
        let Some(value) = value else { return Ok(()) };
        let cells = json_row(&schema.columns, value).map_err(|why| {
            Error::config(format!("a record of topic `{topic}` is none of these rows: {why}"))
                .hint("give them a topic of their own")
        })?;
        take(cells)
    })
}

/// Who is given key and value of each record.
type TakeRecord<'a> = dyn FnMut(Option<&[u8]>, Option<&[u8]>) -> Result<()> + 'a;

/// Gives each committed record of a topic to `take`, up to what is there now.
pub(super) fn records(
    brokers: &str,
    topic: &str,
    client: &ClientSettings,
    take: &mut TakeRecord<'_>,
) -> Result<()> {
    let options = kafka::Options::new(topic, brokers, client);
    let mut source = KafkaSource::connect(&options, Setup::default())?;
    let mut batch = Batch::default();
    for partition in 0..source.partitions()? {
        let mut reader = source.open(partition, &Start::Earliest, Arc::new(|| {}))?;
        let mut heard = Instant::now();
        loop {
            batch.clear();
            let poll = reader.poll(&mut batch)?;
            for record in &batch.records {
                take(batch.slice(&record.key), batch.slice(&record.value))?;
            }
            match poll {
                Poll::CaughtUp => break,
                Poll::Ready => heard = Instant::now(),
                _ if SILENCE_MAX < heard.elapsed() => {
                    let error = format!("{} does not come to its end", source.name(partition));
                    return Err(Error::unreachable(error).hint("is its leader there?"));
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
    Ok(())
}
