//! Columns of a row group while it is gathered, and their way into a file.
//!
//! A value that is there has the highest definition level of its column, NULL the level 0. In a
//! list the levels between are: 1 an empty list, 2 an element that is NULL.

use bytes::Bytes;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use super::Timestamps;
use super::schema::DECIMAL_BYTES;
use crate::row::{Cell, Type};
use crate::time::Time;

/// The Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;

const DAY_MICROS: i64 = 86_400_000_000;

/// Largest and smallest hundredths of 24 digits.
pub(super) const DECIMAL_MAX: i128 = 10_i128.pow(24) - 1;

/// The values of one column.
pub(super) struct Gathered {
    values: Values,
    /// One per value, NULL, or empty list.
    definition: Vec<i16>,
    /// In a list: 0 where a row begins, else 1.
    repetition: Vec<i16>,
    /// The definition level of a value that is there.
    present: i16,
}

enum Values {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    Int96(Vec<Int96>),
    /// Texts behind each other, and where each one ends.
    Bytes(Vec<u8>, Vec<usize>),
    /// Each has as many bytes.
    Fixed(Vec<u8>),
}

impl Gathered {
    pub(super) fn new(kind: Type, timestamps: Timestamps) -> Gathered {
        let values = match kind {
            Type::Bool => Values::Bool(vec![]),
            Type::I32 | Type::I32List => Values::I32(vec![]),
            Type::I64 => Values::I64(vec![]),
            Type::F64 => Values::F64(vec![]),
            Type::Time if timestamps == Timestamps::Int96 => Values::Int96(vec![]),
            Type::Time => Values::I64(vec![]),
            Type::Decimal => Values::Fixed(vec![]),
            Type::Text | Type::Json | Type::Bytes | Type::TextList => Values::Bytes(vec![], vec![]),
        };
        let is_list = matches!(kind, Type::TextList | Type::I32List);
        let present = if is_list { 3 } else { 1 };
        Gathered { values, definition: vec![], repetition: vec![], present }
    }

    /// Appends a cell; how many bytes it needs, about.
    pub(super) fn push(&mut self, cell: &Cell) -> usize {
        match cell {
            Cell::TextList(texts) => {
                let values = texts.iter().map(|text| text.as_deref().map(str::as_bytes));
                self.list(values, |values, text| values.bytes(text))
            }
            Cell::I32List(numbers) => {
                self.list(numbers.iter().map(Some), |values, number| values.i32(*number))
            }
            cell => {
                let bytes = self.values.push(cell);
                self.level(if bytes.is_some() { self.present } else { 0 }, 0);
                bytes.unwrap_or(0) + 2
            }
        }
    }

    fn list<T>(
        &mut self,
        elements: impl Iterator<Item = Option<T>>,
        push: impl Fn(&mut Values, T) -> usize,
    ) -> usize {
        let before = self.definition.len();
        let mut bytes = 0;
        for element in elements {
            let repetition = i16::from(before < self.definition.len());
            match element {
                Some(element) => {
                    bytes += 4 + push(&mut self.values, element);
                    self.level(self.present, repetition);
                }
                None => self.level(2, repetition),
            }
        }
        if before == self.definition.len() {
            self.level(1, 0);
        }
        bytes + 4
    }

    fn level(&mut self, definition: i16, repetition: i16) {
        self.definition.push(definition);
        if self.present == 3 {
            self.repetition.push(repetition);
        }
    }

