//! `given … when … then …` for the rules of the domain, and short ways to write its values.
//! Never compiled into the handler.

use time::Duration;
use uuid::Uuid;

use super::{
    aggregate::Aggregate,
    command::Command,
    customer::Customer,
    event::Event,
    order::{Catalogue, CatalogueEntry, OrderFacts},
    rejection::Rejection,
    timestamp::Timestamp,
    value::{Currency, InvalidValue, Money, Price, Quantity},
};

/// A registered customer, at this version.
pub(crate) fn ada(version: i64) -> Customer {
    Customer {
        id: id(1),
        version,
        name: text("Ada"),
        email: text("ada@example.org"),
    }
}

/// A history of one aggregate, and the rest of the shop.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    history: Vec<Event>,
    customer: Option<Customer>,
    catalogue: Catalogue,
    minute: i64,
}

/// The outcome of a command.
#[derive(Debug)]
#[must_use]
pub(crate) struct Decided(pub(crate) Result<Event, Rejection>);

/// Starts a scenario from the events of the command's aggregate so far.
pub(crate) fn given(history: impl IntoIterator<Item = Event>) -> Scenario {
    Scenario {
        history: history.into_iter().collect(),
        ..Scenario::default()
    }
}

impl Scenario {
    /// Registers the customer who orders.
    pub(crate) fn customer(self, customer: Customer) -> Self {
        let customer = Some(customer);
        Self { customer, ..self }
    }

    /// Puts products into the catalogue.
    pub(crate) fn catalogue(self, entries: impl IntoIterator<Item = CatalogueEntry>) -> Self {
        let entries = entries.into_iter();
        let catalogue = entries.map(|entry| (entry.product.sku.clone(), entry)).collect();
        Self { catalogue, ..self }
    }

    /// Sets the time of the command.
    pub(crate) fn at(self, minute: i64) -> Self {
        Self { minute, ..self }
    }

    /// Decides the command.
    pub(crate) fn when(self, command: Command) -> Decided {
        let before = fold(&command, &self.history);
        let facts = OrderFacts {
            customer: self.customer.as_ref(),
            catalogue: &self.catalogue,
            at: minute(self.minute),
        };
        Decided(command.decide(before.as_ref(), facts))
    }
}

impl Decided {
    /// Exactly this happens.
    #[track_caller]
    pub(crate) fn then(self, event: Event) {
        assert_eq!(self.0, Ok(event));
    }

    /// The command is rejected, for this reason.
    #[track_caller]
    pub(crate) fn rejected(self, why: Rejection) {
        assert_eq!(self.0, Err(why));
    }
}

/// The aggregate of the command after these events.
pub(crate) fn fold(command: &Command, events: &[Event]) -> Option<Aggregate> {
    let id = command.aggregate();
    events
        .iter()
        .fold(None, |before, event| Aggregate::evolve(&id, before, event))
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn text<T: TryFrom<String, Error = InvalidValue>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap()
}

pub(crate) fn money(amount: i64, currency: &str) -> Money {
    Money {
        amount,
        currency: Currency::try_from(currency.to_owned()).unwrap(),
    }
}

pub(crate) fn price(amount: i64, currency: &str) -> Price {
    Price::try_from(money(amount, currency)).unwrap()
}

pub(crate) fn quantity(pieces: i64) -> Quantity {
    Quantity::try_from(pieces).unwrap()
}

pub(crate) fn minute(n: i64) -> Timestamp {
    (Timestamp::UNIX_EPOCH.utc() + Duration::minutes(n))
        .try_into()
        .unwrap()
}
