//! Events as they are stored and sent, with the one table of their types.
//! Never changes the meaning of a type once released: a new meaning is a new version (`….v2`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use super::{
    order::{CustomerRef, OrderLine, Shipment},
    quote,
    timestamp::Timestamp,
    value::{Email, Money, Name, Price, Quantity, Reason, Sku},
};
use crate::json::{JsonError, JsonTree};

/// Defines [`EventType`] from one line per event: the aggregate that it is of, its name and its version.
macro_rules! event_types {
    ($($aggregate:ident: $event:ident $version:ident,)*) => {
        /// Type of an event: the log's column `type`, and the CloudEvents attribute of that name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the events of these names say what they are")]
        pub enum EventType {
            $($event,)*
        }

        impl EventType {
            /// All types, each aggregate's in the order of its life.
            pub const ALL: &[Self] = &[$(Self::$event,)*];

            /// The name as it is stored and sent: `orders.OrderPlaced.v1`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$event => concat!("orders.", stringify!($event), ".", stringify!($version)),)*
                }
            }

            /// The name of the variant of [`Event`], by which serde tells them apart.
            const fn variant(self) -> &'static str {
                match self {
                    $(Self::$event => stringify!($event),)*
                }
            }

            /// The aggregate that its events belong to.
            #[must_use]
            pub const fn aggregate(self) -> AggregateKind {
                match self {
                    $(Self::$event => AggregateKind::$aggregate,)*
                }
            }
        }

        impl Event {
            /// The event's type.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self {
                    $(Self::$event { .. } => EventType::$event,)*
                }
            }
        }
    };
}

event_types! {
    Customer: CustomerRegistered v1,
    Customer: CustomerRenamed v1,
    Customer: CustomerEmailChanged v1,
    Product: ProductAdded v1,
    Product: ProductRenamed v1,
    Product: ProductPriceChanged v1,
    Product: ProductRestocked v1,
    Order: OrderPlaced v1,
    Order: OrderLinesChanged v1,
    Order: OrderPaid v1,
    Order: OrderShipped v1,
    Order: OrderDelivered v1,
    Order: OrderCancelled v1,
}

/// Types of the events by which an order comes into the sales of a day, or out of them.
pub const SALE_TYPES: [EventType; 2] = [EventType::OrderPaid, EventType::OrderCancelled];

/// The kinds of aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    /// A customer, by id.
    Customer,
    /// A product, by SKU.
    Product,
    /// An order, by id.
    Order,
}

impl AggregateKind {
    /// Beginning of the names of all event types of such an aggregate, of those too that newer releases add.
    #[must_use]
    pub const fn type_prefix(self) -> &'static str {
        match self {
            Self::Customer => "orders.Customer",
            Self::Product => "orders.Product",
            Self::Order => "orders.Order",
        }
    }
}

/// A type that this release does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event type {:?} is unknown", quote::brief(.0))]
pub struct UnknownEventType(pub String);

