//! What the real Functions host was seen to do, a row each, asked of the stand-in and of any other host.
//! `HOST_URL` names one that runs the suite's app folder, `HOST_COMMAND` starts one; docs/run-with-core-tools.md says how.
//! Never asks for what was not seen: a row names its source.
#![expect(clippy::expect_used, reason = "helpers of tests fail the test")]

mod app;
#[path = "../shared/broker.rs"]
mod broker;
mod bus;
mod host;
mod http;
mod probe;
mod row;
mod rows;
mod runtime;
mod storage;
mod subject;

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use row::{Check, Row};
use subject::Subject;

fn main() {
    let arguments = Arguments::from_args();
    let stand_in = Arc::new(Subject::stand_in());
    let other = Subject::from_environment().map(Arc::new);
    let mut trials = Vec::new();
    for row in rows::all() {
        let asked = other.as_ref().filter(|other| other.can(&row.check));
        let kind = match (&row.check, asked) {
            (Check::StandIn(_), _) => "stand-in",
            (_, Some(_)) => "stand-in, and the other host",
            (Check::Http(_), None) => "http, on the stand-in only",
            (Check::Process(_), None) => "process, on the stand-in only",
        };
        trials.push(trial(row, kind, &stand_in));
        if let Some(other) = asked {
            trials.push(trial(row, "other host", other));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The exit drops nothing: what was started ends here.
    for subject in [Some(stand_in), other].into_iter().flatten() {
        subject.stop();
    }
    conclusion.exit();
}

fn trial(row: &'static Row, kind: &str, subject: &Arc<Subject>) -> Trial {
    let subject = Arc::clone(subject);
    let run = move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| subject.ask(&row.check)));
        outcome.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let said = text.unwrap_or_default();
            Failed::from(format!("{said}\nthe real host ({}): {}", row.source, row.seen))
        })
    };
    Trial::test(row.name, run).with_kind(kind)
}
