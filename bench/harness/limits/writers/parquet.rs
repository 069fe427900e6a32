//! The bare writer of Parquet: columns as they are, in row groups as large as those of the sink,
//! packed as it packs them by default.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use highwater::error::{Error, Result};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::{SINK_TRIED, VIDEOS, row, video_id};

/// Rows of a group: 32 MiB as the sink counts them, 8 bytes a number, the text, and a few for each
/// cell.
const GROUP_ROWS: u64 = (32 << 20) / 42;

const SCHEMA: &str = "message spark_schema {
    required int64 window_start (timestamp(micros,true));
    required int64 window_end (timestamp(micros,true));
    required binary video_id (string);
    required int64 count;
}";

/// A group as it lies in memory before it is written.
#[derive(Default)]
struct Group {
    starts: Vec<i64>,
    ends: Vec<i64>,
    videos: Vec<ByteArray>,
    counts: Vec<i64>,
}

/// Million rows a second in one file that is on the disk in the end.
pub(super) fn rate(path: &Path) -> Result<f64> {
    let cannot = |error: &dyn std::fmt::Display| {
        Error::storage(format!("cannot write {}: {error}", path.display()))
    };
    let file = File::create(path).map_err(|error| cannot(&error))?;
    let start = Instant::now();
    let rows = write(&file).map_err(|error| cannot(&error))?;
    file.sync_data().map_err(|error| cannot(&error))?;
    let seconds = start.elapsed().as_secs_f64();
    std::fs::remove_file(path).map_err(|error| cannot(&error))?;
    Ok(rows as f64 / 1e6 / seconds)
}

/// Writes whole groups until the time is over; returns how many rows they have.
fn write(file: &File) -> std::result::Result<u64, ParquetError> {
    let schema = parse_message_type(SCHEMA)?.into();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(file, schema, properties.into())?;
    // One text a video, which all of its rows share.
    let videos: Vec<ByteArray> =
        (0..VIDEOS).map(|video| video_id(video).into_bytes().into()).collect();
    let (start, mut rows) = (Instant::now(), 0);
    let mut group = Group::default();
    while start.elapsed() < SINK_TRIED {
        for n in rows..rows + GROUP_ROWS {
            let row = row(n);
            group.starts.push(row.start_ms * 1_000);
            group.ends.push(row.end_ms * 1_000);
            group.videos.push(videos[row.video as usize].clone());
            group.counts.push(row.count);
        }
        rows += GROUP_ROWS;
        let mut written = writer.next_row_group()?;
        column::<Int64Type>(&mut written, &mut group.starts)?;
        column::<Int64Type>(&mut written, &mut group.ends)?;
        column::<ByteArrayType>(&mut written, &mut group.videos)?;
        column::<Int64Type>(&mut written, &mut group.counts)?;
        written.close()?;
    }
    writer.close()?;
    Ok(rows)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &File>,
    values: &mut Vec<T::T>,
) -> std::result::Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".into()));
    };
    column.typed::<T>().write_batch(values, None, None)?;
    values.clear();
    column.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::testing::Scratch;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn groups_are_whole_and_have_the_rows_of_a_count() {
        let dir = Scratch::new("bench-writers");
        let path = dir.path().join("rows.parquet");
        let rows = write(&File::create(&path).unwrap()).unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let groups: Vec<i64> =
            reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        assert!(groups.iter().all(|rows| *rows == GROUP_ROWS as i64), "{groups:?}");
        assert_eq!(groups.iter().sum::<i64>(), rows as i64);
        let third = reader.get_row_iter(None).unwrap().nth(203).unwrap().unwrap();
        assert_eq!(third.get_string(2).unwrap(), "VID003");
        assert_eq!(third.get_long(3).unwrap(), row(203).count);
        let length =
            third.get_timestamp_micros(1).unwrap() - third.get_timestamp_micros(0).unwrap();
        assert_eq!(length, 60_000_000);
    }

    #[test]
    fn a_rate_is_a_positive_number_and_no_file_is_left() {
        let dir = Scratch::new("bench-writers");
        let path = dir.path().join("rows.parquet");
        let rate = rate(&path).unwrap();
        assert!(0.0 < rate && rate.is_finite() && !path.exists(), "{rate}");
        let error = super::rate(&dir.path().join("no/rows")).unwrap_err();
        assert_eq!(error.kind().exit_code(), 74);
    }
}
