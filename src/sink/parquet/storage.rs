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

/// A folder of this machine.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Folder {
        Folder(path.into())
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::storage(format!("cannot {what} `{}`: {error}", self.place()))
            .hint("it is tried again; make room on the disk, or stop the job")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.0.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// By a link, as a rename would replace a file that is there.
    fn link(&self, staged: &str, name: &str) -> io::Result<Published> {
        let (staged, whole) = (self.0.join(staged), self.0.join(name));
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
        File::open(&self.0)?.sync_all()?;
        Ok(Published::Done)
    }
}

impl Storage for Folder {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn list(&mut self) -> Result<Vec<String>> {
        let failed = |error| Error::config(format!("cannot read `{}`: {error}", self.place()));
        let entries = match fs::read_dir(&self.0) {
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
        fs::create_dir_all(&self.0)
            .map_err(|error| Error::config(format!("cannot make `{}`: {error}", self.place())))
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::config(format!("cannot remove `{}`: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    fn stage(&mut self, name: &str, bytes: &Bytes) -> Result<()> {
        self.write(name, bytes).map_err(|error| self.failed("write", error))
    }

    fn publish(&mut self, staged: &str, name: &str) -> Result<Published> {
        self.link(staged, name).map_err(|error| self.failed("publish a file in", error))
    }
}

/// Whether two names are one file.
fn is_same(a: &Path, b: &Path) -> io::Result<bool> {
    let file = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    Ok(file(a)? == file(b)?)
}
