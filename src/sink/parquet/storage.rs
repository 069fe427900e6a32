//! Where files are kept: the one border to stores, of which a folder of this machine is the first.
//!
//! A file is *staged* whole under a name that readers skip, then *published* under its own; both
//! may be called again after a failure. A store of objects would stage by uploading.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A folder of files, as the sink needs it.
pub(super) trait Storage: Send {
    /// What messages call it.
    fn place(&self) -> String;

    /// The names in it; none if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn list(&self) -> Result<Vec<String>>;

    /// Writes a file that survives a power cut; replaces what an earlier try has left.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn stage(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Gives a staged file its name, which survives as well.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`: another file has it. Others are those of the store.
    fn publish(&self, staged: &str, name: &str) -> io::Result<()>;
}

/// A folder of this machine.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Folder {
        Folder(path.into())
    }

    /// Makes it, with the folders above it.
    pub(super) fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.0)
            .map_err(|error| Error::config(format!("cannot make `{}`: {error}", self.place())))
    }

    /// Removes a file of it.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::config(format!("cannot remove `{}`: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }
}

impl Storage for Folder {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn list(&self) -> Result<Vec<String>> {
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

    fn stage(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.0.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// By a link, as a rename would replace a file that is there.
    fn publish(&self, staged: &str, name: &str) -> io::Result<()> {
        let (staged, whole) = (self.0.join(staged), self.0.join(name));
        match fs::hard_link(&staged, &whole) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // An earlier try may have come as far as this.
                if !is_same(&staged, &whole)? {
                    return Err(error);
                }
            }
            // Or further.
            Err(error) if error.kind() == io::ErrorKind::NotFound && whole.exists() => {}
            // Not every file system has links.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if whole.exists() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                fs::rename(&staged, &whole)?;
            }
            Err(error) => return Err(error),
        }
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        File::open(&self.0)?.sync_all()
    }
}

/// Whether two names are one file.
fn is_same(a: &Path, b: &Path) -> io::Result<bool> {
    let file = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    Ok(file(a)? == file(b)?)
}
