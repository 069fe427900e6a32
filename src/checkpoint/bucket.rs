//! [`Objects`]: a bucket of S3 as the store of a job's checkpoints.
//!
//! ```text
//! put       PUT                      nobody else writes the name; what is large goes in pieces
//! publish   PUT with If-None-Match   the first wins; a mark tells a try of ours from another's
//! rename    copy ─► delete           only to move aside what is damaged
//! ```
//!
//! An object appears whole, and is listed once it is written: S3 promises both since 2020. So there
//! is nothing temporary.

use crate::error::{Error, Kind, Result};
use crate::objects::{Bucket, Client, Created};

use super::store::Store;

/// Objects whose names begin with a prefix.
pub(super) struct Objects {
    client: Client,
}

impl Objects {
    pub(super) fn new(client: Client) -> Objects {
        Objects { client }
    }

    /// Connects, and looks whether the bucket is there and may be read.
    pub(super) fn open(bucket: &Bucket) -> Result<Objects> {
        let objects = Objects::new(bucket.connect()?);
        objects.client.list()?;
        Ok(objects)
    }

    fn failed(&self, what: &str, name: &str, error: Error) -> Error {
        // What S3 says of a hint stays; the place is in the error.
        match error.kind() {
            Kind::Unreachable => error.within(format!("cannot {what} `{name}`")),
            _ => error,
        }
    }
}

impl Store for Objects {
    fn name(&self) -> String {
        self.client.place().to_owned()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let put = self.client.replace(name, bytes.to_vec().into());
        put.map_err(|error| self.failed("write", name, error))
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let created = self.client.create(name, bytes.to_vec().into());
        let created = created.map_err(|error| self.failed("publish", name, error))?;
        Ok(created == Created::Done)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.client.get(name).map_err(|error| self.failed("read", name, error))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.client.list()
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.client.remove(name).map_err(|error| self.failed("remove", name, error))
    }

    fn rename(&self, name: &str, other: &str) -> Result<()> {
        let moved = self.client.copy(name, other).and_then(|()| self.client.remove(name));
        moved.map_err(|error| self.failed("rename", name, error))
    }
}

#[cfg(test)]
mod tests;
