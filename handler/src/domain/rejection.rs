//! The reasons for which the domain rejects a command, as one closed enum that tests can compare.
//! Never an HTTP status and never a broken part: those belong to `http::problem` and `write::WriteError`.

use uuid::Uuid;

use super::{
    order::OrderStatus,
    value::{MAX_VERSION, Money},
};

/// A rule of the shop that the command would break. Nothing is written when one is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The order does not exist (or is not the caller's to see).
    #[error("there is no order {0}")]
    UnknownOrder(Uuid),
    /// The customer that the command is about does not exist.
    #[error("there is no customer {0}")]
    UnknownCustomer(Uuid),
    /// No customer is registered under the id that an order names.
    #[error("no customer {0} is registered")]
    NotRegistered(Uuid),
    /// The product that the command is about does not exist.
    #[error("there is no product {0}")]
    UnknownProduct(String),
    /// These SKUs are not in the catalogue.
    #[error("there is no product {}", missing(.0))]
    UnknownProducts(Vec<MissingProduct>),
    /// A customer with this id is registered already.
    #[error("customer {0} is registered already")]
    CustomerExists(Uuid),
    /// A product with this SKU is in the catalogue already.
    #[error("product {0} is in the catalogue already")]
    ProductExists(String),
    /// At least one line asks for more than there is.
    #[error("not enough stock: {}", describe(.0))]
    NotEnoughStock(Vec<StockShortage>),
    /// The lines are priced in more than one currency.
    #[error("an order has one currency, and these products are priced in {}", .0.join(" and "))]
    MixedCurrencies(Vec<String>),
    /// The sum is more than the largest amount of money.
    #[error("the amount is too large")]
    AmountTooLarge,
    /// The total of the lines is not the one that the caller expects.
    #[error("the order costs {total}, and not {expected}")]
    PriceChanged {
        /// The total that the caller expected.
        expected: Money,
        /// The total now.
        total: Money,
    },
    /// There are as many versions of it as there can be.
    #[error("it has been changed {MAX_VERSION} times, and cannot be changed again")]
    TooManyChanges,
    /// The payment is not exactly the total of the order.
    #[error("the order costs {expected}, and the payment is {paid}")]
    WrongAmount {
        /// The order's total.
        expected: Money,
        /// The amount that was offered.
        paid: Money,
    },
    /// The order is in a state where the command makes no sense.
    #[error("the order is {status}, and only an order that is {} can be {wanted}", join(.needed))]
    WrongStatus {
        /// The order's status.
        status: OrderStatus,
        /// The statuses that the command needs.
        needed: &'static [OrderStatus],
        /// The command, as a participle.
        wanted: &'static str,
    },
}

/// One line that asks for what does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingProduct {
    /// Position of the line in the command, from 0.
    pub line: usize,
    /// The SKU asked for.
    pub sku: String,
}

/// One line that asks for more than there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockShortage {
    /// Position of the line in the command, from 0.
    pub line: usize,
    /// The SKU asked for.
    pub sku: String,
    /// Pieces that were asked for.
    pub wanted: i64,
    /// Pieces left.
    pub available: i64,
}

fn join(statuses: &[OrderStatus]) -> String {
    let names = statuses.iter().map(ToString::to_string);
    names.collect::<Vec<_>>().join(" or ")
}

fn missing(products: &[MissingProduct]) -> String {
    products
        .iter()
        .map(|missing| missing.sku.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn describe(shortages: &[StockShortage]) -> String {
    let one = |s: &StockShortage| format!("{} has {} left, {} wanted", s.sku, s.available, s.wanted);
    shortages.iter().map(one).collect::<Vec<_>>().join("; ")
}
