//! The job that removes dead letters for good.
//! Never without a reason, and never before the letter is in the log, whole.

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    dead_letters::{
        DeadLetter, DeadLetterSelection,
        sweep::{BatchOutcome, Disposition, LetterWork},
        sweep_job::LetterCursor,
    },
    engine::{Job, JobError, JobState, StepContext, StepOutcome, Violation},
    resources::Resources,
};
use crate::{
    bus::SubscriptionName,
    domain::value::{Reason, fresh},
};

/// Dead letters removed for good; each is written to the log first, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// The subscription whose dead letters they are.
    #[arg(long, env = "ServiceBusSubscription", default_value_t)]
    pub subscription: SubscriptionName,
    /// The dead letters that are meant; all of them need `"all": true`.
    #[command(flatten)]
    pub letters: DeadLetterSelection,
    /// The reason, for the log.
    #[serde(deserialize_with = "fresh")]
    #[arg(long)]
    pub because: Reason,
}

impl Job<Resources> for Deletion {
    const KIND: &'static str = "deletion";
    const SUMMARY: &'static str = "Plan to remove dead letters for good";
    const DETAIL: &'static str = "Counts first, and deletes nothing until the job is brought into the state `running`. Each is written to the log first, whole. All of them need `all: true`.";
    const FIRST_STATE: JobState = JobState::Planning;
    type Cursor = LetterCursor;

    fn example() -> Value {
        json!({ "subscription": "read-model", "letters": { "messageIds": ["billing-4711"] }, "because": "not ours" })
    }

    fn needs(resources: &Resources) -> Result<(), JobError> {
        resources.topic().map(drop)
    }

    fn validate(&self) -> Vec<Violation> {
        self.letters.violations()
    }

    async fn may_start(&self, resources: &Resources) -> Result<(), JobError> {
        let letters = resources.dead_letters(&self.subscription)?;
        letters.peek(0, 1).await.map(drop)
    }

    async fn step(
        &self,
        resources: &Resources,
        context: &StepContext<'_>,
        cursor: &mut LetterCursor,
    ) -> Result<StepOutcome, JobError> {
        let letters = resources.dead_letters(&self.subscription)?;
        if context.is_planning() {
            return cursor.plan(&letters, &self.letters, context).await;
        }
        let mut deleter = Deleter {
            subscription: self.subscription.as_str(),
            because: self.because.as_str(),
        };
        cursor.deal(&letters, &self.letters, &mut deleter, context).await
    }
}

/// Writes letters to the log before they are taken out.
struct Deleter<'a> {
    subscription: &'a str,
    because: &'a str,
}

impl LetterWork for Deleter<'_> {
    async fn work(&mut self, letters: &[DeadLetter]) -> BatchOutcome {
        // Before, so that no kill leaves a deleted message without its line.
        for letter in letters {
            self.log(letter);
        }
        BatchOutcome {
            dispositions: vec![Disposition::Deleted; letters.len()],
            stopped: None,
        }
    }
}

impl Deleter<'_> {
    fn log(&self, letter: &DeadLetter) {
        let received = &letter.received;
        let (message_id, reason) = (received.message_id(), received.reason());
        let bytes = received.body();
        // Whole, and on one line: escaped as text, or in base64.
        let (body, body_base64) = match std::str::from_utf8(&bytes) {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(&bytes))),
        };
        let sections = Value::Object(received.sections()).to_string();
        tracing::warn!(
            subscription = self.subscription,
            message_id,
            because = self.because,
            reason,
            sections,
            body,
            body_base64,
            "deleting_dead_letter"
        );
    }
}
