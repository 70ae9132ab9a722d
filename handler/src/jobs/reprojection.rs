//! The job that brings events of the log right into the documents, without the bus.
//! Never without a plan first. Documents that show an event wrongly are written again; what is right stays as it is.

use std::num::NonZeroU32;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    engine::{Job, JobError, JobState, StepContext, StepOutcome, Violation},
    project::project,
    replay::scan::{Destination, LogScan, Pace},
    resources::Resources,
    rules::{self, default_rate},
};
use crate::{
    log::{EventSelection, LogEntry, LogStore},
    read::{Projector, store::Collection},
};

/// Most events of one step: each costs some four requests.
const MOST: u32 = 100;

/// Events of the log into the documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reprojection {
    /// The events that are meant; all of them need `"all": true`.
    #[command(flatten)]
    pub events: EventSelection,
    /// Most events a second.
    #[serde(default = "default_rate")]
    #[arg(long, default_value_t = default_rate())]
    pub rate: NonZeroU32,
}

impl<L: LogStore, S: Collection> Job<Resources<L, S>> for Reprojection {
    const KIND: &'static str = "reprojection";
    const SUMMARY: &'static str =
        "Plan to bring events of the log once more into the documents, without the bus";
    const DETAIL: &'static str = "Counts first, and changes nothing until the job is brought into the state `running`. All of them need `all: true`.";
    const FIRST_STATE: JobState = JobState::Planning;
    type Cursor = LogScan;

    fn example() -> Value {
        json!({ "events": { "subjects": ["0198c9c1-5a1e-7c44-9d0f-2b6a1f0e7a11"] }, "rate": 200 })
    }

    fn needs(resources: &Resources<L, S>) -> Result<(), JobError> {
        resources.read_model().map(drop)
    }

    fn validate(&self) -> Vec<Violation> {
        rules::of_events(&self.events)
    }

    async fn step(
        &self,
        resources: &Resources<L, S>,
        context: &StepContext<'_>,
        scan: &mut LogScan,
    ) -> Result<StepOutcome, JobError> {
        let pace = Pace {
            events: &self.events,
            rate: self.rate,
        };
        if context.is_planning() {
            return scan.plan(resources.log(), pace, context).await;
        }
        let projector = &resources.read_model()?.projector;
        scan.deliver(resources.log(), pace, projector, context).await
    }
}

impl<S: Collection> Destination for Projector<S> {
    fn most(&self) -> u32 {
        MOST
    }

    async fn deliver(&self, scan: &mut LogScan, page: Vec<LogEntry>, upto: i64) -> Result<(), JobError> {
        let events = page.len();
        let refused = project(self, None, page).await?;
        scan.arrived(events - refused.len());
        for (event_id, why) in refused {
            scan.refuse(event_id, why);
        }
        scan.reached(upto);
        Ok(())
    }
}
