//! `handler dead-letters`: arguments in, lines or JSON out, an exit code at the end.
//! Never mixes what was asked for, on stdout, with anything else.

use std::{
    io::{self, StdoutLock, Write},
    process::ExitCode,
};

use clap::{Args, CommandFactory, Subcommand, error::ErrorKind};
use serde_json::json;
use time::OffsetDateTime;

use super::{Cli, letter_view, progress::Progress, work::bus};
use crate::{
    config::Config,
    domain::utc,
    error_chain::chain,
    operations::{
        Subscription,
        dead_letters::{DeadLetters, Error, Fate, Letter, LetterView, Selection, Tally, WholeLetter},
    },
    plain,
};

/// Nothing was there that was meant.
const NOTHING_SELECTED: u8 = 3;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 not all of it could be done, 2 wrong usage, 3 nothing was selected.\n\
    Settings: ServiceBusConnection (with the right to listen, and to send for resubmit), ServiceBusTopic."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// The subscription.
    #[arg(
        long,
        global = true,
        env = "ServiceBusSubscription",
        default_value = "read-model"
    )]
    subscription: String,
    /// One JSON object a line on stdout.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List dead letters: when each came, how often it was tried, why it is here, what is in it. Locks and counts nothing.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Show one with its whole body.
    Show {
        /// Its MessageId.
        message_id: String,
    },
    /// Send them to the topic again, for this subscription only.
    Resubmit {
        #[command(flatten)]
        which: Which,
        /// Do it even where others may get them, too.
        #[arg(long)]
        force: bool,
    },
    /// Take them out for good; each is written to the log first, whole.
    Delete {
        #[command(flatten)]
        which: Which,
        /// Why, for the log.
        #[arg(long)]
        because: String,
    },
}

/// Which dead letters: those for which all of this holds.
#[derive(Debug, Args)]
struct Which {
    /// With this MessageId; may be said several times.
    #[arg(long, value_name = "ID")]
    message_id: Vec<String>,
    /// Of this aggregate: an order id, a customer id or a SKU.
    #[arg(long, visible_alias = "order", value_name = "ID")]
    subject: Option<String>,
    /// With this event, such as orders.OrderPaid.v1.
    #[arg(long, value_name = "NAME")]
    r#type: Option<String>,
    /// Dead-lettered for this reason, such as MaxDeliveryCountExceeded.
    #[arg(long)]
    reason: Option<String>,
    /// Came onto the subscription before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    before: Option<OffsetDateTime>,
    /// Came onto the subscription at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    after: Option<OffsetDateTime>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["message_id", "subject", "type", "reason", "before", "after"])]
    all: bool,
    /// No more than so many, the first of the queue.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

impl Which {
    fn selection(self) -> Selection {
        Selection {
            all: self.all,
            message_ids: self.message_id,
            subject: self.subject,
            kind: self.r#type,
            reason: self.reason,
            before: self.before,
            after: self.after,
            limit: self.limit,
        }
    }

    /// The same, or the end of the process with the words and the exit code of wrong usage when nothing was said.
    fn deliberate(self) -> Selection {
        let selection = self.selection();
        if !selection.all && !selection.says_which() {
            let words = "say which dead letters are meant: --message-id, --subject, --type, --reason, --before, --after, or --all";
            Cli::command()
                .error(ErrorKind::MissingRequiredArgument, words)
                .exit();
        }
        selection
    }
}

pub(super) fn time_of(text: &str) -> Result<OffsetDateTime, String> {
    utc::parse(text).map_err(|why| why.to_string())
}

/// Does what the arguments say.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode, String> {
    let topic = bus(&config)?;
    let letters = DeadLetters(Subscription {
        address: topic.address,
        topic: topic.name,
        name: arguments.subscription,
    });
    let json = arguments.json;
    let outcome = match arguments.action {
        Action::List { which } => list(&letters, &which.selection(), json).await,
        Action::Show { message_id } => show(&letters, message_id, json).await,
        Action::Resubmit { which, force } => {
            let selection = which.deliberate();
            let mut view = View::new(json, "resubmitted", Some(Progress::default()));
            let mut told = |letter: &Letter, fate: &Fate, tally| view.tell(letter, fate, tally);
            let tally = letters.resubmit(&selection, force, &mut told).await;
            view.end(tally)
        }
        Action::Delete { which, because } => {
            let selection = which.deliberate();
            // Each deletion has its line in the log, on the same stream as progress.
            let mut view = View::new(json, "deleted", None);
            let mut told = |letter: &Letter, fate: &Fate, tally| view.tell(letter, fate, tally);
            let tally = letters.delete(&selection, &because, &mut told).await;
            view.end(tally)
        }
    };
    outcome.map_err(|error| chain(&error).to_string())
}

