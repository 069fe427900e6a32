//! A store of objects as a folder of the Parquet sink.
//!
//! ```text
//! stage ──► memory, the newest ──► a file without a name, the older ones      not in the store
//! publish ──► PUT, if no object has the name ──► there, whole
//! ```
//!
//! An object appears whole, so nothing is stored under another name first. A file is staged ahead
//! of its publication only if it is full before its epoch ends; several of those would fill the
//! memory, so all but one wait on the disk. They are lost with the process, as their epoch is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};

use bytes::Bytes;

use super::storage::{Published, Storage};
use crate::error::{Error, Result};
use crate::objects::{Client, Created, unique};

/// Objects of a bucket. Blocks the thread that owns it.
pub(super) struct Objects {
    client: Client,
    /// The file that was staged last.
    newest: Option<(String, Bytes)>,
    /// Those that were staged before and are not published yet.
    older: BTreeMap<String, File>,
}

impl Objects {
    pub(super) fn new(client: Client) -> Objects {
        Objects { client, newest: None, older: BTreeMap::new() }
    }
}

impl Storage for Objects {
    fn place(&self) -> String {
        self.client.place().to_owned()
    }

    fn list(&mut self) -> Result<Vec<String>> {
        self.client.list()
    }

    /// There are no folders, and a bucket is nothing that a sink makes.
    fn make(&mut self) -> Result<()> {
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.client.remove(name)
    }

    fn stage(&mut self, name: &str, bytes: &Bytes) -> Result<()> {
        if let Some((older, bytes)) = &self.newest {
            let file = spilled(bytes).map_err(|error| {
                let folder = std::env::temp_dir();
                Error::storage(format!("cannot write a file in `{}`: {error}", folder.display()))
                    .hint("it is tried again; make room on the disk, or stop the job")
            })?;
            self.older.insert(older.clone(), file);
        }
        self.newest = Some((name.to_owned(), bytes.clone()));
        Ok(())
    }

    fn publish(&mut self, staged: &str, name: &str) -> Result<Published> {
        let bytes = match (&self.newest, self.older.get_mut(staged)) {
            (_, Some(file)) => read(file).map_err(|error| {
                Error::storage(format!("cannot read a file that waits to be uploaded: {error}"))
            })?,
            (Some((newest, bytes)), None) if newest == staged => bytes.clone(),
            _ => return Err(Error::bug(format!("`{staged}` was never staged"))),
        };
        let published = match self.client.create(name, bytes)? {
            Created::Done => Published::Done,
            Created::Taken => Published::Taken,
        };
        if self.older.remove(staged).is_none() {
            self.newest = None;
        }
        Ok(published)
    }
}

/// Bytes in a file that no folder lists: it is gone with this value, or with the process.
fn spilled(bytes: &[u8]) -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("highwater-{}", unique()?));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn read(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
