//! The machine and the versions, as `host.json` keeps them.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Facts about the machine and what is measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Host {
    /// The processor's name.
    pub cpu: String,
    /// How many cores there are.
    pub cores: usize,
    /// Memory, in KiB.
    pub memory_kib: u64,
    /// Kernel.
    pub kernel: String,
    /// How the processor's frequency is governed, where that can be read.
    pub governor: String,
    /// Whether huge pages are used unasked.
    pub huge_pages: String,
    /// Compiler.
    pub rustc: String,
    /// Virtual machine of the peers and of the broker.
    pub java: String,
    /// Commit of the working tree.
    pub commit: String,
    /// Whether the tree has changes that are not committed.
    pub dirty: bool,
}

impl Host {
    /// Looks at this machine.
    pub fn look() -> Host {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let field = |text: &str, name: &str| -> String {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split(':').nth(1).unwrap_or_default().trim().to_owned()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let changes = output("git", &["status", "--porcelain", "--untracked-files=no"]);
        Host {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: memory.trim_end_matches(" kB").parse().unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease"),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            huge_pages: read("/sys/kernel/mm/transparent_hugepage/enabled"),
            rustc: output("rustc", &["--version"]).unwrap_or_default(),
            java: java_version(),
            commit: output("git", &["rev-parse", "--short=9", "HEAD"])
                .unwrap_or_else(|| "unknown".into()),
            dirty: changes.is_some_and(|changes| !changes.is_empty()),
        }
    }
}

/// The load average of the last minute.
pub fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Java says its version on the other channel.
fn java_version() -> String {
    let output = Command::new("java").arg("-version").output();
    let text = output.map(|output| output.stderr).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
