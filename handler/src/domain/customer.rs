//! The customer aggregate: registered once, renamed and reached elsewhere as often as it likes.
//! Never knows how many orders a customer has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::Event,
    rejection::Rejection,
    value::{Email, Name},
};

/// A registered customer, as carried in events and kept in `customers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// Identity, UUIDv7.
    pub id: Uuid,
    /// 1 after registration, one more with each event.
    pub version: i64,
    /// Name of the customer.
    pub name: Name,
    /// E-mail address.
    pub email: Email,
}

/// A command about one customer.
#[derive(Debug, Clone, PartialEq)]
pub enum CustomerCommand {
    /// Register the customer, under an id that is new.
    Register {
        /// The customer's name.
        name: Name,
        /// The customer's e-mail address.
        email: Email,
    },
    /// Give the customer another name; orders keep the one that they were placed under.
    Rename {
        /// Replaces the old name.
        name: Name,
    },
    /// Give the customer another e-mail address.
    ChangeEmail {
        /// Replaces the old address.
        email: Email,
    },
}

/// Decides what happens to customer `id`: one event, or the rule that forbids it.
///
/// # Errors
/// [`Rejection::CustomerExists`] when this id is registered already, [`Rejection::UnknownCustomer`] when it must be and
/// is not.
pub fn decide(id: Uuid, state: Option<&Customer>, command: &CustomerCommand) -> Result<Event, Rejection> {
    match (state, command) {
        (Some(_), CustomerCommand::Register { .. }) => Err(Rejection::CustomerExists(id)),
        (None, CustomerCommand::Register { name, email }) => Ok(Event::CustomerRegistered {
            name: name.clone(),
            email: email.clone(),
        }),
        (Some(_), CustomerCommand::Rename { name }) => Ok(Event::CustomerRenamed { name: name.clone() }),
        (Some(_), CustomerCommand::ChangeEmail { email }) => {
            Ok(Event::CustomerEmailChanged { email: email.clone() })
        }
        (None, _) => Err(Rejection::UnknownCustomer(id)),
    }
}

/// The customer after the event; events of other aggregates change nothing.
#[must_use]
pub fn evolve(id: Uuid, state: Option<Customer>, event: &Event) -> Option<Customer> {
    match event {
        Event::CustomerRegistered { name, email } => Some(Customer {
            id,
            version: 1,
            name: name.clone(),
            email: email.clone(),
        }),
        Event::CustomerRenamed { name } => state.map(|customer| Customer {
            version: customer.version + 1,
            name: name.clone(),
            ..customer
        }),
        Event::CustomerEmailChanged { email } => state.map(|customer| Customer {
            version: customer.version + 1,
            email: email.clone(),
            ..customer
        }),
        _ => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        command::Command,
        testing::{given, id, text},
    };

    fn ada(command: CustomerCommand) -> Command {
        Command::Customer(id(1), command)
    }

    fn register() -> Command {
        let (name, email) = (text("Ada"), text("ada@example.org"));
        ada(CustomerCommand::Register { name, email })
    }

    fn rename() -> Command {
        let name = text("Countess Lovelace");
        ada(CustomerCommand::Rename { name })
    }

    fn change_email() -> Command {
        let email = text("countess@example.org");
        ada(CustomerCommand::ChangeEmail { email })
    }

    fn registered() -> Event {
        let (name, email) = (text("Ada"), text("ada@example.org"));
        Event::CustomerRegistered { name, email }
    }

    fn renamed() -> Event {
        let name = text("Countess Lovelace");
        Event::CustomerRenamed { name }
    }

    fn email_changed() -> Event {
        let email = text("countess@example.org");
        Event::CustomerEmailChanged { email }
    }

    #[test]
    fn a_customer_is_registered_once() {
        given([]).when(register()).then(registered());
        given([registered()])
            .when(register())
            .rejected(Rejection::CustomerExists(id(1)));
    }

    #[test]
    fn a_registered_customer_gets_another_name_or_address() {
        given([registered()]).when(rename()).then(renamed());
        given([registered()]).when(change_email()).then(email_changed());
        for command in [rename(), change_email()] {
            given([])
                .when(command)
                .rejected(Rejection::UnknownCustomer(id(1)));
        }
    }

    #[test]
    fn each_event_changes_what_it_names_and_the_version() {
        let events = [registered(), renamed(), email_changed()];
        let after = events
            .iter()
            .fold(None, |before, event| evolve(id(1), before, event));
        let changed = Customer {
            id: id(1),
            version: 3,
            name: text("Countess Lovelace"),
            email: text("countess@example.org"),
        };
        assert_eq!(after, Some(changed));
    }
}
