//! The value types that a command is made of; each can only be built from text or numbers that keep its rule.
//! Never trims, rounds or repairs what it is given: a bad value is an error that says which rule it broke.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of a person or product, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 200;
/// Longest reason, in bytes of UTF-8.
pub const MAX_REASON_BYTES: usize = 500;
/// Most pieces of one SKU in one order or one restock.
pub const MAX_QUANTITY: i64 = 10_000;
/// Largest amount of money, in minor units: what every reader of JSON holds exactly (RFC 8259, section 6), and Cosmos DB,
/// whose numbers are doubles, too.
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;
/// Most lines in one order.
pub const MAX_LINES: usize = 100;

/// Why a value was not accepted, in words for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

/// An amount of money: `{"amount": 1299, "currency": "EUR"}`, integer minor units and an ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units (cents for EUR). Never negative in a command.
    pub amount: i64,
    /// ISO 4217 alphabetic code.
    pub currency: Currency,
}

impl Money {
    /// `unit` times `quantity`; `None` when it is more than [`MAX_AMOUNT`].
    #[must_use]
    pub fn times(&self, quantity: i64) -> Option<Self> {
        let amount = self
            .amount
            .checked_mul(quantity)
            .filter(|amount| *amount <= MAX_AMOUNT)?;
        Some(Self {
            amount,
            currency: self.currency.clone(),
        })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} minor units of {}", self.amount, self.currency.as_str())
    }
}

/// Makes a newtype over `String` whose only way in is a check.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, 1..=$longest:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern, "minLength" = 1, "maxLength" = $longest))]
        pub struct $name(String);

        impl $name {
            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                let check: fn(&str) -> Result<(), Invalid> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

text!(
    /// ISO 4217 alphabetic code: three capital letters.
    Currency,
    "^[A-Z]{3}$",
    1..=3,
    |text| {
        let ok = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        if ok { Ok(()) } else { Err(Invalid("a currency is three capital letters (ISO 4217)")) }
    }
);

text!(
    /// Stock keeping unit: `^[A-Z0-9][A-Z0-9._-]{0,39}$`.
    Sku,
    "^[A-Z0-9][A-Z0-9._-]*$",
    1..=40,
    |text| {
        let body = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let head = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let ok = text.len() <= 40 && text.as_bytes().first().is_some_and(head) && text.bytes().all(body);
        if ok { Ok(()) } else { Err(Invalid("a SKU is 1 to 40 of A-Z 0-9 . _ - and begins with a letter or digit")) }
    }
);

text!(
    /// Name of a person, product, carrier or parcel: 1 to 200 bytes, not blank, no control characters.
    Name,
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
    1..=200,
    |text| {
        let ok = !text.trim().is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control);
        if ok { Ok(()) } else { Err(Invalid("a name is 1 to 200 bytes, not blank, without control characters")) }
    }
);

text!(
    /// Why something was done, in a person's words: 1 to 500 bytes, not blank, no control characters.
    Reason,
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
    1..=500,
    |text| {
        let ok = !text.trim().is_empty() && text.len() <= MAX_REASON_BYTES && !text.chars().any(char::is_control);
        if ok { Ok(()) } else { Err(Invalid("a reason is 1 to 500 bytes, not blank, without control characters")) }
    }
);

text!(
    /// E-mail address, checked only for what every address has: something, one `@`, something (RFC 5321 allows the rest).
    Email,
    "^[^@\\s\\u0000-\\u001f\\u007f-\\u009f]+@[^@\\s\\u0000-\\u001f\\u007f-\\u009f]+$",
    1..=254,
    |text| {
        let parts = text.split_once('@');
        let sound = |t: &str| !t.is_empty() && !t.contains('@') && !t.chars().any(|c| c.is_whitespace() || c.is_control());
        let ok = text.len() <= 254 && parts.is_some_and(|(local, domain)| sound(local) && sound(domain));
        if ok { Ok(()) } else { Err(Invalid("an e-mail address is name@domain, at most 254 bytes")) }
    }
);

/// How many pieces: 1 to 10 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = MAX_QUANTITY))]
pub struct Quantity(i64);

impl Quantity {
    /// The number of pieces.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = Invalid;
    fn try_from(pieces: i64) -> Result<Self, Invalid> {
        let ok = (1..=MAX_QUANTITY).contains(&pieces);
        if ok {
            Ok(Self(pieces))
        } else {
            Err(Invalid("a quantity is a whole number from 1 to 10000"))
        }
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> i64 {
        quantity.0
    }
}

/// A price: money from 0 to [`MAX_AMOUNT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Money", into = "Money")]
#[schemars(transform = bounded)]
pub struct Price(Money);

fn bounded(schema: &mut schemars::Schema) {
    if let Some(amount) = schema.pointer_mut("/properties/amount") {
        amount["minimum"] = 0.into();
        amount["maximum"] = MAX_AMOUNT.into();
    }
}

impl Price {
    /// The amount of money.
    #[must_use]
    pub fn money(&self) -> &Money {
        &self.0
    }
}

impl TryFrom<Money> for Price {
    type Error = Invalid;
    fn try_from(money: Money) -> Result<Self, Invalid> {
        if (0..=MAX_AMOUNT).contains(&money.amount) {
            Ok(Self(money))
        } else {
            Err(Invalid("a price is 0 to 9007199254740991 minor units"))
        }
    }
}

impl From<Price> for Money {
    fn from(price: Price) -> Money {
        price.0
    }
}

/// How times stand in JSON, for the schema: RFC 3339, UTC.
#[derive(JsonSchema)]
#[schemars(extend("format" = "date-time"))]
pub struct Time(#[expect(dead_code, reason = "only its schema is used")] String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_capitals_digits_and_three_marks() {
        for good in ["A", "7", "MUG-BLUE", "A.B_C-9", &"A".repeat(40)] {
            assert!(Sku::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "-A", "a", "A B", "Ä", &"A".repeat(41)] {
            assert!(Sku::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_counted_in_bytes_and_hold_no_control_characters() {
        assert!(Name::try_from("é".repeat(100)).is_ok());
        assert!(Name::try_from("é".repeat(101)).is_err());
        assert!(Name::try_from("a\u{7}b".to_owned()).is_err());
        assert!(Name::try_from("  ".to_owned()).is_err());
    }

    #[test]
    fn quantities_start_at_one() {
        assert!(Quantity::try_from(0).is_err());
        assert!(Quantity::try_from(-1).is_err());
        assert_eq!(Quantity::try_from(10_000).map(Quantity::get), Ok(10_000));
        assert!(Quantity::try_from(10_001).is_err());
    }

    #[test]
    fn multiplying_money_refuses_to_overflow() {
        let eur = Currency::try_from("EUR".to_owned()).unwrap();
        let money = Money {
            amount: MAX_AMOUNT,
            currency: eur,
        };
        assert_eq!(money.times(2), None);
    }
}
