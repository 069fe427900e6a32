//! Where files are kept, by an address: a folder of this machine, or a bucket of S3.
//!
//! What the Parquet sink and the store of checkpoints share: how a bucket is named and reached, and
//! a blocking client for its objects.

#[cfg(feature = "s3")]
mod client;
#[cfg(feature = "s3")]
mod s3;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[cfg(feature = "s3")]
pub(crate) use self::client::{Client, Created, unique};
#[cfg(feature = "s3")]
pub(crate) use self::s3::Bucket;
use crate::error::{Error, Result};

/// How an S3 store is reached. Each key may stay out, or be empty: then the variables of AWS say it
/// (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and so on), as they do for other programs. Holds a
/// password, which is not printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Options {
    /// The address of a store that is not AWS, `http://host:9000`; buckets are folders of it.
    pub endpoint: String,
    /// The region; `us-east-1` if nothing says it.
    pub region: String,
    /// Who writes.
    pub access_key: String,
    /// The password.
    pub secret_key: String,
    /// File whose first line is the password.
    pub secret_key_file: Option<PathBuf>,
    /// How long one request may take, and with it the upload of a file; 1 min if nothing says it.
    #[serde(deserialize_with = "crate::config::duration")]
    pub request_timeout: Option<std::time::Duration>,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let S3Options { endpoint, region, request_timeout, .. } = self;
        let mut out = f.debug_struct("S3Options");
        out.field("endpoint", endpoint).field("region", region);
        out.field("request_timeout", request_timeout).finish_non_exhaustive()
    }
}

/// A folder of this machine, or a bucket and what the names in it begin with.
#[derive(Clone)]
pub(crate) enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of S3.
    #[cfg(feature = "s3")]
    Bucket(Box<Bucket>),
}

impl Place {
    /// Reads an address; connects to nothing. `who` uses it, in messages.
    pub(crate) fn new(address: &str, s3: &S3Options, who: &str) -> Result<Place> {
        match address.split_once("://") {
            None => Ok(Place::Folder(address.into())),
            Some(("file", path)) => Ok(Place::Folder(path.into())),
            Some(("s3" | "s3a", path)) => bucket(path, s3),
            Some((scheme, _)) => Err(Error::config(format!("{who} cannot be kept by `{scheme}`"))
                .hint("name a folder of this machine, or s3://BUCKET/FOLDER")),
        }
    }

    /// What nobody else may write to at the same time.
    #[cfg(feature = "parquet")]
    pub(crate) fn claim(&self) -> PathBuf {
        match self {
            Place::Folder(path) => path.clone(),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => bucket.claim().into(),
        }
    }

    /// A folder in it.
    pub(crate) fn join(&self, name: &str) -> Place {
        match self {
            Place::Folder(path) => Place::Folder(path.join(Path::new(name))),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => Place::Bucket(Box::new(bucket.join(name))),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) => path.display().fmt(f),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

#[cfg(feature = "s3")]
fn bucket(path: &str, s3: &S3Options) -> Result<Place> {
    Ok(Place::Bucket(Box::new(Bucket::new(path, s3)?)))
}

#[cfg(not(feature = "s3"))]
fn bucket(_: &str, _: &S3Options) -> Result<Place> {
    Err(Error::config("this build cannot reach S3")
        .hint("build it with the feature `s3`, or name a folder of this machine"))
}
