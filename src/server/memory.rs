//! The memory of this process against its budget: while it is over, requests that need memory are turned
//! away, and messages are not read on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How old a measurement may be.
const FRESH: Duration = Duration::from_millis(20);
/// Share of the memory that this process may use, unless told otherwise: the rest keeps files in memory.
const SHARE: f64 = 0.75;

/// Anonymous memory of this process, measured now and then, and the bytes that it should stay under.
#[derive(Clone)]
pub(super) struct Memory {
    budget: u64,
    latest: Arc<Mutex<Option<(Instant, u64)>>>,
}

impl Memory {
    /// A budget of so many bytes.
    pub fn new(budget: u64) -> Self {
        Self {
            budget,
            latest: Arc::default(),
        }
    }

    /// The bytes over the budget, if any. A system that does not tell is taken to have enough.
    pub fn excess(&self) -> Option<u64> {
        self.used()
            .checked_sub(self.budget)
            .filter(|over| *over > 0)
    }

    /// The budget, in bytes.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    fn used(&self) -> u64 {
        let mut latest = self.latest.lock();
        match *latest {
            Some((at, used)) if at.elapsed() < FRESH => used,
            _ => {
                let used = anonymous().unwrap_or(0);
                *latest = Some((Instant::now(), used));
                used
            }
        }
    }
}

/// Three quarters of what this process may have: of the machine, or of its control group.
pub(super) fn default_budget() -> u64 {
    let machine = field("/proc/meminfo", "MemTotal:");
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let group = limits.iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        text.trim().parse::<u64>().ok()
    });
    let most = machine.into_iter().chain(group).min();
    most.map_or(u64::MAX, |most| (most as f64 * SHARE) as u64)
}

/// Bytes of this process that no file holds.
pub(super) fn anonymous() -> Option<u64> {
    field("/proc/self/status", "RssAnon:")
}

/// Bytes of this process in memory, mapped files included.
pub(super) fn resident() -> Option<u64> {
    field("/proc/self/status", "VmRSS:")
}

/// A field of such a file that counts KiB, in bytes.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib = line.trim().trim_end_matches("kB").trim_end();
    kib.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_measured_against_the_budget() {
        let own = anonymous().unwrap();
        assert!(own > 100 << 10, "{own}");
        assert!(default_budget() > own && default_budget() < u64::MAX);
        assert_eq!(Memory::new(u64::MAX).excess(), None);
        assert!(Memory::new(1).excess().unwrap() > 100 << 10);
    }
}
