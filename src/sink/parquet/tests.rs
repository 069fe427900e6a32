//! Files are read back: by the crate here, and by pyarrow and DuckDB where they are installed.

mod delivered;
#[cfg(feature = "s3")]
mod objects;
#[cfg(feature = "testing")]
mod readers;
#[cfg(all(feature = "s3", feature = "testing"))]
mod s3;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};

use super::columns::DECIMAL_MAX;
use super::storage::{Folder, Published};
use super::*;
use crate::error::Kind;
use crate::letter::Reason;
use crate::row::{Cell, Change, Column, Mark, Origin, Position, Rows, Schema};
use crate::time::Time;

/// A fresh folder below the system's folder for temporary files, gone at the end of the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Temporary {
        let path = std::env::temp_dir().join(format!("highwater-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Temporary(path)
    }

    fn names(&self) -> Vec<String> {
        Folder::new(&self.0).list().unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn column(name: &str, kind: Type) -> Column {
    Column { name: name.into(), kind, nullable: true }
}

fn view(columns: Vec<Column>, stamp: Option<&str>) -> View {
    let (schema, stamp) = (Arc::new(Schema { columns }), stamp.map(Into::into));
    View { name: "counts".into(), schema, key: vec![], stamp }
}

fn numbers() -> View {
    view(vec![column("n", Type::I64)], None)
}

/// Rows with one number each.
fn some(range: std::ops::Range<i64>) -> Rows {
    rows(range.map(|n| vec![Cell::I64(n)]).collect())
}

fn rows(cells: Vec<Vec<Cell>>) -> Rows {
    let mut rows = Rows::default();
    for cells in cells {
        let origin = Origin::Record(Position::default());
        rows.push(Mark { change: Change::Final, origin }, cells);
    }
    rows
}

fn bind(path: &Path, view: &View, more: &str, overwrite: bool) -> Box<dyn Sink> {
    let options = toml::from_str(&format!("path = \"{}\"\n{more}", path.display())).unwrap();
    open(options, view, &Common { overwrite, ..Common::default() }).unwrap()
}

const ONLY: Shard = Shard { index: 0, count: 1 };

/// The rows of all files that a reader sees, file after file.
fn read(folder: &Temporary) -> Vec<Row> {
    let names = folder.names().into_iter().filter(|name| !name.starts_with('.'));
    let file = |name: String| {
        let file = File::open(folder.0.join(name)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        reader.into_iter().map(|row| row.unwrap()).collect::<Vec<_>>()
    };
    names.flat_map(file).collect()
}

fn read_numbers(folder: &Temporary) -> Vec<i64> {
    let number = |row: &Row| match row.get_column_iter().next() {
        Some((_, Field::Long(number))) => *number,
        other => panic!("no number: {other:?}"),
    };
    read(folder).iter().map(number).collect()
}

/// A view with a column of every type.
fn all_types(stamp: Option<&str>) -> View {
    let columns = vec![
        column("window_start", Type::Time),
        column("flag", Type::Bool),
        column("small", Type::I32),
        column("large", Type::I64),
        column("ratio", Type::F64),
        column("rate", Type::Decimal),
        column("name", Type::Text),
        column("names", Type::TextList),
        column("counts", Type::I32List),
        column("meta", Type::Json),
        column("raw", Type::Bytes),
    ];
    view(columns, stamp)
}

fn all_cells() -> Vec<Vec<Cell>> {
    let full = vec![
        Cell::Time(Time::from_micros(1_767_225_600_000_001)),
        Cell::Bool(true),
        Cell::I32(-7),
        Cell::I64(i64::MIN),
        Cell::F64(0.1),
        Cell::Decimal(-123_456),
        Cell::Text("größe".into()),
        Cell::TextList(vec![Some("a".into()), None, Some("".into())]),
        Cell::I32List(vec![1, -2]),
        Cell::Json(r#"{"a":1}"#.into()),
        Cell::Bytes(vec![0, 255]),
    ];
    let mut empty = vec![Cell::Null; full.len()];
    let nulls = empty.clone();
    empty[0] = Cell::Time(Time::from_micros(-1));
    empty[5] = Cell::Decimal(DECIMAL_MAX);
    empty[6] = Cell::Text("".into());
    empty[7] = Cell::TextList(vec![]);
    empty[8] = Cell::I32List(vec![]);
    vec![full, empty, nulls]
}

#[test]
fn every_type_is_read_as_it_was_written() {
    for (timestamps, more) in [("micros", ""), ("int96", "timestamps = \"int96\"")] {
        let folder = Temporary::new(&format!("types-{timestamps}"));
        let mut writer = bind(&folder.0, &all_types(None), more, false).open(ONLY).unwrap();
        assert_eq!(writer.write(&rows(all_cells())), Ok(vec![]));
        writer.finish().unwrap();
        let [full, empty, nulls] = read(&folder).try_into().expect("three rows");
        let shown = |row: &Row| row.get_column_iter().skip(1).map(|c| c.1.to_string()).collect();
        let full_cells: Vec<String> = shown(&full);
        assert_eq!(
            full_cells,
            [
                "true",
                "-7",
                "-9223372036854775808",
                "0.1",
                "-1234.56",
                "\"größe\"",
                "[\"a\", null, \"\"]",
                "[1, -2]",
                "\"{\"a\":1}\"",
                "[0, 255]",
            ],
        );
        let empty_cells: Vec<String> = shown(&empty);
        assert_eq!(empty_cells[4], "9999999999999999999999.99");
        assert_eq!(empty_cells[5..8], ["\"\"", "[]", "[]"]);
        assert_eq!(nulls.get_column_iter().filter(|c| *c.1 == Field::Null).count(), 11);
        let time = |row: &Row| row.get_column_iter().next().unwrap().1.clone();
        let expect = |micros: i64| match timestamps {
            "micros" => Field::TimestampMicros(micros),
            // The crate shows these as milliseconds; the file has the microseconds.
            _ => Field::TimestampMillis(micros.div_euclid(1_000)),
        };
        assert_eq!(time(&full), expect(1_767_225_600_000_001));
        assert_eq!(time(&empty), expect(-1));
    }
}

#[test]
fn columns_are_optional_and_have_the_types_that_spark_writes() {
    let shown = |stamp| {
        let schema = schema::schema(&all_types(stamp), Timestamps::Micros).unwrap();
        let mut text = Vec::new();
        parquet::schema::printer::print_schema(&mut text, &schema);
        String::from_utf8(text).unwrap()
    };
    assert_eq!(
        shown(Some("processed_at")),
        "message spark_schema {
  OPTIONAL INT64 window_start (TIMESTAMP(MICROS,true));
  OPTIONAL BOOLEAN flag;
  OPTIONAL INT32 small;
  OPTIONAL INT64 large;
  OPTIONAL DOUBLE ratio;
  OPTIONAL FIXED_LEN_BYTE_ARRAY (11) rate (DECIMAL(24,2));
  OPTIONAL BYTE_ARRAY name (STRING);
  OPTIONAL group names (LIST) {
    REPEATED group list {
      OPTIONAL BYTE_ARRAY element (STRING);
    }
  }
  OPTIONAL group counts (LIST) {
    REPEATED group list {
      OPTIONAL INT32 element;
    }
  }
  OPTIONAL BYTE_ARRAY meta (STRING);
  OPTIONAL BYTE_ARRAY raw;
  OPTIONAL INT64 processed_at (TIMESTAMP(MICROS,true));
}
"
    );
}

#[test]
fn a_file_appears_whole_behind_its_epoch_and_holds_what_it_may() {
    let folder = Temporary::new("roll");
    // A file ends at 2,000 bytes, which are two hundred rows.
    let more = "roll_bytes = \"2kB\"\nroll_every = \"1h\"\ncompression = \"none\"";
    let mut writer = bind(&folder.0, &numbers(), more, false).open(ONLY).unwrap();
    writer.write(&some(0..10)).unwrap();
    writer.epoch(3).unwrap();
    assert!(writer.held_until().is_some());
    assert_eq!(folder.names(), [""; 0]);
    writer.write(&some(10..400)).unwrap();
    assert_eq!(folder.names(), [""; 0]);
    // The first file is full: it is put aside, and the epoch makes both visible.
    writer.write(&some(400..410)).unwrap();
    assert_eq!(folder.names(), [".part-00000-0.partial"]);
    writer.epoch(4).unwrap();
    let names = ["part-0000000004-0-00000-0.parquet", "part-0000000004-0-00000-1.parquet"];
    assert_eq!(folder.names(), names);
    assert_eq!(writer.held_until(), None);
    writer.write(&some(410..420)).unwrap();
    writer.epoch(5).unwrap();
    writer.finish().unwrap();
    writer.finish().unwrap();
    assert_eq!(folder.names()[2], "part-0000000005-0-00000-2.parquet");
    assert_eq!(folder.names().len(), 3);
    assert_eq!(read_numbers(&folder), (0..420).collect::<Vec<_>>());
}

#[test]
fn a_file_is_there_in_time_also_if_nothing_more_comes() {
    let folder = Temporary::new("due");
    let more = "roll_every = \"20ms\"";
    let mut writer = bind(&folder.0, &numbers(), more, false).open(ONLY).unwrap();
    writer.write(&some(0..3)).unwrap();
    writer.epoch(1).unwrap();
    let until = writer.held_until().expect("a row is held");
    assert!(until <= Instant::now() + Duration::from_millis(20));
    writer.flush().unwrap();
    assert_eq!(folder.names(), ["part-0000000001-0-00000-0.snappy.parquet"]);
    // An epoch that ends later than that writes by itself.
    writer.write(&some(3..4)).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    writer.epoch(2).unwrap();
    assert_eq!((writer.held_until(), folder.names().len()), (None, 2));
}

#[test]
fn every_compression_is_read_again() {
    for (name, suffix) in [("snappy", ".snappy"), ("zstd", ".zstd"), ("gzip", ".gz"), ("none", "")]
    {
        let folder = Temporary::new(&format!("codec-{name}"));
        let more = format!("compression = \"{name}\"");
        let mut writer = bind(&folder.0, &numbers(), &more, false).open(ONLY).unwrap();
        writer.write(&some(0..5_000)).unwrap();
        writer.finish().unwrap();
        assert_eq!(folder.names(), [format!("part-0000000000-0-00000-0{suffix}.parquet")]);
        assert_eq!(read_numbers(&folder), (0..5_000).collect::<Vec<_>>());
    }
}

#[test]
fn a_folder_of_others_is_refused() {
    let folder = Temporary::new("refused");
    let view = numbers();
    let check = |overwrite| bind(&folder.0, &view, "", overwrite).check();
    assert_eq!(check(false), Ok(()));
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::write(folder.0.join("_SUCCESS"), "").unwrap();
    assert_eq!(check(false), Ok(()));
    std::fs::write(folder.0.join("part-00000-0a-b.snappy.parquet"), "").unwrap();
    let error = check(false).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("holds files already"), "{error}");
    assert_eq!(check(true), Ok(()));
    std::fs::create_dir(folder.0.join("_spark_metadata")).unwrap();
    for overwrite in [false, true] {
        assert!(check(overwrite).unwrap_err().message().contains("_spark_metadata"));
    }
}

#[test]
fn overwriting_removes_the_old_files_whatever_number_of_workers_wrote_them() {
    let folder = Temporary::new("overwrite");
    let open = |count, overwrite| -> Vec<Box<dyn Writer>> {
        let mut sink = bind(&folder.0, &numbers(), "", overwrite);
        sink.check().unwrap();
        (0..count).map(|index| sink.open(Shard { index, count }).unwrap()).collect()
    };
    let write = |writers: Vec<Box<dyn Writer>>, from: i64| {
        for (index, mut writer) in writers.into_iter().enumerate() {
            writer.write(&some(from + index as i64..from + index as i64 + 1)).unwrap();
            writer.epoch(1).unwrap();
            writer.finish().unwrap();
        }
    };
    write(open(4, false), 0);
    assert_eq!(read_numbers(&folder), [0, 1, 2, 3]);
    write(open(3, true), 10);
    assert_eq!(read_numbers(&folder), [10, 11, 12]);
    assert_eq!(folder.names().len(), 3);
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let folder = Temporary::new("fence");
    let mut writer = bind(&folder.0, &numbers(), "", false).open(ONLY).unwrap();
    writer.write(&some(0..1)).unwrap();
    let name = folder.0.join("part-0000000000-0-00000-0.snappy.parquet");
    std::fs::write(&name, "another job's").unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), Kind::Config);
    assert_eq!(std::fs::read_to_string(&name).unwrap(), "another job's");
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let folder = Temporary::new("misfit");
    let view = view(vec![column("rate", Type::Decimal)], None);
    let mut writer = bind(&folder.0, &view, "", false).open(ONLY).unwrap();
    let given = [DECIMAL_MAX, DECIMAL_MAX + 1, -DECIMAL_MAX - 1, i128::MIN, -DECIMAL_MAX];
    let given = given.map(|hundredths| vec![Cell::Decimal(hundredths)]);
    let refused = writer.write(&rows(given.into())).unwrap();
    let refused: Vec<_> = refused.iter().map(|r| (r.row, r.reject.reason)).collect();
    assert_eq!(refused, [1, 2, 3].map(|row| (row, Reason::RejectedBySink)));
    writer.finish().unwrap();
    assert_eq!(read(&folder).len(), 2);

    let mut upsert = some(0..1);
    upsert.marks[0].change = Change::Upsert;
    let mut writer = bind(&folder.0.join("b"), &numbers(), "", false).open(ONLY).unwrap();
    assert_eq!(writer.write(&upsert).unwrap_err().kind(), Kind::Config);
}

