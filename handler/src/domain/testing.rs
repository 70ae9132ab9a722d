//! Short ways to write values and `given … when … then …` in the domain's tests.
//! Never compiled into the handler.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::value::{Currency, Invalid, Money, Price, Quantity};

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn text<T: TryFrom<String, Error = Invalid>>(text: &str) -> T {
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

pub(crate) fn minute(n: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::minutes(n)
}
