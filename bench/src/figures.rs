//! From what was seen in a window of time to the figures of one run, the same way for both systems.
//! Never drops an outlier.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};

use crate::usage::{self, Memory};

/// One request that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The end, in microseconds since 1970.
    pub(crate) done: u64,
    /// The duration, in microseconds.
    pub(crate) took: u64,
}

/// The measured part of a run, and what was used in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    from: u64,
    to: u64,
    store: Duration,
    app: Option<Used>,
    host: Option<Used>,
}

/// What a server has used of the machine in a window.
type Used = (Duration, Memory);

/// The processes whose processor time is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes {
    /// The database: the postmaster, or the Cosmos DB emulator.
    pub(crate) store: u32,
    /// The server that is measured; `None` while pgbench is the client.
    pub(crate) app: Option<u32>,
    /// The Functions host in front of it, where there is one.
    pub(crate) host: Option<u32>,
}

/// The figures of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor milliseconds of the database for 1 000 requests.
    pub(crate) store_cpu: f64,
    /// The same of the server that is measured, with its memory.
    pub(crate) app: Option<ServerFigures>,
    /// The same of the Functions host in front of it.
    pub(crate) host: Option<ServerFigures>,
}

/// A server's use of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerFigures {
    /// Processor milliseconds for 1 000 requests.
    pub(crate) cpu: f64,
    /// MB at the end of the window.
    pub(crate) rss: f64,
    /// MB, the most since the server started.
    pub(crate) peak: f64,
}

/// A window that is open.
#[derive(Debug)]
pub(crate) struct Meter {
    processes: Processes,
    from: u64,
    /// Processor time that each has used so far.
    store: Duration,
    app: Option<Duration>,
    host: Option<Duration>,
}

impl Meter {
    pub(crate) fn start(processes: Processes) -> Result<Self> {
        Ok(Self {
            processes,
            from: now(),
            store: usage::family_cpu(processes.store)?,
            app: processes.app.map(usage::cpu).transpose()?,
            host: processes.host.map(usage::cpu).transpose()?,
        })
    }

    pub(crate) fn stop(self) -> Result<Window> {
        Ok(Window {
            from: self.from,
            to: now(),
            store: usage::family_cpu(self.processes.store)?.saturating_sub(self.store),
            app: used(self.processes.app, self.app)?,
            host: used(self.processes.host, self.host)?,
        })
    }
}

fn used(server: Option<u32>, before: Option<Duration>) -> Result<Option<Used>> {
    let used = |(pid, before)| Ok((usage::cpu(pid)?.saturating_sub(before), usage::memory(pid)?));
    server.zip(before).map(used).transpose()
}

/// Lets the warm-up pass, then watches for as long as is measured.
pub(crate) async fn watch(processes: Processes, warm_up: Duration, length: Duration) -> Result<Window> {
    tokio::time::sleep(warm_up).await;
    let meter = Meter::start(processes)?;
    tokio::time::sleep(length).await;
    meter.stop()
}

/// Microseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Figures {
    /// Figures of the samples whose answers came within the window.
    pub(crate) fn of(samples: &[Sample], window: &Window) -> Result<Self> {
        let inside = samples
            .iter()
            .filter(|sample| (window.from..window.to).contains(&sample.done));
        let mut took: Vec<u64> = inside.map(|sample| sample.took).collect();
        ensure!(!took.is_empty(), "nothing was answered while it was measured");
        took.sort_unstable();
        let count = float(took.len());
        let per_thousand = |used: Duration| used.as_secs_f64() * 1e6 / count;
        let server = |(used, memory): Used| ServerFigures {
            cpu: per_thousand(used),
            rss: micros(memory.now) / 1024.0,
            peak: micros(memory.peak) / 1024.0,
        };
        Ok(Self {
            per_second: count * 1e6 / micros(window.to - window.from),
            p50_ms: micros(percentile(&took, 50)) / 1e3,
            p99_ms: micros(percentile(&took, 99)) / 1e3,
            store_cpu: per_thousand(window.store),
            app: window.app.map(server),
            host: window.host.map(server),
        })
    }

    /// The median of each figure by itself; the peak is the highest of all.
    pub(crate) fn medians<'a>(runs: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let middle = |figure: fn(&Self) -> f64| median(runs.clone().map(figure));
        Self {
            per_second: middle(|f| f.per_second),
            p50_ms: middle(|f| f.p50_ms),
            p99_ms: middle(|f| f.p99_ms),
            store_cpu: middle(|f| f.store_cpu),
            app: ServerFigures::medians(runs.clone().filter_map(|run| run.app)),
            host: ServerFigures::medians(runs.filter_map(|run| run.host)),
        }
    }
}

impl ServerFigures {
    fn medians(runs: impl Iterator<Item = Self> + Clone) -> Option<Self> {
        runs.clone().next()?;
        Some(Self {
            cpu: median(runs.clone().map(|run| run.cpu)),
            rss: median(runs.clone().map(|run| run.rss)),
            peak: runs.map(|run| run.peak).fold(0.0, f64::max),
        })
    }
}

/// `median [min – max]`
pub(crate) fn spread(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::MAX, f64::min);
    let high = values.iter().copied().fold(f64::MIN, f64::max);
    format!("{:.2} [{low:.2} – {high:.2}]", median(values.iter().copied()))
}

/// The value that this part of a hundred do not exceed (nearest rank).
pub(crate) fn percentile(sorted: &[u64], part: usize) -> u64 {
    let rank = (sorted.len() * part).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// The middle one, or the mean of the two in the middle; 0 of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(value), 1) => *value,
        (Some(value), _) => f64::midpoint(*value, sorted[middle - 1]),
    }
}

/// Exact for everything that is counted here.
fn micros(number: u64) -> f64 {
    Duration::from_micros(number).as_secs_f64() * 1e6
}

fn float(number: usize) -> f64 {
    micros(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (50, 99));
        assert_eq!(percentile(&[7], 99), 7);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median([3.0, 1.0, 2.0]).to_string(), "2");
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]).to_string(), "2.5");
    }

    #[test]
    fn only_what_was_answered_within_the_window_counts() {
        let window = Window {
            from: 1_000_000,
            to: 2_000_000,
            store: Duration::from_millis(3),
            app: None,
            host: Some((Duration::from_millis(6), Memory::default())),
        };
        let at = |done| Sample { done, took: 2_000 };
        let samples = [
            at(999_999),
            at(1_000_000),
            at(1_500_000),
            at(1_999_999),
            at(2_000_000),
        ];
        let figures = Figures::of(&samples, &window).unwrap();
        assert_eq!((figures.per_second.round(), figures.p99_ms.round()), (3.0, 2.0));
        assert_eq!(figures.store_cpu.round(), 1000.0);
        assert_eq!(figures.host.unwrap().cpu.round(), 2000.0);
    }
}
