//! One order over every hop: what happened to it, under which key it was asked for, whether the bus has been told, and what the
//! documents show; and the first place where the hops differ. Never changes anything, and never guesses: what a hop does
//! not say is left out.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Failed, model::Model};
use crate::{
    read::{
        connection::Container,
        document::{
            customer::OrderRowDocument,
            order::{ORDER, OrderDocument, event},
        },
        store::Store,
    },
    write::log::Hop,
};

/// What one order has left behind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    /// Its events, oldest first.
    pub events: Vec<Step>,
    /// The generation of the documents that queries read.
    pub generation: u32,
    /// The version that its document shows; absent where there is none.
    pub document: Option<i64>,
    /// The version in its customer's list.
    pub customers_row: Option<i64>,
    /// The first hop that is not as far as the one before it.
    pub first_difference: Option<String>,
}

/// One event, and how far it got.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The order's version after it.
    pub version: i64,
    /// Its name with its major version.
    pub r#type: String,
    /// Its id, which is the message's too.
    pub event_id: Uuid,
    /// When it happened (UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The Idempotency-Key that it was asked for under, for a day.
    pub key: Option<String>,
    /// `sent`, `waiting`, or `parked: ` and why the bus refuses it.
    pub outbox: String,
    /// True when its document is in the order's history.
    pub in_history: bool,
}

impl Model {
    /// Follows an order from its first command to its documents.
    ///
    /// # Errors
    /// [`Failed`] when there is no such order, or a hop cannot be asked.
    pub async fn why(&self, order: Uuid) -> Result<Trail, Failed> {
        let hops = self.log.hops(&order.to_string()).await?;
        let Some(customer) = hops.iter().find_map(|hop| hop.customer) else {
            return Err(Failed::Absent(format!("there is no order {order}")));
        };
        let live = self.pointer().await?.live;
        let orders = Store::new(&self.connection, Container::Orders);
        let pk = live.partition(&order.to_string());
        let mut events = Vec::new();
        for hop in hops {
            let shown = orders.read::<serde_json::Value>(&pk, &event(hop.version)).await?;
            events.push(step(hop, shown.is_some()));
        }
        let document = orders.read::<OrderDocument>(&pk, ORDER).await?;
        let rows = Store::new(&self.connection, Container::Customers);
        let row = rows
            .read::<OrderRowDocument>(&live.partition(&customer.to_string()), &order.to_string())
            .await?;
        let mut trail = Trail {
            events,
            generation: live.0,
            document: document.map(|it| it.document.version()),
            customers_row: row.map(|it| it.document.into_row().version),
            first_difference: None,
        };
        trail.first_difference = trail.difference();
        Ok(trail)
    }
}

fn step(hop: Hop, in_history: bool) -> Step {
    Step {
        version: hop.version,
        r#type: hop.kind,
        event_id: hop.event_id,
        at: hop.at,
        key: hop.key,
        outbox: match (hop.waiting, hop.parked) {
            (_, Some(reason)) => format!("parked: {reason}"),
            (true, None) => "waiting".to_owned(),
            (false, None) => "sent".to_owned(),
        },
        in_history,
    }
}

impl Trail {
    fn difference(&self) -> Option<String> {
        for Step {
            version,
            event_id,
            outbox,
            in_history,
            ..
        } in &self.events
        {
            if outbox != "sent" {
                return Some(format!(
                    "event {version} ({event_id}) is {outbox} in the outbox: the bus does not have it"
                ));
            }
            if !in_history {
                return Some(format!(
                    "event {version} was sent and is not in the history: message {event_id} is in the subscription or among its dead letters"
                ));
            }
        }
        let last = self.events.last()?.version;
        let shows = |what: &str, version: Option<i64>| match version {
            Some(version) if version == last => None,
            Some(version) => Some(format!("{what} shows version {version} of {last}")),
            None => Some(format!("{what} is missing")),
        };
        shows("the document", self.document)
            .or_else(|| shows("the row in the customer's list", self.customers_row))
    }
}