/// An event of the log that this release cannot read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// Its type is unknown.
    #[error(transparent)]
    UnknownType(#[from] UnknownEventType),
    /// Its data or state is not what its type says.
    #[error(transparent)]
    Content(#[from] JsonError),
}

/// Everything that can happen. Its JSON is split over the two columns `type` and `data`: see [`Event::to_parts`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum Event {
    /// A customer was registered.
    CustomerRegistered {
        /// Name of the customer.
        name: Name,
        /// E-mail address.
        email: Email,
    },
    /// The customer has another name from now on; orders keep the one they were placed under.
    CustomerRenamed {
        /// Replaces the old name.
        name: Name,
    },
    /// The customer has another e-mail address from now on.
    CustomerEmailChanged {
        /// Replaces the old address.
        email: Email,
    },
    /// A product came into the catalogue; none are in stock yet.
    ProductAdded {
        /// Name of the product.
        name: Name,
        /// Price of one piece.
        price: Price,
    },
    /// The product has another name from now on; orders keep the one they were placed under.
    ProductRenamed {
        /// Replaces the old name.
        name: Name,
    },
    /// The product costs something else from now on; orders keep the price they were placed at.
    ProductPriceChanged {
        /// Replaces the old price of one piece.
        price: Price,
    },
    /// Pieces came into stock.
    ProductRestocked {
        /// Pieces that came in.
        quantity: Quantity,
    },
    /// An order was placed and its pieces taken from stock.
    OrderPlaced {
        /// The customer, with the name as it was then.
        customer: CustomerRef,
        /// The lines, at the prices of then.
        lines: Vec<OrderLine>,
        /// Sum of the lines.
        total: Money,
        /// Time of the event.
        at: Timestamp,
    },
    /// The order has other lines from now on, and its pieces were moved to match.
    OrderLinesChanged {
        /// All lines, as they are now.
        lines: Vec<OrderLine>,
        /// Sum of the lines.
        total: Money,
        /// Time of the event.
        at: Timestamp,
    },
    /// The order was paid in full.
    OrderPaid {
        /// The total.
        amount: Money,
        /// Time of the event.
        at: Timestamp,
    },
    /// The order was handed to a carrier.
    OrderShipped {
        /// The parcel.
        shipment: Shipment,
        /// Time of the event.
        at: Timestamp,
    },
    /// The order arrived.
    OrderDelivered {
        /// Time of the event.
        at: Timestamp,
    },
    /// The order was cancelled and its pieces put back into stock.
    OrderCancelled {
        /// The reason that was given.
        reason: Reason,
        /// Time of the event.
        at: Timestamp,
    },
}

/// The stock of a SKU right after an event that moved it. Equal `seq` means equal `available`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The SKU.
    pub sku: Sku,
    /// Pieces left.
    pub available: i64,
    /// Number of moves of this SKU's stock so far.
    pub seq: i64,
}