/// Shows what is selected, one after the other.
async fn look(
    letters: &DeadLetters,
    selection: &Selection,
    mut show: impl FnMut(&mut StdoutLock<'_>, &Letter) -> io::Result<()>,
) -> Result<ExitCode, Error> {
    let see = |letter: &Letter| show(&mut io::stdout().lock(), letter);
    match letters.list(selection, see).await {
        Ok(0) => Ok(nothing()),
        Ok(_) => Ok(ExitCode::SUCCESS),
        // Whoever reads has read enough.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

async fn list(letters: &DeadLetters, selection: &Selection, json: bool) -> Result<ExitCode, Error> {
    let mut headed = false;
    let row = |out: &mut StdoutLock<'_>, letter: &Letter| {
        if json {
            return writeln!(out, "{}", plain::line(&json!(LetterView::of(letter)).to_string()));
        }
        if !std::mem::replace(&mut headed, true) {
            writeln!(out, "{}", letter_view::HEAD)?;
        }
        writeln!(out, "{}", letter_view::row(letter))
    };
    look(letters, selection, row).await
}

async fn show(letters: &DeadLetters, message_id: String, json: bool) -> Result<ExitCode, Error> {
    let selection = Selection {
        message_ids: vec![message_id],
        ..Selection::default()
    };
    let page = |out: &mut StdoutLock<'_>, letter: &Letter| {
        if json {
            return writeln!(
                out,
                "{}",
                plain::line(&json!(WholeLetter::of(letter)).to_string())
            );
        }
        writeln!(out, "{}", letter_view::page(letter))
    };
    look(letters, &selection, page).await
}

fn nothing() -> ExitCode {
    eprintln!("nothing is selected");
    ExitCode::from(NOTHING_SELECTED)
}

/// What is shown of a command that changes something: its progress, and each letter as JSON or in words where it failed.
struct View {
    json: bool,
    what: &'static str,
    progress: Option<Progress>,
    /// How far it has come.
    tally: Tally,
}

impl View {
    fn new(json: bool, what: &'static str, progress: Option<Progress>) -> Self {
        Self {
            json,
            what,
            progress,
            tally: Tally::default(),
        }
    }

    fn tell(&mut self, letter: &Letter, fate: &Fate, tally: Tally) -> io::Result<()> {
        self.tally = tally;
        if self.json {
            let outcome = letter_view::outcome(letter, fate).to_string();
            writeln!(io::stdout().lock(), "{}", plain::line(&outcome))?;
        } else if let Fate::Kept(_) = fate {
            self.leave_progress();
            let outcome = format!("{} {fate}", letter.received.message_id());
            writeln!(io::stdout().lock(), "{}", plain::line(&outcome))?;
        }
        if let Some(progress) = &self.progress {
            let [done, of] =
                [tally.done, tally.selected].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
            progress.tell(self.what, done, of);
        }
        Ok(())
    }

    fn leave_progress(&self) {
        if let Some(progress) = &self.progress {
            progress.done();
        }
    }

    /// The last word; what was done before an error is said as well.
    fn end(self, outcome: Result<Tally, Error>) -> Result<ExitCode, Error> {
        if self.tally != Tally::default() {
            self.leave_progress();
        }
        let Tally { selected, done, kept } = *outcome.as_ref().unwrap_or(&self.tally);
        if selected > 0 && !self.json {
            writeln!(io::stdout().lock(), "{} {done} of {selected}", self.what).map_err(Error::Output)?;
        }
        outcome?;
        let missed = selected - done - kept;
        if missed > 0 {
            eprintln!(
                "{missed} did not come: somebody else has locked them, or has dealt with them meanwhile"
            );
        }
        Ok(match selected {
            0 => nothing(),
            all if all == done => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}
