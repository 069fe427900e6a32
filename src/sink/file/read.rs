//! The rows of a file back: CSV or JSON lines, packed or not, whole or still being written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{Format, Options, is_packed, partial};
use crate::error::{Error, Result};
use crate::row::{Cell, Schema};
use crate::sink::cells::{TakeRow, csv_cell, json_row};

/// Gives each row of a file to `take`. While its job runs, or after a crash, the file is called
/// `NAME.partial`; a row at its end that is not whole yet is left out.
pub(crate) fn read(options: &Options, schema: &Schema, take: &mut TakeRow<'_>) -> Result<()> {
    let whole = options.path.exists();
    let path = if whole { options.path.clone() } else { partial(&options.path) };
    let format = options.kind()?;
    let file = File::open(&path).map_err(|error| {
        Error::config(format!("cannot read `{}`: {error}", options.path.display()))
            .hint("has the job written a row yet, and is the path right from here?")
    })?;
    let input = BufReader::new(file);
    let input: Box<dyn Read> = match is_packed(&options.path) {
        true => Box::new(MultiGzDecoder::new(input)),
        false => Box::new(input),
    };
    let rows = Rows { path, whole, schema };
    match format {
        Format::Csv => rows.csv(input, take),
        Format::Jsonl => rows.jsonl(input, take),
    }
}

/// The rows of a file.
struct Rows<'a> {
    path: PathBuf,
    /// Whether it has its name: then its end is one.
    whole: bool,
    schema: &'a Schema,
}

impl Rows<'_> {
    fn csv(&self, input: Box<dyn Read>, take: &mut TakeRow<'_>) -> Result<()> {
        let mut reader = csv::Reader::from_reader(input);
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(_) if !self.whole => return Ok(()),
            Err(error) => return Err(self.damaged(error)),
        };
        let columns = &self.schema.columns;
        let places: Vec<Option<usize>> = columns
            .iter()
            .map(|column| header.iter().position(|name| name == column.name))
            .collect();
        let mut record = csv::StringRecord::new();
        // One behind, so that the last one may be left out.
        let mut last: Option<Vec<Cell>> = None;
        loop {
            let is_row = match reader.read_record(&mut record) {
                Ok(is_row) => is_row,
                // What cannot be read is the one that is being written.
                Err(_) if !self.whole => return last.map_or(Ok(()), take),
                Err(error) => return Err(self.damaged(error)),
            };
            if !is_row {
                break;
            }
            if let Some(cells) = last.take() {
                take(cells)?;
            }
            let cells = columns.iter().zip(&places).map(|(column, place)| {
                let field = place.and_then(|place| record.get(place)).unwrap_or_default();
                csv_cell(column, field)
            });
            match cells.collect::<Result<Vec<_>, _>>() {
                Ok(cells) => last = Some(cells),
                Err(_) if !self.whole && reader.is_done() => return Ok(()),
                Err(why) => return Err(self.damaged(why)),
            }
        }
        match last {
            Some(cells) if self.whole || ends_a_line(&self.path) => take(cells),
            _ => Ok(()),
        }
    }

    fn jsonl(&self, input: Box<dyn Read>, take: &mut TakeRow<'_>) -> Result<()> {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(_) if line.ends_with(b"\n") => {}
                Ok(_) if !self.whole => return Ok(()),
                Ok(_) => {}
                Err(_) if !self.whole => return Ok(()),
                Err(error) => return Err(self.damaged(error)),
            }
            let cells = json_row(&self.schema.columns, &line).map_err(|why| self.damaged(why))?;
            take(cells)?;
        }
    }

    fn damaged(&self, why: impl std::fmt::Display) -> Error {
        Error::config(format!("`{}` does not hold such rows: {why}", self.path.display()))
            .hint("does the binding name the file that the job has written?")
    }
}

/// Whether a file ends with a line; the members of a packed one hold whole rows.
fn ends_a_line(path: &Path) -> bool {
    let last = || -> io::Result<[u8; 1]> {
        let (mut file, mut byte) = (File::open(path)?, [0]);
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut byte)?;
        Ok(byte)
    };
    path.to_string_lossy().ends_with(".gz.partial") || last().is_ok_and(|byte| byte == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::letter::{Letter, Reason};
    use crate::row::Position;
    use crate::sink::text::{JsonNames, csv_line, csv_row};

    fn letters(count: i64) -> Vec<Vec<Cell>> {
        let letter = |offset| Letter {
            source: "chat".into(),
            position: Position { source: 0, partition: 1, offset, element: 0 },
            record_time: None,
            event_time: None,
            watermark: None,
            key: None,
            value: Some(b"{".to_vec()),
            reason: Reason::BadJson,
            detail: "two\nlines, \"quoted\"".into(),
            place: None,
        };
        (0..count).map(|offset| letter(offset).cells("chat")).collect()
    }

    fn bytes(name: &str, cells: &[Vec<Cell>]) -> Vec<u8> {
        let schema = Letter::schema();
        let names = schema.columns.iter().map(|column| column.name.as_str());
        let mut bytes = Vec::new();
        if name.contains("csv") {
            csv_line(names, &mut bytes);
            cells.iter().for_each(|cells| csv_row(cells, false, &mut bytes));
        } else {
            let names = JsonNames::new(names);
            for cells in cells {
                names.object(cells, &mut bytes);
                bytes.push(b'\n');
            }
        }
        bytes
    }

    fn read_back(dir: &Path, name: &str) -> Result<usize> {
        let options = Options { path: dir.join(name), format: None };
        let (mut rows, expected) = (Vec::new(), letters(3));
        read(&options, &Letter::schema(), &mut |cells| {
            rows.push(cells);
            Ok(())
        })?;
        assert_eq!(rows[..], expected[..rows.len()]);
        Ok(rows.len())
    }

    #[test]
    fn a_file_is_read_packed_or_not_and_up_to_its_last_whole_row() {
        let dir = std::env::temp_dir().join(format!("highwater-letters-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for name in ["a.csv", "a.jsonl", "b.csv.gz", "b.jsonl.gz"] {
            let mut whole = bytes(name, &letters(3));
            let ends: Vec<usize> = (1..=3).map(|rows| bytes(name, &letters(rows)).len()).collect();
            if name.ends_with("gz") {
                let mut packed = flate2::write::GzEncoder::new(vec![], Default::default());
                packed.write_all(&whole).unwrap();
                whole = packed.finish().unwrap();
            }
            std::fs::write(dir.join(name), &whole).unwrap();
            assert_eq!(read_back(&dir, name), Ok(3), "{name}");
            std::fs::remove_file(dir.join(name)).unwrap();
            assert!(read_back(&dir, name).is_err());
            let partial = dir.join(format!("{name}.partial"));
            for cut in 0..whole.len() {
                std::fs::write(&partial, &whole[..cut]).unwrap();
                let found = read_back(&dir, name).unwrap();
                let expected = ends.iter().filter(|end| **end <= cut).count();
                assert!(found == expected || name.ends_with("gz"), "{name}: {found} at {cut}");
            }
            std::fs::write(&partial, &whole).unwrap();
            assert_eq!(read_back(&dir, name), Ok(3), "{name}");
        }
        std::fs::write(dir.join("c.jsonl"), "{\"a\":1}\nno").unwrap();
        let error = read_back(&dir, "c.jsonl").unwrap_err();
        assert!(error.message().contains("does not hold such rows"), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
