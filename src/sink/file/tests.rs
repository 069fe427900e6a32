//! What stands in the file, byte by byte, and which targets are refused.

use std::io::Read;
use std::sync::{Arc, Mutex};

use super::*;
use crate::error::Kind;
use crate::row::{Column, Position, Schema, Type};
use crate::window::Window;

/// A fresh folder below the system's folder for temporary files, gone at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("highwater-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn view() -> View {
    let column = |name: &str, kind| Column { name: name.into(), kind, nullable: true };
    let columns = vec![column("word", Type::Text), column("n", Type::I64)];
    let schema = Arc::new(Schema { columns });
    View { name: "counts".into(), schema, key: vec![], stamp: None }
}

fn windowed(rows: &[(i64, &str, i64)]) -> Rows {
    let mut batch = Rows::default();
    for (end, word, n) in rows {
        let window = Window::new(Time::from_seconds(end - 60), Time::from_seconds(*end));
        let mark = Mark { change: Change::Final, origin: Origin::Window(window) };
        batch.push(mark, [Cell::Text((*word).into()), Cell::I64(*n)]);
    }
    batch
}

fn bind(path: &Path, overwrite: bool) -> Box<dyn Sink> {
    let options = Options { path: path.into(), format: None };
    open(options, &view(), &Common { overwrite, ..Common::default() }).unwrap()
}

const ONLY: Shard = Shard { index: 0, count: 1 };

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn an_epoch_is_sorted_by_window_end_and_cells_and_epochs_follow_one_another() {
    let folder = Folder::new("order");
    let path = folder.0.join("made/on/the/way/counts.csv");
    let mut writer = bind(&path, false).open(ONLY).unwrap();
    writer.write(&windowed(&[(120, "b", 1), (60, "z", 9)])).unwrap();
    writer.write(&windowed(&[(120, "a", 2), (120, "a", 1)])).unwrap();
    writer.epoch(1).unwrap();
    writer.epoch(2).unwrap();
    writer.write(&windowed(&[(60, "late", 5)])).unwrap();
    writer.epoch(3).unwrap();
    let partial = path.with_extension("csv.partial");
    assert_eq!(read(&partial), "word,n\nz,9\na,1\na,2\nb,1\nlate,5\n");
    assert!(!path.exists());
    writer.finish().unwrap();
    writer.finish().unwrap();
    assert_eq!(read(&path), "word,n\nz,9\na,1\na,2\nb,1\nlate,5\n");
    assert!(!partial.exists());
}

#[test]
fn a_packed_file_reads_as_one_text_and_so_does_what_a_crash_leaves() {
    let folder = Folder::new("packed");
    let path = folder.0.join("counts.csv.gz");
    let unpacked = |path: &Path| {
        let mut text = String::new();
        let file = std::fs::File::open(path).unwrap();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        text
    };
    let mut writer = bind(&path, false).open(ONLY).unwrap();
    writer.write(&windowed(&[(60, "a", 1)])).unwrap();
    writer.epoch(1).unwrap();
    writer.write(&windowed(&[(120, "b", 2)])).unwrap();
    assert_eq!(unpacked(&folder.0.join("counts.csv.gz.partial")), "word,n\na,1\n");
    writer.epoch(2).unwrap();
    writer.epoch(3).unwrap();
    writer.finish().unwrap();
    assert_eq!(unpacked(&path), "word,n\na,1\nb,2\n");

    let path = folder.0.join("none.jsonl.gz");
    bind(&path, false).open(ONLY).unwrap().finish().unwrap();
    assert_eq!(unpacked(&path), "");
}

#[test]
fn rows_of_records_stand_in_the_order_of_their_positions() {
    let folder = Folder::new("positions");
    let path = folder.0.join("events.jsonl");
    let mut writer = bind(&path, false).open(ONLY).unwrap();
    let mut rows = Rows::default();
    for (partition, offset) in [(1, 0), (0, 7), (0, 3)] {
        let position = Position { partition, offset, ..Position::default() };
        let mark = Mark { change: Change::Final, origin: Origin::Record(position) };
        rows.push(mark, [Cell::Null, Cell::I64(offset)]);
    }
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
    let expect = [3, 7, 0].map(|n| format!("{{\"word\":null,\"n\":{n}}}\n")).concat();
    assert_eq!(read(&path), expect);
}

#[test]
fn a_view_without_rows_leaves_a_header_in_csv_and_an_empty_file_in_json() {
    let folder = Folder::new("empty");
    for (name, expect) in [("a.csv", "word,n\n"), ("a.jsonl", "")] {
        let path = folder.0.join(name);
        bind(&path, false).open(ONLY).unwrap().finish().unwrap();
        assert_eq!(read(&path), expect);
    }
}

#[test]
fn a_stamp_is_the_last_column() {
    let folder = Folder::new("stamp");
    let path = folder.0.join("a.csv");
    let options = Options { path: path.clone(), format: Some(Format::Csv) };
    let view = View { stamp: Some("processed_at".into()), ..view() };
    let mut writer = open(options, &view, &Common::default()).unwrap().open(ONLY).unwrap();
    writer.write(&windowed(&[(60, "a", 1)])).unwrap();
    writer.finish().unwrap();
    let text = read(&path);
    assert!(text.starts_with("word,n,processed_at\na,1,20") && text.ends_with("Z\n"), "{text}");
}

