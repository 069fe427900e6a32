//! Where files are kept: the one border to stores, and a folder of this machine as the first.
//!
//! A file is *staged* while its last epoch is still open, out of the sight of readers, and then
//! *published* under its name, which no other file may have. Both may be called again after a
//! failure. A folder keeps staged files beside the others, and gives them their names by a link; a
//! store of objects (`objects.rs`) keeps them on this machine and uploads when they are published.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::objects::Place;

/// A folder of files, as the sink needs it.
///
/// Errors of kind `Unreachable` and `Storage` are those that the same call may not have later.
pub(super) trait Storage: Send {
    /// What messages call it.
    fn place(&self) -> String;

    /// The names of the files and folders in it; none if it is not there.
    fn list(&mut self) -> Result<Vec<String>>;

    /// Makes it, if it has to be made.
    fn make(&mut self) -> Result<()>;

    /// Removes a file, if it is there.
    fn remove(&mut self, name: &str) -> Result<()>;

    /// Keeps attempts with a smaller number from publishing what they have staged, where the store
    /// can do that; what this one stages from now on is told from theirs.
    fn fence(&mut self, _generation: u64) -> Result<()> {
        Ok(())
    }

    /// Takes the bytes of a file under a preliminary name; replaces what an earlier try has left.
    fn stage(&mut self, name: &str, bytes: &Bytes) -> Result<()>;

    /// Gives a staged file its name; once this has succeeded it survives a power cut.
    fn publish(&mut self, staged: &str, name: &str) -> Result<Published>;
}

/// How publishing a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// It has its name, by this call or an earlier one.
    Done,
    /// Another writer's file has the name, and keeps it.
    Taken,
}

/// What a client of a place can do, for one thread.
pub(super) fn of(place: &Place) -> Result<Box<dyn Storage>> {
    match place {
        Place::Folder(path) => Ok(Box::new(Folder::new(path))),
        #[cfg(feature = "s3")]
        Place::Bucket(bucket) => Ok(Box::new(super::objects::Objects::new(bucket.connect()?))),
    }
}

/// How the folders begin in which attempts to run a job stage their files.
const STAGING: &str = ".staging-";

/// A folder of this machine.
pub(super) struct Folder {
    path: PathBuf,
    /// Where files are staged; a later attempt removes it.
    staging: PathBuf,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Folder {
        Folder { path: path.into(), staging: path.into() }
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::storage(format!("cannot {what} `{}`: {error}", self.place()))
            .hint("it is tried again; make room on the disk, or stop the job")
    }

    fn fenced(&self) -> Error {
        Error::fenced("a later attempt of the job writes to this folder").within(self.place())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.staging.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// By a link, as a rename would replace a file that is there.
    fn link(&self, staged: &str, name: &str) -> io::Result<Published> {
        let (staged, whole) = (self.staging.join(staged), self.path.join(name));
        match fs::hard_link(&staged, &whole) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // An earlier try may have come as far as this.
                if !is_same(&staged, &whole)? {
                    return Ok(Published::Taken);
                }
            }
            // Or further.
            Err(error) if error.kind() == io::ErrorKind::NotFound && whole.exists() => {}
            // Not every file system has links.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if whole.exists() {
                    return Ok(Published::Taken);
                }
                fs::rename(&staged, &whole)?;
            }
            Err(error) => return Err(error),
        }
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        File::open(&self.path)?.sync_all()?;
        Ok(Published::Done)
    }
}

impl Storage for Folder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn list(&mut self) -> Result<Vec<String>> {
        let failed = |error| Error::config(format!("cannot read `{}`: {error}", self.place()));
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// With the folders above it.
    fn make(&mut self) -> Result<()> {
        fs::create_dir_all(&self.path)
            .map_err(|error| Error::config(format!("cannot make `{}`: {error}", self.place())))
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::config(format!("cannot remove `{}`: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Without their folder older attempts can neither stage a file nor link one that they have
    /// staged.
    fn fence(&mut self, generation: u64) -> Result<()> {
        for name in self.list()? {
            let other = name.strip_prefix(STAGING).and_then(|number| number.parse::<u64>().ok());
            if other.is_some_and(|other| generation < other) {
                return Err(self.fenced());
            }
            if other.is_some_and(|other| other < generation) {
                let removed = fs::remove_dir_all(self.path.join(&name));
                match removed {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(self.failed("remove an old folder in", error));
                    }
                    _ => {}
                }
            }
        }
        self.staging = self.path.join(format!("{STAGING}{generation}"));
        fs::create_dir_all(&self.staging).map_err(|error| self.failed("make a folder in", error))
    }

    fn stage(&mut self, name: &str, bytes: &Bytes) -> Result<()> {
        if self.staging != self.path && !self.staging.exists() {
            return Err(self.fenced());
        }
        self.write(name, bytes).map_err(|error| self.failed("write", error))
    }

    fn publish(&mut self, staged: &str, name: &str) -> Result<Published> {
        let linked = self.link(staged, name);
        let is_fenced =
            |error: &io::Error| error.kind() == io::ErrorKind::NotFound && !self.staging.exists();
        linked.map_err(|error| match is_fenced(&error) {
            true => self.fenced(),
            false => self.failed("publish a file in", error),
        })
    }
}

/// Whether two names are one file.
fn is_same(a: &Path, b: &Path) -> io::Result<bool> {
    let file = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    Ok(file(a)? == file(b)?)
}
