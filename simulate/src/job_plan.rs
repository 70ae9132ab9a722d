//! What operators ask for in a run, and the generations that it must leave.
//! Never what a job does: that is the product's.

use std::num::NonZeroU32;

use handler::{
    jobs::{Job, JobState, Rebuild, Reprojection, Resources, Retirement, Rollback, Verification},
    log::EventSelection,
    read::document::Generation,
};
use serde_json::{Value, json};

use crate::{documents::SimulatedContainer, fault_plan::FaultPlan, log::SimulatedLog};

/// Longer than any history: nothing is due.
const FOR_EVER: u32 = u32::MAX;

/// What jobs reach in a process.
pub(crate) type Reach = Resources<SimulatedLog, SimulatedContainer>;

pub(crate) const REBUILD: &str = <Rebuild as Job<Reach>>::KIND;
pub(crate) const RETIREMENT: &str = <Retirement as Job<Reach>>::KIND;
pub(crate) const ROLLBACK: &str = <Rollback as Job<Reach>>::KIND;
pub(crate) const REPROJECTION: &str = <Reprojection as Job<Reach>>::KIND;

/// A job that an operator asks for.
pub(crate) struct JobRequest {
    pub(crate) kind: &'static str,
    pub(crate) request: Value,
    pub(crate) state: JobState,
}

impl JobRequest {
    fn of<J: Job<Reach>>(job: &J) -> Self {
        Self {
            kind: J::KIND,
            request: json!(job),
            state: J::FIRST_STATE,
        }
    }

    /// Documents that show less than the log differ.
    pub(crate) fn last_verification() -> Self {
        Self::of(&Verification {
            grace_seconds: 0,
            ..Verification::default()
        })
    }
}

/// The jobs of a run, and the generations that they must leave.
#[derive(Default)]
pub(crate) struct JobPlan {
    pub(crate) requests: Vec<JobRequest>,
    pub(crate) live: Generation,
    pub(crate) highest: Generation,
    pub(crate) previous: Option<Generation>,
    pub(crate) rolled_back: bool,
    /// In the order of their retirements.
    pub(crate) retired: Vec<Generation>,
    /// Those into which a stranger writes a document that is of no event.
    pub(crate) forged: Vec<Generation>,
}

impl JobPlan {
    /// No job at all, or one or two rebuilds with others around them.
    pub(crate) fn random(plan: &FaultPlan) -> Self {
        let mut jobs = Self::default();
        if plan.percent(40) {
            return jobs;
        }
        jobs.around_a_rebuild(plan);
        if jobs.previous.is_none() && plan.percent(50) {
            jobs.around_a_rebuild(plan);
        }
        jobs
    }

    fn around_a_rebuild(&mut self, plan: &FaultPlan) {
        // Mostly so slow that it is killed in the midst of it.
        let rate = [Some(3), Some(10), Some(40), None][plan.pick(4)].and_then(NonZeroU32::new);
        self.requests.push(JobRequest::of(&Rebuild { rate }));
        self.highest.0 += 1;
        if plan.percent(20) {
            // Its proof finds that, and nothing is switched.
            self.forged.push(self.highest);
            self.retire(self.highest);
            return;
        }
        (self.previous, self.live) = (Some(self.live), self.highest);
        self.rolled_back = false;
        if plan.percent(20) {
            self.requests.push(JobRequest::of(&Verification {
                grace_seconds: FOR_EVER,
                ..Verification::default()
            }));
        }
        if let Some(previous) = self.previous.filter(|_| plan.percent(30)) {
            let to = Some(previous.0).filter(|_| plan.percent(50));
            self.requests.push(JobRequest::of(&Rollback { to }));
            (self.previous, self.live) = (Some(self.live), previous);
            self.rolled_back = true;
        }
        if plan.percent(30) {
            let events = EventSelection {
                all: true,
                ..EventSelection::default()
            };
            let rate = NonZeroU32::MIN.saturating_add(9);
            self.requests.push(JobRequest::of(&Reprojection { events, rate }));
        }
        if let Some(previous) = self.previous.filter(|_| plan.percent(50)) {
            self.retire(previous);
            self.previous = None;
        }
    }

    fn retire(&mut self, generation: Generation) {
        // Little at a time: a container has several pages.
        let rate = NonZeroU32::MIN.saturating_add(19);
        self.requests.push(JobRequest::of(&Retirement { rate }));
        self.retired.push(generation);
    }
}
