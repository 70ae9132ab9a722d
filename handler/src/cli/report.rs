//! Plans and results of jobs, for a reader.
//! Never leaves out a difference that the result has.

use serde_json::Value;

use super::say::say;
use crate::{
    escape,
    inspect::difference,
    jobs::{
        Deletion, Job, JobRow, JobState, Rebuild, Resources, Resubmission, Retirement, Rollback,
        Verification,
        verification::{Difference, VerificationReport},
    },
};

/// Kinds whose results are shown each in its way.
pub(super) const REBUILD: &str = <Rebuild as Job<Resources>>::KIND;
const ROLLBACK: &str = <Rollback as Job<Resources>>::KIND;
const RETIREMENT: &str = <Retirement as Job<Resources>>::KIND;
const VERIFICATION: &str = <Verification as Job<Resources>>::KIND;

/// Exit code: no dead letter was there that was meant.
pub(super) const NOTHING_SELECTED: u8 = 3;

/// A job on a line.
pub(super) fn line(job: &JobRow) -> String {
    let progress = &job.progress;
    let far = match (progress.done, progress.of) {
        (0, 0) => String::new(),
        (done, 0) => format!(", {}: {done}", progress.doing),
        (done, of) => format!(", {}: {done} of {of}", progress.doing),
    };
    let note = job
        .note
        .as_ref()
        .map(|note| format!(" ({note})"))
        .unwrap_or_default();
    let words = format!(
        "{} {} by {}: {}{far}{note}",
        job.id,
        job.kind,
        job.requested_by,
        job.state.name()
    );
    escape::line(&words).into_owned()
}

/// The plan of a job.
pub(super) fn plan(job: &JobRow) -> String {
    let plan = job.result.clone().unwrap_or_default();
    if !plan["selected"].is_null() {
        return format!("{} dead letters", plan["selected"]);
    }
    let mut lines = vec![format!(
        "{} events, {} s at the least",
        plan["events"], plan["seconds"]
    )];
    if let Some(types) = plan["byType"].as_object() {
        lines.extend(
            types
                .iter()
                .map(|(name, count)| format!("{:>10}  {}", count.to_string(), escape::line(name))),
        );
    }
    if let (Some(earliest), Some(latest)) = (plan["earliest"].as_str(), plan["latest"].as_str()) {
        lines.push(format!(
            "positions {} to {}, {earliest} to {latest}",
            plan["firstPosition"], plan["lastPosition"]
        ));
    }
    lines.join("\n")
}

/// True when a plan has no dead letter in it.
pub(super) fn selects_nothing(job: &JobRow) -> bool {
    job.result.as_ref().is_some_and(|plan| plan["selected"] == 0)
}

/// Prints the result of a job that has ended.
///
/// # Errors
/// When it cannot be read.
pub(super) fn result(job: &JobRow, as_json: bool) -> Result<(), String> {
    let result = job.result.as_ref();
    match (result, job.kind.as_str()) {
        (Some(result), _) if as_json => say!("{result}"),
        (Some(result), VERIFICATION | REBUILD) => differences(result)?,
        (Some(result), RETIREMENT) if job.state == JobState::Completed => {
            say!("{} documents removed", result["removed"]);
        }
        (Some(result), ROLLBACK) => say!("{result}"),
        (Some(result), Resubmission::KIND) => letters(result, "resubmitted"),
        (Some(result), Deletion::KIND) => letters(result, "deleted"),
        (None, _) if as_json => say!("null"),
        _ => say!("{}", line(job)),
    }
    Ok(())
}

fn letters(result: &Value, done: &str) {
    for letter in result["keptLetters"].as_array().into_iter().flatten() {
        let text = |name: &str| letter[name].as_str().unwrap_or_default();
        let words = format!("{} kept: {}", text("messageId"), text("why"));
        say!("{}", escape::line(&words));
    }
    say!("{done} {} of {}", result["done"], result["selected"]);
    if result["missed"].as_i64().is_some_and(|missed| missed > 0) {
        eprintln!(
            "{} did not come: somebody else has locked them, or has dealt with them meanwhile",
            result["missed"]
        );
    }
}

fn differences(result: &Value) -> Result<(), String> {
    let report: VerificationReport =
        serde_json::from_value(result.clone()).map_err(|error| error.to_string())?;
    say!(
        "generation {}: {} aggregates, {} documents compared, {} different, {} behind, {} moving",
        report.generation,
        report.aggregates,
        report.documents,
        report.different,
        report.behind,
        report.moving
    );
    for Difference {
        pk,
        id,
        expected,
        found,
    } in &report.differences
    {
        say!("{}", escape::line(&format!("{pk} {id}")));
        let lines = match found {
            // Of the log itself: why it cannot be read.
            Value::String(why) => vec![why.clone()],
            found => difference(expected, found),
        };
        for line in lines {
            say!("  {}", escape::line(&line));
        }
    }
    Ok(())
}
