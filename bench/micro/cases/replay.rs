//! (i) Replay files: what a codec of decoded events costs, and the engine fed from such files.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use highwater::codec::{Field, Wire};
use highwater::error::Error;
use highwater::prelude::*;
use highwater::replay::{self, Codec, Plain};
use highwater::sink::Accepts;
use highwater::source::Connector;
use highwater::source::memory::Memory;
use highwater::testing::Scratch;
use serde::de::MapAccess;

use super::types::BATCH;
use super::{Numbered, Run};
use crate::micro::events::{Click, LATENESS, PARTITIONS, clicks};
use crate::micro::job::{Bench, Rows, compare, expect_rows};
use crate::micro::loops::count::{Counted, count};
use crate::micro::loops::feed::InMemory;
use crate::micro::loops::sorted;
use crate::micro::measure::pairs;
use crate::micro::report::{Compared, Target};

/// Events that are written and read.
const EVENTS: u64 = 1_000_000;

/// Events of the dataflow: as many as in case (a).
const PLAYED: u64 = super::types::EVENTS;

/// An event of 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Pod, Zeroable)]
#[repr(C)]
struct Order {
    at_us: i64,
    number: u64,
    amount: f64,
    user: u32,
    kind: u32,
    item: u32,
    pieces: u32,
}

const _: () = assert!(size_of::<Order>() == 40);

impl Plain for Order {
    const FIELDS: &'static str =
        "at_us: i64, number: u64, amount: f64, user: u32, kind: u32, item: u32, pieces: u32";
}

impl Wire for Order {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        _name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        field.skip()
    }
}

impl Order {
    fn of(number: usize, click: &Click) -> Order {
        let number = number as u64;
        let (item, pieces) = (number as u32 % 10_007, number as u32 % 7 + 1);
        let (at_us, amount) = (click.at.micros(), f64::from(item) * 0.25);
        Order { at_us, number, amount, user: click.user, kind: click.kind, item, pieces }
    }

    fn at(&self) -> Time {
        Time::from_micros(self.at_us)
    }
}

/// Orders by partition.
fn orders(count: u64) -> Vec<Vec<Order>> {
    let partition = |clicks: &Arc<Vec<Click>>| {
        clicks.iter().enumerate().map(|(number, click)| Order::of(number, click)).collect()
    };
    clicks(count, super::types::USERS, false).iter().map(partition).collect()
}

/// Measures.
///
/// # Errors
///
/// Rows or events differ, a file cannot be written, or a run fails.
pub fn run(run: &mut Run<'_>) -> Result<()> {
    codecs(run)?;
    played(run)
}

/// A way to bytes and back.
struct Format {
    name: &'static str,
    write: fn(&[Order], &mut Vec<u8>) -> Result<()>,
    read: fn(&[u8]) -> Result<Vec<Order>>,
}

const BYTEMUCK: Format = Format {
    name: "bytemuck and CRC-32",
    write: |orders, out| replay::encode(Codec::Bytemuck, orders, out),
    read: |bytes| replay::decode(&mut &*bytes, bytes.len() as u64),
};

const ABOMONATION: Format = Format {
    name: "abomonation and CRC-32",
    write: |orders, out| replay::encode(Codec::Abomonation, orders, out),
    read: BYTEMUCK.read,
};

const JSON: Format = Format { name: "lines of serde_json", write: write_json, read: read_json };

fn write_json(orders: &[Order], out: &mut Vec<u8>) -> Result<()> {
    for order in orders {
        serde_json::to_writer(&mut *out, order).map_err(Error::bug)?;
        out.write_all(b"\n").map_err(Error::storage)?;
    }
    Ok(())
}

fn read_json(bytes: &[u8]) -> Result<Vec<Order>> {
    serde_json::Deserializer::from_slice(bytes)
        .into_iter()
        .collect::<std::result::Result<_, _>>()
        .map_err(Error::bug)
}

/// Writes and reads the same events by each codec, in memory: what a disk takes is not of it.
fn codecs(run: &mut Run<'_>) -> Result<()> {
    let orders = orders(run.scaled(EVENTS)).concat();
    for other in [ABOMONATION, JSON] {
        if other.name == ABOMONATION.name && !Codec::Abomonation.is_built() {
            let question = "write and read 40-byte events, abomonation";
            run.report.skipped("i", question, "built without `--features abomonation`")?;
            continue;
        }
        against(run, &orders, &other)?;
    }
    Ok(())
}

