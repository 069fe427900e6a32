//! [`Fuzz`]: inputs that are made from seeds by mutation, for whatever decodes bytes of others.
//!
//! ```text
//! test ─► a process of its own, with an address space that has an end
//!           seeds, tests/fuzz/NAME/* ─► pool ─► mutate ─► call ─┬─ panics: the input is shown
//!                                         ▲                     └─ understood: joins the pool
//!                                         └─────────────────────────────┘
//! ```
//!
//! It has no eye for coverage: what was understood is what later inputs are made from. A run of
//! `make test` takes half a second a target; `HIGHWATER_FUZZ_SECONDS` gives it longer, and
//! `HIGHWATER_SEED` repeats one. An input that was ever found to be bad goes to the folder of its
//! target, and is tried first from then on.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Dice;

/// How long a target runs unless `HIGHWATER_FUZZ_SECONDS` says it.
const USUAL: Duration = Duration::from_millis(500);

/// The address space of the process, in KiB: an allocation of what a length in the input claims
/// ends it.
const ADDRESSES_KIB: u64 = 1 << 20;

/// How much of it the inputs may take, in bytes: what is read is a thousand times smaller.
const GROWTH_MAX: u64 = 64 << 20;

/// Inputs that are kept to make others from.
const POOL_MAX: usize = 2_000;

/// Tells the process that runs the inputs from the one that started it.
const CHILD: &str = "HIGHWATER_FUZZ_CHILD";

/// Numbers at which something may change, as bytes, little and big endian.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// Something that decodes bytes.
pub struct Fuzz {
    /// Folder of its inputs in `tests/fuzz`.
    pub name: &'static str,
    /// The test that runs it: `concat!(module_path!(), "::its_name")`.
    pub test: &'static str,
    /// Inputs that it understands.
    pub seeds: Vec<Vec<u8>>,
    /// Pieces of its language.
    pub words: &'static [&'static str],
    /// The longest input that it should take; one that is a byte longer or shorter is tried often.
    pub bytes_max: usize,
}

impl Fuzz {
    /// Runs inputs; `call` says whether it understood one, and asserts what has to hold.
    ///
    /// # Panics
    ///
    /// `call` did, or took more memory than its input can be worth; with the input, and the number
    /// that gives the same run again.
    pub fn run(self, call: impl Fn(&[u8]) -> bool) {
        match std::env::var_os(CHILD) {
            Some(_) => self.inputs(call),
            None => self.process(),
        }
    }

    fn process(&self) {
        let test = self.test.split_once("::").map_or(self.test, |(_, test)| test);
        let script = format!("ulimit -v {ADDRESSES_KIB}; exec \"$0\" \"$@\"");
        let mut child = Command::new("sh");
        child.arg("-c").arg(script).arg(std::env::current_exe().expect("this test has a path"));
        child.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env(CHILD, "1");
        let output = child.output().expect("a shell");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{test}: {out}{err}");
        eprint!("{err}");
    }

    fn inputs(self, call: impl Fn(&[u8]) -> bool) {
        let seconds = std::env::var("HIGHWATER_FUZZ_SECONDS").ok();
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        let span = seconds.map_or(USUAL, Duration::from_secs);
        let mut dice = Dice::new();
        let before = addresses();
        let (mut executions, mut understood) = (0u64, 0u64);
        let mut run = |input: &[u8]| {
            executions += 1;
            let known = catch_unwind(AssertUnwindSafe(|| call(input)));
            let Ok(known) = known else {
                panic!("{}: input {executions}: b\"{}\"", self.name, input.escape_ascii());
            };
            understood += u64::from(known);
            known
        };
        for seed in &self.seeds {
            assert!(run(seed), "{}: a seed is refused: {}", self.name, seed.escape_ascii());
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(self.name);
        let mut pool = self.seeds.clone();
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let input = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            run(&input);
            pool.push(input);
        }
        let fixed = pool.len();
        let until = Instant::now() + span;
        while Instant::now() < until {
            for _ in 0..100 {
                let input = self.mutated(&pool, &mut dice);
                let is_kept = run(&input) && dice.below(20) == 0;
                match (is_kept, pool.len() < POOL_MAX) {
                    (true, true) => pool.push(input),
                    (true, false) => {
                        let at = fixed + dice.below((POOL_MAX - fixed) as u64) as usize;
                        pool[at] = input;
                    }
                    (false, _) => {}
                }
            }
        }
        let grown = addresses().saturating_sub(before);
        eprintln!(
            "{}: {executions} inputs, {understood} of them understood, {} kept, {} KiB more",
            self.name,
            pool.len(),
            grown >> 10
        );
        assert!(grown <= GROWTH_MAX, "{}: {grown} bytes more address space", self.name);
    }

    /// One of the pool with a few changes.
    fn mutated(&self, pool: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
        let pick = |dice: &mut Dice| &pool[dice.below(pool.len() as u64) as usize];
        let mut bytes = pick(dice).clone();
        for _ in 0..=dice.below(4) {
            let length = bytes.len();
            let at = dice.below(length as u64 + 1) as usize;
            let end = (at + 1 + dice.below(16) as usize).min(length);
            match dice.below(10) {
                0 if at < length => bytes[at] ^= 1 << dice.below(8),
                1 if at < length => bytes[at] = dice.below(256) as u8,
                2 => bytes.insert(at, dice.below(256) as u8),
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let piece = bytes[at..end].to_vec();
                    let to = dice.below(length as u64 + 1) as usize;
                    bytes.splice(to..to, piece);
                }
                5 => {
                    let other = pick(dice);
                    let from = dice.below(other.len() as u64 + 1) as usize;
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                6 => self.edge(&mut bytes, at, dice),
                7 | 8 if !self.words.is_empty() => {
                    let word = self.words[dice.below(self.words.len() as u64) as usize];
                    let to = if dice.below(2) == 0 { at } else { end.max(at) };
                    bytes.splice(at..to, word.bytes());
                }
                9 if dice.below(50) == 0 && 0 < length => {
                    // As long as it may be, or a byte less or more.
                    let length = self.bytes_max - 1 + dice.below(3) as usize;
                    bytes = bytes.iter().copied().cycle().take(length).collect();
                }
                _ => {}
            }
        }
        bytes.truncate(self.bytes_max + 1);
        bytes
    }

    /// Writes a number at which something may change over what is there.
    fn edge(&self, bytes: &mut [u8], at: usize, dice: &mut Dice) {
        let width = [1, 2, 4, 8][dice.below(4) as usize];
        let edge = EDGES[dice.below(EDGES.len() as u64) as usize];
        let near = edge.wrapping_add(dice.below(3)).wrapping_sub(1);
        let (little, big) = (near.to_le_bytes(), near.to_be_bytes());
        let number = if dice.below(2) == 0 { &little[..width] } else { &big[8 - width..] };
        for (byte, new) in bytes.iter_mut().skip(at).zip(number) {
            *byte = *new;
        }
    }
}

/// The most address space that this process has had, in bytes.
fn addresses() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.expect("the system says it") << 10
}
