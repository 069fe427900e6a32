//! The Parquet sink: the final rows of a view in a folder of files, few and large.
//!
//! ```text
//! write* ─► columns ─► row groups of a file, in memory ─► .part-….partial ─► part-….parquet
//!                      closed at `roll_bytes`, or           synced             at the end of an
//!                      `roll_every` behind its first row                       epoch, by a link
//! ```
//!
//! In a bucket of S3 nothing is stored under another name: the upload at the end of an epoch is the
//! link (`objects.rs`).
//!
//! Every worker writes files of its own, named `part-EPOCH-GENERATION-WORKER-N.CODEC.parquet` by
//! the last epoch that has rows in them. A reader sees a file whole or not at all, and each file
//! has whole epochs, or one of several parts of one. Epochs are confirmed when the files that hold
//! their rows are there, so what a crash loses is read again by the next start. That start refuses
//! a folder with files in it, unless `overwrite` says that they may go.
//!
//! In a job with checkpoints files appear once the checkpoint that holds their rows is published,
//! and each row is in one of them, once: `courier.rs`.
//!
//! Files go through the trait of `storage.rs`: to a folder of this machine, or by the feature `s3`
//! through the crate `object_store`.

mod columns;
mod courier;
#[cfg(feature = "s3")]
mod objects;
mod part;
mod read;
mod schema;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::TypePtr;
use serde::Deserialize;

use super::courier::{Courier, Route};
use super::{Accepts, Common, Guarantee, Shard, Sink, View, Writer};
use crate::checkpoint::SinkReceipt;
use crate::error::{Error, Result};
use crate::objects::{Place, S3Options};
use crate::row::Type;
use courier::ParquetCourier;
pub(crate) use read::read;
use storage::Storage;
use writer::ParquetWriter;

/// Options of the Parquet sink. They may hold a password, so they cannot be printed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The folder of the view, such as `"views/{view}"` or `"archive/topic={view}"`. It is made.
    /// `"s3://BUCKET/views/{view}"` is one in a bucket, which has to be there; `s3a` is the same.
    pub path: String,
    /// How S3 is reached.
    #[serde(default)]
    pub s3: S3Options,
    /// `"snappy"`, `"zstd"`, `"gzip"` or `"none"`.
    #[serde(default)]
    pub compression: Compression,
    /// How times are stored: `"micros"`, or `"int96"` as Spark 3 writes them by default.
    #[serde(default)]
    pub timestamps: Timestamps,
    /// A file is closed when it has about so many bytes. So many are kept in memory as well.
    #[serde(default = "roll_bytes", deserialize_with = "crate::config::size")]
    pub roll_bytes: usize,
    /// A file is closed so long after its first row: how old a row may be when it appears.
    #[serde(default = "roll_every", deserialize_with = "crate::config::duration")]
    pub roll_every: Duration,
}

const fn roll_bytes() -> usize {
    64 << 20
}

const fn roll_every() -> Duration {
    Duration::from_secs(60)
}

/// How pages are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Snappy: fast, and what Spark writes.
    #[default]
    Snappy,
    /// Zstandard: smaller.
    Zstd,
    /// GZIP.
    Gzip,
    /// Not at all.
    None,
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Compression::Snappy => Codec::SNAPPY,
            Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
            Compression::Gzip => Codec::GZIP(Default::default()),
            Compression::None => Codec::UNCOMPRESSED,
        }
    }

    /// The end of a file's name, as Spark writes it.
    fn suffix(self) -> &'static str {
        match self {
            Compression::Snappy => ".snappy.parquet",
            Compression::Zstd => ".zstd.parquet",
            Compression::Gzip => ".gz.parquet",
            Compression::None => ".parquet",
        }
    }
}

/// How times are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// TIMESTAMP(MICROS, UTC).
    #[default]
    Micros,
    /// INT96, which old readers want.
    Int96,
}

