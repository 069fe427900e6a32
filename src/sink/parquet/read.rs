//! The rows of a folder of files back, file after file in the order of their names.

use std::fs::File;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};

use super::part;
use super::{Options, Timestamps};
use crate::error::{Error, Result};
use crate::objects::Place;
use crate::row::{Cell, Column, Schema, Type};
use crate::sink::cells::TakeRow;
use crate::time::Time;

/// Gives each row of the files in a folder to `take`.
pub(crate) fn read(options: &Options, schema: &Schema, take: &mut TakeRow<'_>) -> Result<()> {
    let folder = match Place::new(&options.path, &options.s3, "a parquet view")? {
        Place::Folder(folder) => folder,
        #[cfg(feature = "s3")]
        Place::Bucket(_) => {
            return Err(Error::config(format!("`{}` is in a bucket", options.path))
                .hint("copy its files to a folder of this machine, and name that in `path`"));
        }
    };
    if options.timestamps == Timestamps::Int96 {
        return Err(Error::config("times are kept as int96, which is read in milliseconds")
            .hint("bind letters with `timestamps = \"micros\"`, which is the default"));
    }
    let failed = |error| {
        Error::config(format!("cannot read `{}`: {error}", folder.display()))
            .hint("has the job written a row yet, and is the path right from here?")
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| part::is_part(name) && !name.starts_with('.'));
    names.sort();
    names.iter().try_for_each(|name| file(&folder.join(name), schema, take))
}

fn file(path: &Path, schema: &Schema, take: &mut TakeRow<'_>) -> Result<()> {
    let damaged = |why: &dyn std::fmt::Display| {
        Error::config(format!("`{}` does not hold such rows: {why}", path.display()))
    };
    let unreadable = |error: ParquetError| damaged(&error);
    let file = File::open(path).map_err(|error| damaged(&error))?;
    for row in SerializedFileReader::new(file).map_err(unreadable)? {
        let row = row.map_err(unreadable)?;
        let cells = schema.columns.iter().map(|column| cell(column, &row));
        take(cells.collect::<Result<_, _>>().map_err(|why| damaged(&why))?)?;
    }
    Ok(())
}

fn cell(column: &Column, row: &Row) -> Result<Cell, String> {
    let found = row.get_column_iter().find(|(name, _)| **name == column.name);
    let cell = match (column.kind, found.map(|(_, field)| field)) {
        (_, None | Some(Field::Null)) => Some(Cell::Null),
        (Type::Text, Some(Field::Str(text))) => Some(Cell::Text(text.as_str().into())),
        (Type::I32, Some(Field::Int(number))) => Some(Cell::I32(*number)),
        (Type::I64, Some(Field::Long(number))) => Some(Cell::I64(*number)),
        (Type::Time, Some(Field::TimestampMicros(micros))) => {
            Some(Cell::Time(Time::from_micros(*micros)))
        }
        (Type::Bytes, Some(Field::Bytes(bytes))) => Some(Cell::Bytes(bytes.data().to_vec())),
        _ => None,
    };
    cell.ok_or_else(|| format!("column `{}` is no {}", column.name, column.kind))
}
