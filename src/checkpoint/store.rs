//! [`Store`]: where the files of a job's checkpoints are, and [`Directory`], one on a file system.
//!
//! ```text
//! put       temporary name ─► sync ─► rename ─► sync the folder      nobody else writes the name
//! publish   temporary name ─► sync ─► link ─► unlink ─► sync         the first who links wins
//! ```
//!
//! A rename would replace what another process has published, so it fences nothing; a link fails
//! if the name is taken. After a sync that failed the bytes of a file may be gone though they can
//! still be read, so another try writes another temporary file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::disk::{Disk, DiskFile, FileSystem};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;

/// The files of the checkpoints of one job, by name; shared by the processes that run it.
///
/// Errors of kind `Storage` and `Unreachable` are those that the same call may not have later; one
/// of kind `Config` will not pass.
pub trait Store: Send + Sync {
    /// What messages call it.
    fn name(&self) -> String;

    /// Writes a file that nobody else writes; it survives a power cut once this returns.
    ///
    /// # Errors
    ///
    /// Kind `Storage`, or `Unreachable`; the file may be there or not.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Writes a file unless there is one of that name: then `false`, and nothing is changed.
    ///
    /// # Errors
    ///
    /// Kind `Storage`, or `Unreachable`; the file may be there or not, but never in part.
    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool>;

    /// The bytes of a file, `None` if there is none.
    ///
    /// # Errors
    ///
    /// Kind `Storage`.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// The names of all files, in order.
    ///
    /// # Errors
    ///
    /// Kind `Storage`.
    fn list(&self) -> Result<Vec<String>>;

    /// Removes a file, if it is there.
    ///
    /// # Errors
    ///
    /// Kind `Storage`.
    fn delete(&self, name: &str) -> Result<()>;

    /// Gives a file, if it is there, another name, so that its own is free; what had the other name
    /// is replaced.
    ///
    /// # Errors
    ///
    /// Kind `Storage`.
    fn rename(&self, name: &str, other: &str) -> Result<()>;
}

/// What names begin with that are not whole files yet.
const TEMPORARY: &str = "tmp-";

/// No temporary file is written for so long.
const OLD: Duration = Duration::from_secs(3_600);

/// A folder of a file system.
#[derive(Debug)]
pub struct Directory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Tells the temporary files of this process apart; those of others have another number.
    process: u32,
    attempts: AtomicU64,
}

impl Directory {
    /// Makes the folder if it is missing.
    ///
    /// # Errors
    ///
    /// Kind `Config`: it cannot be made or written.
    pub fn open(path: &Path) -> Result<Directory> {
        Directory::open_on(Arc::new(FileSystem), path)
    }

    /// As [`Directory::open`], on a disk.
    ///
    /// # Errors
    ///
    /// As [`Directory::open`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Directory> {
        let directory = Directory { disk, ..Directory::existing(path) };
        let disk = &directory.disk;
        let tried = disk.make_folder(path).and_then(|()| {
            let (temporary, _) = directory.create()?;
            disk.remove(&temporary)
        });
        directory.sweep();
        tried.map_err(|error| {
            Error::config(format!("cannot write checkpoints to `{}`: {error}", path.display()))
                .hint("set `checkpoint.path` to a folder that this user may write")
        })?;
        Ok(directory)
    }

    /// A folder that is there and only read.
    pub fn existing(path: &Path) -> Directory {
        Directory {
            disk: Arc::new(FileSystem),
            path: path.into(),
            process: std::process::id(),
            attempts: AtomicU64::new(0),
        }
    }

    /// Removes temporary files that nobody can be writing any more. What stays does no harm.
    fn sweep(&self) {
        let names = self.disk.list(&self.path).unwrap_or_default();
        for name in names.iter().filter(|name| name.starts_with(TEMPORARY)) {
            let path = self.path.join(name);
            if self.disk.age(&path).is_ok_and(|age| OLD <= age) {
                let _ = self.disk.remove(&path);
            }
        }
    }

    fn temporary(&self) -> String {
        let attempt = self.attempts.fetch_add(1, Relaxed);
        format!("{TEMPORARY}{}-{attempt}", self.process)
    }

    /// Makes a temporary file. A process that was killed may have left one of the same name: in a
    /// container, or on another machine, it had the same number.
    fn create(&self) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        loop {
            let temporary = self.path.join(self.temporary());
            match self.disk.create(&temporary) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|file| (temporary, file)),
            }
        }
    }

    /// Writes a temporary file; `finish` gives it its name.
    fn write<T>(&self, bytes: &[u8], finish: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        let (temporary, mut file) = self.create()?;
        let done = (|| {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            file.write_all(first)?;
            failpoint!(disk "ckpt.half_written");
            file.write_all(second)?;
            failpoint!(disk "ckpt.before_fsync");
            file.sync()?;
            finish(&temporary)
        })();
        if done.is_err() {
            // It is of no use any more; if it stays, a later start removes it.
            let _ = self.disk.remove(&temporary);
        }
        done
    }

    /// Makes the names of the folder survive a power cut.
    fn sync(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.path)
    }

    fn failed(&self, what: &str, name: &str, error: &io::Error) -> Error {
        Error::storage(format!("cannot {what} `{}`: {error}", self.path.join(name).display()))
    }
}