fn against(run: &mut Run<'_>, orders: &[Order], other: &Format) -> Result<()> {
    let bytes = |format: &Format| -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (format.write)(orders, &mut bytes)?;
        if (format.read)(&bytes)? != orders {
            return Err(Error::bug(format!("{} reads other events than it wrote", format.name)));
        }
        Ok(bytes)
    };
    let (first, second) = (bytes(&BYTEMUCK)?, bytes(other)?);
    let write = |format: &Format, out: &mut Vec<u8>| {
        out.clear();
        (format.write)(orders, out)
    };
    // The memory is there before the clock runs, as that of a file's buffer would be.
    let (mut ours, mut theirs) = (first.clone(), second.clone());
    let written = pairs(run.repetitions, &mut || write(&BYTEMUCK, &mut ours), &mut || {
        write(other, &mut theirs)
    })?;
    let read = |format: &Format, bytes: &[u8]| {
        expect_rows((format.read)(bytes)?.len() as u64, orders.len() as u64)
    };
    let read =
        pairs(run.repetitions, &mut || read(&BYTEMUCK, &first), &mut || read(other, &second))?;
    for (verb, pairs) in [("write", &written), ("read", &read)] {
        run.report.compared(&Compared {
            case: "i",
            question: &format!("{verb} 40-byte events, against {}", other.name),
            events: orders.len() as u64,
            arms: (BYTEMUCK.name, other.name),
            pairs,
            inverse: false,
            target: Target::None,
        })?;
    }
    Ok(())
}

fn describe(flow: &Flow) {
    flow.source("orders", LATENESS, Order::at)
        .key_by(|order| order.kind)
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Numbered::new(key, window, count.get()))
        .sink("counts");
}

/// Counts what replay files hold, reading included: the engine beside the loop of case (a).
fn played(run: &mut Run<'_>) -> Result<()> {
    let files = Files::write(run.scaled(PLAYED))?;
    let engine = |workers: Option<usize>| -> Result<(u64, Rows)> {
        let partitions = files.read()?;
        let sources = || -> Vec<(&'static str, Arc<dyn Connector>)> {
            let memory = partitions
                .iter()
                .fold(Memory::new(), |memory, orders| memory.partition(orders.clone(), &[BATCH]));
            vec![("orders", Arc::new(memory))]
        };
        let bench = Bench::new(describe, &sources, Accepts::Final);
        Ok(match workers {
            None => (bench.run(1)?, Rows::new()),
            Some(workers) => (0, bench.collect(workers, None)?),
        })
    };
    let plain = || -> Result<Counted> {
        let partitions = files.read()?;
        let mut feed = InMemory::new(&partitions, BATCH);
        count(&mut feed, |order: &Order| Some(order.at()), |order| order.kind, Numbered::new)
    };

    let expect = BTreeMap::from([("counts".into(), sorted(&plain()?.rows))]);
    for workers in [1, 2] {
        compare(&engine(Some(workers))?.1, &expect)?;
    }
    let rows = expect["counts"].len() as u64;
    let mut first = || expect_rows(engine(None)?.0, rows);
    let mut second = || expect_rows(plain()?.rows.len() as u64, rows);
    let pairs = pairs(run.repetitions, &mut first, &mut second)?;
    run.report.compared(&Compared {
        case: "i",
        question: "count per type and minute, from replay files",
        events: files.events,
        arms: ("engine", "loop"),
        pairs: &pairs,
        inverse: false,
        target: Target::None,
    })
}

/// A replay file a partition, in a folder that goes with this value.
struct Files {
    dir: Scratch,
    events: u64,
}

impl Files {
    fn write(events: u64) -> Result<Files> {
        let files = Files { dir: Scratch::new("bench-replay"), events };
        for (partition, orders) in orders(events).iter().enumerate() {
            replay::write(&files.path(partition), Codec::Bytemuck, orders)?;
        }
        Ok(files)
    }

    fn path(&self, partition: usize) -> PathBuf {
        self.dir.path().join(format!("orders-{partition}.replay"))
    }

    fn read(&self) -> Result<Vec<Arc<Vec<Order>>>> {
        let read = |partition| replay::read(&self.path(partition)).map(Arc::new);
        (0..PARTITIONS).map(read).collect()
    }
}
