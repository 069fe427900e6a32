//! [`Place`]: where checkpoints are, as `checkpoint.path` says it: a folder, or a bucket of S3.

use std::fmt;
use std::sync::Arc;

use super::claim::Claim;
use super::manifest::Manifest;
use super::store::{Directory, Store};
use crate::error::{Error, Kind, Result};
use crate::objects::{self, S3Options};

/// The folder or bucket of the checkpoints of one job or of several.
#[derive(Clone)]
pub struct Place(objects::Place);

impl Place {
    /// Reads `checkpoint.path`; connects to nothing.
    ///
    /// # Errors
    ///
    /// Kind `Config`: no such place can be used, or the settings of S3 do not fit.
    pub fn new(path: &str, s3: &S3Options) -> Result<Place> {
        Ok(Place(objects::Place::new(path, s3, "checkpoints")?))
    }

    /// The place of one job.
    pub fn of_job(&self, job: &str) -> Place {
        Place(self.0.join(job))
    }

    /// The store there, for a job that writes to it; a folder is made.
    ///
    /// # Errors
    ///
    /// Kind `Config`: it cannot be used. Kind `Unreachable`: S3 does not answer.
    pub fn open(&self) -> Result<Arc<dyn Store>> {
        match &self.0 {
            objects::Place::Folder(path) => Ok(Arc::new(Directory::open(path)?)),
            #[cfg(feature = "s3")]
            objects::Place::Bucket(bucket) => Ok(Arc::new(super::bucket::Objects::open(bucket)?)),
        }
    }

    /// The right to go on from the checkpoints there, for the process that decides about them.
    ///
    /// # Errors
    ///
    /// Kind `Unreachable`: another process has it. Kind `Config`: the folder cannot be written.
    pub fn claim(&self) -> Result<Claim> {
        match &self.0 {
            objects::Place::Folder(path) => Claim::of_folder(path),
            #[cfg(feature = "s3")]
            objects::Place::Bucket(_) => Ok(Claim::none()),
        }
    }

    /// The store there, to read it alone.
    ///
    /// # Errors
    ///
    /// As [`Place::open`].
    pub fn existing(&self) -> Result<Arc<dyn Store>> {
        match &self.0 {
            objects::Place::Folder(path) => Ok(Arc::new(Directory::existing(path))),
            #[cfg(feature = "s3")]
            objects::Place::Bucket(bucket) => Ok(Arc::new(super::bucket::Objects::open(bucket)?)),
        }
    }

    /// Whether anything is there; changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Place::open`].
    pub fn is_used(&self) -> Result<bool> {
        match &self.0 {
            objects::Place::Folder(path) => Ok(path.is_dir()),
            #[cfg(feature = "s3")]
            objects::Place::Bucket(_) => Ok(!self.existing()?.list()?.is_empty()),
        }
    }

    /// The stores with manifests: this one, or those of the jobs in it.
    ///
    /// # Errors
    ///
    /// Kind `Config`: it cannot be read, or there is none. Kind `Unreachable`: S3 does not answer.
    pub fn stores(&self) -> Result<Vec<Arc<dyn Store>>> {
        let has_manifest =
            |names: &[String]| names.iter().any(|name| Manifest::epoch_of(name).is_some());
        let store = self.existing()?;
        let names = store.list().map_err(|error| match error.kind() {
            // A folder that is not there was named wrong.
            Kind::Storage => error.of_kind(Kind::Config),
            _ => error,
        })?;
        if has_manifest(&names) {
            return Ok(vec![store]);
        }
        let mut stores = Vec::new();
        for name in names {
            let inner = self.of_job(&name);
            if inner.may_be_folder() {
                let store = inner.existing()?;
                if has_manifest(&store.list()?) {
                    stores.push(store);
                }
            }
        }
        if stores.is_empty() {
            return Err(Error::config(format!("there are no checkpoints in `{self}`"))
                .hint("name the place that `checkpoint.path` says, or that of a job in it"));
        }
        Ok(stores)
    }

    /// A file of this machine has nothing in it; of S3 only a listing can say it.
    fn may_be_folder(&self) -> bool {
        match &self.0 {
            objects::Place::Folder(path) => path.is_dir(),
            #[cfg(feature = "s3")]
            objects::Place::Bucket(_) => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
