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
    /// Where to write to.
    pub email: Email,
}

/// What can be asked of a customer.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Become a customer.
    Register {
        /// Name of the customer.
        name: Name,
        /// Where to write to.
        email: Email,
    },
    /// Be called something else.
    Rename {
        /// The new name.
        name: Name,
    },
    /// Be written to elsewhere.
    ChangeEmail {
        /// The new address.
        email: Email,
    },
}

/// Says what happens to customer `id`, one event per command, or which rule forbids it.
///
/// # Errors
/// [`Rejection::CustomerExists`] when this id is registered already, [`Rejection::UnknownCustomer`] when it must be and
/// is not.
pub fn decide(id: Uuid, state: Option<&Customer>, command: Command) -> Result<Event, Rejection> {
    match (state, command) {
        (Some(_), Command::Register { .. }) => Err(Rejection::CustomerExists(id)),
        (None, Command::Register { name, email }) => Ok(Event::CustomerRegistered { name, email }),
        (Some(_), Command::Rename { name }) => Ok(Event::CustomerRenamed { name }),
        (Some(_), Command::ChangeEmail { email }) => Ok(Event::CustomerEmailChanged { email }),
        (None, Command::Rename { .. } | Command::ChangeEmail { .. }) => Err(Rejection::UnknownCustomer(id)),
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
    use crate::domain::testing::{id, text};

    #[test]
    fn a_customer_is_registered_once() {
        let register = Command::Register {
            name: text("Ada"),
            email: text("ada@example.org"),
        };
        let ada = evolve(id(1), None, &decide(id(1), None, register.clone()).unwrap());
        assert_eq!(ada.as_ref().map(|c| c.version), Some(1));
        assert_eq!(
            decide(id(1), ada.as_ref(), register),
            Err(Rejection::CustomerExists(id(1)))
        );
    }

    #[test]
    fn only_a_registered_customer_gets_another_name_or_address_and_keeps_the_rest() {
        let rename = Command::Rename {
            name: text("Countess Lovelace"),
        };
        let readdress = Command::ChangeEmail {
            email: text("countess@example.org"),
        };
        let mut state = Some(Customer {
            id: id(1),
            version: 1,
            name: text("Ada"),
            email: text("ada@example.org"),
        });
        for command in [rename, readdress] {
            let refused = decide(id(2), None, command.clone());
            assert_eq!(refused, Err(Rejection::UnknownCustomer(id(2))));
            let event = decide(id(1), state.as_ref(), command).unwrap();
            state = evolve(id(1), state, &event);
        }
        let changed = Customer {
            id: id(1),
            version: 3,
            name: text("Countess Lovelace"),
            email: text("countess@example.org"),
        };
        assert_eq!(state, Some(changed));
    }
}