/// One row of the event log: the outbox sends it, and a replay sends it again.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Identity of the event, and of every message made from it.
    pub event_id: Uuid,
    /// The aggregate's id (an order id, a customer id or a SKU).
    pub subject: String,
    /// The aggregate's version after this event.
    pub version: i64,
    /// Name of the event's type, which a newer release may have written.
    pub kind: String,
    /// The event's data, in the form of its type.
    pub data: Value,
    /// The aggregate after it.
    pub state: Value,
    /// Stock levels after it, an array of [`StockLevel`]; null when it moved no stock.
    pub stock: Value,
    /// W3C trace context of the request that caused it, if there was one.
    pub traceparent: Option<String>,
    /// Time of the event.
    pub occurred_at: Timestamp,
}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, UnknownEventType> {
        let known = Self::ALL.iter().copied().find(|known| known.name() == name);
        known.ok_or_else(|| UnknownEventType(name.to_owned()))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Event {
    /// The event's type and its data, as the two columns of the log hold them.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn to_parts(&self) -> serde_json::Result<(EventType, Box<RawValue>)> {
        #[derive(Deserialize)]
        struct Parts {
            data: Box<RawValue>,
        }
        let Parts { data } = serde_json::from_str(&serde_json::to_string(self)?)?;
        Ok((self.event_type(), data))
    }

    /// Reads the two columns of the log.
    ///
    /// # Errors
    /// See [`UnreadableEvent`].
    pub fn from_parts(name: &str, data: &Value) -> Result<Self, UnreadableEvent> {
        let event_type: EventType = name.parse()?;
        // The type comes first, so that serde knows what the data must be when it reads them.
        let tagged = JsonTree::Object(vec![
            ("type".to_owned(), JsonTree::Text(event_type.variant().to_owned())),
            ("data".to_owned(), data.clone().into()),
        ]);
        Ok(Self::deserialize(tagged)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stored_names_of_events_never_change() {
        let names: Vec<_> = EventType::ALL.iter().map(|known| known.name()).collect();
        assert_eq!(
            names,
            [
                "orders.CustomerRegistered.v1",
                "orders.CustomerRenamed.v1",
                "orders.CustomerEmailChanged.v1",
                "orders.ProductAdded.v1",
                "orders.ProductRenamed.v1",
                "orders.ProductPriceChanged.v1",
                "orders.ProductRestocked.v1",
                "orders.OrderPlaced.v1",
                "orders.OrderLinesChanged.v1",
                "orders.OrderPaid.v1",
                "orders.OrderShipped.v1",
                "orders.OrderDelivered.v1",
                "orders.OrderCancelled.v1",
            ]
        );
    }

    #[test]
    fn a_types_name_begins_with_its_aggregates_prefix_and_no_other() {
        let kinds = [
            AggregateKind::Customer,
            AggregateKind::Product,
            AggregateKind::Order,
        ];
        for known in EventType::ALL {
            let begins = kinds
                .into_iter()
                .filter(|kind| known.name().starts_with(kind.type_prefix()));
            assert!(begins.eq([known.aggregate()]), "{known}");
        }
    }

    /// Migrations are SQL as it was released, and cannot take names from here.
    #[test]
    fn migrations_name_no_type_that_is_not_in_the_table() {
        let migrations = [
            include_str!("../migrate/read_model.rs"),
            include_str!("../../migrations/0004_read_model.sql"),
        ];
        let texts = migrations
            .iter()
            .flat_map(|sql| sql.split('\'').skip(1).step_by(2));
        let named: Vec<&str> = texts
            .filter(|text| text.starts_with("orders.") && text.contains(".v"))
            .collect();
        assert!(named.len() >= 4, "{named:?}");
        for name in named {
            let sale = SALE_TYPES.iter().any(|known| known.name() == name);
            assert!(sale, "{name}");
        }
    }

    #[test]
    fn stored_data_with_an_array_for_an_object_is_refused() {
        let shipment = json!({ "carrier": "Post", "trackingNumber": "1Z" });
        let shipped = |shipment| json!({ "shipment": shipment, "at": "2026-11-24T10:00:00Z" });
        let name = EventType::OrderShipped.name();
        assert!(Event::from_parts(name, &shipped(shipment)).is_ok());
        for bad in [
            shipped(json!(["Post", "1Z"])),
            json!([["Post", "1Z"], "2026-11-24T10:00:00Z"]),
        ] {
            let refused = Event::from_parts(name, &bad);
            assert!(matches!(refused, Err(UnreadableEvent::Content(_))), "{bad}");
        }
    }

    #[test]
    fn an_event_is_read_by_its_type_and_an_unknown_type_refused() {
        let data = json!({ "name": "Ada" });
        let event = Event::from_parts("orders.CustomerRenamed.v1", &data).unwrap();
        let (event_type, written) = event.to_parts().unwrap();
        assert_eq!(event_type.name(), "orders.CustomerRenamed.v1");
        assert_eq!(written.get(), data.to_string());
        for unknown in [
            "orders.CustomerRenamed.v2",
            "orders.OrderLost.v1",
            "CustomerRenamed",
            "",
        ] {
            let refused = Event::from_parts(unknown, &data);
            assert!(
                matches!(refused, Err(UnreadableEvent::UnknownType(_))),
                "{unknown}"
            );
        }
    }

    #[test]
    fn an_array_is_no_object_anywhere_in_a_stored_event() {
        let at = "2026-11-24T10:00:00Z";
        let money = json!({ "amount": 5, "currency": "EUR" });
        let is_read = |name: &str, data: Value| Event::from_parts(name, &data).is_ok();
        let paid = "orders.OrderPaid.v1";
        assert!(is_read(paid, json!({ "amount": money, "at": at })));
        assert!(!is_read(paid, json!({ "amount": [5, "EUR"], "at": at })));
        assert!(!is_read(paid, json!([money, at])));
        let shipped = "orders.OrderShipped.v1";
        assert!(!is_read(shipped, json!({ "shipment": ["Post", "1"], "at": at })));
    }
}
