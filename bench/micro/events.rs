//! The inputs: events in memory, and the records of the JSON cases.

use std::fmt::Write;
use std::sync::Arc;

use highwater::codec::{Field, Wire};
use highwater::hash;
use highwater::prelude::*;
use serde::de::MapAccess;

/// An event of the cases without a decoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Click {
    /// When it happened.
    pub at: Time,
    /// Who clicked.
    pub user: u32,
    /// On what.
    pub kind: u32,
}

/// A record of the JSON case.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// When it happened.
    pub timestamp: Option<Time>,
    /// Who visited.
    pub user_id: Option<Text>,
    /// What.
    pub page: Option<Text>,
}

impl Wire for Click {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        _name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        field.skip()
    }
}

impl Wire for Visit {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "timestamp" => field.time(&mut self.timestamp),
            "user_id" => field.text(&mut self.user_id),
            "page" => field.text(&mut self.page),
            _ => field.skip(),
        }
    }
}

/// How many partitions the inputs have.
pub const PARTITIONS: usize = 4;

/// How far watermarks run behind in all cases: as far as most of the disorder goes.
pub const LATENESS: Duration = seconds(5);

/// Where event time begins.
const START: Time = Time::from_seconds(1_760_000_000);

/// So many minutes of event time are in every input.
const MINUTES: i64 = 10;

/// Event time of event number `n` of so many: in order but for 5 s of jitter.
fn time(n: u64, count: u64, bits: u64) -> Time {
    let span = MINUTES * 60_000_000;
    let planned = (u128::from(n) * span as u128 / u128::from(count)) as i64;
    let jitter = (bits % 5_000_000) as i64;
    Time::from_micros(START.micros() + planned - jitter)
}

/// Clicks in memory, by partition: of 6 kinds, and of so many users. `late` makes one of 200 up to
/// two minutes late.
pub fn clicks(count: u64, users: u64, late: bool) -> Vec<Arc<Vec<Click>>> {
    let partition = |_| Vec::with_capacity(count as usize / PARTITIONS + 1);
    let mut partitions: Vec<Vec<Click>> = (0..PARTITIONS).map(partition).collect();
    for n in 0..count {
        let bits = hash::of(&n);
        let more = hash::of(&bits);
        let behind =
            if late && more & 0xff_ffff < (1 << 24) / 200 { bits % 120_000_000 } else { 0 };
        let at = Time::from_micros(time(n, count, bits).micros() - behind as i64);
        let (user, kind) = (((more >> 24) % users) as u32, (bits >> 40) as u32 % 6);
        partitions[n as usize % PARTITIONS].push(Click { at, user, kind });
    }
    partitions.into_iter().map(Arc::new).collect()
}

/// Writes visit number `n` of so many as about 150 bytes of JSON; returns its time.
pub fn visit(n: u64, count: u64, out: &mut String) -> Time {
    let bits = hash::of(&n);
    let at = time(n, count, bits);
    write_visit(n, at, bits, out);
    at
}

/// Writes a visit that closes every window before it.
pub fn last_visit(n: u64, out: &mut String) -> Time {
    let at = START.plus(hours(1));
    write_visit(n, at, 0, out);
    at
}

fn write_visit(n: u64, at: Time, bits: u64, out: &mut String) {
    out.clear();
    let (user, page) = (bits % 1_000, bits >> 20 & 0xff);
    write!(
        out,
        "{{\"event_id\":\"{n:016x}\",\"timestamp\":\"{at}\",\"user_id\":\"user_{user:05}\",\
         \"page\":\"/shop/items/{page}\",\"device\":\"mobile\",\"duration_ms\":{}}}",
        bits >> 50
    )
    .expect("a string takes all that is written to it");
}
