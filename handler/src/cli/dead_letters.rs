//! `handler dead-letters`: listed and shown from the bus alone; resubmitted and deleted by jobs.
//! Never mixes what was asked for, on stdout, with anything else.

use std::{
    io::{self, StdoutLock, Write},
    ops::ControlFlow,
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    follow::{open, words},
    letter_view,
    report::NOTHING_SELECTED,
    start::{StartPlanned, plan},
};
use crate::{
    bus::SubscriptionName,
    config::Config,
    escape,
    jobs::{
        Deletion, JobError, Resubmission, Subscription,
        dead_letters::{DeadLetter, DeadLetterQueue, DeadLetterSelection, DeadLetterView, WholeDeadLetter},
        topic,
    },
};

/// Ends the help text.
pub(super) const AFTER_HELP: &str = "Exit codes: 0 done, 1 not all of it could be done, 2 wrong usage, 3 nothing was selected.\n\
    Settings: ServiceBusConnection (with the right to listen, and to send for resubmit), ServiceBusTopic; PG* to resubmit and delete.";

#[derive(Debug, Subcommand)]
pub(super) enum DeadLetterAction {
    /// List dead letters: when each came, how often it was tried, why it is here, what is in it. Locks and counts nothing.
    List {
        #[command(flatten)]
        selection: DeadLetterSelection,
        #[command(flatten)]
        queue: QueueArguments,
    },
    /// Show one with its whole body.
    Show {
        /// Its MessageId.
        message_id: String,
        #[command(flatten)]
        queue: QueueArguments,
    },
    /// Send them to the topic again, for this subscription only. Shows the plan first.
    Resubmit(StartPlanned<Resubmission>),
    /// Take them out for good; each is written to the log first, whole. Shows the plan first.
    Delete(StartPlanned<Deletion>),
}

#[derive(Debug, Args)]
pub(super) struct QueueArguments {
    /// The subscription.
    #[arg(long, env = "ServiceBusSubscription", default_value_t)]
    subscription: SubscriptionName,
    /// One JSON object a line on stdout.
    #[arg(long)]
    json: bool,
}

impl QueueArguments {
    fn reach(&self, config: &Config) -> Result<DeadLetterQueue, JobError> {
        let topic = topic(config)?;
        Ok(DeadLetterQueue(Subscription::new(topic, &self.subscription)))
    }
}

/// Does what the arguments say.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run(action: DeadLetterAction, config: Config) -> Result<ExitCode, String> {
    match action {
        DeadLetterAction::List { selection, queue } => list(&config, &selection, &queue).await.map_err(words),
        DeadLetterAction::Show { message_id, queue } => {
            show(&config, message_id, &queue).await.map_err(words)
        }
        DeadLetterAction::Resubmit(start) => {
            topic(&config).map_err(words)?;
            plan(&open(&config)?, start).await
        }
        DeadLetterAction::Delete(start) => {
            topic(&config).map_err(words)?;
            plan(&open(&config)?, start).await
        }
    }
}

/// Prints what is selected, one after the other.
async fn print(
    letters: &DeadLetterQueue,
    selection: &DeadLetterSelection,
    mut print: impl FnMut(&mut StdoutLock<'_>, &DeadLetter) -> io::Result<()> + Send,
) -> Result<ExitCode, JobError> {
    let mut failed = None;
    let show = |letter: &DeadLetter| match print(&mut io::stdout().lock(), letter) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    };
    let shown = letters.list(selection, show).await?;
    match failed {
        // The reader has read enough.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Some(error) => Err(JobError::refused(format!("cannot write: {error}"))),
        None if shown == 0 => {
            eprintln!("nothing is selected");
            Ok(ExitCode::from(NOTHING_SELECTED))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

async fn list(
    config: &Config,
    selection: &DeadLetterSelection,
    queue: &QueueArguments,
) -> Result<ExitCode, JobError> {
    let mut headed = false;
    let row = |out: &mut StdoutLock<'_>, letter: &DeadLetter| {
        if queue.json {
            let view = json!(DeadLetterView::of(letter)).to_string();
            return writeln!(out, "{}", escape::line(&view));
        }
        if !std::mem::replace(&mut headed, true) {
            writeln!(out, "{}", letter_view::HEAD)?;
        }
        writeln!(out, "{}", letter_view::row(letter))
    };
    print(&queue.reach(config)?, selection, row).await
}

async fn show(config: &Config, message_id: String, queue: &QueueArguments) -> Result<ExitCode, JobError> {
    let selection = DeadLetterSelection {
        message_ids: vec![message_id],
        ..DeadLetterSelection::default()
    };
    let page = |out: &mut StdoutLock<'_>, letter: &DeadLetter| {
        if queue.json {
            let view = json!(WholeDeadLetter::of(letter)).to_string();
            return writeln!(out, "{}", escape::line(&view));
        }
        writeln!(out, "{}", letter_view::page(letter))
    };
    print(&queue.reach(config)?, &selection, page).await
}
