//! What processes have used, out of Linux's `/proc`: processor time and memory.
//! Never an average: two readings and the time between them make one.

use std::{fs, num::NonZero, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Memory of a process that lies in RAM, in kB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Now (`VmRSS`).
    pub(crate) now: u64,
    /// Highest ever (`VmHWM`).
    pub(crate) peak: u64,
}

/// Fields of `/proc/PID/stat`, in clock ticks.
struct Stat {
    parent: u32,
    own: u64,
    /// Used by children that have ended and were waited for.
    ended: u64,
}

/// Processor time of one process so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    duration(stat(pid)?.own)
}

/// Processor time of a process, its children and those it had: the whole PostgreSQL server.
pub(crate) fn family_cpu(pid: u32) -> Result<Duration> {
    let parent = stat(pid)?;
    let mut ticks = parent.own + parent.ended;
    for entry in fs::read_dir("/proc")?.flatten() {
        let child = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A process may end while we look; then its parent has its time.
        let child = child.and_then(|child| stat(child).ok());
        ticks += child
            .filter(|child| child.parent == pid)
            .map_or(0, |child| child.own);
    }
    duration(ticks)
}

/// Memory of one process.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().nth(1));
        Ok(number
            .with_context(|| format!("no {name} in /proc/{pid}/status"))?
            .parse()?)
    };
    Ok(Memory {
        now: field("VmRSS")?,
        peak: field("VmHWM")?,
    })
}

/// The number and kind of the machine's processors.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|rest| rest.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    format!("{processors} processors ({model}).")
}

/// The machine's load averages over 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn stat(pid: u32) -> Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("needs Linux's /proc")?;
    parse(&text).with_context(|| format!("cannot read /proc/{pid}/stat"))
}

fn parse(text: &str) -> Option<Stat> {
    // The name of the program is in brackets and may hold anything, blanks and brackets too.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    // proc(5) counts from 1, and the two before these are cut off.
    let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(14)? + ticks(15)?,
        ended: ticks(16)? + ticks(17)?,
    })
}

fn duration(ticks: u64) -> Result<Duration> {
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("the kernel does not say how long its tick is")?;
    let per_second = u64::try_from(per_second)?.max(1);
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_brackets() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.own, stat.ended), (3, 30, 70));
    }

    #[test]
    fn this_process_has_used_memory() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.now > 0 && memory.peak >= memory.now);
        // In this order: it goes on working in between.
        let own = cpu(std::process::id()).unwrap();
        assert!(family_cpu(std::process::id()).unwrap() >= own);
    }
}
