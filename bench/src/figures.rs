//! From what was seen in a window of time to the figures of one run, the same way for both systems.
//! Never drops an outlier.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};

use crate::usage::{self, Memory};

/// One command that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// When, in microseconds since 1970.
    pub(crate) done: u64,
    /// How long it took, in microseconds.
    pub(crate) took: u64,
}

/// The measured part of a run, and what was used in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    from: u64,
    to: u64,
    postgres: Duration,
    app: Option<(Duration, Memory)>,
}

/// Whose processor time is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes {
    /// The postmaster.
    pub(crate) postgres: u32,
    /// The handler; `None` while pgbench is the client.
    pub(crate) app: Option<u32>,
}

/// What one run came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor milliseconds for 1 000 commands.
    pub(crate) postgres_cpu: f64,
    /// The same of the handler, with its memory.
    pub(crate) app: Option<AppFigures>,
}

/// What the handler used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppFigures {
    /// Processor milliseconds for 1 000 commands.
    pub(crate) cpu: f64,
    /// MB at the end of the window.
    pub(crate) rss: f64,
    /// MB, the most since the handler started.
    pub(crate) peak: f64,
}

/// Lets the warm-up pass, then watches for as long as is measured.
pub(crate) async fn watch(processes: Processes, warm_up: Duration, length: Duration) -> Result<Window> {
    let used = || -> Result<(Duration, Duration)> {
        let app = processes.app.map(usage::cpu).transpose()?;
        Ok((app.unwrap_or_default(), usage::family_cpu(processes.postgres)?))
    };
    tokio::time::sleep(warm_up).await;
    let (from, before) = (now(), used()?);
    tokio::time::sleep(length).await;
    let (to, after) = (now(), used()?);
    let memory = processes.app.map(usage::memory).transpose()?;
    Ok(Window {
        from,
        to,
        postgres: after.1.saturating_sub(before.1),
        app: memory.map(|memory| (after.0.saturating_sub(before.0), memory)),
    })
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
        Ok(Self {
            per_second: count * 1e6 / micros(window.to - window.from),
            p50_ms: micros(percentile(&took, 50)) / 1e3,
            p99_ms: micros(percentile(&took, 99)) / 1e3,
            postgres_cpu: per_thousand(window.postgres),
            app: window.app.map(|(used, memory)| AppFigures {
                cpu: per_thousand(used),
                rss: micros(memory.now) / 1024.0,
                peak: micros(memory.peak) / 1024.0,
            }),
        })
    }
}

/// The value that this part of a hundred do not exceed (nearest rank).
fn percentile(sorted: &[u64], part: usize) -> u64 {
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
            postgres: Duration::from_millis(3),
            app: None,
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
        assert_eq!(figures.postgres_cpu.round(), 1000.0);
    }
}