/// Binds a folder to a view.
///
/// # Errors
///
/// A place that this build has no client for, settings of S3 that do not fit, sizes of nothing, two
/// columns of one name.
pub fn open(options: Options, view: &View, common: &Common) -> Result<Box<dyn Sink>> {
    let place = Place::new(&options.path, &options.s3, "a parquet view")?;
    if options.roll_bytes == 0 {
        return Err(Error::config("`roll_bytes` of a parquet sink is nothing")
            .hint("write a size such as \"64MiB\""));
    }
    let names: Vec<&str> = view.names().collect();
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(Error::config(format!("two columns are called `{}`", twice.1))
            .hint("give `stamp` another name"));
    }
    let format = Format {
        schema: schema::schema(view, options.timestamps)?,
        kinds: view.schema.columns.iter().map(|column| column.kind).collect(),
        stamped: view.stamp.is_some(),
        timestamps: options.timestamps,
        compression: options.compression,
    };
    let overwrite = common.overwrite;
    let (checked, past) = (None, Past::NoCheckpoints);
    Ok(Box::new(ParquetSink { place, options, format, overwrite, checked, past }))
}

/// How the rows of a view become a file.
#[derive(Clone)]
struct Format {
    schema: TypePtr,
    kinds: Vec<Type>,
    stamped: bool,
    timestamps: Timestamps,
    compression: Compression,
}

impl Format {
    fn properties(&self) -> WriterProperties {
        WriterProperties::builder()
            .set_created_by(concat!("highwater version ", env!("CARGO_PKG_VERSION")).into())
            .set_compression(self.compression.codec())
            .build()
    }
}

struct ParquetSink {
    place: Place,
    options: Options,
    format: Format,
    overwrite: bool,
    /// The client of the last check, for the first writer: making one may take a while.
    checked: Option<Box<dyn Storage>>,
    past: Past,
}

/// What the sink knows of the checkpoints of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    NoCheckpoints,
    /// This is the first attempt: what is in the folder is not of this job.
    Begins,
    /// There were others: what they have left is told by its name.
    GoesOn,
}

impl ParquetSink {
    fn storage(&mut self) -> Result<Box<dyn Storage>> {
        self.checked.take().map_or_else(|| storage::of(&self.place), Ok)
    }
}

impl Sink for ParquetSink {
    fn accepts(&self) -> Accepts {
        Accepts::Final
    }

    fn guarantee(&self) -> Guarantee {
        match self.past {
            Past::NoCheckpoints => Guarantee::AtLeastOnce,
            Past::Begins | Past::GoesOn => Guarantee::ExactlyOnce,
        }
    }

    fn resume(&mut self, receipts: Option<&[SinkReceipt]>) -> Result<()> {
        self.past = if receipts.is_some() { Past::GoesOn } else { Past::Begins };
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let mut storage = self.storage()?;
        let (path, names) = (storage.place(), storage.list()?);
        self.checked = Some(storage);
        if names.iter().any(|name| name == "_spark_metadata") {
            let why = format!("`{path}` has a folder `_spark_metadata`");
            return Err(Error::config(why).hint(
                "Spark reads only the files that it lists, so it would see none of these: remove \
                 it, or write to another folder",
            ));
        }
        match names.iter().find(|name| part::is_part(name)) {
            Some(name) if !self.overwrite && self.past != Past::GoesOn => {
                let why = format!("`{path}` holds files already, such as `{name}`");
                Err(Error::config(why)
                    .hint("move them away, or set `overwrite = true` in the binding of the sink"))
            }
            _ => Ok(()),
        }
    }

    fn claim(&self) -> Option<PathBuf> {
        Some(self.place.claim())
    }

    fn courier(&mut self, route: Route) -> Result<Option<Box<dyn Courier>>> {
        if self.past == Past::NoCheckpoints {
            return Ok(None);
        }
        let (storage, format) = (self.storage()?, self.format.clone());
        let courier = ParquetCourier::new(storage, format, &self.options, self.overwrite, route);
        Ok(Some(Box::new(courier)))
    }

    /// Each writer removes what its own worker may have left, so that they do not meet.
    fn open(&mut self, shard: Shard) -> Result<Box<dyn Writer>> {
        let mut storage = self.storage()?;
        storage.make()?;
        if self.overwrite {
            for name in storage.list()? {
                if part::is_of(&name, shard) {
                    storage.remove(&name)?;
                }
            }
        }
        let format = self.format.clone();
        Ok(Box::new(ParquetWriter::new(storage, format, &self.options, shard)))
    }
}
