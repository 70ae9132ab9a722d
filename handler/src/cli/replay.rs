//! `handler replay`: events of the log once more, for one subscription or right into the documents.
//! Never without showing the plan first, and nothing goes out before somebody says so.

use std::{num::NonZeroU32, process::ExitCode};

use clap::{Args, CommandFactory, error::ErrorKind};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Cli,
    dead_letters::time_of,
    operation::print,
    say::say,
    work::{ask, bus, finish, reach, reach_documents, words},
};
use crate::{
    config::Config,
    log::EventSelection,
    operations::{
        operation::{Operation, Request, State, Wanted},
        replay::{Projection, Replay},
    },
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, stopped, or some events were refused, 2 wrong usage.\n\
    Settings: PG*; ServiceBusConnection and ServiceBusTopic, or COSMOS_* for --direct."
)]
pub(super) struct Arguments {
    /// The subscription that gets the messages; nobody else does.
    #[arg(long, required_unless_present = "direct", conflicts_with = "direct")]
    subscription: Option<String>,
    /// No messages: bring the events into the documents of the read model, in this process.
    #[arg(long)]
    direct: bool,
    #[command(flatten)]
    which: Which,
    /// Most events a second.
    #[arg(long, default_value = "200")]
    rate: NonZeroU32,
    /// Do it even where others may get the messages, too.
    #[arg(long, conflicts_with = "direct")]
    force: bool,
    /// Go on after the plan, without being asked to.
    #[arg(long)]
    yes: bool,
    /// The plan or the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Which events: those for which all of this holds.
#[derive(Debug, Args)]
struct Which {
    /// Of this aggregate: an order id, a customer id or a SKU; may be said several times.
    #[arg(long, visible_alias = "order", value_name = "ID")]
    subject: Vec<String>,
    /// Of this customer and of his or her orders.
    #[arg(long, value_name = "ID")]
    customer: Option<Uuid>,
    /// Of this type, such as orders.OrderPaid.v1; may be said several times.
    #[arg(long, value_name = "NAME")]
    r#type: Vec<String>,
    /// That happened at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    from: Option<OffsetDateTime>,
    /// That happened before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    before: Option<OffsetDateTime>,
    /// From this position of the log on.
    #[arg(long, value_name = "POSITION")]
    from_position: Option<i64>,
    /// Up to this position of the log.
    #[arg(long, value_name = "POSITION")]
    until_position: Option<i64>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl Which {
    /// What is said; the end of the process, with the words and the exit code of wrong usage, when nothing was.
    fn deliberate(self) -> EventSelection {
        let all = self.all;
        let selection = EventSelection {
            all,
            subjects: self.subject,
            customer: self.customer,
            types: self.r#type,
            from: self.from,
            before: self.before,
            from_position: self.from_position,
            until_position: self.until_position,
        };
        if all != selection.says_which() {
            return selection;
        }
        let words = if all {
            "--all cannot be said together with which events"
        } else {
            "say which events are meant: --subject, --customer, --type, --from, --before, --from-position, --until-position, or --all"
        };
        Cli::command()
            .error(ErrorKind::MissingRequiredArgument, words)
            .exit()
    }
}

/// Plans, and goes on when told to.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode, String> {
    let Arguments {
        subscription,
        which,
        rate,
        force,
        yes,
        json,
        ..
    } = arguments;
    let events = which.deliberate();
    let (operations, request) = match subscription {
        Some(subscription) => {
            bus(&config)?;
            let request = Request::Replay(Replay {
                subscription,
                events,
                rate,
                force,
            });
            (reach(config)?, request)
        }
        None => (
            reach_documents(config)?,
            Request::Projection(Projection { events, rate }),
        ),
    };
    let (planned, code) = ask(&operations, &request).await?;
    if planned.state != State::Planned {
        print(&planned, json);
        return Ok(code);
    }
    if !yes {
        if json {
            say!("{}", json!(planned));
        } else {
            say!("{}", plan(&planned));
            say!(
                "nothing was sent; `handler operations run {}` does it",
                planned.id
            );
        }
        return Ok(code);
    }
    eprintln!("{}", plan(&planned));
    operations
        .steer(planned.id, Wanted::Running)
        .await
        .map_err(words)?;
    let (ended, code) = finish(&operations, planned.id).await?;
    print(&ended, json);
    Ok(code)
}

/// What will be done, for a reader.
fn plan(operation: &Operation) -> String {
    let plan = operation.result.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "{} events, {} s at the least",
        plan["events"], plan["seconds"]
    )];
    if let Some(types) = plan["byType"].as_object() {
        lines.extend(
            types
                .iter()
                .map(|(name, count)| format!("{:>10}  {name}", count.to_string())),
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
