//! Measuring: processor time, memory, and pairs of contenders in alternating order.
//!
//! Processor time is that of all threads of this process, user and system, as the kernel accounts
//! for it in steps of 10 ms; so a sample repeats its run until it is long enough to tell.

use std::fs;
use std::time::Instant;

use highwater::error::{Error, Result};

use crate::harness::stats::Spread;

/// Processor seconds below which a sample repeats its run: 2 % of it are a step of the kernel.
const SAMPLE_CPU_S: f64 = 0.5;

/// Steps of the kernel's accounting in a second, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one contender needed for one run over the input.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Processor seconds of the process.
    pub cpu_s: f64,
    /// Seconds on the wall.
    pub wall_s: f64,
}

/// Samples of two contenders, side by side.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// Per repetition: the first contender's and the second one's.
    pub samples: Vec<(Sample, Sample)>,
}

impl Pairs {
    /// How much processor time the second one needs, the first one's being 1: above 1 the first
    /// one is the cheaper.
    pub fn ratio(&self) -> Spread {
        let ratios = self.samples.iter().map(|(first, second)| second.cpu_s / first.cpu_s);
        Spread::of(ratios).expect("a comparison has a pair")
    }
}

/// Runs a contender over the input once.
pub type Contender<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Samples both in the order ABBA, so that a drift of the machine meets both alike.
///
/// # Errors
///
/// Those of the contenders.
pub fn pairs(repetitions: usize, first: Contender<'_>, second: Contender<'_>) -> Result<Pairs> {
    let runs = (runs_per_sample(first)?, runs_per_sample(second)?);
    let mut pairs = Pairs::default();
    for repetition in 0..repetitions.max(1) {
        let pair = if repetition % 2 == 0 {
            let first = sample(runs.0, first)?;
            (first, sample(runs.1, second)?)
        } else {
            let second = sample(runs.1, second)?;
            (sample(runs.0, first)?, second)
        };
        pairs.samples.push(pair);
    }
    Ok(pairs)
}

/// Warms up, and finds how many runs make a sample.
fn runs_per_sample(contender: Contender<'_>) -> Result<usize> {
    let once = sample(1, contender)?.cpu_s;
    Ok((SAMPLE_CPU_S / once.max(0.01)).ceil().max(1.0) as usize)
}

fn sample(runs: usize, contender: Contender<'_>) -> Result<Sample> {
    let (wall, cpu) = (Instant::now(), cpu_s()?);
    for _ in 0..runs {
        contender()?;
    }
    let (cpu, wall) = (cpu_s()? - cpu, wall.elapsed().as_secs_f64());
    Ok(Sample { cpu_s: cpu / runs as f64, wall_s: wall / runs as f64 })
}

/// Processor seconds of this process so far, all threads, ended ones too.
///
/// # Errors
///
/// There is no `/proc`.
pub fn cpu_s() -> Result<f64> {
    let stat = read("/proc/self/stat")?;
    // The name of the program is in brackets and may hold anything; times are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// Bytes of memory that this process holds.
///
/// # Errors
///
/// There is no `/proc`.
pub fn resident_bytes() -> Result<f64> {
    let status = read("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
    kib.map(|kib| kib * 1_024.0).ok_or_else(|| Error::bug("/proc/self/status has no VmRSS"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Error::config(format!("{path}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contenders_alternate() {
        let order = std::cell::RefCell::new(String::new());
        let mut first = || {
            order.borrow_mut().push('a');
            std::thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        };
        let mut second = || {
            order.borrow_mut().push('b');
            Ok(())
        };
        let pairs = pairs(2, &mut first, &mut second).unwrap();
        assert_eq!(pairs.samples.len(), 2);
        let mut order: Vec<char> = order.into_inner().chars().collect();
        order.dedup();
        let order: String = order.into_iter().collect();
        // A warm-up of each, then A B, B A.
        assert_eq!(order, "ababa");
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let before = cpu_s().unwrap();
        let start = Instant::now();
        while start.elapsed().as_millis() < 50 {}
        assert!(before <= cpu_s().unwrap());
        assert!(1e5 < resident_bytes().unwrap());
    }
}
