//! The customer aggregate: registered once.
//! Never knows how many orders a customer has.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::Event,
    rejection::Rejection,
    value::{Email, Name},
};

/// A registered customer, as carried in events and kept in `customers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Says what happens, one event per command, or which rule forbids it.
///
/// # Errors
/// [`Rejection::CustomerExists`] when somebody with this id is registered.
pub fn decide(state: Option<&Customer>, command: Command) -> Result<Event, Rejection> {
    match (state, command) {
        (Some(customer), Command::Register { .. }) => Err(Rejection::CustomerExists(customer.id)),
        (None, Command::Register { name, email }) => Ok(Event::CustomerRegistered { name, email }),
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
        let ada = evolve(id(1), None, &decide(None, register.clone()).unwrap());
        assert_eq!(ada.as_ref().map(|c| c.version), Some(1));
        assert_eq!(
            decide(ada.as_ref(), register),
            Err(Rejection::CustomerExists(id(1)))
        );
    }
}