impl Store for Directory {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let done = self.write(bytes, |temporary| {
            failpoint!(disk "ckpt.before_rename");
            self.disk.rename(temporary, &self.path.join(name))?;
            failpoint!(disk "ckpt.before_dir_fsync");
            self.sync()
        });
        done.map_err(|error| self.failed("write", name, &error))
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let done = self.write(bytes, |temporary| {
            let linked = self.disk.link(temporary, &self.path.join(name));
            self.disk.remove(temporary)?;
            match linked {
                Ok(()) => self.sync().map(|()| true),
                // An earlier try of this process may have made it, and failed to sync.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.sync().map(|()| false)
                }
                Err(error) => Err(error),
            }
        });
        done.map_err(|error| self.failed("publish", name, &error))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.disk.read(&self.path.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", name, &error)),
        }
    }

    fn list(&self) -> Result<Vec<String>> {
        let names = self.disk.list(&self.path);
        let mut names = names.map_err(|error| self.failed("list", "", &error))?;
        names.retain(|name| !name.starts_with(TEMPORARY));
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<()> {
        match self.disk.remove(&self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", name, &error))
            }
            _ => Ok(()),
        }
    }

    fn rename(&self, name: &str, other: &str) -> Result<()> {
        match self.disk.rename(&self.path.join(name), &self.path.join(other)) {
            // Another process that starts with this one was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.and_then(|()| self.sync()),
        }
        .map_err(|error| self.failed("rename", name, &error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::error::Kind;
    use crate::testing::Scratch;

    fn directory() -> (Scratch, Directory) {
        let folder = Scratch::new("store");
        let directory = Directory::open(&folder.path().join("job")).unwrap();
        (folder, directory)
    }

    #[test]
    fn what_was_put_is_there_and_nothing_else() {
        let (_folder, store) = directory();
        store.put("b", b"two").unwrap();
        store.put("a", b"one").unwrap();
        assert_eq!(store.list().unwrap(), ["a", "b"]);
        assert_eq!(store.get("a").unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(store.get("c").unwrap(), None);
        store.delete("a").unwrap();
        store.delete("a").unwrap();
        assert_eq!(store.list().unwrap(), ["b"]);
        assert_eq!(fs::read_dir(&store.path).unwrap().count(), 1, "nothing temporary is left");
    }

    #[test]
    fn of_two_who_publish_one_name_the_first_wins() {
        let (_folder, store) = directory();
        let other = Directory::open(&store.path).unwrap();
        assert!(store.publish("manifest", b"first").unwrap());
        assert!(!other.publish("manifest", b"second").unwrap());
        assert_eq!(store.get("manifest").unwrap().as_deref(), Some(&b"first"[..]));
        assert_eq!(fs::read_dir(&store.path).unwrap().count(), 1, "nothing temporary is left");
        store.rename("manifest", "manifest.damaged").unwrap();
        other.rename("manifest", "manifest.damaged").unwrap();
        assert_eq!(store.list().unwrap(), ["manifest.damaged"]);
        assert!(other.publish("manifest", b"second").unwrap());
    }

    #[test]
    fn what_is_temporary_is_not_listed_and_goes_once_it_is_old() {
        let (_folder, store) = directory();
        let [old, new] = [(); 2].map(|()| store.path.join(store.temporary()));
        fs::write(&new, b"half").unwrap();
        let file = File::create_new(&old).unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * OLD).unwrap();
        assert!(store.list().unwrap().is_empty());
        Directory::open(&store.path).unwrap();
        assert_eq!((old.exists(), new.exists()), (false, true));
    }

    #[test]
    fn what_a_killed_process_of_the_same_number_has_left_is_in_nobodys_way() {
        let (_folder, store) = directory();
        for attempt in 0..4 {
            fs::write(store.path.join(format!("tmp-{}-{attempt}", store.process)), b"half")
                .unwrap();
        }
        let next = Directory::open(&store.path).unwrap();
        next.put("a", b"whole").unwrap();
        assert_eq!(next.get("a").unwrap().as_deref(), Some(&b"whole"[..]));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_matter_of_configuration() {
        let folder = Scratch::new("store");
        let path = folder.path().join("file");
        fs::write(&path, b"").unwrap();
        let error = Directory::open(&path.join("job")).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.has_hint(), "{error}");
    }
}
