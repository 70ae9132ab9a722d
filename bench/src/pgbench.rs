//! Runs pgbench, and reads from its log when each transaction ended and how long it took.
//! Never counts pgbench's own processor time.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

use crate::{
    client::{Length, Outcome},
    figures::{self, Figures, Processes, Sample},
};

/// A line of pgbench's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Transaction {
    /// Number of the transaction among those of its client.
    number: u64,
    done: u64,
    took: u64,
}

/// Runs this script with so many clients. A client that has done `share` transactions has run out.
pub(crate) async fn run(
    program: &Path,
    settings: &BTreeMap<String, String>,
    script: &str,
    clients: u64,
    share: u64,
    processes: Processes,
    length: Length,
) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script.sql");
    fs::write(&file, script)?;
    let seconds = (length.warm_up + length.measured).as_secs_f64().ceil();
    let mut command = Command::new(program);
    command
        .args([
            "--no-vacuum",
            "--protocol=prepared",
            "--jobs=1",
            "--define=n=0",
            "--log",
        ])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={seconds}"))
        .arg(format!("--log-prefix={}", folder.path().join("log").display()))
        .arg(format!("--file={}", file.display()))
        .envs(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let process = command
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let (window, output) = tokio::join!(
        figures::watch(processes, length.warm_up, length.measured),
        process.wait_with_output()
    );
    let (window, output) = (window?, output?);
    let mut transactions = Vec::new();
    for entry in fs::read_dir(folder.path())?.flatten() {
        if entry.path() != file {
            let text = fs::read_to_string(entry.path())?;
            transactions.extend(text.lines().filter_map(parse));
        }
    }
    if !output.status.success() {
        if share > 0 && transactions.iter().any(|done| done.number + 1 >= share) {
            return Ok(Outcome::RanOut);
        }
        bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    ensure!(!transactions.is_empty(), "pgbench wrote no log");
    let samples: Vec<Sample> = transactions
        .iter()
        .map(|&Transaction { done, took, .. }| Sample { done, took })
        .collect();
    Ok(Outcome::Measured(Figures::of(&samples, &window)?, samples.len()))
}

/// `client transaction time_µs script seconds microseconds`.
fn parse(line: &str) -> Option<Transaction> {
    let mut fields = line.split(' ').map(str::parse::<u64>);
    let mut field = || fields.next()?.ok();
    let (_client, number, took, _script) = (field()?, field()?, field()?, field()?);
    Some(Transaction {
        number,
        done: field()? * 1_000_000 + field()?,
        took,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_transaction_is_put_together_from_two_fields() {
        let expected = Transaction {
            number: 199,
            done: 1_175_850_568_995_598,
            took: 2241,
        };
        assert_eq!(parse("0 199 2241 0 1175850568 995598"), Some(expected));
        assert_eq!(parse("0 199 failed 0 1175850568 995598"), None);
    }
}
