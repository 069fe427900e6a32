//! Raw records: kept as they came, for archives. Nothing is decoded, so no record is refused.

use serde::de::MapAccess;

use super::{Field, Wire};
use crate::row::{Cells, Column, Field as _, Position, Row};
use crate::text::Text;
use crate::time::Time;

/// A record as its source delivers it.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The service's own time of it.
    pub time: Option<Time>,
    /// Where it lies.
    pub position: Position,
}

/// A record with everything that its service keeps: a row of an archive.
///
/// A tombstone has no value. Bytes that are no UTF-8 become U+FFFD, as the columns are text.
///
/// ```
/// use highwater::codec::{Raw, RawRecord, Wire};
/// let record = RawRecord {
///     key: None,
///     value: Some(b"no \xff JSON"),
///     time: None,
///     position: Default::default(),
/// };
/// let raw = Raw::from_record(record);
/// assert_eq!(raw.value.as_deref(), Some("no \u{fffd} JSON"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// The key of the record.
    pub key: Option<Text>,
    /// Its value.
    pub value: Option<Text>,
    /// The service's own time of it; a file has none.
    pub timestamp: Option<Time>,
    /// The partition in which it lies.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
}

impl Wire for Raw {
    const RAW: bool = true;

    fn from_record(record: RawRecord<'_>) -> Raw {
        let text = |bytes: &[u8]| Text::from(String::from_utf8_lossy(bytes));
        Raw {
            key: record.key.map(text),
            value: record.value.map(text),
            timestamp: record.time,
            partition: i32::try_from(record.position.partition).unwrap_or(i32::MAX),
            offset: record.position.offset,
        }
    }

    /// Never called for a whole record.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        _name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        field.skip()
    }
}

impl Row for Raw {
    fn columns() -> Vec<Column> {
        let mut columns = Vec::new();
        Text::columns("key", true, &mut columns);
        Text::columns("value", true, &mut columns);
        Time::columns("timestamp", true, &mut columns);
        i32::columns("partition", false, &mut columns);
        i64::columns("offset", false, &mut columns);
        columns
    }

    fn put(&self, cells: &mut Cells) {
        self.key.put(cells);
        self.value.put(cells);
        self.timestamp.put(cells);
        self.partition.put(cells);
        self.offset.put(cells);
    }
}
