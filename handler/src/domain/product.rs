//! The product aggregate: what is sold and for how much.
//! Never holds the stock: how many are left moves with every order and is counted beside the product.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    event::Event,
    rejection::Rejection,
    value::{Name, Price, Quantity, Sku},
};

/// A product of the catalogue, as carried in events and kept in `products`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Identity.
    pub sku: Sku,
    /// 1 after it was added, one more with each event of its own; orders do not change it.
    pub version: i64,
    /// Name of the product.
    pub name: Name,
    /// Price of one piece.
    pub price: Price,
}

/// What can be asked of a product.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Come into the catalogue.
    Add {
        /// Name of the product.
        name: Name,
        /// Price of one piece.
        price: Price,
    },
    /// Be called something else.
    Rename {
        /// The new name.
        name: Name,
    },
    /// Cost something else.
    ChangePrice {
        /// The new price of one piece.
        price: Price,
    },
    /// Take pieces into stock.
    Restock {
        /// How many.
        quantity: Quantity,
    },
}

/// Says what happens, one event per command, or which rule forbids it.
///
/// # Errors
/// [`Rejection::ProductExists`] for a SKU that is taken, [`Rejection::UnknownProduct`] for one that is not there.
pub fn decide(sku: &Sku, state: Option<&Product>, command: Command) -> Result<Event, Rejection> {
    match (state, command) {
        (Some(_), Command::Add { .. }) => Err(Rejection::ProductExists(sku.as_str().to_owned())),
        (None, Command::Add { name, price }) => Ok(Event::ProductAdded { name, price }),
        (None, _) => Err(Rejection::UnknownProduct(sku.as_str().to_owned())),
        (Some(_), Command::Restock { quantity }) => Ok(Event::ProductRestocked { quantity }),
        (Some(_), Command::Rename { name }) => Ok(Event::ProductRenamed { name }),
        (Some(_), Command::ChangePrice { price }) => Ok(Event::ProductPriceChanged { price }),
    }
}

/// The product after the event; events of other aggregates change nothing.
#[must_use]
pub fn evolve(sku: &Sku, state: Option<Product>, event: &Event) -> Option<Product> {
    match event {
        Event::ProductAdded { name, price } => Some(Product {
            sku: sku.clone(),
            version: 1,
            name: name.clone(),
            price: price.clone(),
        }),
        Event::ProductRenamed { name } => state.map(|p| Product {
            version: p.version + 1,
            name: name.clone(),
            ..p
        }),
        Event::ProductPriceChanged { price } => state.map(|p| Product {
            version: p.version + 1,
            price: price.clone(),
            ..p
        }),
        Event::ProductRestocked { .. } => state.map(|p| Product {
            version: p.version + 1,
            ..p
        }),
        _ => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{price, quantity, text};

    #[test]
    fn a_product_is_added_once_and_restocked_often() {
        let sku: Sku = text("MUG");
        let add = Command::Add {
            name: text("Mug"),
            price: price(1299, "EUR"),
        };
        let restock = Command::Restock {
            quantity: quantity(5),
        };
        assert_eq!(
            decide(&sku, None, restock.clone()),
            Err(Rejection::UnknownProduct("MUG".into()))
        );
        let mut state = None;
        for command in [add.clone(), restock.clone(), restock] {
            let event = decide(&sku, state.as_ref(), command).unwrap();
            state = evolve(&sku, state, &event);
        }
        assert_eq!(state.as_ref().map(|p| p.version), Some(3));
        assert_eq!(
            decide(&sku, state.as_ref(), add),
            Err(Rejection::ProductExists("MUG".into()))
        );
    }

    #[test]
    fn only_a_product_of_the_catalogue_gets_another_name_or_price() {
        let sku: Sku = text("MUG");
        let rename = Command::Rename {
            name: text("Big mug"),
        };
        let reprice = Command::ChangePrice {
            price: price(999, "USD"),
        };
        let mut state = Some(Product {
            sku: sku.clone(),
            version: 1,
            name: text("Mug"),
            price: price(1299, "EUR"),
        });
        for command in [rename, reprice] {
            let refused = decide(&sku, None, command.clone());
            assert_eq!(refused, Err(Rejection::UnknownProduct("MUG".into())));
            let event = decide(&sku, state.as_ref(), command).unwrap();
            state = evolve(&sku, state, &event);
        }
        let changed = Product {
            sku,
            version: 3,
            name: text("Big mug"),
            price: price(999, "USD"),
        };
        assert_eq!(state, Some(changed));
    }
}
