//! A host file for processes that are all on this machine.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::control::Runs;
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
        let ports = quiet_ports();
        let listeners: Vec<TcpListener> =
            (0..processes).map(|_| free_port(&ports)).collect::<Result<_, _>>().map_err(failed)?;
        // Beside the run file: when this process is killed, somebody removes it.
        let path = Runs::open()?.hosts(std::process::id());
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

/// The ports below those that this machine gives to outgoing connections: one of these may take
/// any other port before its process listens there.
fn quiet_ports() -> Range<u16> {
    const FIRST: u16 = 10_000;
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end = range.split_whitespace().next().and_then(|first| first.parse().ok());
    FIRST..end.unwrap_or(32_768).max(FIRST)
}

/// A port that is free; by chance, as others may look for one at the same time.
fn free_port(ports: &Range<u16>) -> io::Result<TcpListener> {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let mut bytes = [0; 2];
        if ports.is_empty() || getrandom::fill(&mut bytes).is_err() {
            break;
        }
        let port = ports.start + u16::from_ne_bytes(bytes) % ports.len() as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

impl Drop for HostFile {
    fn drop(&mut self) {
        // The next process with this pid removes it else.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_none_that_an_outgoing_connection_gets() {
        let hosts = HostFile::new(20).expect("a host file");
        let text = fs::read_to_string(hosts.path()).expect("a host file");
        let quiet = quiet_ports();
        let mut ports: Vec<u16> = text
            .lines()
            .map(|line| line.strip_prefix("127.0.0.1:").expect("here").parse().expect("a port"))
            .collect();
        assert!(ports.iter().all(|port| quiet.is_empty() || quiet.contains(port)), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        let path = hosts.path().to_owned();
        drop(hosts);
        assert!(!path.exists());
    }
}