#[test]
fn options_are_read_strictly() {
    let check = |text: &str, expect: &str| {
        let options: Options = toml::from_str(text).unwrap();
        let error = open(options, &all_types(Some("flag")), &Common::default()).err().unwrap();
        assert_eq!(error.message(), expect);
    };
    check("path = \"hdfs://host/views\"", "a parquet view cannot be kept by `hdfs`");
    #[cfg(not(feature = "s3"))]
    check("path = \"s3a://bucket/views\"", "this build cannot reach S3");
    check("path = \"a\"\nroll_bytes = \"0B\"", "`roll_bytes` of a parquet sink is nothing");
    check("path = \"a\"", "two columns are called `flag`");
    for wrong in ["", "path = \"a\"\ncompression = \"lz4\"", "path = \"a\"\nrows = 3"] {
        assert!(toml::from_str::<Options>(wrong).is_err(), "{wrong}");
    }
}

/// A store in memory that fails as often as it is told.
#[derive(Clone, Default)]
struct Failing(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    files: BTreeMap<String, Bytes>,
    failures: usize,
    failed: usize,
}

impl Failing {
    fn maybe(&self) -> Result<std::sync::MutexGuard<'_, Kept>> {
        let mut kept = self.0.lock().unwrap();
        if kept.failures == 0 {
            return Ok(kept);
        }
        kept.failures -= 1;
        kept.failed += 1;
        Err(Error::storage("the disk is full"))
    }
}

