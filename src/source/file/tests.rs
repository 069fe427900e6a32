//! Lines and their offsets, files as partitions, starts, mistakes in options.

use std::io::{Read, Write};
use std::sync::Arc;

use super::*;
use crate::error::Kind;
use crate::source::BatchLimits;

/// What a poll loop saw: offset, text and, if it was cut, true length of each record.
type Seen = Vec<(i64, String, Option<u64>)>;

/// Reads everything, in batches of so many records; also the position at the end.
fn read_all(lines: &mut Lines<impl Read>, records: usize) -> (Seen, i64) {
    let limits = BatchLimits { records, ..BatchLimits::default() };
    let mut batch = Batch { limits, ..Batch::default() };
    let mut seen = Vec::new();
    loop {
        batch.clear();
        let poll = lines.fill(&mut batch).unwrap();
        assert!(batch.records.len() <= records);
        for (index, record) in batch.records.iter().enumerate() {
            let text = String::from_utf8(batch.slice(&record.value).unwrap().to_vec()).unwrap();
            let cut = batch.cut.iter().find(|(at, _)| *at == index).map(|(_, length)| *length);
            assert_eq!((&record.key, record.time, record.sent), (&None, None, None));
            seen.push((record.offset, text, cut));
        }
        if poll == Poll::Finished {
            assert!(batch.records.is_empty());
            return (seen, batch.next_offset);
        }
    }
}

/// A file that gives one byte at a time: every place where a read can end.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let take = self.0.len().min(1);
        into[..take].copy_from_slice(&self.0[..take]);
        self.0 = &self.0[take..];
        Ok(take)
    }
}

#[test]
fn lines_and_their_offsets() {
    let check = |bytes: &str, expect: &[(i64, &str, Option<u64>)]| {
        let expect: Seen = expect.iter().map(|(o, text, cut)| (*o, (*text).into(), *cut)).collect();
        for records in [1, 2, 1_000] {
            let whole = read_all(&mut Lines::new(bytes.as_bytes(), 0, 8), records);
            let bits = read_all(&mut Lines::new(Trickle(bytes.as_bytes()), 0, 8), records);
            assert_eq!(whole, (expect.clone(), bytes.len() as i64), "{bytes:?} by {records}");
            assert_eq!(bits, whole, "{bytes:?} byte by byte");
        }
    };
    check("", &[]);
    check("\n\r\n\n", &[]);
    check("a\nbc\n", &[(0, "a", None), (2, "bc", None)]);
    check("a\r\nbc\r\n", &[(0, "a", None), (3, "bc", None)]);
    check("a\nlast", &[(0, "a", None), (2, "last", None)]);
    check("\n\na\n\nb\r", &[(2, "a", None), (5, "b", None)]);
    check("\u{feff}a\n\u{feff}b\n", &[(0, "a", None), (5, "\u{feff}b", None)]);
    check("12345678\r\n9", &[(0, "12345678", None), (10, "9", None)]);
    // Nine bytes of a line above the limit of eight show that it is too large.
    check("123456789\na\n", &[(0, "123456789", Some(9)), (10, "a", None)]);
    check("1234567890\r\na", &[(0, "123456789", Some(10)), (12, "a", None)]);
    check("a\n123456789012345678", &[(0, "a", None), (2, "123456789", Some(18))]);
    check("123456789\r", &[(0, "123456789", Some(9))]);
}

