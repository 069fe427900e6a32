//! What goes to standard error: the log, sentences, and what is left of a panic.

use std::io::Write;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::FormatTime;

use crate::error::{Error, Kind};
use crate::runtime::cluster::lost_peer;

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
    // In one piece, as other processes may write to the same terminal.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
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

/// Turns a panic into one line instead of a backtrace, and ends the process with it, at once: a
/// thread that is gone, of a worker, sink or source, would keep all others waiting, in this process
/// and in all that it is connected with. One that will be caught and become a dead letter passes in
/// silence.
pub(super) fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        if crate::stream::is_catching() {
            return;
        }
        let text = info.payload_as_str().unwrap_or("no text");
        let lost = lost_peer(text, std::thread::current().name());
        let words = if let Some(peer) = &lost {
            format!("error: lost {peer}: {text}\n  hint: start the job again")
        } else {
            let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
            format!(
                "error: this is a bug of highwater: {text}{}\n  hint: please report it with the \
                 command and the job files",
                place.unwrap_or_default()
            )
        };
        last_words(&words, if lost.is_some() { Kind::Unreachable } else { Kind::Bug });
    }));
}