#[test]
fn what_is_there_is_refused_unless_it_may_be_overwritten() {
    let folder = Folder::new("refusal");
    let path = folder.0.join("counts.csv");
    for there in ["counts.csv", "counts.csv.partial"] {
        let there = folder.0.join(there);
        std::fs::write(&there, "old").unwrap();
        let mut sink = bind(&path, false);
        for error in [sink.check().unwrap_err(), sink.open(ONLY).err().unwrap()] {
            assert_eq!(error.kind(), Kind::Config);
            assert_eq!(error.message(), format!("`{}` is there already", there.display()));
        }
        assert_eq!(read(&there), "old");
        let mut sink = bind(&path, true);
        sink.check().unwrap();
        sink.open(ONLY).unwrap().finish().unwrap();
        assert_eq!(read(&path), "word,n\n");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_target_that_appears_while_the_job_runs_is_not_replaced() {
    let folder = Folder::new("meanwhile");
    let path = folder.0.join("counts.csv");
    let mut writer = bind(&path, false).open(ONLY).unwrap();
    std::fs::write(&path, "another job's").unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), Kind::Config);
    assert_eq!(read(&path), "another job's");
}

#[test]
fn rows_that_may_change_are_refused() {
    let folder = Folder::new("updates");
    let mut sink = bind(&folder.0.join("a.csv"), false);
    assert_eq!(sink.accepts(), Accepts::Final);
    let mut rows = windowed(&[(60, "a", 1)]);
    rows.marks[0].change = Change::Upsert;
    let error = sink.open(ONLY).unwrap().write(&rows).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}

#[test]
fn a_name_has_to_say_its_format() {
    let check = |name: &str, expect: Option<Format>| {
        let options = Options { path: name.into(), format: None };
        assert_eq!(format_of(Path::new(name)), expect, "{name}");
        assert_eq!(open(options, &view(), &Common::default()).is_ok(), expect.is_some());
    };
    check("a.csv", Some(Format::Csv));
    check("a.b.jsonl", Some(Format::Jsonl));
    check("a.json", Some(Format::Jsonl));
    check("a.csv.gz", Some(Format::Csv));
    check("a.txt", None);
    check("a.gz", None);
    check("csv", None);
}

#[test]
fn options_are_read_strictly() {
    let options: Options = toml::from_str("path = \"x\"\nformat = \"csv\"").unwrap();
    assert_eq!((options.path, options.format), ("x".into(), Some(Format::Csv)));
    assert!(toml::from_str::<Options>("path = \"x\"\ncompression = 3").is_err());
    assert!(toml::from_str::<Options>("path = \"x\"\nformat = \"xml\"").is_err());
}

/// A disk with room for so many bytes, which takes what fits of a write and then fails.
#[derive(Clone)]
struct SmallDisk(Arc<Mutex<State>>);

struct State {
    bytes: Vec<u8>,
    room: usize,
    failures: usize,
    synced: bool,
    published: bool,
}

impl SmallDisk {
    fn new(room: usize) -> SmallDisk {
        let (failures, synced, published) = (0, false, false);
        SmallDisk(Arc::new(Mutex::new(State { bytes: vec![], room, failures, synced, published })))
    }
}

impl Disk for SmallDisk {
    fn name(&self) -> String {
        "small".into()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let fits = bytes.len().min(state.room - state.bytes.len());
        state.bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() {
            state.failures += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().bytes.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().synced = true;
        Ok(())
    }

    fn publish(&mut self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        assert!(state.synced, "published before it was synced");
        state.published = true;
        Ok(())
    }
}

#[test]
fn what_a_full_disk_took_of_a_write_is_not_written_twice() {
    let expect = "word,n\nfirst,1\nsecond,2\nthird,3\n";
    for room in 0..expect.len() {
        let disk = SmallDisk::new(room);
        let lines = Lines::new(Format::Csv, &view(), &Common::default());
        let mut writer = FileWriter::new(Box::new(disk.clone()), lines, false, 0);
        let retried = |step: &mut dyn FnMut() -> Result<()>| {
            while let Err(error) = step() {
                assert_eq!(error.kind(), Kind::Storage);
                disk.0.lock().unwrap().room += 1;
            }
        };
        for (epoch, word) in ["first", "second"].into_iter().enumerate() {
            let n = epoch as i64 + 1;
            writer.write(&windowed(&[(60, word, n)])).unwrap();
            retried(&mut || writer.epoch(epoch as u64));
        }
        // Rows of an epoch that was never closed are not lost at the end of input.
        writer.write(&windowed(&[(60, "third", 3)])).unwrap();
        retried(&mut || writer.finish());
        let state = disk.0.lock().unwrap();
        assert_eq!(String::from_utf8_lossy(&state.bytes), expect, "room for {room} bytes");
        assert_eq!(state.failures, expect.len() - room);
        assert!(state.published);
    }
}
