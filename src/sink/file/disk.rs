//! What the file sink asks of a disk; the only thing in it that can fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::exists;
use crate::error::{Error, Result};

/// A file that grows under a preliminary name until it is published.
pub(super) trait Disk: Send {
    /// What messages call it.
    fn name(&self) -> String;

    /// Writes behind the end; after an error any part of the bytes may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts it to a length and appends there.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes the bytes survive a power cut.
    fn sync(&mut self) -> io::Result<()>;

    /// Gives it its name; `AlreadyExists` if another file took that name meanwhile.
    fn publish(&mut self) -> io::Result<()>;
}

/// A file of the operating system.
pub(super) struct LocalDisk {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    overwrite: bool,
}

impl LocalDisk {
    /// Makes the preliminary file; two jobs with one target cannot both succeed.
    pub(super) fn create(target: &Path, partial: &Path, overwrite: bool) -> Result<LocalDisk> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(partial),
            _ => Error::config(format!("cannot make `{}`: {error}", partial.display())),
        };
        if let Some(folder) = folder(target) {
            std::fs::create_dir_all(folder).map_err(|error| {
                Error::config(format!("cannot make the folder `{}`: {error}", folder.display()))
            })?;
        }
        let mut options = OpenOptions::new();
        options.write(true);
        match overwrite {
            true => options.create(true).truncate(true),
            false => options.create_new(true),
        };
        let file = options.open(partial).map_err(failed)?;
        Ok(LocalDisk { file, partial: partial.into(), target: target.into(), overwrite })
    }
}

impl LocalDisk {
    /// Goes on with a file behind its first so many bytes; it has its name or the preliminary one.
    pub(super) fn resume(target: &Path, partial: &Path, length: u64) -> Result<LocalDisk> {
        let failed = |error: io::Error| {
            Error::config(format!("cannot go on with `{}`: {error}", target.display()))
        };
        if !partial.exists() && target.exists() {
            std::fs::rename(target, partial).map_err(failed)?;
        }
        // Nobody misses a file of which the checkpoint has no byte.
        let missing = length == 0;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(missing).open(partial).map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::Start(length)).map_err(failed)?;
        // A file of that name is what a stop has left, before it went on under the other one.
        let overwrite = true;
        Ok(LocalDisk { file, partial: partial.into(), target: target.into(), overwrite })
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::config(format!("cannot remove `{}`: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// The length of a file, if there is one.
pub(super) fn length(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| found.len())
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

impl Disk for LocalDisk {
    fn name(&self) -> String {
        self.target.display().to_string()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn publish(&mut self) -> io::Result<()> {
        if !self.overwrite && self.target.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(&self.partial, &self.target)?;
        // The name survives a power cut only once the folder has reached the disk as well. The
        // file is there under its name already, so a folder that cannot be synced fails nothing.
        let folder = folder(&self.target).unwrap_or(Path::new("."));
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}
