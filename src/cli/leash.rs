//! What ties a process to the `highwater cluster` that has started it: its standard input, a socket
//! between the two.
//!
//! ```text
//! process ──► cluster   a byte a second: it runs
//! cluster ──► process   STOP and the end: stop; the end alone: the cluster is gone
//! ```
//!
//! A process whose cluster is gone stops as if asked to. If all it does is in checkpoints it ends
//! at once instead: whoever starts the cluster again has nothing to wait for, and meets no process
//! that still writes.

use std::io::{Read, Write, stdin};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::log;
use crate::error::Error;
use crate::runtime::Stop;

/// What a cluster says before it lets go.
pub(super) const STOP: u8 = b's';

/// How often a process says that it runs.
const EVERY: Duration = Duration::from_secs(1);

/// The process's end.
pub(super) struct Leash {
    is_saved: Arc<AtomicBool>,
}

impl Leash {
    /// Asks for the end of the jobs when standard input ends. It may be something else than a
    /// socket: then its end asks for theirs, and nothing is said.
    pub(super) fn hold(stop: &Stop) -> Leash {
        let line = stdin().as_fd().try_clone_to_owned().map(UnixStream::from).ok();
        let line = line.filter(|line| line.local_addr().is_ok());
        let is_saved = Arc::new(AtomicBool::new(false));
        let (stop, saved, is_socket) = (stop.clone(), is_saved.clone(), line.is_some());
        if let Some(mut line) = line {
            std::thread::spawn(move || {
                while line.write_all(b".").is_ok() {
                    std::thread::sleep(EVERY);
                }
            });
        }
        std::thread::spawn(move || {
            let is_asked = last_byte() == Some(STOP);
            if is_socket && !is_asked && saved.load(Relaxed) {
                log::end_with(
                    &Error::unreachable("the cluster that has started this process is gone")
                        .hint("start it again: it goes on from the last checkpoint"),
                );
            }
            stop.ask();
        });
        Leash { is_saved }
    }

    /// All that the jobs do is in checkpoints.
    pub(super) fn is_saved(&self) {
        self.is_saved.store(true, Relaxed);
    }
}

/// The last byte of standard input.
fn last_byte() -> Option<u8> {
    let (mut bytes, mut last) = ([0; 64], None);
    // An input that cannot be read has ended as well.
    while let Ok(length @ 1..) = stdin().lock().read(&mut bytes) {
        last = Some(bytes[length - 1]);
    }
    last
}
