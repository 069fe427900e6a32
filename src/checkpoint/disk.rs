//! [`Disk`]: what a store in a folder asks of a file system, so that a test can put one in its
//! place that fails, or forgets what was not synced.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// A file system; its calls mean what those of `std::fs` mean.
///
/// # Errors
///
/// All as `std::fs`: of kind `NotFound` and `AlreadyExists` where that is what is wrong.
pub trait Disk: Send + Sync + Debug {
    /// Makes a folder and those above it, unless it is there.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes a file that is not there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names of a folder, in any order; those that are no text are left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// How long ago a file was changed.
    fn age(&self, path: &Path) -> io::Result<Duration>;

    /// Gives a file another name; what had it is replaced.
    fn rename(&self, path: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, which nothing has yet.
    fn link(&self, path: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names of a folder survive a power cut.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait DiskFile {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// Some of them may have been written.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes them survive a power cut.
    ///
    /// # Errors
    ///
    /// They may be gone though they can still be read; another call may succeed all the same.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Disk for FileSystem {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
        let names: io::Result<Vec<_>> = names.collect();
        Ok(names?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn age(&self, path: &Path) -> io::Result<Duration> {
        let changed = fs::metadata(path)?.modified()?;
        Ok(changed.elapsed().unwrap_or_default())
    }

    fn rename(&self, path: &Path, to: &Path) -> io::Result<()> {
        fs::rename(path, to)
    }

    fn link(&self, path: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(path, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