impl Storage for Failing {
    fn place(&self) -> String {
        "store".into()
    }

    fn list(&mut self) -> Result<Vec<String>> {
        Ok(self.0.lock().unwrap().files.keys().cloned().collect())
    }

    fn make(&mut self) -> Result<()> {
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.maybe()?.files.remove(name);
        Ok(())
    }

    fn stage(&mut self, name: &str, bytes: &Bytes) -> Result<()> {
        self.maybe()?.files.insert(name.into(), bytes.clone());
        Ok(())
    }

    fn publish(&mut self, staged: &str, name: &str) -> Result<Published> {
        let mut kept = self.maybe()?;
        let bytes = kept.files.remove(staged).expect("a file that was staged");
        kept.files.insert(name.into(), bytes);
        Ok(Published::Done)
    }
}

/// Files of numbers that are not packed.
fn format() -> Format {
    Format {
        schema: schema::schema(&numbers(), Timestamps::Micros).unwrap(),
        kinds: vec![Type::I64],
        stamped: false,
        timestamps: Timestamps::Micros,
        compression: Compression::None,
    }
}

#[test]
fn a_full_disk_loses_nothing_and_writes_nothing_twice() {
    for failures in 0..4 {
        let store = Failing::default();
        let text = "path = \"x\"\nroll_bytes = \"1kB\"\nroll_every = \"1h\"";
        let options: Options = toml::from_str(text).unwrap();
        let mut writer = ParquetWriter::new(Box::new(store.clone()), format(), &options, ONLY);
        let mut expected_failures = 0;
        for epoch in 0..5 {
            store.0.lock().unwrap().failures = failures;
            expected_failures += failures;
            let given = some(epoch * 300..(epoch + 1) * 300);
            for half in [0..150, 150..300] {
                let part = rows(half.map(|row| vec![given.cells[row].clone()]).collect());
                while let Err(error) = writer.write(&part) {
                    assert_eq!(error.kind(), Kind::Storage);
                }
            }
            while let Err(error) = writer.epoch(epoch as u64) {
                assert_eq!(error.kind(), Kind::Storage);
            }
        }
        writer.finish().unwrap();
        let kept = store.0.lock().unwrap();
        assert_eq!(kept.failed, expected_failures);
        let mut numbers = Vec::new();
        for bytes in kept.files.values() {
            let reader = SerializedFileReader::new(bytes.clone()).unwrap();
            assert!(0 < reader.metadata().num_row_groups());
            let number = |row: Row| match row.get_column_iter().next() {
                Some((_, Field::Long(number))) => *number,
                other => panic!("no number: {other:?}"),
            };
            let rows = reader.get_row_iter(None).unwrap();
            numbers.extend(rows.map(|row| number(row.unwrap())));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1_500).collect::<Vec<_>>());
    }
}