    /// Writes the values as the next column of a row group, and forgets them.
    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let definition = std::mem::take(&mut self.definition);
        let repetition = std::mem::take(&mut self.repetition);
        let levels = Levels {
            definition: &definition,
            repetition: (self.present == 3).then_some(&repetition[..]),
        };
        match &mut self.values {
            Values::Bool(values) => levels.write::<BoolType>(&mut column, values)?,
            Values::I32(values) => levels.write::<Int32Type>(&mut column, values)?,
            Values::I64(values) => levels.write::<Int64Type>(&mut column, values)?,
            Values::F64(values) => levels.write::<DoubleType>(&mut column, values)?,
            Values::Int96(values) => levels.write::<Int96Type>(&mut column, values)?,
            Values::Bytes(bytes, ends) => {
                let bytes = Bytes::from(std::mem::take(bytes));
                let mut start = 0;
                let mut texts: Vec<ByteArray> = Vec::with_capacity(ends.len());
                for end in ends.drain(..) {
                    texts.push(bytes.slice(start..end).into());
                    start = end;
                }
                levels.write::<ByteArrayType>(&mut column, &mut texts)?;
            }
            Values::Fixed(bytes) => {
                let bytes = Bytes::from(std::mem::take(bytes));
                let starts = (0..bytes.len()).step_by(DECIMAL_BYTES);
                let value = |start| ByteArray::from(bytes.slice(start..start + DECIMAL_BYTES));
                let mut values: Vec<FixedLenByteArray> =
                    starts.map(|start| value(start).into()).collect();
                levels.write::<FixedLenByteArrayType>(&mut column, &mut values)?;
            }
        }
        column.close()
    }
}

impl Values {
    /// Appends a value; `None` for NULL. A cell of another type than its column, which no row has,
    /// is NULL too.
    fn push(&mut self, cell: &Cell) -> Option<usize> {
        match (self, cell) {
            (Values::Bool(values), Cell::Bool(value)) => {
                values.push(*value);
                Some(1)
            }
            (values @ Values::I32(_), Cell::I32(value)) => Some(values.i32(*value)),
            (Values::I64(values), Cell::I64(value)) => {
                values.push(*value);
                Some(8)
            }
            (Values::I64(values), Cell::Time(time)) => {
                values.push(time.micros());
                Some(8)
            }
            (Values::Int96(values), Cell::Time(time)) => {
                values.push(int96(*time));
                Some(12)
            }
            (Values::F64(values), Cell::F64(value)) => {
                values.push(*value);
                Some(8)
            }
            (Values::Fixed(bytes), Cell::Decimal(hundredths)) => {
                bytes.extend_from_slice(&hundredths.to_be_bytes()[16 - DECIMAL_BYTES..]);
                Some(DECIMAL_BYTES)
            }
            (values @ Values::Bytes(..), Cell::Text(text)) => Some(values.bytes(text.as_bytes())),
            (values @ Values::Bytes(..), Cell::Json(text)) => Some(values.bytes(text.as_bytes())),
            (values @ Values::Bytes(..), Cell::Bytes(bytes)) => Some(values.bytes(bytes)),
            _ => None,
        }
    }

    fn i32(&mut self, value: i32) -> usize {
        if let Values::I32(values) = self {
            values.push(value);
        }
        4
    }

    fn bytes(&mut self, value: &[u8]) -> usize {
        if let Values::Bytes(bytes, ends) = self {
            bytes.extend_from_slice(value);
            ends.push(bytes.len());
        }
        value.len() + 8
    }
}

struct Levels<'a> {
    definition: &'a [i16],
    repetition: Option<&'a [i16]>,
}

impl Levels<'_> {
    fn write<T: DataType>(
        &self,
        column: &mut SerializedColumnWriter<'_>,
        values: &mut Vec<T::T>,
    ) -> Result<(), ParquetError> {
        column.typed::<T>().write_batch(values, Some(self.definition), self.repetition)?;
        values.clear();
        Ok(())
    }
}

/// Writes what was gathered as a row group.
pub(super) fn write(
    columns: &mut [Gathered],
    file: &mut SerializedFileWriter<Vec<u8>>,
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for gathered in columns {
        match group.next_column()? {
            Some(column) => gathered.write(column)?,
            None => return Err(ParquetError::General("a column too many".into())),
        }
    }
    group.close().map(drop)
}

/// A time as Spark and Impala once wrote it: nanoseconds of the day, and the Julian day.
fn int96(time: Time) -> Int96 {
    let day = time.micros().div_euclid(DAY_MICROS) + EPOCH_JULIAN_DAY;
    let nanos = time.micros().rem_euclid(DAY_MICROS) as u64 * 1_000;
    let mut value = Int96::new();
    value.set_data(nanos as u32, (nanos >> 32) as u32, day as u32);
    value
}
