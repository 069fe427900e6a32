//! What goes to standard error: the log, sentences, and what is left of a panic.

use std::io::Write;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::FormatTime;

use crate::error::{Error, Kind};

/// Starts logging. `LOG_LEVEL` or `HIGHWATER_LOG` decide, else the number of `-v`.
pub(super) fn start(verbose: u8) {
    let level = ["warn", "info", "debug"][usize::from(verbose.min(2))];
    let named = std::env::var("HIGHWATER_LOG").ok();
    let named = named.or_else(|| std::env::var("LOG_LEVEL").ok().map(|level| level.to_lowercase()));
    let filter = named.and_then(|level| EnvFilter::try_new(level).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(level));
    let format = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .with_timer(UtcTime)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false);
    // A second start, in tests, changes nothing.
    let _ = format.try_init();
}

struct UtcTime;

impl FormatTime for UtcTime {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        let text = crate::runtime::wall_time().to_string();
        w.write_str(&text[..19])
    }
}

/// Writes a line to standard error; a closed one is no reason to end.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether this process is one of several: then no panic may leave it half alive.
static AMONG_OTHERS: AtomicBool = AtomicBool::new(false);

/// From here on every panic that is not caught on purpose ends the process, at once: a thread that
/// is gone would keep all others waiting, in this process and in all of them.
pub(super) fn end_at_panics() {
    AMONG_OTHERS.store(true, Relaxed);
}

/// Ends a process among others with an error, before it gives up anything that others wait for.
pub(super) fn end_with(error: &Error) {
    last_words(&format!("error: {error}"), error.kind());
}

fn last_words(words: &str, kind: Kind) -> ! {
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.swap(true, Relaxed) {
        // Another thread is about to end the process, with the cause.
        loop {
            std::thread::park();
        }
    }
    say(words);
    signal_hook::low_level::exit(kind.exit_code())
}

/// Turns a panic into one line instead of a backtrace; one that will be caught and become a dead
/// letter passes in silence.
pub(super) fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        if crate::stream::is_catching() {
            return;
        }
        let text = info.payload_as_str().unwrap_or("no text");
        let words = if is_lost_peer(text) {
            let peer = peer(std::thread::current().name());
            format!("error: lost {peer}: {text}\n  hint: start the job again")
        } else {
            let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
            format!(
                "error: this is a bug of highwater: {text}{}\n  hint: please report it with the \
                 command and the job files",
                place.unwrap_or_default()
            )
        };
        if !AMONG_OTHERS.load(Relaxed) {
            return say(&words);
        }
        last_words(&words, if is_lost_peer(text) { Kind::Unreachable } else { Kind::Bug });
    }));
}

/// Whether timely panics so because another process is gone.
fn is_lost_peer(text: &str) -> bool {
    text.starts_with("timely communication error:") || text == "MergeQueue poisoned."
}

/// The process at the other end of a thread of timely.
fn peer(thread: Option<&str>) -> String {
    let name = thread.unwrap_or_default();
    let index = name.strip_prefix("timely:recv-").or_else(|| name.strip_prefix("timely:send-"));
    index.map_or("another process".into(), |index| format!("process {index}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use timely::communication::Hooks;
    use timely::communication::allocator::zero_copy::bytes_exchange::{BytesPush, MergeQueue};
    use timely::communication::allocator::zero_copy::tcp::recv_loop;

    use super::*;

    /// The text with which a thread panics.
    fn panic_of(work: impl FnOnce() + Send + 'static) -> String {
        let panic = std::thread::spawn(work).join().expect_err("a panic");
        let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a text")
    }

    #[test]
    fn a_lost_peer_is_known_by_what_timely_says() {
        let closed = panic_of(|| {
            let (here, there) = UnixStream::pair().expect("a pair of sockets");
            drop(there);
            recv_loop(here, vec![], 0, 0, 1, Hooks::default().refill, None);
        });
        assert!(closed.starts_with("timely communication error: "), "{closed}");
        assert!(is_lost_peer(&closed));

        let poisoned = panic_of(|| {
            let (mut writer, reader) = MergeQueue::new_pair(Default::default(), None, None);
            let held = std::thread::spawn(move || {
                let _reader = reader;
                panic!("on purpose");
            });
            held.join().expect_err("a panic on purpose");
            let (sender, none) = channel();
            drop(sender);
            writer.extend(none.try_iter());
        });
        assert_eq!(poisoned, "MergeQueue poisoned.");
        assert!(is_lost_peer(&poisoned));
        assert!(!is_lost_peer("index out of bounds"));
    }

    #[test]
    fn the_thread_tells_which_peer_is_lost() {
        assert_eq!(peer(Some("timely:recv-3")), "process 3");
        assert_eq!(peer(Some("timely:send-0")), "process 0");
        assert_eq!(peer(Some("timely:work-1")), "another process");
    }
}
