//! [`SimulatedDisk`]: a folder in memory that fails, and forgets at a power cut what was not
//! synced.
//!
//! ```text
//! bytes of a file     written ─ sync ─► durable       else: up to any byte, or none
//! names of a folder   changed ─ sync_folder ─► durable      else: any of the changes, or none
//! ```
//!
//! After a sync that failed the bytes can still be read, but no later sync makes them durable.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::world::World;
use crate::checkpoint::{Disk, DiskFile};

/// A disk with one folder.
#[derive(Clone)]
pub struct SimulatedDisk {
    world: World,
    files: Arc<Mutex<Files>>,
    /// Whose calls come through this value: after the machine was switched off, none of them.
    attempt: u64,
}

/// How often a disk fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// One of so many calls fails; 0 for never.
    pub one_in: u64,
    /// So many calls at most.
    pub most: u64,
}

#[derive(Default)]
struct Files {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not durable: each is one act.
    pending: Vec<Vec<Change>>,
    faults: DiskFaults,
    failed: u64,
    attempt: u64,
    lost: u64,
}

#[derive(Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    /// So many of them survive a power cut.
    synced: usize,
    /// A sync has failed.
    is_broken: bool,
}

#[derive(Clone)]
enum Change {
    Set(PathBuf, usize),
    Remove(PathBuf),
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedDisk")
    }
}

impl SimulatedDisk {
    /// An empty one.
    pub fn new(world: &World) -> SimulatedDisk {
        SimulatedDisk { world: world.clone(), files: Arc::default(), attempt: 0 }
    }

    /// For the next attempt; what earlier ones still ask for fails.
    pub fn attach(&self, faults: DiskFaults) -> SimulatedDisk {
        let mut files = self.files();
        files.attempt += 1;
        files.faults = faults;
        let attempt = files.attempt;
        drop(files);
        SimulatedDisk { attempt, ..self.clone() }
    }

    /// How many calls have failed, and how many files or names were lost at power cuts.
    pub fn damage(&self) -> (u64, u64) {
        let files = self.files();
        (files.failed, files.lost)
    }

    /// The power is cut: what was not synced survives in part. Of names any changes may survive,
    /// of files the beginning.
    pub fn cut_power(&self) {
        let mut files = self.files();
        let pending = std::mem::take(&mut files.pending);
        for changes in pending {
            let names: Vec<_> = changes.iter().map(name).collect();
            if self.world.one_in(2) {
                files.lost += 1;
                self.world.note_always(&format!("lost: {}", names.join(", ")));
                continue;
            }
            changes.into_iter().for_each(|change| apply(&mut files.durable, change));
        }
        files.names = files.durable.clone();
        for at in 0..files.inodes.len() {
            let inode = &mut files.inodes[at];
            let open = inode.bytes.len() - inode.synced;
            if open == 0 {
                continue;
            }
            let kept = inode.synced + self.world.below(open as u64 + 1) as usize;
            inode.bytes.truncate(kept);
            inode.synced = kept;
            files.lost += 1;
        }
    }

    /// The process is gone, and the system goes on: everything that was written is there.
    pub fn survive(&self) {
        let mut files = self.files();
        files.durable = files.names.clone();
        files.pending.clear();
        files.inodes.iter_mut().for_each(|inode| inode.synced = inode.bytes.len());
    }

    /// The names that there are.
    pub fn names(&self) -> Vec<String> {
        self.files().names.keys().map(|path| text(path)).collect()
    }

