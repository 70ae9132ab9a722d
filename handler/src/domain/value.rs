//! The value types that a command is made of; each can only be built from text or numbers that keep its rule.
//! Never trims, rounds or repairs what it is given: a bad value is an error that says which rule it broke.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::blank;

/// Longest name of a person or product, in characters (Unicode code points, as JSON Schema counts).
pub const MAX_NAME: usize = 200;
/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;
/// Longest e-mail address, in characters (RFC 5321, section 4.5.3.1.3, less the angle brackets).
pub const MAX_EMAIL: usize = 254;
/// Most pieces of one SKU in one order or one restock.
pub const MAX_QUANTITY: i64 = 10_000;
/// Largest amount of money, in minor units: what every reader of JSON holds exactly (RFC 8259, section 6), and Cosmos DB,
/// whose numbers are doubles, too.
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;
/// Most events of one aggregate. Each is a decision of a person, so no real one comes near; a forged version beyond it is refused.
pub const MAX_VERSION: i64 = 1_000_000;
/// Most lines in one order.
pub const MAX_LINES: usize = 100;

/// A rule that a value breaks, in words for the person who sent the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub &'static str);

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

/// Makes a newtype over `String` that is made by a check; with `#[serde(try_from = "String")]` it is read by that check too.
macro_rules! text {
    ($(#[$meta:meta])* $name:ident, $pattern:expr, 1..=$longest:expr, $check:expr) => {
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        $(#[$meta])*
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
            type Error = InvalidValue;
            fn try_from(text: String) -> Result<Self, InvalidValue> {
                let check: fn(&str) -> Result<(), InvalidValue> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;
            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                text.to_owned().try_into()
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
    #[serde(try_from = "String", into = "String")]
    Currency,
    "^[A-Z]{3}$",
    1..=3,
    |text| {
        let ok = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        if ok { Ok(()) } else { Err(InvalidValue("a currency is three capital letters (ISO 4217)")) }
    }
);

text!(
    /// Stock keeping unit: `^[A-Z0-9][A-Z0-9._-]{0,39}$`.
    #[serde(try_from = "String", into = "String")]
    Sku,
    "^[A-Z0-9][A-Z0-9._-]*$",
    1..=40,
    |text| {
        let body = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let head = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let ok = text.len() <= 40 && text.as_bytes().first().is_some_and(head) && text.bytes().all(body);
        if ok { Ok(()) } else { Err(InvalidValue("a SKU is 1 to 40 of A-Z 0-9 . _ - and begins with a letter or digit")) }
    }
);

text!(
    /// Name of a person, product, carrier or parcel: 1 to 200 characters, some of which can be seen, and no control characters.
    Name,
    blank::pattern(),
    1..=MAX_NAME,
    |text| {
        let ok = is_words(text, MAX_NAME);
        if ok { Ok(()) } else { Err(InvalidValue("a name is 1 to 200 characters, not blank, without control characters")) }
    }
);

text!(
    /// A reason, in a person's words: 1 to 500 characters, some of which can be seen, and no control characters.
    Reason,
    blank::pattern(),
    1..=MAX_REASON,
    |text| {
        let ok = is_words(text, MAX_REASON);
        if ok { Ok(()) } else { Err(InvalidValue("a reason is 1 to 500 characters, not blank, without control characters")) }
    }
);

text!(
    /// E-mail address, checked only for what every address has: something, one `@`, something. Quoted local parts (RFC 5321,
    /// section 4.1.2) are not taken.
    Email,
    blank::address_pattern(),
    1..=MAX_EMAIL,
    |text| {
        if text.contains('"') {
            return Err(InvalidValue("an e-mail address with a quoted part is not taken"));
        }
        let parts = text.split_once('@');
        let ok = text.chars().count() <= MAX_EMAIL
            && parts.is_some_and(|(local, domain)| blank::is_all_visible(local) && blank::is_all_visible(domain));
        if ok { Ok(()) } else { Err(InvalidValue("an e-mail address is name@domain, at most 254 characters, without spaces")) }
    }
);

/// Text for people: 1 to `longest` characters, something to be seen among them, and no control characters.
#[must_use]
pub fn is_words(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !blank::is_blank(text) && !text.chars().any(char::is_control)
}

/// Reads a text that is new, by today's rules. What is stored is read without them, because a rule may be younger than it.
///
/// # Errors
/// Those of the deserializer, and [`InvalidValue`].
pub fn fresh<'de, D: Deserializer<'de>, T: TryFrom<String, Error = InvalidValue>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A number of pieces: 1 to 10 000.
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
    type Error = InvalidValue;
    fn try_from(pieces: i64) -> Result<Self, InvalidValue> {
        let ok = (1..=MAX_QUANTITY).contains(&pieces);
        if ok {
            Ok(Self(pieces))
        } else {
            Err(InvalidValue("a quantity is a whole number from 1 to 10000"))
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
    type Error = InvalidValue;
    fn try_from(money: Money) -> Result<Self, InvalidValue> {
        if (0..=MAX_AMOUNT).contains(&money.amount) {
            Ok(Self(money))
        } else {
            Err(InvalidValue("a price is 0 to 9007199254740991 minor units"))
        }
    }
}

impl From<Price> for Money {
    fn from(price: Price) -> Money {
        price.0
    }
}

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
    fn a_sku_is_the_same_in_a_path_whoever_encodes_it() {
        // Hosts decode paths and encode them again, and resolve dot segments: only unreserved characters (RFC 3986, section 2.3)
        // go through unchanged.
        for letter in (0..=u8::MAX).map(char::from) {
            let is_unreserved = letter.is_ascii_alphanumeric() || "-._~".contains(letter);
            let is_taken = Sku::try_from(format!("A{letter}")).is_ok();
            assert!(is_unreserved || !is_taken, "{letter:?}");
        }
        for dots in [".", ".."] {
            assert!(Sku::try_from(dots.to_owned()).is_err());
        }
    }

    #[test]
    fn names_are_counted_in_characters_and_hold_no_control_characters() {
        for character in ["é", "茶", "☕", "🫖", "e\u{301}"] {
            let characters = character.chars().count();
            assert!(
                Name::try_from(character.repeat(200 / characters)).is_ok(),
                "{character}"
            );
            assert!(
                Name::try_from(character.repeat(200 / characters + 1)).is_err(),
                "{character}"
            );
        }
        assert!(Name::try_from("a\u{7}b".to_owned()).is_err());
    }

    #[test]
    fn text_without_a_visible_character_is_no_name_reason_or_address() {
        for blank in [
            "",
            "  ",
            "\u{feff}",
            "\u{200b}",
            "\u{3164}",
            "\u{ffa0}\u{115f}",
            "\u{2060}\u{ad}",
            "\u{2800}",
            "\u{e0041}",
            "\u{1d173}",
            "\u{fe0f}",
            "\u{a0}\u{3000}\u{2003}",
        ] {
            assert!(Name::try_from(blank.to_owned()).is_err(), "{blank:?}");
            assert!(Reason::try_from(blank.to_owned()).is_err(), "{blank:?}");
            assert!(Email::try_from(format!("{blank}@{blank}")).is_err(), "{blank:?}");
            assert!(Name::try_from(format!("a{blank}b")).is_ok(), "{blank:?}");
        }
    }

    #[test]
    fn an_address_with_a_quoted_part_is_refused_in_words() {
        for quoted in [r#""ada lovelace"@example.org"#, r#""a@b"@c"#, r#"ada@"b""#] {
            let refused = Email::try_from(quoted.to_owned()).unwrap_err();
            assert!(refused.0.contains("quoted"), "{quoted}");
        }
        for good in [
            "ada@example.org",
            "ädä@пример",
            &format!("a@{}", "茶".repeat(252)),
        ] {
            assert!(Email::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            &format!("a@{}", "茶".repeat(253)),
        ] {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_stored_is_read_though_a_rule_is_younger_than_it() {
        let name: Name = serde_json::from_str("\"\u{200b}\"").unwrap();
        assert_eq!(name.as_str(), "\u{200b}");
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