#[test]
fn a_long_line_is_not_kept_in_memory() {
    let mut bytes = vec![b'x'; 5 << 20];
    bytes.extend_from_slice(b"\nnext\n");
    let mut lines = Lines::new(&bytes[..], 0, 1_000);
    let (seen, end) = read_all(&mut lines, 10);
    assert_eq!(seen[0], (0, "x".repeat(1_001), Some(5 << 20)));
    assert_eq!(seen[1], ((5 << 20) + 1, "next".into(), None));
    assert_eq!((seen.len(), end as usize), (2, bytes.len()));
    assert!(lines.buffer_bytes() <= 512 << 10, "{} bytes", lines.buffer_bytes());
    // A line below the limit is whole, however many reads it takes.
    let (seen, _) = read_all(&mut Lines::new(&bytes[..], 0, 8 << 20), 10);
    assert_eq!((seen[0].1.len(), seen[0].2), (5 << 20, None));
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let path = std::env::temp_dir().join(format!("highwater-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("inner")).unwrap();
        for (file, text) in files {
            std::fs::write(path.join(file), text).unwrap();
        }
        Folder(path)
    }

    fn open(&self, paths: &[&str]) -> Result<Box<dyn Source>> {
        let paths = paths.iter().map(|path| self.0.join(path).display().to_string()).collect();
        open(&Options { path: Paths::Many(paths) }, 1_000)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_partitions_in_the_order_of_their_names() {
    let files =
        [("b.jsonl", ""), ("a.jsonl", ""), ("c.txt", ""), (".hidden", ""), ("d.partial", "")];
    let folder = Folder::new("partitions", &files);
    let check = |paths: &[&str], expect: &[&str]| {
        let mut source = folder.open(paths).unwrap();
        let names: Vec<String> =
            (0..source.partitions().unwrap()).map(|partition| source.name(partition)).collect();
        let expect: Vec<String> =
            expect.iter().map(|name| folder.0.join(name).display().to_string()).collect();
        assert_eq!(names, expect, "{paths:?}");
    };
    check(&["b.jsonl"], &["b.jsonl"]);
    check(&["c.txt", "a.jsonl", "c.txt"], &["a.jsonl", "c.txt"]);
    check(&["*.jsonl"], &["a.jsonl", "b.jsonl"]);
    check(&["", "*.txt"], &["a.jsonl", "b.jsonl", "c.txt"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = Folder::new("missing", &[("a.jsonl", "")]);
    let check = |paths: &[&str], expect: &str| {
        let error = folder.open(paths).err().expect("it is refused");
        assert_eq!(error.kind(), Kind::Config);
        let text = error.message().replace(&folder.0.display().to_string(), "DIR");
        assert_eq!(text, expect);
    };
    check(&["b.jsonl"], "cannot read `DIR/b.jsonl`: No such file or directory (os error 2)");
    check(&["a.jsonl", "*.csv"], "no file matches `DIR/*.csv`");
    check(&["inner"], "there is no file in the folder `DIR/inner`");
    check(&[], "the list of paths is empty");
}

#[test]
fn a_partition_starts_where_it_is_told() {
    let folder = Folder::new("start", &[("a", "one\ntwo\n"), ("b", "three")]);
    let mut source = folder.open(&["a", "b"]).unwrap();
    let mut read = |partition: u32, start: Start| -> Result<Vec<i64>> {
        let mut partition = source.open(partition, &start, Arc::new(|| {}))?;
        let mut batch = Batch::default();
        let first = partition.poll(&mut batch)?;
        let offsets: Vec<i64> = batch.records.iter().map(|record| record.offset).collect();
        batch.clear();
        let expect = if offsets.is_empty() { Poll::Finished } else { Poll::Ready };
        assert_eq!((first, partition.poll(&mut batch)?), (expect, Poll::Finished));
        Ok(offsets)
    };
    assert_eq!(read(0, Start::Earliest), Ok(vec![0, 4]));
    assert_eq!(read(0, Start::Latest), Ok(vec![]));
    assert_eq!(read(0, Start::Offset(4)), Ok(vec![4]));
    assert_eq!(read(0, Start::Offset(8)), Ok(vec![]));
    assert_eq!(read(1, Start::Offset(5)), Ok(vec![]));
    assert_eq!(read(0, Start::Offsets(vec![(0, 4)])), Ok(vec![4]));
    assert_eq!(read(1, Start::Offsets(vec![(0, 4)])), Ok(vec![0]));
    for (start, why) in [
        (Start::Offset(5), "offset 5 is inside of a line"),
        (Start::Offset(9), "offset 9 is outside of its 8 bytes"),
        (Start::Offset(-1), "offset -1 is outside of its 8 bytes"),
        (Start::Time(crate::time::Time::MIN), "a file cannot be searched for a time"),
    ] {
        let error = read(0, start).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Config, why));
    }
}

#[test]
fn packed_files_are_read_as_their_text() {
    let folder = Folder::new("packed", &[]);
    let gzip = |text: &str| {
        let mut packer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    // Two members, the border of which lies inside of a line.
    let mut packed = gzip("one\ntw");
    packed.extend(gzip("o\nthree"));
    std::fs::write(folder.0.join("a.jsonl.gz"), &packed).unwrap();
    std::fs::write(folder.0.join("torn.gz"), &packed[..packed.len() - 9]).unwrap();
    let open =
        |file: &str, start: Start| folder.open(&[file]).unwrap().open(0, &start, Arc::new(|| {}));
    let read = |start: Start| -> Result<Vec<(i64, String)>> {
        let mut partition = open("a.jsonl.gz", start)?;
        let mut batch = Batch::default();
        partition.poll(&mut batch)?;
        let text = |record: &crate::source::Record| {
            String::from_utf8(batch.slice(&record.value).unwrap().to_vec()).unwrap()
        };
        Ok(batch.records.iter().map(|record| (record.offset, text(record))).collect())
    };
    let all = [(0, "one".to_owned()), (4, "two".to_owned()), (8, "three".to_owned())];
    assert_eq!(read(Start::Earliest).unwrap(), all);
    assert_eq!(read(Start::Offset(4)).unwrap(), all[1..]);
    assert_eq!(read(Start::Offset(13)).unwrap(), []);
    assert_eq!(read(Start::Latest).unwrap(), []);
    for (offset, why) in [
        (5, "offset 5 is inside of a line"),
        (14, "offset 14 is outside of its 13 bytes"),
        (-1, "offset -1 is outside of its 13 bytes"),
    ] {
        assert_eq!(read(Start::Offset(offset)).unwrap_err().message(), why);
    }
    let error = open("torn.gz", Start::Earliest).unwrap().poll(&mut Batch::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Storage);
    assert!(error.message().contains("torn.gz` any further"), "{error}");
}

#[test]
fn options_are_read_strictly() {
    let check = |text: &str, expect: Option<Paths>| {
        let options = toml::from_str::<Options>(text).ok();
        assert_eq!(options.map(|options| options.path), expect, "{text}");
    };
    check("path = \"a\"", Some(Paths::One("a".into())));
    check("path = [\"a\", \"b\"]", Some(Paths::Many(vec!["a".into(), "b".into()])));
    check("path = 3", None);
    check("", None);
    check("path = \"a\"\nfollow = true", None);
}