    /// Turns one bit of a file around; false if it has none.
    pub fn flip(&self, file: &str) -> bool {
        let mut files = self.files();
        let found = files.names.iter().find(|(path, _)| text(path) == file).map(|(_, at)| *at);
        let Some(inode) = found.map(|at| &mut files.inodes[at]) else { return false };
        if inode.bytes.is_empty() {
            return false;
        }
        let bit = self.world.below(8 * inode.bytes.len() as u64);
        inode.bytes[bit as usize / 8] ^= 1 << (bit % 8);
        self.world.note_always(&format!("bit {bit} of {file} turns around"));
        true
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is asked of the disk, which takes a moment; fails if it is to fail, or if the
    /// machine was switched off.
    fn act(&self, what: &str, errors: &[i32]) -> io::Result<()> {
        let is_on = self.world.act(&format!("disk: {what}"));
        let mut files = self.files();
        if !is_on || files.attempt != self.attempt {
            return Err(io::Error::other("the machine is off"));
        }
        let DiskFaults { one_in, most } = files.faults;
        if one_in == 0 || most <= files.failed || !self.world.one_in(one_in) {
            return Ok(());
        }
        files.failed += 1;
        let number = errors[self.world.below(errors.len() as u64) as usize];
        self.world.note(&format!("disk: error {number}"));
        Err(io::Error::from_raw_os_error(number))
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let found = self.files().names.get(path).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&self, changes: Vec<Change>) {
        let mut files = self.files();
        changes.iter().for_each(|change| apply(&mut files.names, change.clone()));
        files.pending.push(changes);
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: Change) {
    match change {
        Change::Set(path, inode) => names.insert(path, inode),
        Change::Remove(path) => names.remove(&path),
    };
}

fn name(change: &Change) -> String {
    match change {
        Change::Set(path, _) => format!("+{}", text(path)),
        Change::Remove(path) => format!("-{}", text(path)),
    }
}

/// The name of a file, without the number of this process.
fn text(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.strip_prefix("tmp-").and_then(|rest| rest.split_once('-')) {
        Some((_, number)) => format!("tmp-{number}"),
        None => name,
    }
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

impl Disk for SimulatedDisk {
    fn make_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // The number of the process would make two traces of one seed differ. Those of attempts
        // must, as those of processes do.
        self.act(&format!("create {}", text(path)), &[ENOSPC, EIO, EROFS])?;
        if self.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut files = self.files();
        let inode = files.inodes.len();
        files.inodes.push(Inode::default());
        drop(files);
        self.change(vec![Change::Set(path.into(), inode)]);
        Ok(Box::new(Open { disk: self.clone(), inode, name: text(path) }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inode = self.find(path)?;
        self.act(&format!("read {}", text(path)), &[EIO])?;
        Ok(self.files().inodes[inode].bytes.clone())
    }

    fn list(&self, _folder: &Path) -> io::Result<Vec<String>> {
        self.act("list", &[EIO])?;
        let files = self.files();
        let names = files.names.keys().filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn age(&self, _path: &Path) -> io::Result<Duration> {
        Ok(Duration::ZERO)
    }

    fn rename(&self, path: &Path, to: &Path) -> io::Result<()> {
        self.act(&format!("rename {} to {}", text(path), text(to)), &[EIO])?;
        let inode = self.find(path)?;
        self.change(vec![Change::Remove(path.into()), Change::Set(to.into(), inode)]);
        Ok(())
    }

    fn link(&self, path: &Path, to: &Path) -> io::Result<()> {
        self.act(&format!("link {} as {}", text(path), text(to)), &[EIO, ENOSPC])?;
        let inode = self.find(path)?;
        if self.find(to).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(vec![Change::Set(to.into(), inode)]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.act(&format!("remove {}", text(path)), &[EIO])?;
        self.find(path)?;
        self.change(vec![Change::Remove(path.into())]);
        Ok(())
    }

    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        self.act("sync the folder", &[EIO])?;
        let mut files = self.files();
        files.durable = files.names.clone();
        files.pending.clear();
        Ok(())
    }
}

struct Open {
    disk: SimulatedDisk,
    inode: usize,
    name: String,
}

impl DiskFile for Open {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let done =
            self.disk.act(&format!("write {} bytes of {}", bytes.len(), self.name), &[ENOSPC, EIO]);
        // Where it fails, some of them are there.
        let count = match &done {
            Ok(()) => bytes.len(),
            Err(error) if error.raw_os_error().is_none() => return done,
            Err(_) => self.disk.world.below(bytes.len() as u64 + 1) as usize,
        };
        self.disk.files().inodes[self.inode].bytes.extend(&bytes[..count]);
        done
    }

    fn sync(&mut self) -> io::Result<()> {
        let done = self.disk.act(&format!("sync {}", self.name), &[EIO]);
        let mut files = self.disk.files();
        let inode = &mut files.inodes[self.inode];
        match &done {
            Ok(()) if !inode.is_broken => inode.synced = inode.bytes.len(),
            Ok(()) => {}
            Err(error) => inode.is_broken |= error.raw_os_error().is_some(),
        }
        done
    }
}
