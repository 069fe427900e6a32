//! A host file for processes that are all on this machine.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A host file of ports that are free now; removed with this value.
pub(super) struct HostFile(PathBuf);

impl HostFile {
    /// Of so many processes.
    ///
    /// # Errors
    ///
    /// There are no ports, or the file cannot be written.
    pub(super) fn new(processes: usize) -> Result<HostFile> {
        let failed = |error| {
            Error::storage(format!("the host file of the processes cannot be made: {error}"))
        };
        // All are held until the last one is known, so that no two are the same.
        let listeners: Vec<TcpListener> = (0..processes)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let path = std::env::temp_dir().join(format!("highwater-{}.hosts", std::process::id()));
        // A file of an earlier process with this pid; what is none of ours cannot be removed, and
        // is not written to either.
        let _ = fs::remove_file(&path);
        let mut file = File::create_new(&path).map_err(failed)?;
        let hosts = HostFile(path);
        for listener in &listeners {
            let address = listener.local_addr().map_err(failed)?;
            writeln!(file, "{address}").map_err(failed)?;
        }
        Ok(hosts)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for HostFile {
    fn drop(&mut self) {
        // The next process with this pid removes it else.
        let _ = fs::remove_file(&self.0);
    }
}
