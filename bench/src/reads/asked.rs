//! What is read: all requests rendered beforehand, of which every client takes random ones.
//! Never an order that is not there.

use std::{ops::RangeInclusive, sync::Arc};

use crate::{
    client::{Asks, SUCCESS},
    dice::Dice,
    history::History,
    requests::get,
};

/// Most rows of a list that is asked for.
const ROWS: usize = 50;

/// Shared by all clients, which choose from them.
type All = Arc<[Vec<u8>]>;

/// The queries that are asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// An order.
    Order,
    /// An order that the client has already: it sends the ETag along.
    Known,
    /// The newest orders of a customer.
    List,
}

/// The requests of all kinds.
#[derive(Debug)]
pub(super) struct Requests {
    orders: All,
    known: All,
    lists: All,
    /// The number of rows that every list must have.
    pub(super) rows: usize,
}

/// The requests of one client.
#[derive(Debug)]
pub(super) struct Asking {
    all: All,
    dice: Dice,
    accepts: RangeInclusive<u16>,
}

impl Requests {
    pub(super) fn new(history: &History) -> Self {
        let order = |id: &String| get(&format!("/api/orders/{id}"), "");
        // Placed, paid, sent off: the third version.
        let known = |id: &String| get(&format!("/api/orders/{id}"), "if-none-match: \"3\"\r\n");
        let rows = ROWS.min(history.least());
        let list = |id: &String| get(&format!("/api/customers/{id}/orders?limit={rows}"), "");
        Self {
            orders: history.orders.iter().map(order).collect(),
            known: history.orders.iter().map(known).collect(),
            lists: history.regulars.iter().map(list).collect(),
            rows,
        }
    }

    /// The requests of client number `client`.
    pub(super) fn of(&self, asked: Asked, client: u64) -> Asking {
        let (all, accepts) = match asked {
            Asked::Order => (&self.orders, SUCCESS),
            Asked::Known => (&self.known, 304..=304),
            Asked::List => (&self.lists, SUCCESS),
        };
        Asking {
            all: All::clone(all),
            dice: Dice::of_client(client),
            accepts,
        }
    }

    pub(super) fn orders(&self) -> &[Vec<u8>] {
        &self.orders
    }

    pub(super) fn lists(&self) -> &[Vec<u8>] {
        &self.lists
    }
}

impl Asks for Asking {
    fn next(&mut self) -> Option<&[u8]> {
        let one = self.dice.below(self.all.len());
        self.all.get(one).map(Vec::as_slice)
    }

    fn accepts(&self) -> RangeInclusive<u16> {
        self.accepts.clone()
    }
}
