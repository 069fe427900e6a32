//! What the machine adds to every latency: how much longer than a millisecond a sleep of a
//! millisecond takes, on the same cores at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::latency::Series;

const SLEEP: Duration = Duration::from_millis(1);

/// A thread that sleeps and looks at the clock.
pub struct Hiccups {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Series>,
}

impl Hiccups {
    /// Begins; times are counted from `start`.
    pub fn begin(start: Instant) -> Hiccups {
        let over = Arc::new(AtomicBool::new(false));
        let shared = over.clone();
        let thread = thread::spawn(move || {
            let mut series = Series::new("hiccup");
            while !shared.load(Ordering::Relaxed) {
                let before = Instant::now();
                thread::sleep(SLEEP);
                let excess = before.elapsed().saturating_sub(SLEEP);
                series.record(start.elapsed(), excess.as_micros() as i64);
            }
            series
        });
        Hiccups { over, thread }
    }

    /// Ends, and returns what was found.
    pub fn end(self) -> Series {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Series::new("hiccup"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_runs_has_hiccups_of_microseconds_at_least() {
        let hiccups = Hiccups::begin(Instant::now());
        thread::sleep(Duration::from_millis(60));
        let series = hiccups.end();
        let total = series.total();
        assert!(5 < total.len() && 1 <= total.max(), "{} {}", total.len(), total.max());
    }
}
