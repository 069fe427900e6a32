//! Which store the path of a binding means, and how S3 is reached.

use std::path::PathBuf;

use serde::Deserialize;

#[cfg(feature = "s3")]
use super::s3::Bucket;
use super::storage::{Folder, Storage};
use crate::error::{Error, Result};

/// How an S3 store is reached. Each key may stay out, or be empty: then the variables of AWS say it
/// (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and so on), as they do for other programs. Holds a
/// password, so it cannot be printed.
#[derive(Clone, Default, Deserialize)]
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

/// A folder of this machine, or a bucket and what the names in it begin with.
#[derive(Clone)]
pub(super) enum Place {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(Box<Bucket>),
}

impl Place {
    /// Reads a path; connects to nothing.
    pub(super) fn new(path: &str, s3: &S3Options) -> Result<Place> {
        match path.split_once("://") {
            None => Ok(Place::Folder(path.into())),
            Some(("file", path)) => Ok(Place::Folder(path.into())),
            Some(("s3" | "s3a", path)) => bucket(path, s3),
            Some((scheme, _)) => {
                Err(Error::config(format!("a parquet sink cannot write to `{scheme}`"))
                    .hint("name a folder of this machine, or s3://BUCKET/FOLDER"))
            }
        }
    }

    /// What a client of the store can do, for one thread.
    pub(super) fn storage(&self) -> Result<Box<dyn Storage>> {
        match self {
            Place::Folder(path) => Ok(Box::new(Folder::new(path))),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => Ok(Box::new(bucket.connect()?)),
        }
    }

    /// What no other sink may write to at the same time.
    pub(super) fn claim(&self) -> PathBuf {
        match self {
            Place::Folder(path) => path.clone(),
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => bucket.claim().into(),
        }
    }
}

#[cfg(feature = "s3")]
fn bucket(path: &str, s3: &S3Options) -> Result<Place> {
    Ok(Place::Bucket(Box::new(Bucket::new(path, s3)?)))
}

#[cfg(not(feature = "s3"))]
fn bucket(_: &str, _: &S3Options) -> Result<Place> {
    Err(Error::config("this build cannot write to S3")
        .hint("build it with the feature `s3`, or name a folder of this machine"))
}
