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

/// A command about one product.
#[derive(Debug, Clone, PartialEq)]
pub enum ProductCommand {
    /// Add the product to the catalogue, under a SKU that is new and without stock.
    Add {
        /// The product's name.
        name: Name,
        /// Price of one piece.
        price: Price,
    },
    /// Give the product another name; orders keep the one that they were placed under.
    Rename {
        /// Replaces the old name.
        name: Name,
    },
    /// Give the product another price; orders keep the one that they were placed at.
    ChangePrice {
        /// Replaces the old price of one piece.
        price: Price,
    },
    /// Take pieces into stock.
    Restock {
        /// Pieces that came in.
        quantity: Quantity,
    },
}

/// Decides what happens to product `sku`: one event, or the rule that forbids it.
///
/// # Errors
/// [`Rejection::ProductExists`] for a SKU that is taken, [`Rejection::UnknownProduct`] for one that is not there.
pub fn decide(sku: &Sku, state: Option<&Product>, command: &ProductCommand) -> Result<Event, Rejection> {
    match (state, command) {
        (Some(_), ProductCommand::Add { .. }) => Err(Rejection::ProductExists(sku.as_str().to_owned())),
        (None, ProductCommand::Add { name, price }) => Ok(Event::ProductAdded {
            name: name.clone(),
            price: price.clone(),
        }),
        (None, _) => Err(Rejection::UnknownProduct(sku.as_str().to_owned())),
        (Some(_), ProductCommand::Restock { quantity }) => {
            Ok(Event::ProductRestocked { quantity: *quantity })
        }
        (Some(_), ProductCommand::Rename { name }) => Ok(Event::ProductRenamed { name: name.clone() }),
        (Some(_), ProductCommand::ChangePrice { price }) => {
            Ok(Event::ProductPriceChanged { price: price.clone() })
        }
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
    use crate::domain::{
        command::Command,
        testing::{given, price, quantity, text},
    };

    fn mug(command: ProductCommand) -> Command {
        Command::Product(text("MUG"), command)
    }

    fn add() -> Command {
        let (name, price) = (text("Mug"), price(1299, "EUR"));
        mug(ProductCommand::Add { name, price })
    }

    fn rename() -> Command {
        let name = text("Big mug");
        mug(ProductCommand::Rename { name })
    }

    fn change_price() -> Command {
        let price = price(999, "USD");
        mug(ProductCommand::ChangePrice { price })
    }

    fn restock() -> Command {
        let quantity = quantity(5);
        mug(ProductCommand::Restock { quantity })
    }

    fn added() -> Event {
        let (name, price) = (text("Mug"), price(1299, "EUR"));
        Event::ProductAdded { name, price }
    }

    fn renamed() -> Event {
        let name = text("Big mug");
        Event::ProductRenamed { name }
    }

    fn price_changed() -> Event {
        let price = price(999, "USD");
        Event::ProductPriceChanged { price }
    }

    fn restocked() -> Event {
        let quantity = quantity(5);
        Event::ProductRestocked { quantity }
    }

    #[test]
    fn a_product_is_added_once_and_restocked_often() {
        given([]).when(add()).then(added());
        given([added()]).when(restock()).then(restocked());
        given([added(), restocked()]).when(restock()).then(restocked());
        given([added(), restocked()])
            .when(add())
            .rejected(Rejection::ProductExists("MUG".into()));
    }

    #[test]
    fn a_product_of_the_catalogue_gets_another_name_or_price() {
        given([added()]).when(rename()).then(renamed());
        given([added()]).when(change_price()).then(price_changed());
        for command in [rename(), change_price(), restock()] {
            given([])
                .when(command)
                .rejected(Rejection::UnknownProduct("MUG".into()));
        }
    }

    #[test]
    fn each_event_changes_what_it_names_and_the_version() {
        let sku: Sku = text("MUG");
        let events = [added(), restocked(), renamed(), price_changed()];
        let after = events
            .iter()
            .fold(None, |before, event| evolve(&sku, before, event));
        let changed = Product {
            sku: sku.clone(),
            version: 4,
            name: text("Big mug"),
            price: price(999, "USD"),
        };
        assert_eq!(after, Some(changed));
    }
}
